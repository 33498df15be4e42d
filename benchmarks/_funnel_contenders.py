"""The contenders of benchmarks.funnel, and the selection of their alpha."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from skmtl import BlockSparseClassifier
from skmtl.funnel import EntireSpaceClassifier

Array = NDArray[Any]
# The probability of a purchase, and that given a click (None if it is not modelled).
Pair = tuple[Array, Array | None]

ALPHAS = tuple(np.geomspace(1e-4, 1e-2, 5).tolist())
N_FOLDS = 2
_EPS = 1e-9


@dataclass(frozen=True)
class Contender:
    """A way to estimate the probability of a purchase.

    Attributes
    ----------
    name : str
    fit : callable
        From X, Y (click, purchase), the rows to predict and alphas: a prediction for each setting.
    settings : callable
        From alphas: what is selected.
    """

    name: str
    fit: Callable[[Array, Array, Array, Any], Pair]
    n_alphas: int = 1

    def settings(self, alphas: Sequence[float]) -> list[Any]:
        """All settings to select from."""
        return list(product(alphas, repeat=self.n_alphas))


def _entire(
    penalty: str, propensity: str | None, X: Array, Y: Array, new: Array, setting: tuple[float, ...]
) -> Pair:
    alpha = setting[0] if setting else 0.0
    model = EntireSpaceClassifier(alpha, penalty=penalty, propensity=propensity).fit(X, Y)
    return model.predict_proba(new)[:, 1], model.predict_conditional_proba(new)[:, 1]


def _clicks_only(X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
    """Click and purchase given a click, as two tasks with common features."""
    labels = np.column_stack([Y[:, 0], np.where(Y[:, 0] > 0, Y[:, 1], np.nan)])
    model = BlockSparseClassifier(setting[0]).fit(X, labels)
    p = model.predict_proba(new)
    return p.prod(axis=1), p[:, 1]


def _alone(X: Array, y: Array, new: Array, alpha: float) -> Array:
    """The probability of one label, by a ridge; alpha multiplies half the squared norm."""
    if y.min() == y.max():
        return np.full(len(new), float(y[0]))
    C = 1 / (len(y) * alpha) if alpha > 0 else np.inf
    model = LogisticRegression(C=C, max_iter=1000, tol=1e-6).fit(X, y)
    return np.asarray(model.predict_proba(new)[:, 1])


def _product(X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
    """Click and purchase given a click, each fitted by itself."""
    first, second = setting if setting else (0.0, 0.0)
    clicked = Y[:, 0] > 0
    given = _alone(X[clicked], Y[clicked, 1], new, second)
    return _alone(X, Y[:, 0], new, first) * given, given


def _purchase_ridge(X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
    return _alone(X, Y[:, 1], new, setting[0]), None


def _purchase_sparse(X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
    model = BlockSparseClassifier(setting[0]).fit(X, Y[:, 1].astype(int))
    return model.predict_proba(new)[:, 1], None


def _of(penalty: str, propensity: str | None = None) -> Callable[..., Pair]:
    def fit(X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
        return _entire(penalty, propensity, X, Y, new, setting)

    return fit


REFERENCE = "clicks only, block"
OURS = "entire space, block"
CONTENDERS = (
    Contender(OURS, _of("block")),
    Contender("entire space, trace", _of("trace")),
    Contender("entire space, none", _of("none"), 0),
    Contender("purchase alone, lasso", _purchase_sparse),
    Contender("purchase alone, ridge", _purchase_ridge),
    Contender(REFERENCE, _clicks_only),
    Contender("clicks only, ridge each", _product, 2),
    Contender("clicks only, none", _product, 0),
    Contender("inverse propensity, block", _of("block", "inverse")),
    Contender("doubly robust, block", _of("block", "doubly_robust")),
)
NAMES = tuple(contender.name for contender in CONTENDERS)


class _Cache:
    """Remember fits of one part, so that pairs of alphas cost no more than single ones."""

    def __init__(self) -> None:
        self.known: dict[Any, Array] = {}

    def product(self, X: Array, Y: Array, new: Array, setting: tuple[float, ...]) -> Pair:
        clicked = Y[:, 0] > 0
        for part, (rows, column, alpha) in enumerate(
            ((slice(None), 0, setting[0]), (clicked, 1, setting[1]))
        ):
            if (part, alpha) not in self.known:
                self.known[part, alpha] = _alone(X[rows], Y[rows, column], new, alpha)
        given = self.known[1, setting[1]]
        return self.known[0, setting[0]] * given, given


def log_losses(truth: Array, p: Array) -> Array:
    """The log-loss of each row; labels may be probabilities."""
    p = np.clip(p, _EPS, 1 - _EPS)
    return np.asarray(-truth * np.log(p) - (1 - truth) * np.log1p(-p))


def predict_tuned(
    contender: Contender, X: Array, Y: Array, new: Array, seed: int
) -> dict[str, tuple[Array, tuple[float, ...]]]:
    """The joint and the conditional probability, each with its own alpha, and these alphas."""
    settings = contender.settings(ALPHAS)
    chosen = {"joint": settings[0], "conditional": settings[0]}
    if len(settings) > 1:
        held_out = _held_out_losses(contender, settings, X, Y, seed)
        chosen = {what: settings[int(np.argmin(losses))] for what, losses in held_out.items()}
    fits = {setting: contender.fit(X, Y, new, setting) for setting in set(chosen.values())}
    found = {"joint": (fits[chosen["joint"]][0], chosen["joint"])}
    given = fits[chosen["conditional"]][1]
    if given is not None:
        found["conditional"] = (given, chosen["conditional"])
    return found


def _held_out_losses(
    contender: Contender, settings: list[Any], X: Array, Y: Array, seed: int
) -> dict[str, Array]:
    """For each setting, the log-loss of purchases over all rows and over rows with a click."""
    joint, given = np.zeros(len(settings)), np.zeros(len(settings))
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(X, Y.sum(axis=1)):
        fit = _Cache().product if contender.n_alphas > 1 else contender.fit
        clicked = Y[test, 0] > 0
        for k, setting in enumerate(settings):
            both, conditional = fit(X[train], Y[train], X[test], setting)
            joint[k] += log_losses(Y[test, 1], both).sum()
            if conditional is not None:
                given[k] += log_losses(Y[test, 1], conditional)[clicked].sum()
    return {"joint": joint, "conditional": given}
