"""Known clusters and relaxed clusters (k-means, shared subspace) against other solutions."""

import cvxpy as cp
import numpy as np
import pytest
from problems import (
    SCENARIOS,
    TIGHT,
    Problem,
    assert_is_the_optimum,
    by_turns,
    planted,
)
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    ClusteredTaskClassifier,
    ClusteredTaskClassifierCV,
    ClusteredTaskRegressor,
    ClusteredTaskRegressorCV,
    IndependentTaskRegressor,
)
from skmtl.model_selection import path

KNOWN = ["b", "a", "b"]
FORMS = {
    "relaxed": {"form": "relaxed", "n_clusters": 2, "eta": 0.4},
    "relaxed-one": {"form": "relaxed", "n_clusters": 1},
    "known": {"clusters": KNOWN, "mean": 0.2},
    "known-free-mean": {"clusters": KNOWN, "mean": 0.0},
    "known-relaxed": {"clusters": KNOWN, "form": "relaxed", "eta": 0.4},
}
PICKED = [SCENARIOS[k] for k in (0, 2, 3, 7, 8, 12)]


@pytest.mark.turns(3)
@pytest.mark.parametrize(("form", "scenario", "classify"), list(by_turns(FORMS, PICKED)))
def test_form_against_cvxpy(form, scenario, classify):
    cls = (ClusteredTaskRegressor, ClusteredTaskClassifier)[classify]
    problem = Problem(scenario, classify=classify)
    model = cls(0.03 if classify else 0.3, **FORMS[form], **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
@pytest.mark.parametrize("form", ["relaxed", "known", "known-relaxed"])
def test_losses_against_cvxpy(form, loss):
    classify = loss == "squared_hinge"
    cls = (ClusteredTaskRegressor, ClusteredTaskClassifier)[classify]
    problem = Problem(SCENARIOS[1], classify=classify)
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    # Where the loss is linear, rounding errors limit the accuracy of Newton steps.
    tight = {**TIGHT, "tol": 1e-8} if loss == "huber" else TIGHT
    model = cls(0.1, loss=loss, **FORMS[form], **problem.params, **tight)
    assert_is_the_optimum(model, problem, coef=loss != "huber")


def shared_problem(n_tasks, n_features, seed=0, n_samples=40):
    """Centred X and Y of tasks in three clusters."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features))
    W = rng.normal(size=(n_features, 3))[:, np.arange(n_tasks) % 3]
    W = W + 0.3 * rng.normal(size=(n_features, n_tasks))
    Y = X @ W + rng.normal(size=(n_samples, n_tasks))
    return X - X.mean(axis=0), Y - Y.mean(axis=0)


@pytest.mark.parametrize(("n_tasks", "n_features", "k"), [(4, 7, 2), (8, 3, 2), (5, 5, 4)])
@pytest.mark.parametrize("eta", [0.05, 0.4, 3.0])
def test_relaxed_clusters_are_alternating_structure_optimisation(n_tasks, n_features, k, eta):
    X, Y = shared_problem(n_tasks, n_features)
    alpha, n = 0.3, len(X)
    W = cp.Variable((n_features, n_tasks))
    N = cp.Variable((n_features, n_features), symmetric=True)
    identity = np.eye(n_features)
    shared = cp.matrix_frac(W, eta * identity + N)
    problem = cp.Problem(
        cp.Minimize(cp.sum_squares(Y - X @ W) / (2 * n) + alpha / 2 * eta * (1 + eta) * shared),
        [N >> 0, N << identity, cp.trace(N) == k],
    )
    problem.solve(solver="CLARABEL")
    model = ClusteredTaskRegressor(alpha, n_clusters=k, form="relaxed", eta=eta, **TIGHT)
    model.fit(X, Y)
    assert model.objective_ == pytest.approx(problem.value, rel=1e-7)
    np.testing.assert_allclose(model.coef_, W.value.T, atol=4e-5 * np.abs(W.value).max())
    # The shared subspace is spanned by the leading eigenvectors of the learned N.
    values, vectors = np.linalg.eigh(N.value)
    subspace = model.feature_subspace_
    np.testing.assert_allclose(subspace @ subspace.T, np.eye(k), atol=1e-12)
    if values[-k] - values[-k - 1] > 1e-3:
        projection = vectors[:, -k:] @ vectors[:, -k:].T
        np.testing.assert_allclose(subspace.T @ subspace, projection, atol=1e-3)


def test_the_learned_covariance_attains_the_optimum_between_tasks():
    X, Y = shared_problem(8, 3)
    eta, k = 0.4, 3
    model = ClusteredTaskRegressor(0.3, n_clusters=k, form="relaxed", eta=eta, **TIGHT).fit(X, Y)
    theta = model.task_covariance_
    M = eta * (1 + eta) * theta - eta * np.eye(8)
    values = np.linalg.eigvalsh(M)
    assert values[0] > -1e-9 and values[-1] < 1 + 1e-9 and np.trace(M) == pytest.approx(k)
    W = model.coef_.T
    loss = ((Y - X @ W) ** 2).sum() / (2 * len(X))
    by_hand = loss + 0.15 * np.trace(W @ np.linalg.inv(theta) @ W.T)
    assert model.objective_ == pytest.approx(by_hand, rel=1e-9)
    assert (np.diag(model.task_correlation_) == 1).all()
    # Stationary for the learned M as a fixed quadratic.
    slope = X.T @ (X @ W - Y) / len(X) + 0.3 * W @ np.linalg.inv(theta)
    assert np.abs(slope).max() < 1e-4


def partitions(n, k):
    """All labellings of n tasks with k clusters, none of them empty."""
    for code in np.ndindex(*[k] * n):
        if len(set(code)) == k:
            yield np.array(code)


def test_relaxation_is_a_lower_bound_for_all_clusterings():
    X, Y = shared_problem(5, 4)
    options = {"alpha": 0.3, "form": "relaxed", "eta": 0.2, "tol": 1e-9}
    relaxed = ClusteredTaskRegressor(n_clusters=2, **options).fit(X, Y).objective_
    known = [
        ClusteredTaskRegressor(clusters=labels, **options).fit(X, Y).objective_
        for labels in partitions(5, 2)
    ]
    assert relaxed <= min(known) + 1e-9
    centered = ClusteredTaskRegressor(0.3, n_clusters=2, mean=0.1, tol=1e-9).fit(X, Y).objective_
    known = [
        ClusteredTaskRegressor(0.3, clusters=labels, mean=0.1, tol=1e-9).fit(X, Y).objective_
        for labels in partitions(5, 2)
    ]
    assert centered <= min(known) + 1e-9


@pytest.mark.parametrize(("n_tasks", "n_features"), [(6, 4), (3, 8)])
def test_limits_are_ridges(n_tasks, n_features):
    X, Y = shared_problem(n_tasks, n_features)
    # M is the identity if there are as many clusters as tasks.
    ridge = IndependentTaskRegressor(0.12).fit(X, Y).coef_
    options = {"form": "relaxed", **TIGHT, "tol": 1e-11}
    full = ClusteredTaskRegressor(0.3, n_clusters=n_tasks, eta=0.4, **options).fit(X, Y)
    np.testing.assert_allclose(full.coef_, ridge, atol=1e-5)
    # With a large eta M has no effect.
    far = ClusteredTaskRegressor(0.12 / 1e6, n_clusters=2, eta=1e6, **options).fit(X, Y)
    np.testing.assert_allclose(far.coef_, ridge, atol=1e-5)
    single = ClusteredTaskRegressor(0.3, eta=0.4, **options).fit(X, Y[:, 0])
    np.testing.assert_allclose(single.coef_, ridge[0], atol=1e-5)


@pytest.mark.parametrize("mean", [0.2, 0.0])
def test_known_clusters_by_a_direct_solution(mean):
    X, Y = shared_problem(6, 4)
    labels, alpha, between, n, d = np.array([0, 1, 1, 0, 2, 1]), 0.3, 0.25, len(X), 4
    # The normal equations, from the sum of squared distances term by term.
    form = np.zeros((6, 6))
    average = np.full(6, 1 / 6)
    form += mean * 6 * np.outer(average, average)
    for c in range(3):
        centre = (labels == c) / (labels == c).sum()
        form += between * (labels == c).sum() * np.outer(centre - average, centre - average)
        for t in np.flatnonzero(labels == c):
            form += np.outer(np.eye(6)[t] - centre, np.eye(6)[t] - centre)
    system = np.kron(np.eye(6), X.T @ X / n) + alpha * np.kron(form, np.eye(d))
    expected = np.linalg.solve(system, (X.T @ Y / n).T.ravel()).reshape(6, d)
    model = ClusteredTaskRegressor(alpha, clusters=labels, between=between, mean=mean)
    model.fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-9)
    value = ((Y - X @ expected.T) ** 2).sum() / (2 * n)
    value += alpha / 2 * np.trace(expected.T @ form @ expected)
    assert model.objective_ == pytest.approx(value, rel=1e-10)
    np.testing.assert_array_equal(model.labels_, labels)
    centres = [expected[labels == c].mean(axis=0) for c in range(3)]
    np.testing.assert_allclose(model.cluster_centers_, centres, atol=1e-9)
    covariance = model.task_covariance_
    np.testing.assert_allclose(form @ covariance @ form, form, atol=1e-9)


def test_known_clusters_are_named_in_any_way():
    X, y, labels = planted()
    as_list = ClusteredTaskRegressor(0.3, clusters=labels, task_column=-1).fit(X, y)
    names = np.array(["south", "north", "east"])[labels]
    by_task = dict(zip(range(9), names, strict=True))
    as_dict = ClusteredTaskRegressor(0.3, clusters=by_task, task_column=-1).fit(X, y)
    np.testing.assert_allclose(as_dict.coef_, as_list.coef_, atol=1e-12)
    assert as_dict.labels_.tolist() == names.tolist()
    order = [2, 1, 0]  # east, north, south
    np.testing.assert_allclose(as_dict.cluster_centers_, as_list.cluster_centers_[order])
    ClusteredTaskRegressor(0.3, clusters=labels, n_clusters=3, task_column=-1).fit(X, y)
    ClusteredTaskRegressor(0.0, clusters=labels, task_column=-1).fit(X, y)
    apart = ClusteredTaskRegressor(0.3, clusters=range(9), between=1, mean=1, task_column=-1)
    alone = IndependentTaskRegressor(0.3, task_column=-1).fit(X, y)
    np.testing.assert_allclose(apart.fit(X, y).coef_, alone.coef_, atol=1e-9)


def test_wrong_clusters():
    X, y, labels = planted()

    def fit(clusters, **params):
        return ClusteredTaskRegressor(clusters=clusters, task_column=-1, **params).fit(X, y)

    with pytest.raises(ValueError, match=r"'clusters' has shape \(8,\); there are 9 tasks"):
        fit(labels[:-1])
    by_task = dict(enumerate(labels))
    with pytest.raises(ValueError, match=r"misses \[4\] and has unknown \['four'\]"):
        fit({("four" if task == 4 else task): k for task, k in by_task.items()})
    for missing in (None, np.nan):
        with pytest.raises(ValueError, match=r"gives the tasks \[2\] no cluster"):
            fit({**by_task, 2: missing})
    with pytest.raises(ValueError, match="n_clusters=2, but 'clusters' holds 3 clusters"):
        fit(labels, n_clusters=2)
    with pytest.raises(ValueError, match="'clusters' parameter of ClusteredTaskRegressor"):
        fit("north")
    with pytest.raises(ValueError, match="'form' parameter of ClusteredTaskRegressor"):
        fit(labels, form="loose")
    with pytest.raises(ValueError, match="'eta' parameter of ClusteredTaskRegressor"):
        fit(None, form="relaxed", eta=0.0)
    with pytest.raises(ValueError, match="n_clusters=10 is more than the 9 tasks"):
        fit(None, form="relaxed", n_clusters=10)


def test_tasks_of_one_class_leave_known_clusters():
    X, y, labels = planted()
    classes = y > 0
    classes[X[:, -1] == 4] = True
    model = ClusteredTaskClassifier(0.05, clusters=labels, task_column=-1, tol=1e-10)
    with pytest.warns(UserWarning, match=r"\[4\]"):
        model.fit(X, classes)
    rest = X[:, -1] != 4
    others = ClusteredTaskClassifier(
        0.05, clusters=np.delete(labels, 4), task_column=-1, tol=1e-10
    ).fit(X[rest], classes[rest])
    np.testing.assert_allclose(np.delete(model.coef_, 4, 0), others.coef_, atol=1e-7)
    assert (model.labels_ == labels).all() and np.isnan(model.task_covariance_[4]).all()
    np.testing.assert_allclose(model.cluster_centers_, others.cluster_centers_, atol=1e-7)
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = ClusteredTaskClassifier(form="relaxed").fit(X[:, :-1], np.ones((len(y), 3)))
    assert none.feature_subspace_.shape == (0, 6) and (none.labels_ == -1).all()
    assert np.isnan(none.cluster_centers_).all() and np.isnan(none.task_covariance_).all()


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_and_their_subspace_are_found(seed):
    X, y, labels = planted(seed=seed)
    model = ClusteredTaskRegressor(0.1, n_clusters=3, form="relaxed", task_column=-1).fit(X, y)
    assert adjusted_rand_score(labels, model.labels_) == 1
    centres = np.stack([model.coef_[model.labels_ == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(model.cluster_centers_, centres)
    subspace = model.feature_subspace_
    assert subspace.shape == (3, 6)
    # It contains the centres, up to the differences within clusters.
    left = centres - centres @ subspace.T @ subspace
    assert np.linalg.norm(left) < 0.1 * np.linalg.norm(centres)
    X, y, labels = planted(seed=seed, rows=100)
    classes = ClusteredTaskClassifier(0.003, n_clusters=3, form="relaxed", task_column=-1)
    assert adjusted_rand_score(labels, classes.fit(X, y > 0).labels_) == 1


def test_more_clusters_than_features():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    centres, labels = 3 * np.array([[1, 0, -1], [0, 1, -1]]), np.repeat([0, 1, 2], 3)
    Y = X @ centres[:, labels] + 0.1 * rng.normal(size=(200, 9))
    model = ClusteredTaskRegressor(0.1, n_clusters=3, form="relaxed", tol=1e-9).fit(X, Y)
    assert adjusted_rand_score(labels, model.labels_) == 1
    np.testing.assert_allclose(np.abs(model.feature_subspace_ @ model.feature_subspace_.T),
                               np.eye(2), atol=1e-12)  # fmt: skip
    # All directions of the features are shared: a ridge.
    ridge = IndependentTaskRegressor(0.01).fit(X, Y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-4)


def test_only_the_relaxed_form_has_a_subspace():
    X, y, labels = planted()
    for params in ({}, {"form": "relaxed", "clusters": labels}):
        model = ClusteredTaskRegressor(task_column=-1, **params).fit(X, y)
        assert not hasattr(model, "feature_subspace_")
        with pytest.raises(AttributeError, match="form='relaxed' and unknown clusters"):
            _ = model.feature_subspace_


@pytest.mark.parametrize("form", ["relaxed", "known", "known-free-mean"])
def test_layouts_precision_and_warm_starts(form):
    X, y, labels = planted()
    params = dict(FORMS[form])
    if "clusters" in params:
        params["clusters"] = labels
    stacked = ClusteredTaskRegressor(0.3, task_column=-1, **params, **TIGHT).fit(X, y)
    Y = np.full((len(y), 9), np.nan)
    Y[np.arange(len(y)), X[:, -1].astype(int)] = y
    masked = ClusteredTaskRegressor(0.3, **params, **TIGHT).fit(X[:, :-1], Y)
    np.testing.assert_allclose(masked.coef_, stacked.coef_, atol=1e-4)
    single = ClusteredTaskRegressor(0.3, task_column=-1, **params).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, stacked.coef_, atol=0.03)
    warm = ClusteredTaskRegressor(0.3, task_column=-1, warm_start=True, tol=1e-6, **params)
    first = warm.fit(X, y).n_iter_
    assert warm.fit(X, y).n_iter_ <= max(1, first // 2)
    np.testing.assert_allclose(warm.coef_, stacked.coef_, atol=1e-2)


@pytest.mark.parametrize("solver", ["admm", "fista"])
def test_solvers_agree_in_the_relaxed_form(solver):
    X, y, _ = planted()
    options = {"n_clusters": 3, "form": "relaxed", "task_column": -1, **TIGHT}
    auto = ClusteredTaskRegressor(0.3, **options).fit(X, y)
    other = ClusteredTaskRegressor(0.3, solver=solver, **options).fit(X, y)
    assert other.objective_ == pytest.approx(auto.objective_, rel=1e-9)


def test_scaled_tasks_and_a_grid_search():
    X, Y = shared_problem(6, 4)
    factors = np.array([1e-3, 1, 10, 1e3, 1, 1])
    for params in ({"form": "relaxed", "n_clusters": 3}, {"clusters": [0, 1, 2, 0, 1, 2]}):
        model = ClusteredTaskRegressor(0.1, scale_tasks=True, **params, **TIGHT)
        plain, centres = model.fit(X, Y).coef_, model.cluster_centers_
        model.fit(X, Y * factors)
        np.testing.assert_allclose(model.coef_, plain * factors[:, None], rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(model.cluster_centers_, centres, atol=1e-4)
    grid = {
        "clusteredtaskregressor__form": ["centered", "relaxed"],
        "clusteredtaskregressor__clusters": [None, [0, 1, 2, 0, 1, 2]],
    }
    pipeline = make_pipeline(StandardScaler(), ClusteredTaskRegressor(0.03))
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, Y)
    assert search.best_score_ > 0.4


@pytest.mark.turns(2)
@pytest.mark.parametrize("form", FORMS)
def test_alpha_is_selected_for_all_forms(form):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    W = rng.normal(size=(4, 2))[:, [1, 0, 1]]
    Y = X @ W + rng.normal(size=(90, 3))
    model = ClusteredTaskRegressorCV(alphas=8, **FORMS[form]).fit(X, Y)
    assert np.isfinite(model.alphas_).all() and (model.alphas_ > 0).all()
    plain = ClusteredTaskRegressor(model.alpha_, **FORMS[form]).fit(X, Y)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-2)
    assert model.labels_.shape == (3,) and model.task_covariance_.shape == (3, 3)
    # At the start of the grid the coefficients are close to zero.
    top = ClusteredTaskRegressor(model.alphas_[0], **FORMS[form], tol=1e-9).fit(X, Y)
    null = ((Y - Y.mean(axis=0)) ** 2).sum() / 180
    if form != "known-free-mean":
        assert 0.985 * null <= top.objective_ <= null
    classes = ClusteredTaskClassifierCV(alphas=[0.3, 0.03, 0.0], **FORMS[form]).fit(X, Y > 0)
    assert classes.alpha_ in (0.3, 0.03, 0.0) and classes.labels_.shape == (3,)


def test_a_list_of_numbers_of_clusters_in_the_relaxed_form():
    X, Y = shared_problem(6, 5, n_samples=60)
    model = ClusteredTaskRegressorCV(alphas=10, n_clusters=[1, 3], form="relaxed").fit(X, Y)
    assert model.n_clusters_ in (1, 3)
    assert model.feature_subspace_.shape == (model.n_clusters_, 5)


def test_paths_of_both_forms():
    X, Y = shared_problem(6, 4)
    for params in ({"form": "relaxed", "n_clusters": 3}, {"clusters": [0, 1, 2, 0, 1, 2]}):
        model = ClusteredTaskRegressor(0.1, tol=1e-10, **params)
        _, coefs, gaps = path(model, X, Y, alphas=[1.0, 0.1])[:3]
        np.testing.assert_allclose(coefs[:, :, -1], model.fit(X, Y).coef_, atol=1e-4)
        assert (gaps >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_are_found(seed):
    X, y, labels = planted(seed=seed)
    model = ClusteredTaskRegressor(0.1, n_clusters=3, task_column=-1).fit(X, y)
    assert adjusted_rand_score(labels, model.labels_) == 1
    centres = np.stack([model.coef_[model.labels_ == k].mean(axis=0) for k in range(3)])
    np.testing.assert_allclose(model.cluster_centers_, centres)
    X, y, labels = planted(seed=seed, rows=100)
    classes = ClusteredTaskClassifier(0.003, n_clusters=3, task_column=-1).fit(X, y > 0)
    assert adjusted_rand_score(labels, classes.labels_) == 1
    assert (classes.labels_ == classes.labels_).all()


def test_labels_of_clusters_that_do_not_separate_warn():
    X, y, _ = planted(n_clusters=9, noise=3.0)
    model = ClusteredTaskRegressor(0.1, n_clusters=2, between=0.9, task_column=-1).fit(X, y)
    model.coef_ = np.eye(9, 6)
    with pytest.warns(UserWarning, match="do not separate into 2 clusters.*another n_clusters"):
        labels = model.labels_
    assert set(labels) <= {0, 1}


def test_number_of_clusters():
    X, y, _ = planted()
    with pytest.raises(ValueError, match="n_clusters=10 is more than the 9 tasks"):
        ClusteredTaskRegressor(n_clusters=10, task_column=-1).fit(X, y)
    assert ClusteredTaskRegressor(0.1, task_column=-1).fit(X, y).cluster_centers_.shape[0] == 2
    assert (
        ClusteredTaskRegressor(n_clusters=9, task_column=-1).fit(X, y).labels_ == range(9)
    ).all()
    one = ClusteredTaskRegressor(n_clusters=1, task_column=-1).fit(X, y)
    assert not one.labels_.any()


def test_one_cluster_is_mean_plus_ridge_and_one_task_a_ridge():
    X, y, _ = planted()
    model = ClusteredTaskRegressor(0.4, n_clusters=1, mean=1.0, task_column=-1, tol=1e-12)
    alone = IndependentTaskRegressor(0.4, task_column=-1).fit(X, y)
    # A gap of 1e-12 implies coefficients accurate to about its square root.
    np.testing.assert_allclose(model.fit(X, y).coef_, alone.coef_, atol=1e-5)
    model.set_params(between=1.0, n_clusters=4)
    np.testing.assert_allclose(model.fit(X, y).coef_, alone.coef_, atol=1e-5)
    X, y = X[:20, :-1], y[:20]
    single = ClusteredTaskRegressor(0.5, mean=0.2, tol=1e-12).fit(X, y)
    ridge = IndependentTaskRegressor(0.1).fit(X, y)
    np.testing.assert_allclose(single.coef_, ridge.coef_, atol=1e-6)


def test_a_free_mean_is_never_certified_falsely():
    # Few residuals within delta: fewer than features, so that the mean task has no curvature.
    rng = np.random.default_rng(27)
    X = rng.normal(size=(30, 20))
    Y = X @ rng.normal(size=(20, 4)) + 3 * rng.standard_t(1.5, size=(30, 4))
    model = ClusteredTaskRegressor(mean=0.0, loss="huber", huber_delta=0.5).fit(X, Y)
    tight = ClusteredTaskRegressor(
        mean=0.0, loss="huber", huber_delta=0.5, tol=1e-9, max_iter=50_000
    ).fit(X, Y)
    assert model.dual_gap_ >= model.objective_ - tight.objective_ - 1e-9


def test_centres_of_scaled_and_of_left_out_tasks():
    X, y, _ = planted()
    scaled = ClusteredTaskRegressor(0.01, n_clusters=3, scale_tasks=True, task_column=-1)
    factors = np.where(X[:, -1] % 2 == 0, 1.0, 1e3)
    plain = scaled.fit(X, y).cluster_centers_
    np.testing.assert_allclose(scaled.fit(X, y * factors).cluster_centers_, plain, atol=1e-3)
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = ClusteredTaskClassifier(n_clusters=2).fit(X[:, :-1], np.ones((len(y), 3)))
    assert (none.labels_ == -1).all() and np.isnan(none.cluster_centers_).all()
