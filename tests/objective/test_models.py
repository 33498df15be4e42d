"""Models on sets of rows of W: minimum against cvxpy, duality gap."""

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from numba import typeof

from skmtl._numerics import kernels
from skmtl.objective._lengths import length_step
from skmtl.objective._models import NO_GRAMS, DenseModel, GramModel, SparseModel, Thresholds
from skmtl.objective._task_model import TaskGramModel

STRENGTHS = [(0.0, 3.0), (2.0, 0.0), (1.0, 2.0)]


def small_problem(n=12, s=9, n_tasks=5, seed=0):
    """Columns (n, s), a residual (n, T), factors and ridges."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, s)) * (rng.random((n, s)) < 0.7)
    R = A[:, :3] @ rng.normal(size=(3, n_tasks)) + 0.5 * rng.normal(size=(n, n_tasks))
    return A, R, rng.uniform(0.5, 2, n_tasks), rng.uniform(0, 1, n_tasks)


def stated_minimum(A, R, factors, ridges, entry, group):
    """The minimum and the minimiser of the models' problem, by cvxpy."""
    W = cp.Variable((A.shape[1], R.shape[1]))
    loss = sum(
        f * cp.sum_squares(R[:, t] - A @ W[:, t]) + ridges[t] * cp.sum_squares(W[:, t])
        for t, f in enumerate(factors)
    )
    penalty = entry * cp.sum(cp.abs(W)) + group * cp.sum(cp.norm(W, 2, axis=1))
    problem = cp.Problem(cp.Minimize(loss / 2 + penalty))
    problem.solve(solver="CLARABEL")
    return problem.value, W.value


def dense_model(A, R, factors):
    """The model on columns, whose residual it overwrites."""
    gram = A.T @ A
    columns, residual = np.array(A.T, order="C"), np.array(R.T, order="C")
    return DenseModel(columns, factors, residual, lambda rows: gram[np.ix_(rows, rows)])


def models_of(A, R, factors):
    """The same quadratic in all forms."""
    slope = (A.T @ R) * factors
    square = float((R**2 * factors).sum())
    gram = A.T @ A
    grams = np.ascontiguousarray(gram[:, :, None] * factors)
    ones = np.ones(len(factors))
    columns = sp.csc_array(A)
    yield GramModel(gram, factors, NO_GRAMS, slope.copy(), square)
    yield GramModel(np.zeros((0, 0)), ones, grams, slope.copy(), square)
    by_row = np.repeat(gram[:, None, :], len(factors), axis=1)
    yield TaskGramModel(by_row, factors, slope.copy(), square)
    yield dense_model(A, R, factors)
    yield SparseModel(columns, np.zeros(A.shape[1]), np.ones(len(R)), factors, R.copy())


class TestModels:
    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    def test_every_form_reaches_cvxpys_minimum(self, entry, group):
        A, R, factors, ridges = small_problem()
        best, expected = stated_minimum(A, R, factors, ridges, entry, group)
        for model in models_of(A, R, factors):
            W = np.zeros((A.shape[1], R.shape[1]))
            model.minimise(W, Thresholds(entry, group, ridges), 1e-12 * best, 100_000)
            np.testing.assert_allclose(W, expected, atol=2e-5)
            np.testing.assert_array_equal(np.abs(W) > 0, np.abs(expected) > 1e-5)

    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    @pytest.mark.parametrize("tol", [1.0, 1e-3])
    def test_the_requested_gap_bounds_the_suboptimality(self, entry, group, tol):
        A, R, factors, ridges = small_problem(seed=1)
        best, _ = stated_minimum(A, R, factors, ridges, entry, group)
        for model in models_of(A, R, factors):
            W = np.zeros((A.shape[1], R.shape[1]))
            model.minimise(W, Thresholds(entry, group, ridges), tol, 100_000)
            lengths = np.linalg.norm(W, axis=1).sum()
            reached = ((R - A @ W) ** 2 * factors).sum() / 2 + (ridges * W**2).sum() / 2
            reached += entry * np.abs(W).sum() + group * lengths
            assert best - 1e-6 <= reached <= best + tol + 1e-6

    @pytest.mark.parametrize(("entry", "group"), [(0.0, 0.3), (0.1, 0.2)])
    def test_a_single_row_is_minimised_at_once_however_much_the_curvatures_differ(
        self, entry, group
    ):
        A, R, _, ridges = small_problem(n=6, s=4, seed=2)
        A, factors = A[:, :1], np.geomspace(1e-3, 10, R.shape[1])
        best, expected = stated_minimum(A, R, factors, 0 * ridges, entry, group)
        *_, model, _, _ = models_of(A, R, factors)
        W = np.zeros((1, R.shape[1]))
        assert isinstance(model, TaskGramModel)
        assert model.minimise(W, Thresholds(entry, group, 0 * ridges), 1e-9 * best, 1000) == 5
        # cvxpy is accurate only to about 1e-3 where the curvature is small.
        np.testing.assert_allclose(W, expected, rtol=5e-3, atol=1e-4)
        w, slopes = W[0], factors * (A[:, 0] @ (R - A @ W))
        at_zero = w == 0
        assert (~at_zero).any() and (np.abs(slopes[at_zero]) <= entry).all()
        stationary = entry * np.sign(w) + group * w / np.linalg.norm(w)
        np.testing.assert_allclose(slopes[~at_zero], stationary[~at_zero], atol=1e-10)

    def test_sparse_columns_minus_their_means_are_centred_columns(self):
        A, R, factors, ridges = small_problem(n=30)
        rng = np.random.default_rng(3)
        weights = rng.uniform(0.2, 2, len(A))
        means = weights @ A / weights.sum()
        R = R - weights @ R / weights.sum()
        root = np.sqrt(weights)[:, None]
        penalty = Thresholds(0.0, 2.0, ridges)
        dense = np.zeros((A.shape[1], R.shape[1]))
        model = dense_model((A - means) * root, R * root, factors)
        model.minimise(dense, penalty, 1e-11, 100_000)
        sparse = np.zeros_like(dense)
        SparseModel(sp.csc_array(A), means, weights, factors, R.copy()).minimise(
            sparse, penalty, 1e-11, 100_000
        )
        assert dense.any()
        np.testing.assert_allclose(sparse, dense, atol=1e-6)

    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    def test_rows_left_out_of_sweeps_keep_exact_slopes(self, entry, group):
        """Few of many rows move; some enter only once others have moved."""
        A, R, factors, ridges = small_problem(30, 60)
        W, square = np.zeros((60, 5)), float((R**2 * factors).sum())
        gram, H = A.T @ A, (A.T @ R) * factors
        strengths = Thresholds(3 * entry, 5 * group, ridges).strengths(60)
        for most in (5, 10, 1000):
            *_, gap, square = kernels.minimise_rows(
                gram, factors, NO_GRAMS, strengths, W, H, square, 1e-9, most
            )
            left = R - A @ W
            np.testing.assert_allclose(H, (A.T @ left) * factors, atol=1e-10)
            assert square == pytest.approx(float((left**2 * factors).sum()), rel=1e-9)
        assert gap <= 1e-9
        used = W.any(axis=1)
        assert 3 < used.sum() < 30
        best, _ = stated_minimum(A, R, factors, ridges, 3 * entry, 5 * group)
        penalty = 3 * entry * abs(W).sum() + 5 * group * np.linalg.norm(W, axis=1).sum()
        assert square / 2 + (W**2 @ ridges).sum() / 2 + penalty == pytest.approx(best, rel=1e-6)

    def test_arrays_of_other_types_compile_no_kernel_again(self, monkeypatch):
        """Wide indices, and a Fortran-ordered matrix, give the same minimum by the same kernel."""
        A, R, factors, ridges = small_problem()
        types = set()
        for name in ("minimise_rows", "minimise_rows_sparse"):
            plain = getattr(kernels, name)

            def spy(*arrays, plain=plain, name=name):
                types.add((name, *(typeof(each) for each in arrays)))
                return plain(*arrays)

            monkeypatch.setattr(kernels, name, spy)
        gram, _, _, _, usual = models_of(A, R, factors)
        turned = replace(gram, gram=np.asfortranarray(gram.gram), slope=gram.slope.copy())
        columns = usual.columns.copy()
        columns.indices, columns.indptr = (
            each.astype(np.int64) for each in (columns.indices, columns.indptr)
        )
        wide = replace(usual, columns=columns, residual=usual.residual.copy())
        assert not turned.gram.flags.c_contiguous and wide.columns.indices.dtype == np.int64
        for first, second in ((gram, turned), (usual, wide)):
            found = [np.zeros((A.shape[1], R.shape[1])) for _ in range(2)]
            for model, W in zip((first, second), found, strict=True):
                model.minimise(W, Thresholds(1.0, 2.0, ridges), 1e-9, 10_000)
            np.testing.assert_array_equal(*found)
            assert found[0].any()
        assert len(types) == 2

    @pytest.mark.parametrize("scale", [1e-50, 1e-30, 1e30, 1e50])
    def test_columns_beyond_single_precision(self, scale):
        """The problem in other units of the features has the same minimum."""
        A, R, factors, _ = small_problem()
        found = []
        for size in (1.0, scale):
            W = np.zeros((A.shape[1], R.shape[1]))
            penalty = Thresholds(0.0, 3.0 * size, np.zeros(R.shape[1]))
            dense_model(A * size, R, factors).minimise(W, penalty, 1e-12, 100_000)
            found.append(W * size)
        np.testing.assert_allclose(found[1], found[0], atol=1e-5)


class TestLengths:
    @pytest.mark.parametrize(("entry", "group"), STRENGTHS)
    def test_a_step_minimises_over_the_lengths_of_rows(self, entry, group):
        """Compared with cvxpy, from random rows, some of which are zero."""
        A, R, factors, ridges = small_problem()
        rng = np.random.default_rng(1)
        W = rng.normal(size=(A.shape[1], R.shape[1])) * (rng.random(A.shape[1]) < 0.7)[:, None]
        lengths = cp.Variable(A.shape[1], nonneg=True)
        directions = W / np.maximum(np.linalg.norm(W, axis=1, keepdims=True), 1e-300)
        loss = sum(
            f * cp.sum_squares(R[:, t] - (A * directions[:, t]) @ lengths)
            + ridges[t] * cp.sum_squares(cp.multiply(directions[:, t], lengths))
            for t, f in enumerate(factors)
        )
        strengths = (entry * np.abs(directions).sum(axis=1) + group) * W.any(axis=1)
        problem = cp.Problem(cp.Minimize(loss / 2 + strengths @ lengths))
        problem.solve(solver="CLARABEL")
        penalty, left = Thresholds(entry, group, ridges), R - A @ W
        gram = A.T @ A

        def hessian(rows, directions):
            return gram[np.ix_(rows, rows)] * ((directions * factors) @ directions.T)

        for _ in range(20):  # steps that would make lengths negative are cut short
            found = length_step(W, (A.T @ left) * factors, penalty, hessian, np.inf)
            if found is None:
                break
            W[found[0]] += found[1]
            W[np.linalg.norm(W, axis=1) < 1e-12] = 0.0
            left = R - A @ W
        expected = lengths.value * W.any(axis=1)
        np.testing.assert_allclose(np.linalg.norm(W, axis=1), expected, atol=1e-5)

    def test_a_step_that_costs_too_much_is_not_made(self):
        ones, penalty = np.ones((3, 2)), Thresholds(0.0, 1.0, np.zeros(2))
        assert length_step(ones, ones, penalty, lambda rows, _: np.eye(len(rows)), 0.01) is None
        assert length_step(0 * ones, ones, penalty, lambda rows, _: np.eye(len(rows)), 9.0) is None
