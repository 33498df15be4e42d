"""Nuisances: a site that was not seen in training, with and without erasure of the sites."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks._auxiliary_fits import ALONE, LOGISTIC_CS, Effort
from benchmarks._auxiliary_real import RAND, load
from skmtl.preprocessing import NuisanceEraser

Array = NDArray[Any]

ERASED = "sites erased"
NEITHER, SPURIOUS, INFORMATIVE = "equal base rates", "opposite base rate", "same base rate"
WORLDS = (NEITHER, SPURIOUS, INFORMATIVE)
MEASURES = ERROR_RATE, LOG_LOSS = ("error rate", "log loss")


def simulated_sites(world: str, unit: int, effort: Effort) -> dict[str, float]:
    """Five sites of 100 rows, and 2000 rows of a sixth, whose means differ in two directions.

    The base rates of the sites are equal, or follow from the shift; in the sixth site by the same
    rule, or by the opposite one. The error is the error rate.
    """
    rng = np.random.default_rng([17, unit])
    d, sites = 20, np.repeat(np.arange(6), [100] * 5 + [2000])
    directions = np.linalg.qr(rng.standard_normal((d, 2)))[0]
    shifts, w = 1.5 * rng.standard_normal((6, 2)), 2 * rng.standard_normal(d) / np.sqrt(d)
    rates = np.zeros(6) if world == NEITHER else shifts @ np.array([1.0, 1.0])
    if world == SPURIOUS:
        rates[5] *= -1
    latent = rng.standard_normal((len(sites), d))
    y = (latent @ w + rates[sites] + rng.logistic(size=len(sites)) > 0).astype(float)
    X = latent + (shifts @ directions.T)[sites]
    return _left_out(X, y, sites, 5, effort)[ERROR_RATE]


def insured_sites(folder: Path, measure: str, unit: int, effort: Effort) -> dict[str, float]:
    """Whether a person has any expense in a year, in a site of RAND that is left out.

    A person lives in one site, so that all rows of a person are in the same fold.
    """
    return _insured_errors(folder, unit, effort)[measure]


@lru_cache
def _insured_errors(folder: Path, unit: int, effort: Effort) -> dict[str, dict[str, float]]:
    data = load(folder / RAND)
    every = 20 if effort.quick else 1
    X, y = np.nan_to_num(data["X"])[::every], data["any_expense"].astype(float)[::every]
    sites = data["site"][::every]
    return _left_out(X, y, sites, np.unique(sites)[unit], effort)


def _left_out(
    X: Array, y: Array, sites: Array, left_out: Any, effort: Effort
) -> dict[str, dict[str, float]]:
    """Errors on one site of logistic regressions on the others, by measure and method.

    C is selected by leaving out training sites.
    """
    train, test = sites != left_out, sites == left_out
    columns = np.column_stack([X, sites])
    steps = {
        ALONE: FunctionTransformer(_without_last),
        ERASED: NuisanceEraser(nuisance=[-1], categorical=[-1]),
    }
    grid = {"logisticregression__C": LOGISTIC_CS[-2:] if effort.quick else LOGISTIC_CS}
    folds = list(LeaveOneGroupOut().split(X[train], groups=sites[train]))
    errors: dict[str, dict[str, float]] = {measure: {} for measure in MEASURES}
    for name, step in steps.items():
        model = make_pipeline(step, StandardScaler(), LogisticRegression(max_iter=1000))
        search = GridSearchCV(model, grid, cv=folds, scoring="neg_log_loss")
        p = search.fit(columns[train], y[train]).predict_proba(columns[test])[:, 1]
        errors[ERROR_RATE][name] = float(((p > 0.5) != y[test]).mean())
        errors[LOG_LOSS][name] = float(log_loss(y[test], p, labels=[0, 1]))
    return errors


def _without_last(X: Array) -> Array:
    return X[:, :-1]
