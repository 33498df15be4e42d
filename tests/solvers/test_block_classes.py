"""Newton steps on sets of rows of W: losses that are not quadratic, and coupled classes."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmtl import BlockSparseClassifier, BlockSparseRegressor
from skmtl.model_selection import alpha_max
from skmtl.penalties import L1, L21
from skmtl.solvers import FISTA, Block, choose_solver, solve

N, D, K = 400, 30, 4


@pytest.fixture(autouse=True)
def _no_convergence_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        yield


def make(n=N, d=D, n_classes=K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] += 0.8 * X[:, j - 1]
    Z = X[:, :5] @ rng.standard_normal((5, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, Z.argmax(axis=1)


def both(model, X, y, s=None, *, share=20.0, tol=1e-9):
    model = clone(model).set_params(tol=tol, max_iter=100_000)
    model.set_params(alpha=alpha_max(model, X, y) / share)
    block, fista = (
        clone(model).set_params(solver=name).fit(X, y, s) for name in ("block", "fista")
    )
    assert block.n_iter_ < 60
    assert block.dual_gap_ <= tol * 100
    assert block.objective_ == pytest.approx(fista.objective_, rel=100 * tol)
    return block, fista


MODELS = {
    "logistic": BlockSparseClassifier(),
    "logistic, no intercept": BlockSparseClassifier(fit_intercept=False),
    "logistic, ridge": BlockSparseClassifier(l1_ratio=0.5),
    "multinomial": BlockSparseClassifier(loss="multinomial"),
    "multinomial, no intercept": BlockSparseClassifier(loss="multinomial", fit_intercept=False),
    "multinomial, ridge": BlockSparseClassifier(loss="multinomial", l1_ratio=0.5),
    "squared hinge": BlockSparseClassifier(loss="squared_hinge"),
}


@pytest.fixture(params=["exact", "sampled"])
def precision(request, monkeypatch):
    """Hessians of all rows in double precision, and of few rows in single."""
    if request.param == "sampled":
        monkeypatch.setattr("skmtl.design._shared.EXACT_PRODUCTS", 0)
        monkeypatch.setattr("skmtl.objective._class_models._EXACT_PRODUCTS", 0)
        monkeypatch.setattr("skmtl.objective._rows.SAMPLED", 2)
        monkeypatch.setattr("skmtl.objective._coupled.SAMPLED", 2)
    return request.param


@pytest.mark.turns(3)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_agrees_with_gradient_steps(model, weighted, precision):
    X, y = make()
    s = np.random.default_rng(1).integers(0, 4, N).astype(float) if weighted else None
    block, fista = both(model, X, y, s)
    largest = np.abs(fista.coef_).max()
    np.testing.assert_allclose(block.coef_, fista.coef_, atol=2e-4 * largest)
    np.testing.assert_allclose(block.intercept_, fista.intercept_, atol=2e-3)
    assert 0 < np.count_nonzero(block.coef_.any(axis=0)) < D


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array])
def test_sparse_features(loss, container, precision):
    X, y = make()
    X = np.where(np.random.default_rng(2).random(X.shape) < 0.15, X + 2, 0.0)
    X[3:, -1] = 0.0  # at most three rows contain the feature
    dense, _ = both(BlockSparseClassifier(loss=loss), X, y)
    sparse, _ = both(BlockSparseClassifier(loss=loss), container(X), y)
    assert sparse.objective_ == pytest.approx(dense.objective_, rel=1e-8)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, atol=1e-3)


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_single_precision_and_unequal_units(loss, precision):
    X, y = make()
    X = X * np.geomspace(1e-3, 1e3, D)
    both(BlockSparseClassifier(loss=loss), X[:, 8:20], y, tol=1e-6)
    both(BlockSparseClassifier(loss=loss), X[:, 8:20].astype(np.float32), y, tol=1e-5)


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_separable_classes(loss, precision):
    X, y = make(n=60, d=80)
    both(BlockSparseClassifier(loss=loss), X, y, share=200.0, tol=1e-6)


def test_other_losses_and_designs():
    X, y = make()
    rng = np.random.default_rng(0)
    Z = X[:, :3] @ rng.standard_normal((3, K))
    both(BlockSparseRegressor(loss="huber"), X, Z + rng.standard_t(2, Z.shape))
    both(BlockSparseRegressor(loss="poisson"), X, rng.poisson(np.exp(Z / 4)).astype(float))
    stacked = np.column_stack([X, np.arange(N) % 5])
    both(BlockSparseClassifier(task_column=-1), stacked, (y > 1).astype(int))
    Y = (Z + rng.standard_normal(Z.shape) > 0).astype(float)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    both(BlockSparseClassifier(), X, Y)


@pytest.mark.turns(2)
@pytest.mark.parametrize("penalty", [L21(0.02), L1(0.01)], ids=repr)
@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_thresholds_of_entries(loss, penalty):
    X, y = make()
    model = BlockSparseClassifier(loss=loss)
    objective = model._objective(model._read(X, y, None)).with_penalty(penalty)
    found = [
        solve(objective, kind, objective.start(), max_iter=100_000, tol=1e-9)
        for kind in (Block, FISTA)
    ]
    assert found[0].objective == pytest.approx(found[1].objective, rel=1e-8)
    # Without a ridge the part common to all classes is not unique.
    found = [solution.point.W - solution.point.W.mean(axis=1, keepdims=True) for solution in found]
    np.testing.assert_allclose(*found, atol=1e-3)


def recording(function, calls):
    def recorded(*args):
        calls.append(args)
        return function(*args)

    return recorded


class TestMemory:
    def test_sets_stay_below_the_largest_matrix(self, monkeypatch):
        # Four of thirty features fit but eleven are needed: gradient steps in all features.
        X, y = make()
        for loss, limit in [("logistic", None), ("multinomial", 16)]:
            model = BlockSparseClassifier(loss=loss)
            expected, _ = both(model, X, y)
            with monkeypatch.context() as patch:
                patch.setattr("skmtl.objective._models.FEWEST_ROWS", 4)
                patch.setattr("skmtl.objective._rows.FEWEST_ROWS", 4)
                patch.setattr("skmtl.objective._coupled.FEWEST_ROWS", 4)
                if limit is None:
                    patch.setattr("skmtl.objective._rows.GRAM_BYTES", 8 * K * 16)
                else:
                    patch.setattr("skmtl.objective._coupled.LARGEST_SIDE", limit)
                started = []
                patch.setattr(FISTA, "__init__", recording(FISTA.__init__, started))
                few = clone(expected).fit(X, y)
            assert len(started) == 1
            assert few.objective_ == pytest.approx(expected.objective_, rel=1e-7)

    def test_where_a_matrix_of_few_rows_does_not_fit(self, monkeypatch):
        X, y = make()
        model = BlockSparseClassifier(loss="multinomial")
        objective = model._objective(model._read(X, y, None))
        assert choose_solver("auto", objective) is Block
        monkeypatch.setattr("skmtl.objective._coupled.LARGEST_SIDE", 4 * K)
        assert not objective.has_row_models
        assert choose_solver("auto", objective) is FISTA

    def test_many_classes_of_few_rows_take_gradient_steps(self):
        rng = np.random.default_rng(0)
        model = BlockSparseClassifier(loss="multinomial")
        y = np.concatenate([np.arange(60), rng.integers(0, 60, 240)])
        objective = model._objective(model._read(rng.standard_normal((300, 1000)), y, None))
        assert objective.has_row_models
        assert choose_solver("auto", objective) is FISTA
