"""New tasks: optima, limits, standard deviations, layouts, containers, errors."""

import copy
import pickle
from dataclasses import replace

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.linalg import sqrtm
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
    LowRankClassifier,
    LowRankRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
    TaskRelationRegressorCV,
)
from skmtl.estimators.base import _new_task, _training
from skmtl.penalties import ClusterNorm, TaskQuadratic

N_TASKS, N_ROWS, N_FEATURES = 7, 25, 4
REGRESSORS = [
    TaskRelationRegressor(0.1),
    LowRankRegressor(0.1),
    BlockSparseRegressor(0.1),
    ClusteredTaskRegressor(0.3),
    GraphRegularizedRegressor(0.3),
]
CLASSIFIERS = [
    TaskRelationClassifier(0.01),
    LowRankClassifier(0.01),
    BlockSparseClassifier(0.01),
    ClusteredTaskClassifier(0.05),
    GraphRegularizedClassifier(0.05),
]
each = pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: type(model).__name__)


def tasks(n_tasks=N_TASKS, n_rows=N_ROWS, spread=0.4, seed=0):
    """Stacked rows of related tasks, and rows and labels of a further one."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(N_FEATURES, 1)) + spread * rng.normal(size=(N_FEATURES, n_tasks + 1))
    b = 2 + 0.5 * rng.normal(size=n_tasks + 1)
    X = rng.normal(size=(n_rows * (n_tasks + 1), N_FEATURES)) + 0.5
    task = np.repeat(np.arange(n_tasks + 1), n_rows)
    y = (X * W.T[task]).sum(axis=1) + b[task] + 0.7 * rng.normal(size=len(X))
    old = task < n_tasks
    return np.column_stack([X, task])[old], y[old], X[~old], y[~old]


def stack(X, task=99):
    return np.column_stack([X, np.full(len(X), task)])


def fitted(model, X, y, **params):
    return clone(model).set_params(task_column=-1, tol=1e-10, **params).fit(X, y)


def gaussian(covariance, strength):
    def penalty(w, W):
        mean = W.mean(axis=1)
        M = covariance(W)
        # cp.matrix_frac inverts M in old releases, and is badly scaled for Clarabel in new ones.
        values, vectors = np.linalg.eigh(M)
        values = np.maximum(values, 1e-8 * values[-1])
        return strength / 2 * cp.sum_squares((vectors / np.sqrt(values)).T @ (w - mean))

    return penalty


def feature_side_of_clusters(W, r=2, between=0.3):
    """M (d, d) that minimises the cluster norm's penalty, from its definition as an SDP.

    The values that the features cannot take, of which there are T - 1 - d, are zero and have the
    least weight, 1.
    """
    d, T = W.shape
    M = cp.Variable((d, d), symmetric=True)
    centred = W - W.mean(axis=1, keepdims=True)
    total = (T - r) + (r - 1) / between - (T - 1 - d)
    rules = [M >> np.eye(d), M << np.eye(d) / between, cp.trace(M) == total]
    problem = cp.Problem(cp.Minimize(cp.matrix_frac(centred, M)), rules)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    return (M.value + M.value.T) / 2


def feature_side_of_relaxed_clusters(W, r=2, eta=0.5):
    """(eta I + M) / (eta (1 + eta)), where M between features minimises the relaxed penalty."""
    eye = np.eye(len(W))
    M = cp.Variable(eye.shape, symmetric=True)
    value = cp.matrix_frac(W, eta * eye + M)
    problem = cp.Problem(cp.Minimize(value), [M >> 0, M << eye, cp.trace(M) == r])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    return (eta * eye + (M.value + M.value.T) / 2) / (eta * (1 + eta))


def coupled(w, W, alpha=0.3, ridge=0.2, edges=(0.5, 0, 0, 2.0, 0, 0, 0)):
    """The quadratic of the graph with the new task, as a function of its coefficients."""
    weights = np.zeros((N_TASKS + 1, N_TASKS + 1))
    weights[-1, :-1] = weights[:-1, -1] = edges
    L = np.diag(weights.sum(axis=1)) - weights
    every = cp.hstack([W, cp.reshape(w, (N_FEATURES, 1), order="F")])
    return TaskQuadratic(L, alpha).to_cvxpy(every) + alpha * ridge / 2 * cp.sum_squares(w)


def of_rows(w, W, alpha=0.1, ratio=0.8, kappa=0.3):
    """The norms of rows in their variational form, at what minimises it for the other tasks."""
    deviation = w - W.mean(axis=1)
    eta, means = np.sqrt((W**2).sum(axis=1)), np.abs(W).mean(axis=1)
    norms = (1 - kappa) * cp.sum(cp.square(deviation) / eta) / 2
    norms += kappa * cp.sum(cp.square(deviation) / means) / 2
    return alpha * ratio * norms + alpha * (1 - ratio) / 2 * cp.sum_squares(deviation)


def root(W):
    return np.real(sqrtm(W @ W.T))


PENALTIES = {
    "relation": (
        TaskRelationRegressor(0.1, ridge=0.5),
        lambda w, W: (
            gaussian(lambda W: root(W) / np.trace(root(W)), 0.1)(w, W)
            + 0.1 * 0.5 / 2 * cp.sum_squares(w - W.mean(axis=1))
        ),
    ),
    "low rank": (LowRankRegressor(0.1), gaussian(root, 0.1)),
    "block-sparse": (BlockSparseRegressor(0.1, l1_ratio=0.8, sparsity=0.3), of_rows),
    "clusters": (
        ClusteredTaskRegressor(0.3, n_clusters=2),
        gaussian(feature_side_of_clusters, 0.3),
    ),
    "relaxed clusters": (
        ClusteredTaskRegressor(0.3, n_clusters=2, form="relaxed", eta=0.5),
        gaussian(feature_side_of_relaxed_clusters, 0.3),
    ),
    "known clusters": (
        ClusteredTaskRegressor(0.3, clusters=[0] * N_TASKS),
        lambda w, W: 0.15 * cp.sum_squares(w - W.mean(axis=1)),
    ),
    "relaxed known clusters": (
        ClusteredTaskRegressor(0.3, clusters=[0] * N_TASKS, form="relaxed", eta=0.5),
        lambda w, W: 0.15 * cp.sum_squares(w - W.mean(axis=1)) + 0.15 * 0.5 * cp.sum_squares(w),
    ),
    "graph": (GraphRegularizedRegressor(0.3, ridge=0.2), coupled),
}


class TestOptimum:
    """With the others fixed; the mean intercept counts as a given number of labels."""

    PULL = 2.0

    def solve(self, model, penalty, X, Xn, yn, loss, weights=1.0):
        """Coefficients and intercept by cvxpy."""
        W = np.asarray(model.coef_, dtype=float).T
        per_label = N_TASKS / len(X)
        centre = X[:, :-1].mean(axis=0)
        at_centre = (np.asarray(model.intercept_) + centre @ W).mean()
        w, b = cp.Variable(N_FEATURES), cp.Variable()
        value = per_label * cp.sum(cp.multiply(weights, loss(yn, Xn @ w + b))) + penalty(w, W)
        value += per_label * self.PULL / 2 * cp.square(b + centre @ w - at_centre)
        problem = cp.Problem(cp.Minimize(value))
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        return w.value, float(b.value)

    @pytest.mark.parametrize("name", PENALTIES)
    @pytest.mark.parametrize("n", [2, 12])
    def test_squared_loss(self, name, n):
        model, penalty = PENALTIES[name]
        X, y, Xn, yn = tasks()
        model = fitted(model, X, y, intercept=self.PULL)
        near = {"neighbors": {0: 0.5, 3: 2.0}} if name == "graph" else {}
        weights = np.random.default_rng(1).uniform(0.5, 2, size=n)
        new = model.fit_new_task(stack(Xn[:n]), yn[:n], weights, **near)
        w, b = self.solve(
            model, penalty, X, Xn[:n], yn[:n], lambda y, z: cp.square(y - z) / 2, weights
        )
        np.testing.assert_allclose(new.coef_[-1], w, atol=1e-5)
        assert new.intercept_[-1] == pytest.approx(b, abs=1e-5)

    @pytest.mark.parametrize("loss", ["huber", "poisson", "logistic", "squared_hinge"])
    def test_other_losses(self, loss):
        X, y, Xn, yn = tasks()
        stated = {
            "huber": lambda y, z: cp.huber(y - z, 0.5) / 2,
            "poisson": lambda y, z: cp.exp(z) - cp.multiply(y, z),
            "logistic": lambda y, z: cp.logistic(-cp.multiply(2 * y - 1, z)),
            "squared_hinge": lambda y, z: cp.square(cp.pos(1 - cp.multiply(2 * y - 1, z))) / 2,
        }
        if loss in ("huber", "poisson"):
            model = TaskRelationRegressor(0.1, loss=loss, huber_delta=0.5)
            y, yn = (np.round(np.abs(v)) if loss == "poisson" else v for v in (y, yn))
        else:
            model = TaskRelationClassifier(0.1, loss=loss)
            y, yn = (y > 2).astype(int), (yn > 2).astype(int)
        model = fitted(model, X, y, intercept=self.PULL)
        for n in (1, 15):
            new = model.fit_new_task(stack(Xn[:n]), yn[:n])
            penalty = gaussian(lambda W: root(W) / np.trace(root(W)), 0.1)
            w, b = self.solve(model, penalty, X, Xn[:n], yn[:n], stated[loss])
            np.testing.assert_allclose(new.coef_[-1], w, atol=2e-5)
            assert new.intercept_[-1] == pytest.approx(b, abs=2e-5)
            assert 0 <= new.new_task_gaps_[99] < 1e-7


class TestLimits:
    @each
    def test_without_labels_it_is_the_mean_task(self, model):
        X, y, Xn, _ = tasks()
        model = fitted(model, X, y, unknown_task="prior")
        new = model.fit_new_task(np.empty((0, N_FEATURES + 1)), [], name=99)
        W, centre = model.coef_, X[:, :-1].mean(axis=0)
        np.testing.assert_allclose(new.coef_[-1], W.mean(axis=0), atol=1e-12)
        at_centre = np.mean(model.intercept_ + W @ centre)
        assert new.intercept_[-1] + centre @ new.coef_[-1] == pytest.approx(at_centre)
        for return_std in (False, True):
            ours = model.predict(stack(Xn), return_std=return_std)
            np.testing.assert_allclose(ours, new.predict(stack(Xn), return_std=return_std))

    @each
    def test_with_a_weak_penalty_and_many_labels_it_is_alone(self, model):
        X, y, Xn, yn = tasks(n_rows=200, spread=1.0)
        model = fitted(model, X, y, alpha=1e-7)
        new = model.fit_new_task(stack(Xn), yn)
        alone = LinearRegression().fit(Xn, yn)
        np.testing.assert_allclose(new.coef_[-1], alone.coef_, atol=0.01)
        assert new.intercept_[-1] == pytest.approx(alone.intercept_, abs=0.02)

    def test_it_stays_in_the_span_or_support_of_the_others(self):
        X, y, Xn, yn = tasks()
        X[:, 0], Xn[:, 0] = 0.0, yn
        for model in (LowRankRegressor(0.1), BlockSparseRegressor(0.1)):
            new = fitted(model, X, y).fit_new_task(stack(Xn), yn)
            assert new.coef_[-1, 0] == pytest.approx(0.0, abs=1e-12)
            assert np.abs(new.coef_[-1, 1:]).min() > 0.01

    def test_a_feature_that_is_not_penalised_is_free(self):
        X, y, Xn, yn = tasks()
        weight = [0.0, 1.0, 1.0, 1.0]
        model = fitted(BlockSparseRegressor(50.0, feature_weight=weight), X, y, intercept=1e-6)
        new = model.fit_new_task(stack(Xn), yn)
        np.testing.assert_array_equal(new.coef_[-1, 1:], 0.0)
        alone = LinearRegression().fit(Xn[:, :1], yn)
        assert new.coef_[-1, 0] == pytest.approx(alone.coef_[0], rel=1e-4)


class TestDeviations:
    def joint(self, model, X, Xn, Xt):
        """Prior covariances of the predictors (Xn, then Xt), by the model's two variances."""
        known = model._variances()
        centre = X[:, :-1].mean(axis=0)
        rows = np.vstack([Xn, Xt]) - centre
        # The graph's prior has the covariance I / alpha around the mean task.
        return known, known.spread * rows @ rows.T / 0.3 + known.intercept_variance

    def test_they_are_those_of_the_errors_of_the_fit(self):
        X, y, Xn, yn = tasks()
        model, n = fitted(GraphRegularizedRegressor(0.3), X, y), 6
        known, K = self.joint(model, X, Xn[:n], Xn[n:])
        Xt = stack(Xn[n:])
        first, std = model.fit_new_task(stack(Xn[:n]), yn[:n]).predict(Xt, return_std=True)
        # The fit is affine in the labels: its derivatives by differences.
        moved = [model.fit_new_task(stack(Xn[:n]), yn[:n] + e).predict(Xt) for e in np.eye(n)]
        A = np.stack(moved, axis=1) - first[:, None]
        errors = K[n:, n:] - 2 * A @ K[:n, n:] + A @ (K[:n, :n] + known.noise * np.eye(n)) @ A.T
        np.testing.assert_allclose(std**2, np.diag(errors) + known.noise, rtol=1e-6)

    @pytest.mark.parametrize("n", [0, 1, 8])
    def test_they_are_the_posterior_s_if_the_penalty_is_as_strong_as_the_variances(self, n):
        X, y, Xn, yn = tasks()
        model = fitted(GraphRegularizedRegressor(0.3), X, y)
        known = model._variances()
        model._training.variances = replace(known, spread=known.noise * known.weight)
        known, K = self.joint(model, X, Xn[:n], Xn[n:])
        new = model.fit_new_task(stack(Xn[:n]), yn[:n], name=[99])
        predicted, std = new.predict(stack(Xn[n:]), return_std=True)
        prior = np.vstack([Xn[:n], Xn[n:]]) @ model.coef_.mean(axis=0) + model.intercept_.mean()
        gain = np.linalg.solve(K[:n, :n] + known.noise * np.eye(n), K[:n, n:]).T
        np.testing.assert_allclose(predicted, prior[n:] + gain @ (yn[:n] - prior[:n]), rtol=1e-6)
        left = K[n:, n:] - gain @ K[:n, n:]
        np.testing.assert_allclose(std**2, np.diag(left) + known.noise, rtol=1e-8)

    @pytest.mark.turns(2)
    @each
    @pytest.mark.parametrize("factor", [0.1, 1.0])
    def test_they_are_calibrated_for_any_strength(self, model, factor):
        """Among 150 tasks of 12 labels, and new ones of 0 and 4."""
        X, y, _, _ = tasks(151, 12, seed=3)
        test = X[:, -1] >= 120
        model = fitted(model, X[~test], y[~test], alpha=factor * model.alpha)
        if factor < 1:  # strong penalties leave out directions, which count as noise
            assert model.noise_variance_[0] == pytest.approx(0.49, rel=0.12)
        first = np.flatnonzero(test)[np.arange(test.sum()) % 12 < 4]
        rest = np.setdiff1d(np.flatnonzero(test), first)
        names = np.unique(X[test, -1]).astype(int).tolist()
        for rows in (first[:0], first):
            new = model.fit_new_task(X[rows], y[rows], name=names)
            predicted, std = new.predict(X[rest], return_std=True)
            assert np.mean(((y[rest] - predicted) / std) ** 2) == pytest.approx(1.0, abs=0.3)

    def test_of_tasks_of_the_fit(self):
        """The same as those of a new task with the same labels and prior."""
        X, y, _, _ = tasks(n_tasks=200, n_rows=10)
        whole = fitted(ClusteredTaskRegressor(0.3), X, y)
        old = X[:, -1] == 7
        rest = fitted(ClusteredTaskRegressor(0.3), X[~old], y[~old])
        new = rest.fit_new_task(X[old], y[old])
        _, ours = whole.predict(X[old], return_std=True)
        _, theirs = new.predict(X[old], return_std=True)
        np.testing.assert_allclose(ours, theirs, rtol=0.02)

    def test_shared_layout_and_scales(self):
        X, y, Xn, yn = tasks()
        Y = y.reshape(N_TASKS, N_ROWS).T * 10.0 ** np.arange(N_TASKS)
        model = ClusteredTaskRegressor(0.1, scale_tasks=True).fit(X[:N_ROWS, :-1], Y)
        predicted, std = model.fit_new_task(Xn, 1e3 * yn).predict(Xn, return_std=True)
        assert predicted.shape == std.shape == (N_ROWS, N_TASKS + 1)
        ratio = std[:, 1:N_TASKS].mean(axis=0) / std[:, : N_TASKS - 1].mean(axis=0)
        np.testing.assert_allclose(ratio, 10, rtol=0.4)

    def test_errors(self):
        X, y, Xn, _ = tasks()
        model = fitted(TaskRelationRegressor(0.1, loss="huber"), X, y)
        with pytest.raises(ValueError, match=r"loss='squared'.*got loss='huber'"):
            model.predict(X, return_std=True)
        assert not hasattr(model, "noise_variance_")
        model = fitted(TaskRelationRegressor(0.1), X, y, unknown_task="mean")
        with pytest.raises(ValueError, match=r"need unknown_task='prior', got 'mean'"):
            model.predict(stack(Xn), return_std=True)


class TestData:
    @each
    @pytest.mark.parametrize("scale_tasks", [False, True])
    @pytest.mark.parametrize("loss", ["squared", "huber"])
    def test_offsets_are_subtracted_from_the_labels(self, model, scale_tasks, loss):
        X, y, Xn, yn = tasks()
        rng = np.random.default_rng(1)
        offset, new_offset = 10 * rng.normal(size=len(y)), 10 * rng.normal(size=len(yn))
        params = {"scale_tasks": scale_tasks, "loss": loss}
        plain = fitted(model, X, y, **params).fit_new_task(stack(Xn), yn)
        A = np.insert(X, 1, offset, axis=1)
        known = fitted(model, A, y + offset, offset_column=1, **params)
        rows = np.insert(stack(Xn), 1, new_offset, axis=1)
        known = known.fit_new_task(rows, yn + new_offset)
        np.testing.assert_allclose(known.coef_, plain.coef_, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(known.intercept_, plain.intercept_, rtol=1e-5)
        if loss == "squared":
            std, expected = (m.predict(z, True)[1] for m, z in ((known, rows), (plain, stack(Xn))))
            np.testing.assert_allclose(std, expected, rtol=1e-5)

    @each
    def test_the_estimator_stays_the_same(self, model):
        X, y, Xn, yn = tasks()
        model = fitted(model, X, y)
        model._variances()  # kept with the training data
        before = {name: copy.deepcopy(value) for name, value in vars(model).items()}
        new = model.fit_new_task(stack(Xn), yn)
        assert vars(model).keys() == before.keys()
        for name in ("coef_", "intercept_", "tasks_", "_learned", "new_task_gaps_", "_added"):
            np.testing.assert_equal(vars(model)[name], before[name])
        assert new.coef_.shape == (N_TASKS + 1, N_FEATURES) and type(new) is type(model)
        np.testing.assert_array_equal(new.coef_[:-1], model.coef_)
        np.testing.assert_array_equal(new.predict(X), model.predict(X))

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("model", [*REGRESSORS, *CLASSIFIERS])
    def test_layouts_and_containers_agree(self, model):
        X, y, Xn, yn = tasks()
        if model in CLASSIFIERS:
            y, yn = (y > 2).astype(int), (yn > 2).astype(int)
        Y = np.full((len(y), N_TASKS), np.nan)
        Y[np.arange(len(y)), X[:, -1].astype(int)] = y
        stacked = fitted(model, X, y)
        shared = clone(model).set_params(tol=1e-10).fit(X[:, :-1], Y)
        several = np.vstack([stack(Xn[:8], 50), stack(Xn[8:], 40)])
        new = stacked.fit_new_task(several, yn)
        assert new.tasks_.tolist() == [*range(N_TASKS), 40, 50]
        columns = np.full((N_ROWS, 2), np.nan)
        columns[8:, 0], columns[:8, 1] = yn[8:], yn[:8]
        other = shared.fit_new_task(Xn, columns)
        assert other.tasks_.tolist() == [*range(N_TASKS + 2)]
        np.testing.assert_allclose(other.coef_, new.coef_, atol=1e-6)
        np.testing.assert_allclose(other.intercept_, new.intercept_, atol=1e-6)
        sparse = fitted(model, sp.csr_matrix(X), y).fit_new_task(sp.csr_matrix(several), yn)
        np.testing.assert_allclose(sparse.coef_, new.coef_, atol=1e-6)
        one = shared.fit_new_task(Xn, columns[:, 0]).fit_new_task(Xn, columns[:, 1])
        np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-9)
        restored = pickle.loads(pickle.dumps(new))
        np.testing.assert_array_equal(restored.predict(several), new.predict(several))
        again = restored.fit_new_task(stack(Xn, 77), yn)
        np.testing.assert_allclose(again.coef_[:-1], new.coef_)

    def test_data_frames_and_names(self):
        X, y, Xn, yn = tasks()
        names = np.array(["ash", "elm", "fir", "oak", "yew", "bay", "box"])
        frame = pd.DataFrame(X[:, :-1], columns=list("abcd"))
        frame["tree"] = names[X[:, -1].astype(int)]
        model = TaskRelationRegressor(0.1, task_column="tree", unknown_task="prior").fit(frame, y)
        rows = pd.DataFrame(Xn, columns=list("abcd")).assign(tree="hornbeam")
        new = model.fit_new_task(rows, yn)
        assert new.tasks_.tolist() == [*sorted(names), "hornbeam"]
        assert new.predict(rows).shape == new.predict(rows, return_std=True)[1].shape
        assert model.predict(rows).shape == (N_ROWS,)
        with pytest.raises(ValueError, match=r"\['ash'\] are known already"):
            model.fit_new_task(rows.assign(tree="ash"), yn)
        Y = pd.DataFrame(y.reshape(N_TASKS, N_ROWS).T, columns=names)
        model = TaskRelationRegressor(0.1).fit(frame.iloc[:N_ROWS, :-1], Y)
        assert model.fit_new_task(rows[list("abcd")], pd.Series(yn, name="hop")).tasks_[-1] == "hop"
        assert model.fit_new_task(rows[list("abcd")], yn, name="fig").tasks_[-1] == "fig"
        with pytest.raises(ValueError, match="the new task has none. Pass its name"):
            model.fit_new_task(rows[list("abcd")], yn)

    def test_weights_count_as_repeated_labels(self):
        X, y, Xn, yn = tasks()
        model = fitted(ClusteredTaskRegressor(0.3), X, y)
        weights = np.arange(N_ROWS) % 3
        weighted = model.fit_new_task(stack(Xn), yn, weights)
        repeated = model.fit_new_task(stack(np.repeat(Xn, weights, axis=0)), yn.repeat(weights))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-9)
        # All weights of the fit and of the new task times a number.
        scaled = (
            clone(model).fit(X, y, 3 * np.ones(len(y))).fit_new_task(stack(Xn), yn, 3 * weights)
        )
        np.testing.assert_allclose(scaled.coef_, weighted.coef_, atol=1e-6)
        std = [m.predict(stack(Xn), return_std=True)[1] for m in (weighted, scaled)]
        np.testing.assert_allclose(*std, rtol=1e-6)

    def test_balanced_tasks_without_intercept_in_single_precision(self):
        X, y, Xn, yn = tasks()
        model = BlockSparseRegressor(
            0.1, task_weight="balanced", fit_intercept=False, task_column=-1
        ).fit(X.astype(np.float32), y)
        new = model.fit_new_task(stack(Xn).astype(np.float32), yn)
        assert new.coef_.dtype == np.float32 and not new.intercept_.any()

    def test_one_label_moves_the_intercept_little(self):
        X, y, Xn, yn = tasks()
        model = fitted(ClusteredTaskRegressor(1000.0), X, y)
        moved = [
            model.fit_new_task(stack(Xn[:n]), yn[:n] + 10).intercept_[-1]
            - model.fit_new_task(stack(Xn[:n]), yn[:n]).intercept_[-1]
            for n in (1, 25)
        ]
        assert 1 < moved[0] < 6 and 7 < moved[1] < 10

    def test_a_classifier_learns_from_one_class(self):
        X, y, Xn, _ = tasks()
        model = fitted(ClusteredTaskClassifier(0.05), X, np.where(y > 2, "hi", "lo"))
        new = model.fit_new_task(stack(Xn[:3]), ["hi"] * 3)
        p = [
            m.predict_proba(stack(Xn[:3]))[:, 0].mean()
            for m in (new, model.set_params(unknown_task="prior"))
        ]
        assert p[1] < p[0] < 1
        with pytest.raises(ValueError, match=r"\['mid'\].*none of the classes.*\['hi', 'lo'\]"):
            model.fit_new_task(stack(Xn[:1]), ["mid"])

    def test_a_column_of_classes_is_added(self):
        X, y, Xn, yn = tasks()
        Y = (y > 2).astype(int).reshape(N_TASKS, N_ROWS).T
        model = BlockSparseClassifier(0.01).fit(X[:N_ROWS, :-1], Y)
        new = model.fit_new_task(Xn, yn > 2)
        assert new.classes_.tolist() == [*range(N_TASKS + 1)] and len(model.classes_) == N_TASKS
        assert new.predict_proba(Xn).shape == (N_ROWS, N_TASKS + 1)
        assert new.score(Xn, new.predict(Xn)) == 1.0

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("model", [*REGRESSORS, CLASSIFIERS[0]])
    def test_whole_tasks_are_left_out_in_cross_validation(self, model):
        X, y, _, _ = tasks()
        if model in CLASSIFIERS:
            y = y > 2
        scores = []
        for unknown in ("prior", "mean"):
            model = clone(model).set_params(task_column=-1, unknown_task=unknown)
            options = {"groups": X[:, -1], "cv": LeaveOneGroupOut()}
            scores.append(cross_val_score(model, X, y, error_score="raise", **options))
        # Without labels the two agree: the prior's mean is the average task.
        np.testing.assert_allclose(*scores, atol=1e-9)

    def test_many_labels_of_classes_are_fitted_alone(self):
        X, y, Xn, yn = tasks(n_rows=200)
        model = fitted(GraphRegularizedClassifier(1e-7), X, y > 2)
        new = model.fit_new_task(stack(Xn), yn > 2)
        alone = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(Xn, yn > 2)
        np.testing.assert_allclose(new.coef_[-1], alone.coef_[0], rtol=0.1)


class TestFamilies:
    def test_between_more_features_than_tasks(self):
        """The weights of the cluster norm between 7 features, of 4 tasks."""
        W = np.random.default_rng(0).normal(size=(7, 4))
        theta, U, rest = ClusterNorm(1.0, 2, 0.3).feature_weights(W)
        assert U.shape == (7, 3) and rest == 1.0
        found = (U * theta) @ U.T + rest * (np.eye(7) - U @ U.T)
        np.testing.assert_allclose(found, feature_side_of_clusters(W), atol=1e-4)

    def test_known_clusters(self):
        rng = np.random.default_rng(0)
        X, y, Xn, _ = tasks()
        w = rng.normal(size=(2, N_FEATURES)) * 2
        member = np.array(list("aabbaab"))
        codes = (member == "b").astype(int)
        y = (X[:, :-1] * w[codes[X[:, -1].astype(int)]]).sum(axis=1) + 0.1 * rng.normal(size=len(X))
        model = fitted(ClusteredTaskRegressor(0.3, clusters=member), X, y)
        for code, name in enumerate("ab"):
            new = model.fit_new_task(stack(Xn[:4]), Xn[:4] @ w[code])
            assert new.labels_.tolist() == [*member, name]
            np.testing.assert_allclose(new.coef_[-1], w[code], atol=0.3)
            assert np.isnan(new.task_covariance_[-1]).all()
            np.testing.assert_allclose(new.cluster_centers_, model.cluster_centers_)
            new = new.fit_new_task(np.empty((0, N_FEATURES + 1)), [], name=100)
            assert new.labels_.tolist() == [*member, name, None]
            assert new.predict(stack(Xn, 100), return_std=True)[1].shape == (N_ROWS,)

    def test_neighbours(self):
        X, y, Xn, yn = tasks()
        model = fitted(GraphRegularizedRegressor(50.0, graph="chain", ridge=1e-9), X, y)
        new = model.fit_new_task(stack(Xn[:1]), yn[:1], neighbors=[2])
        np.testing.assert_allclose(new.coef_[-1], model.coef_[2], atol=0.05)
        assert new.laplacian_.shape == (N_TASKS, N_TASKS)
        near = pd.Series([2.0, 1.0], index=[1, 2])
        expected = model.fit_new_task(stack(Xn), yn, neighbors=near.to_dict()).coef_
        new = model.fit_new_task(stack(Xn), yn, neighbors=near)
        np.testing.assert_array_equal(new.coef_, expected)
        with pytest.raises(ValueError, match=r"neighbors must be tasks.*\['al'\] are not"):
            model.fit_new_task(stack(Xn), yn, neighbors="al")
        with pytest.raises(ValueError, match=r"neighbors must be tasks.*\[31\] are not"):
            model.fit_new_task(stack(Xn), yn, neighbors=[31])
        with pytest.raises(ValueError, match="not all zero"):
            model.fit_new_task(stack(Xn), yn, neighbors={2: 0.0})

    def test_norms_of_the_graph_keep_the_support(self):
        X, y, Xn, yn = tasks()
        X[:, 1] = 0.0
        model = fitted(GraphRegularizedRegressor(0.3, block=0.2, sparse=0.1, ridge=0.1), X, y)
        assert model.fit_new_task(stack(Xn), yn).coef_[-1, 1] == 0.0

    def test_selected_strength(self):
        X, y, Xn, yn = tasks()
        chosen = TaskRelationRegressorCV(alphas=4, task_column=-1, tol=1e-10).fit(X, y)
        plain = fitted(TaskRelationRegressor(chosen.alpha_), X, y)
        a, b = (model.fit_new_task(stack(Xn), yn) for model in (chosen, plain))
        np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-4)
        assert a.alpha_ == chosen.alpha_


class TestErrors:
    def test_estimators_without_tasks_like_a_new_one(self):
        X, y, Xn, yn = tasks()
        with pytest.raises(ValueError, match="fitted to one 1-D y.*task_column"):
            TaskRelationRegressor(0.1).fit(X, y).fit_new_task(Xn, yn)
        with pytest.raises(ValueError, match="alpha must be > 0.*got 0"):
            fitted(TaskRelationRegressor(0.0), X, y).fit_new_task(stack(Xn), yn)
        with pytest.raises(ValueError, match="need positive=False"):
            fitted(BlockSparseRegressor(0.1, positive=True), X, y).fit_new_task(stack(Xn), yn)
        with pytest.raises(ValueError, match="is not fitted yet"):
            TaskRelationRegressor().fit_new_task(Xn, yn)

    def test_data_that_do_not_match(self):
        X, y, Xn, yn = tasks()
        model = fitted(TaskRelationRegressor(0.1), X, y)
        with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 5"):
            model.fit_new_task(Xn, yn)
        with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 5"):
            model.fit_new_task(Xn[:0], [], name=99)
        with pytest.raises(ValueError, match=r"\[3\] are known already. Fit the estimator again"):
            model.fit_new_task(stack(Xn, 3), yn)
        with pytest.raises(ValueError, match="X has 25 rows and y has 24"):
            model.fit_new_task(stack(Xn), yn[1:])
        with pytest.raises(ValueError, match="no rows.*Pass it as name"):
            model.fit_new_task(stack(Xn[:0]), [])
        with pytest.raises(ValueError, match="name must be .* numbers such as 0, got 'fig'"):
            model.fit_new_task(stack(Xn[:0]), [], name="fig")
        shared = TaskRelationRegressor(0.1, offset_column=[2, 3]).fit(X[:, :4], X[:, :2])
        for rows in (Xn, Xn[:0]):
            with pytest.raises(ValueError, match=r"column for each task of the fit, \[2, 3\]"):
                shared.fit_new_task(rows, rows[:, :2])
        with pytest.raises(ValueError, match="needs labels >= 0"):
            model = fitted(TaskRelationRegressor(0.1, loss="poisson"), X, np.round(np.abs(y)))
            model.fit_new_task(stack(Xn), -np.abs(yn))

    def test_pickles_lack_the_data(self, monkeypatch):
        X, y, Xn, yn = tasks()
        model = fitted(TaskRelationRegressor(0.1), X, y)
        restored = pickle.loads(pickle.dumps(model))
        new = model.fit_new_task(stack(Xn), yn)
        np.testing.assert_array_equal(restored.fit_new_task(stack(Xn), yn).coef_, new.coef_)
        with pytest.raises(ValueError, match="pickles do not contain"):
            restored.predict(X, return_std=True)
        np.testing.assert_array_equal(restored.noise_variance_, model.noise_variance_)
        expected = model.predict(X, return_std=True)[1]
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict(X, return_std=True)[1], expected)
        monkeypatch.setattr(_new_task, "_AFFORDABLE", 0)
        restored = pickle.loads(pickle.dumps(fitted(TaskRelationRegressor(0.1), X, y)))
        np.testing.assert_array_equal(restored.predict(X), model.predict(X))
        with pytest.raises(ValueError, match="Compute it once before pickling"):
            restored.fit_new_task(stack(Xn), yn)
        model = fitted(TaskRelationRegressor(0.1, unknown_task="prior"), X, y)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict(stack(Xn)), model.predict(stack(Xn)))

    def test_copies_share_the_data(self):
        X, y, _, _ = tasks()
        model = fitted(TaskRelationRegressor(0.1), X, y)
        shallow, deep = copy.copy(model), copy.deepcopy(model)
        assert model._training.variances is None  # copying takes no time
        assert shallow._training.data is deep._training.data is model._training.data
        expected = model.predict(X, return_std=True)[1]
        assert deep._training.variances is None
        np.testing.assert_array_equal(deep.predict(X, return_std=True)[1], expected)
        deep.coef_[:] = 0
        assert model.coef_.any()

    @pytest.mark.parametrize("sparse", [False, True])
    def test_data_changed_after_fit(self, sparse):
        rng = np.random.default_rng(0)
        X, Y = rng.normal(size=(30, 4)), rng.normal(size=(30, 3))
        X = sp.csr_matrix(X) if sparse else X
        model = TaskRelationRegressor(0.1).fit(X, Y)
        known = TaskRelationRegressor(0.1).fit(X, Y)
        expected = known.noise_variance_
        X *= 2
        np.testing.assert_array_equal(known.noise_variance_, expected)
        for call in (lambda: model.fit_new_task(X, Y[:, 0]), lambda: known.predict(X, True)):
            with pytest.raises(ValueError, match="X was changed after the fit.*a copy of X"):
                call()

    @pytest.mark.parametrize(
        "model",
        [
            TaskRelationRegressor(0.1, loss="huber"),
            BlockSparseRegressor(0.1, loss="huber", scale_tasks=True, task_weight="balanced"),
            TaskRelationRegressorCV(alphas=[0.1], cv=2, loss="huber"),
            GraphRegularizedClassifier(0.05),
        ],
    )
    def test_large_data_are_not_kept_where_sums_suffice(self, model, monkeypatch):
        X, y, Xn, yn = tasks()
        if isinstance(model, GraphRegularizedClassifier):
            y, yn = y > 2, yn > 2
        expected = fitted(model, X, y).fit_new_task(stack(Xn), yn)
        monkeypatch.setattr(_training, "_FEW", 0)
        lean = fitted(model, X, y)
        assert expected._training.data is not None
        assert lean._training.data is None
        np.testing.assert_array_equal(lean.fit_new_task(stack(Xn), yn).coef_, expected.coef_)
        lean.set_params(unknown_task="prior").predict(stack(Xn))

    def test_without_tasks_no_data_are_kept(self):
        X, y, _, _ = tasks()
        assert TaskRelationRegressor(0.1).fit(X, y)._training.data is None
