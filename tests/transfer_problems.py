"""Related and unrelated tasks, and a quick transfer gain."""

from typing import Any

import numpy as np

from skmtl import IndependentTaskRegressor
from skmtl.inspection import TransferGain, transfer_gain

ALONE = [("alone", IndependentTaskRegressor(0.1, task_column=-1))]


def related(sizes: Any, n_unrelated: int = 0, noise: float = 1.0, seed: int = 0) -> Any:
    """Stacked tasks with nearly equal coefficients, of opposite sign in the first tasks."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    coef = 1.0 + 0.05 * rng.standard_normal((len(sizes), 6))
    coef[:n_unrelated] *= -1
    X = rng.standard_normal((len(codes), 6))
    y = (X * coef[codes]).sum(axis=1) + noise * rng.standard_normal(len(codes))
    return np.column_stack([X, codes]), y


def quick(estimator: Any, X: Any, y: Any, **options: Any) -> TransferGain:
    """Fixed strengths, few folds."""
    settings = {"tune": False, "n_repeats": 1, "random_state": 0} | options
    return transfer_gain(estimator, X, y, **settings)
