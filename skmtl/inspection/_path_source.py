"""The grid, scores and coefficients of a CV estimator, and the alphas to mark in its plot."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skmtl.estimators import choose
from skmtl.inspection._fitted import feature_names, last_step
from skmtl.model_selection import path

Array = NDArray[Any]


@dataclass(frozen=True)
class PathSource:
    """The parameters of a PathDisplay, read from a CV estimator."""

    alphas: Array
    coefs: Array | None
    mse_path: Array | None
    scores_path: Array | None
    alpha: float
    features: list[str] | None
    others: dict[str, tuple[Array, Array]]
    score_name: str
    estimator_name: str

    @classmethod
    def read(cls, estimator: Any, X: Any, y: Any, sample_weight: Any) -> Self:
        """Read a CV estimator, and fit the coefficients if there are data."""
        search, columns = last_step(estimator)
        check_search(search)
        if (X is None) != (y is None):
            raise ValueError("Pass both X and y to draw the coefficients, or neither.")
        is_error = hasattr(search, "mse_path_")
        values = np.asarray(search.mse_path_ if is_error else search.scores_path_)
        grids = np.asarray(search.alphas_)
        # Several models have scores (n_models, n_alphas, n_folds), and a grid each or a common one.
        values = values[None] if values.ndim == 2 else values
        grids = np.broadcast_to(grids, values.shape[:2])
        row = choose(-values if is_error else values, "best").row
        coefs, names = None, None
        if X is not None:
            if search is not estimator and len(estimator) > 1:
                X = estimator[:-1].transform(X)
            scored = ~np.isnan(values[row]).any(axis=1)
            coefs = _coefficients(search, grids[row], scored, X, y, sample_weight)
            fitted = getattr(search, "best_estimator_", search)
            names = feature_names(fitted, columns, coefs.shape[1])
        models = _names(search, len(values))
        others = {
            models[k]: (grids[k], values[k].mean(axis=1)) for k in range(len(values)) if k != row
        }
        return cls(
            alphas=grids[row],
            coefs=coefs,
            mse_path=values[row] if is_error else None,
            scores_path=None if is_error else values[row],
            alpha=float(search.alpha_),
            features=names,
            others=others,
            score_name=_score_name(search, is_error),
            estimator_name=", ".join(filter(None, (type(search).__name__, models[row]))),
        )


def check_search(search: Any) -> None:
    """Raise unless this is a fitted estimator with scores over a grid of alphas."""
    if hasattr(search, "alphas_") and (
        hasattr(search, "mse_path_") or hasattr(search, "scores_path_")
    ):
        return
    if hasattr(search, "get_params") and "alphas" in search.get_params(deep=False):
        check_is_fitted(search)
    raise TypeError(
        f"PathDisplay needs an estimator with scores over a grid of alphas, which "
        f"{type(search).__name__} does not have. Use AlphaSearchCV(estimator) or an estimator with "
        f"CV in its name, or PathDisplay.from_result(alphas, coefs) with the result of path."
    )


def marks_of(
    alphas: Array, scores: Array | None, alpha: float | None, is_error: bool
) -> dict[str, float]:
    """The alphas to mark: the selected one, the best, and that of the one-standard-error rule."""
    marks = {} if alpha is None else {"selected": float(alpha)}
    if scores is None:
        return marks
    signed = (-scores if is_error else scores)[None]
    best = float(alphas[choose(signed, "best").column])
    marks.setdefault("selected", best)
    marks["best"] = best
    if scores.shape[1] > 1:
        marks["one standard error"] = float(alphas[choose(signed, "1se").column])
    return marks


def _plain(search: Any) -> Any:
    """The selected estimator, without cross-validation."""
    if hasattr(search, "best_estimator_"):
        return search.best_estimator_
    if not hasattr(search, "_selected"):
        raise TypeError(
            f"The coefficients can be fitted for estimators of skmtl only, not for "
            f"{type(search).__name__}. Leave out X and y, and only the scores are drawn."
        )
    return search._selected()


def _coefficients(
    search: Any, alphas: Array, scored: Array, X: Any, y: Any, sample_weight: Any
) -> Array:
    """The coefficients at all alphas, NaN where there is no score."""
    _, fitted, _ = path(_plain(search), X, y, alphas=alphas[scored], sample_weight=sample_weight)
    coefs = np.full((*fitted.shape[:2], len(alphas)), np.nan)
    coefs[:, :, scored] = fitted
    return coefs


def _score_name(search: Any, is_error: bool) -> str:
    if is_error:
        model = getattr(search, "best_estimator_", search)
        is_quantile = getattr(model, "loss", "") == "quantile"
        return "mean quantile loss" if is_quantile else "mean squared error"
    if search.scoring is None:
        return "minus mean loss"
    return search.scoring.replace("_", " ") if isinstance(search.scoring, str) else "score"


def _names(search: Any, n_models: int) -> list[str]:
    """The models of the grid, by the parameter in which they differ."""
    if n_models == 1:
        return [type(_plain(search)).__name__ if hasattr(search, "best_estimator_") else ""]
    varied = getattr(search, "_varied", None)
    if varied is None:
        return [f"model {k}" for k in range(n_models)]
    return [f"{varied}={value}" for value in getattr(search, varied)]
