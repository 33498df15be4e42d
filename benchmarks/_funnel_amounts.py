"""Amounts that are often zero: the hurdle part of benchmarks.funnel, on rand_hie.npz."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge, TweedieRegressor
from sklearn.metrics import mean_tweedie_deviance, roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._report import Record
from skmtl.funnel import HurdleRegressor
from skmtl.penalties import L1
from skmtl.penalties import Ridge as RidgePenalty

Array = NDArray[Any]

ALPHAS = tuple(np.geomspace(1e-3, 0.3, 6).tolist())
N_OUTER, N_FOLDS = 5, 3
POWER = 1.5
# Predictions are raised to this share of the mean amount, so that deviances are finite.
LEAST = 0.01
LOSSES: dict[str, Callable[[Array, Array], float]] = {
    "squared": lambda y, p: float(np.mean((y - p) ** 2)),
    "deviance": lambda y, p: float(mean_tweedie_deviance(y, p, power=POWER)),
}


def _hurdle(penalty: Any) -> Callable[[float], Any]:
    return lambda alpha: HurdleRegressor(alpha, penalty=penalty)


METHODS: dict[str, Callable[[float], Any]] = {
    "hurdle, block": _hurdle("block"),
    "hurdle, trace": _hurdle("trace"),
    "parts alone, lasso": _hurdle(L1()),
    "parts alone, ridge": _hurdle(RidgePenalty()),
    "parts alone, none": _hurdle("none"),
    "amount, ridge": lambda alpha: Ridge(alpha),
    "amount, Tweedie ridge": lambda alpha: TweedieRegressor(
        power=POWER, alpha=alpha, link="log", max_iter=500
    ),
}
REFERENCE = "parts alone, ridge"


def read_rand_hie(home: Path) -> tuple[Array, Array, Array]:
    """Features with indicators of site, plan and year; the expense; the person of each row."""
    with np.load(home / "rand_hie.npz", allow_pickle=False) as file:
        columns = [file["X"].astype(float)]
        for name in ("site", "plan", "year"):
            columns.append(file[name][:, None] == np.unique(file[name])[1:])
        return np.column_stack(columns), file["expense"], file["person"]


def run_amounts(home: Path, share: int, split: int) -> list[Record]:
    """Fit all methods to the persons of four folds, or to one in ``share`` of them."""
    X, y, person = read_rand_hie(home)
    outer = GroupKFold(N_OUTER, shuffle=True, random_state=split // N_OUTER)
    train, test = list(outer.split(X, y, person))[split % N_OUTER]
    persons = np.random.default_rng(split).permutation(np.unique(person[train]))
    train = train[np.isin(person[train], persons[: len(persons) // share])]
    prepared = make_pipeline(SimpleImputer(), StandardScaler()).fit(X[train])
    A, B = prepared.transform(X[train]), prepared.transform(X[test])
    return [
        {"data": "rand_hie", "share": share, "seed": split, "method": name}
        | _scores(make, A, y[train], person[train], B, y[test])
        for name, make in METHODS.items()
    ]


def _scores(
    make: Callable[[float], Any], X: Array, y: Array, groups: Array, new: Array, truth: Array
) -> Record:
    """The scores on test rows, with the alpha that each of the two losses selects."""
    alphas = _select(make, X, y, groups)
    unit = _unit(make, X, y)
    fits = {alpha: _fit(make, alpha, X, y, unit) for alpha in set(alphas.values())}
    record: Record = {"alpha": alphas}
    for loss, alpha in alphas.items():
        p = _predict(fits[alpha], new, y, unit)
        record[loss] = LOSSES[loss](truth, p)
    record["squared"] /= float(np.var(truth))
    model, paid = fits[alphas["deviance"]], truth > 0
    if isinstance(model, HurdleRegressor):
        p = np.clip(model.predict_positive_proba(new), 1e-9, 1 - 1e-9)
        record["any_auc"] = float(roc_auc_score(paid, p))
        record["any_loss"] = float(-np.mean(np.where(paid, np.log(p), np.log1p(-p))))
        logs = np.log(model.predict_conditional(new[paid]) / model.correction_)
        record["log_error"] = float(np.mean((np.log(truth[paid]) - logs) ** 2))
    return record


def _unit(make: Callable[[float], Any], X: Array, y: Array) -> float:
    """What y is divided by, so that grids of alpha suit all methods."""
    return 1.0 if isinstance(make(1.0), HurdleRegressor) else float(y.mean())


def _fit(make: Callable[[float], Any], alpha: float, X: Array, y: Array, unit: float) -> Any:
    # scikit-learn's ridge penalises the sum of the losses, not their mean.
    model = make(alpha)
    if isinstance(model, Ridge):
        model.set_params(alpha=alpha * len(y))
    return model.fit(X, y / unit)


def _predict(model: Any, new: Array, y: Array, unit: float) -> Array:
    return np.asarray(np.maximum(unit * model.predict(new), LEAST * y.mean()))


def _select(make: Callable[[float], Any], X: Array, y: Array, groups: Array) -> dict[str, float]:
    """The alpha with the smallest held-out loss, for each loss."""
    totals = {name: np.zeros(len(ALPHAS)) for name in LOSSES}
    for train, test in GroupKFold(N_FOLDS).split(X, y, groups):
        unit = _unit(make, X[train], y[train])
        for k, alpha in enumerate(ALPHAS):
            p = _predict(_fit(make, alpha, X[train], y[train], unit), X[test], y[train], unit)
            for name, loss in LOSSES.items():
                totals[name][k] += len(test) * loss(y[test], p)
    return {name: ALPHAS[int(np.argmin(total))] for name, total in totals.items()}
