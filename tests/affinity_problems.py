"""Tasks in planted groups, shared by the tests of task affinities."""

from typing import Any

import numpy as np


def planted(
    sizes: Any, n_labels: int = 30, n_features: int = 6, own: float = 0.2, seed: int = 0
) -> Any:
    """Stacked tasks in groups with common centres, and each task's group."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    coef = rng.standard_normal((len(sizes), n_features))[group]
    coef = coef + own * rng.standard_normal(coef.shape)
    codes = np.repeat(np.arange(len(group)), n_labels)
    X = rng.standard_normal((len(codes), n_features))
    y = (X * coef[codes]).sum(axis=1) + codes + rng.standard_normal(len(codes))
    return np.column_stack([X, codes]), y, group


def planted_shared(sizes: Any, n_samples: int = 40, missing: float = 0.0, seed: int = 0) -> Any:
    """The same in the shared layout, with some labels missing."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    coef = rng.standard_normal((len(sizes), 6))[group]
    X = rng.standard_normal((n_samples, 6))
    Y = X @ coef.T + rng.standard_normal((n_samples, len(group)))
    Y[rng.random(Y.shape) < missing] = np.nan
    return X, Y, group
