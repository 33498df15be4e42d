"""The future predicts the present: fine dust some hours ahead, and the readings until then."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold

from benchmarks._auxiliary_fits import (
    Effort,
    Folds,
    Trial,
    compare,
    lasso,
    ridge,
    squared_error,
    standardise,
)
from benchmarks._auxiliary_real import load
from skmtl import BlockSparseRegressor

Array = NDArray[Any]

PM25 = "pm25_five_cities.npz"
CITIES = ("beijing", "chengdu", "guangzhou", "shanghai", "shenyang")
# Hours since 2010-01-01 of the first test hours: 2014-10-01, 2015-07-01, 2015-01-01, 2015-10-01.
CUTS = (41616, 48168, 43824, 50376)
DIRECTIONS = ("NE", "NW", "SE", "SW", "cv")
CHAIN, RIDGE_CHAIN = "chain (LUPTS)", "chain of ridges"
# Hours before the present whose readings are features too, between training rows, and of testing.
LAGS, SPACING, TEST_HOURS = (1, 3, 24), 7, 60 * 24


@lru_cache
def _hours(folder: Path, city: str) -> tuple[Array, Array]:
    """The state in each hour (n_hours, n_features), and the log reading."""
    data = load(folder / PM25)
    time, wind = data[f"{city}_time"], data[f"{city}_wind"]
    weather = data[f"{city}_weather"].astype(float)
    reading = np.log1p(data[f"{city}_pm25"].astype(float))
    # Some entries are impossible; missing rain is none.
    speed = np.log1p(np.clip(weather[:, 4], 0, 100))
    rain = np.log1p(np.clip(np.nan_to_num(weather[:, 5]), 0, 100))
    angle = 2 * np.pi * (time % 24) / 24
    past = [np.append(np.full(lag, np.nan), reading[:-lag]) for lag in LAGS]
    columns = [reading, *past, *weather[:, :4].T, speed, rain, np.sin(angle), np.cos(angle)]
    columns += [(wind == direction).astype(float) for direction in DIRECTIONS]
    return np.column_stack(columns), reading


def steps(horizon: int) -> tuple[int, ...]:
    """The hours between now and the target that have an auxiliary reading: three, evenly spaced."""
    return tuple(round(horizon * k / 4) for k in (1, 2, 3))


def rows_before_and_after(
    state: Array, reading: Array, horizon: int, n: int, cut: int
) -> tuple[Array, Array]:
    """Hours of training and of testing; everything known in training is known before the cut.

    Training hours are ``SPACING`` hours apart, so that they cover all hours of the day, and the
    last ones before the cut. Only hours whose states and readings are all observed are used.
    """
    last = len(reading) - horizon
    observed = np.isfinite(state).all(axis=1)
    known = observed[:last] & np.isfinite(reading[horizon:])
    for step in steps(horizon):
        known &= observed[step : last + step]
    train = np.arange(cut - horizon - 1, -1, -SPACING)
    train = train[known[train]][:n][::-1]
    test = np.arange(cut, min(cut + TEST_HOURS, last))
    return train, test[known[test]]


def purged_folds(hours: Array, horizon: int, n_folds: int) -> Folds:
    """Blocks of consecutive hours, without training hours that overlap with the held-out block."""
    folds = []
    for train, test in KFold(n_folds).split(hours):
        first, last = hours[test[0]], hours[test[-1]]
        apart = (hours[train] + horizon < first) | (hours[train] > last + horizon)
        folds.append((train[apart], test))
    return folds


def future(folder: Path, horizon: int, n: int, unit: int, effort: Effort) -> dict[str, float]:
    """The log reading ``horizon`` hours ahead, from ``n`` training hours of a city."""
    city, cut = CITIES[unit % len(CITIES)], CUTS[unit // len(CITIES)]
    state, reading = _hours(folder, city)
    train, test = rows_before_and_after(state, reading, horizon, n, cut)
    if effort.quick:
        test = test[:50]
    folds = purged_folds(train, horizon, effort.n_folds)
    y, y_test = reading[train + horizon], reading[test + horizon]
    between = np.column_stack([np.append(reading[k:], np.full(k, np.nan)) for k in steps(horizon)])
    trial = Trial(state[train], y, between[train], folds, state[test], y_test, between[test])
    errors = compare(trial, BlockSparseRegressor(scale_tasks=True), lasso, effort)
    later = [state[train + k] for k in steps(horizon)]
    for name, fit in ((CHAIN, least_squares), (RIDGE_CHAIN, ridge)):
        predicted = chain(fit, state[train], later, y, folds, state[test])
        errors[name] = squared_error(y_test, predicted)
    return errors


def least_squares(X: Array, y: Array, folds: Folds) -> Any:
    """Ordinary least squares; it has nothing to select on the folds."""
    return LinearRegression().fit(X, y)


def chain(fit: Any, X: Array, later: list[Array], y: Array, folds: Folds, X_test: Array) -> Array:
    """Predict each state from the one before, and the target from the last (LUPTS).

    Later states are targets only: their predictions take their place in the test rows.
    """
    X, X_test = standardise(X, X_test)
    for state in later:
        (state,) = standardise(state)
        X_test = fit(X, state, folds).predict(X_test)
        X = state
    return np.asarray(fit(X, y, folds).predict(X_test))
