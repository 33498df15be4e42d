"""The arguments that a user's own penalty receives."""

import warnings

import numpy as np
import pytest

from skmtl import MultiTaskRegressor
from skmtl.penalties import L1, Penalty, Superposition, TraceNorm


class Recording(Penalty):
    """TaskNorms, or with ``rows`` the norms of rows, that records the steps it receives."""

    def __init__(self, alpha=1.0, rows=False, steps=None):
        self.alpha, self.rows, self.steps = alpha, rows, steps

    @property
    def separates_over_rows(self):
        return self.rows

    def _norms(self, W):
        return np.linalg.norm(W, axis=1 if self.rows else 0, keepdims=True)

    def value(self, W):
        return float(self.alpha * self._norms(W).sum())

    def prox(self, V, step):
        STEPS.append((step, len(V)))
        norms = np.maximum(self._norms(V), np.finfo(V.dtype).tiny)
        return V * np.maximum(0, 1 - step * self.alpha / norms)

    def dual_norm(self, G):
        return float(self._norms(G).max() / self.alpha)


STEPS = []


@pytest.mark.turns(2)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("solver", ["auto", "fista", "splitting", "admm"])
@pytest.mark.parametrize("combine", ["alone", "superposed", "sum"])
@pytest.mark.parametrize("rows", [False, True])
def test_steps_are_as_documented(rows, combine, solver, loss, dtype):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((50, 4)) * [1, 10, 0.1, 1]).astype(dtype)
    Y = X @ rng.standard_normal((4, 3)) + rng.standard_normal((50, 3))
    own = Recording(0.5, rows)
    penalty = {
        "alone": own,
        "superposed": Superposition(L1(0.2), own),
        "sum": TraceNorm(0.1) + own,
    }[combine]
    STEPS.clear()
    model = MultiTaskRegressor(penalty=penalty, solver=solver, loss=loss, max_iter=50, tol=1e-2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, Y)
    except ValueError as refused:
        assert "solver=" in str(refused)
        return
    assert STEPS
    for step, n_features in STEPS:
        column = rows and isinstance(step, np.ndarray) and step.shape == (n_features, 1)
        assert column or isinstance(step, float)
