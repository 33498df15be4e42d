"""Designs of every layout against dense NumPy matrices."""

import numpy as np
import pytest
from objectives import N_FEATURES, N_TASKS, Case

from skmtl.design import _stacked

DESIGNS = [
    (layout, centre, pooled, sparse, weighted)
    for layout, weighted in [("shared", "rows"), ("shared", "labels"), ("stacked", "labels")]
    for centre in ("task", "common", None)
    for pooled in (False, True)
    for sparse in (False, True)
    # A common mean requires a common intercept.
    if pooled or centre != "common"
]


@pytest.fixture(params=DESIGNS, ids=lambda p: "-".join(map(str, p)))
def case(request):
    return Case(*request.param)


class TestDesign:
    def test_forward_and_adjoint_are_the_centred_matrices(self, case):
        W = case.random_W()
        expected = case.labels([X @ w for X, w in zip(case.centred, case.columns(W), strict=True)])
        np.testing.assert_allclose(case.design.forward(W), expected, atol=1e-12)
        U = case.rng.standard_normal(case.omega.shape)
        G = np.stack([X.T @ u for X, u in zip(case.centred, case.by_task(U), strict=True)], axis=1)
        G = G.sum(axis=1, keepdims=True) if case.pooled else G
        np.testing.assert_allclose(case.design.adjoint(U), G, atol=1e-12)
        inner = np.vdot(case.design.forward(W), U)
        assert inner == pytest.approx(np.vdot(W, case.design.adjoint(U)), rel=1e-10, abs=1e-10)

    def test_common_maps_are_the_same_column_for_all(self, case):
        design = getattr(case.design, "tasks", case.design)
        w = case.rng.standard_normal(N_FEATURES)
        Z = design.forward_common(w)
        assert Z.shape == case.omega.shape
        np.testing.assert_allclose(Z, design.forward(np.tile(w[:, None], N_TASKS)), atol=1e-12)
        U = case.rng.standard_normal(case.omega.shape)
        np.testing.assert_allclose(
            design.adjoint_common(U), design.adjoint(U).sum(axis=1), atol=1e-12
        )

    def test_gather_is_the_transpose_of_spread(self, case):
        design = case.design
        count = {None: 0, "task": N_TASKS, "common": 1}[case.centre]
        assert design.n_intercepts == count
        if count == 0:
            return
        b, U = case.rng.standard_normal(count), case.rng.standard_normal(case.omega.shape)
        spread = np.broadcast_to(design.spread(b), case.omega.shape)
        each = b if count > 1 else np.repeat(b, N_TASKS)
        expected = case.labels(
            [np.full(len(X), value) for X, value in zip(case.raw, each, strict=True)]
        )
        np.testing.assert_array_equal(spread, expected)
        assert np.vdot(spread, U) == pytest.approx(b @ design.gather(U), rel=1e-10)

    def test_weighted_centred_features_sum_to_zero(self, case):
        if case.centre is None:
            return
        G = case.design.adjoint(case.omega)
        if case.centre == "common" or not case.pooled:
            np.testing.assert_allclose(G, 0, atol=1e-10)
        if case.centre == "task" and not case.pooled:
            # Then intercepts and coefficients decouple.
            W = case.random_W()
            np.testing.assert_allclose(
                case.design.gather(case.omega * case.design.forward(W)), 0, atol=1e-10
            )

    def test_uncentre_gives_the_same_predictors_from_raw_features(self, case):
        if case.centre is None:
            return
        W, b = case.random_W(), case.rng.standard_normal(case.design.n_intercepts)
        Z = case.design.forward(W) + case.design.spread(b)
        intercepts = case.design.uncentre(W, b)
        assert intercepts.shape == (N_TASKS,)
        by_hand = case.labels(
            [
                X @ w + value
                for X, w, value in zip(case.raw, case.columns(W), intercepts, strict=True)
            ]
        )
        np.testing.assert_allclose(by_hand, Z, atol=1e-11)
        np.testing.assert_allclose(case.design.recentre(W, intercepts), b, atol=1e-12)

    def test_centred_gram(self, case):
        for H in (case.omega, case.omega * case.rng.uniform(0, 1, case.omega.shape)):
            grams = case.design.centred_gram(H)
            if not case.pooled:
                expected = np.stack(case.grams(H))
                np.testing.assert_allclose(
                    np.broadcast_to(grams, expected.shape), expected, atol=1e-9
                )
                continue
            if case.centre == "common":
                X, u = np.vstack(case.raw), np.concatenate(case.by_task(H))
                X = X - u @ X / u.sum()
                expected = X.T @ (u[:, None] * X)
            else:
                expected = sum(case.grams(H))
            assert grams.shape == (1, N_FEATURES, N_FEATURES)
            np.testing.assert_allclose(grams[0], expected, atol=1e-9)

    def test_feature_curvature_and_squared_norm(self, case):
        grams = [
            X.T @ (u[:, None] * X)
            for X, u in zip(case.centred, case.by_task(case.omega), strict=True)
        ]
        grams = [sum(grams)] if case.pooled else grams
        curvature = case.design.feature_curvature()
        np.testing.assert_allclose(curvature, [np.diag(g) for g in grams], rtol=1e-8, atol=1e-8)
        for scale in (np.ones(N_FEATURES), np.array([0.1, 1, 30, 2, 0.5])):
            exact = max(np.linalg.eigvalsh(g * np.outer(scale, scale)).max() for g in grams)
            norm = case.design.squared_norm(scale)
            # Estimates from below are allowed, within Lanczos' tolerance.
            assert 0.97 * exact <= norm <= exact * (1 + 1e-9)

    @pytest.mark.parametrize("layout", ["shared", "stacked"])
    @pytest.mark.parametrize("sparse", [False, True])
    def test_single_precision_data_with_double_precision_coefficients(self, layout, sparse):
        case = Case(layout, "task", False, sparse, "labels", dtype=np.float32)
        W = case.random_W()
        expected = case.labels([X @ w for X, w in zip(case.centred, W.T, strict=True)])
        double = case.design.forward(W)
        assert double.dtype == np.float64
        single = case.design.forward(W.astype(np.float32))
        assert single.dtype == np.float32
        # Centring in single precision rounds the features, not the mean.
        np.testing.assert_allclose(double, expected, atol=2e-5)
        np.testing.assert_allclose(single, expected, atol=2e-5)
        U = case.omega * case.rng.standard_normal(case.omega.shape)
        assert case.design.adjoint(U).dtype == np.float64
        assert case.design.adjoint(U.astype(np.float32)).dtype == np.float32
        inner = np.vdot(double, U)
        assert inner == pytest.approx(np.vdot(W, case.design.adjoint(U)), rel=1e-10)


class TestBatchesOfTasks:
    """Tasks of which few fit into a batch, and one that exceeds it."""

    STARTS = np.array([0, 3, 4, 9, 40, 42])

    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch):
        monkeypatch.setattr(_stacked, "_BATCH_ENTRIES", 12)

    def test_batches_partition_tasks_and_rows(self):
        tasks, rows = zip(*_stacked.task_batches(self.STARTS, 2), strict=True)
        assert len(tasks) > 2
        assert [t for part in tasks for t in range(5)[part]] == list(range(5))
        assert [i for part in rows for i in range(42)[part]] == list(range(42))
        np.testing.assert_array_equal([part.start for part in rows], self.STARTS[:-1][[0, 2, 3, 4]])

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_features_are_centred_and_summed_as_without_batches(self, order):
        rng = np.random.default_rng(0)
        X = np.asarray(rng.normal(3, 1, (42, 3)), order=order)[:, :2]
        omega, H = rng.uniform(0.1, 2, (2, 42))
        design = _stacked.StackedDesign(X, self.STARTS, omega, centre="task")
        expected, gram = np.empty((42, 2)), 0.0
        for a, b in zip(self.STARTS[:-1], self.STARTS[1:], strict=True):
            expected[a:b] = X[a:b] - np.average(X[a:b], axis=0, weights=omega[a:b])
            gram = gram + H[a:b].sum() * np.cov(X[a:b].T, aweights=H[a:b], ddof=0)
        np.testing.assert_allclose(design.X, expected, atol=1e-13)
        np.testing.assert_allclose(design.pooled_gram(H), gram, atol=1e-12)

    def test_features_that_are_constant_within_a_task_become_zero(self):
        X = np.random.default_rng(0).normal(size=(42, 2))
        X[3:9, 0], X[9:40, 1] = 0.1, 1e5 / 3
        omega = np.random.default_rng(1).uniform(0.1, 2, 42)
        design = _stacked.StackedDesign(X, self.STARTS, omega, centre="task")
        constant = np.zeros((42, 2), dtype=bool)
        constant[3:9, 0] = constant[9:40, 1] = constant[3:4, 1] = True
        np.testing.assert_array_equal(design.X == 0, constant)
