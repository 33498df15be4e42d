"""Low-rank tasks: against cvxpy, TaskRelation and planted directions; the shared representation."""

import numpy as np
import pytest
import scipy.sparse as sp
from problems import SCENARIOS, TIGHT, Problem, assert_is_the_optimum, by_turns
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skmtl import (
    LowRankClassifier,
    LowRankRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
    reference,
)
from skmtl.datasets import make_low_rank_tasks
from skmtl.model_selection import alpha_max

CLASSES = [LowRankRegressor, LowRankClassifier]
BOTH = pytest.mark.parametrize("classify", [False, True], ids=["regression", "classification"])


def projection(rows):
    """The orthogonal projection onto the span of rows (r, d)."""
    return np.linalg.pinv(rows) @ rows


# --- the optimum ----------------------------------------------------------------------------------


@pytest.mark.turns(2)
@pytest.mark.parametrize(("power", "scenario", "classify"), list(by_turns([1, 2], SCENARIOS)))
def test_low_rank_against_cvxpy(scenario, classify, power):
    problem = Problem(scenario, classify=classify)
    alpha = 0.06 if classify else 0.4
    model = CLASSES[classify](alpha, power=power, **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)
    # cvxpy's penalty is its own trace norm, or half its square.
    best = reference.solve(model, problem.X, problem.y, problem.sample_weight)
    norm = np.linalg.svd(np.atleast_2d(best.coef_), compute_uv=False).sum()
    stated = problem.data_term(best.coef_, best.intercept_) + alpha * norm**power / power
    assert best.objective == pytest.approx(stated, rel=1e-6)


@pytest.mark.turns(2)
@pytest.mark.parametrize("scenario", [SCENARIOS[2], SCENARIOS[8]], ids=["labels", "stacked"])
@BOTH
def test_half_the_square_is_the_learned_task_relation(scenario, classify):
    problem = Problem(scenario, classify=classify)
    data = problem.X, problem.y, problem.sample_weight
    alpha = 0.02 if classify else 0.2
    relation = (TaskRelationRegressor, TaskRelationClassifier)[classify]
    model = CLASSES[classify](alpha, power=2, **problem.params, **TIGHT).fit(*data)
    other = relation(alpha, **problem.params, **TIGHT).fit(*data)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, other.intercept_, atol=1e-5)
    # The eigenvalues of both covariances are square roots of the same matrix's eigenvalues.
    np.testing.assert_allclose(
        np.sort(np.linalg.eigvalsh(model.feature_covariance_))[-3:],
        np.sort(np.linalg.eigvalsh(other.task_covariance_)),
        atol=1e-6,
    )
    # The trace norm itself has the same solution at another strength.
    plain = CLASSES[classify](alpha * model.singular_values_.sum(), **problem.params, **TIGHT)
    np.testing.assert_allclose(plain.fit(*data).coef_, model.coef_, atol=1e-5)


@pytest.mark.parametrize("cls", CLASSES)
def test_zero_at_alpha_max(cls):
    problem = Problem(SCENARIOS[3], classify=cls is LowRankClassifier)
    top = alpha_max(cls(), problem.X, problem.y)
    at = cls(top * (1 + 1e-9)).fit(problem.X, problem.y)
    assert not at.coef_.any() and at.rank_ == 0
    assert at.components_.shape == (0, 6) and at.singular_values_.shape == (0,)
    assert at.transform(problem.X).shape == (36, 0)
    np.testing.assert_allclose(at.feature_covariance_, np.eye(6) / 6)
    below = cls(top * 0.99, tol=1e-9).fit(problem.X, problem.y)
    assert below.rank_ == 1
    with pytest.raises(ValueError, match="No finite alpha"):
        alpha_max(cls(power=2), problem.X, problem.y)


def test_no_penalty_is_least_squares():
    dataset = make_low_rank_tasks(80, 6, 4, random_state=0)
    model = LowRankRegressor(0.0).fit(dataset.data, dataset.target)
    exact = LinearRegression().fit(dataset.data, dataset.target)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-6)
    assert model.rank_ == 4


# --- directions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_planted_rank_and_directions_are_found(layout, seed):
    dataset = make_low_rank_tasks(
        300, 20, 10, rank=2, noise=0.5, layout=layout, bias=3.0, random_state=seed
    )
    column = -1 if layout == "stacked" else None
    model = LowRankRegressor(0.5, task_column=column).fit(dataset.data, dataset.target)
    assert model.rank_ == 2
    np.testing.assert_allclose(
        projection(model.components_), projection(dataset.components), atol=0.15
    )
    labels = dataset.target > 3
    model = LowRankClassifier(0.25, task_column=column).fit(dataset.data, labels)
    assert model.rank_ == 2
    np.testing.assert_allclose(
        projection(model.components_), projection(dataset.components), atol=0.3
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["admm", "fista"])
@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_singular_values_are_exactly_zero_or_clearly_not(solver, tol, dtype):
    dataset = make_low_rank_tasks(200, 20, 10, rank=3, random_state=0)
    X, y = dataset.data.astype(dtype), dataset.target.astype(dtype)
    model = LowRankRegressor(1.0, solver=solver, tol=tol).fit(X, y)
    assert model.rank_ == 3
    assert model.components_.dtype == model.transform(X).dtype == dtype
    spectrum = np.linalg.svd(model.coef_.astype(float), compute_uv=False)
    np.testing.assert_allclose(spectrum[:3], model.singular_values_, rtol=1e-5)
    # Relevant and irrelevant singular values differ by many orders of magnitude.
    assert spectrum[3] < (1e-15 if dtype == np.float64 else 1e-7) * spectrum[0] * 10
    assert spectrum[2] > 0.1 * spectrum[0]


@BOTH
def test_factors_make_the_coefficients(classify):
    dataset = make_low_rank_tasks(150, 12, 6, rank=2, classification=classify, random_state=1)
    model = CLASSES[classify](0.05 if classify else 0.4).fit(dataset.data, dataset.target)
    r, C = model.rank_, model.components_
    assert 0 < r < 6 and C.shape == (r, 12)
    np.testing.assert_allclose(C @ C.T, np.eye(r), atol=1e-12)
    assert (C[np.arange(r), np.abs(C).argmax(axis=1)] > 0).all()
    np.testing.assert_allclose(model.coef_ @ C.T @ C, model.coef_, atol=1e-12)
    loadings = model.coef_ @ C.T
    np.testing.assert_allclose(
        loadings.T @ loadings, np.diag(model.singular_values_**2), atol=1e-12
    )
    assert (np.diff(model.singular_values_) < 0).all()
    # The covariance by its definition: the root of W W', normalised.
    values, basis = np.linalg.eigh(model.coef_.T @ model.coef_)
    root = (basis * np.sqrt(np.maximum(values, 0))) @ basis.T
    np.testing.assert_allclose(model.feature_covariance_, root / np.trace(root), atol=1e-7)
    assert np.trace(model.feature_covariance_) == pytest.approx(1)


def test_covariance_is_that_of_least_penalty():
    dataset = make_low_rank_tasks(100, 5, 8, rank=5, random_state=0)
    model = LowRankRegressor(0.05, power=2).fit(dataset.data, dataset.target)
    W, D = model.coef_.T, model.feature_covariance_
    least = np.trace(W.T @ np.linalg.inv(D) @ W)
    assert least == pytest.approx(model.singular_values_.sum() ** 2, rel=1e-6)
    rng = np.random.default_rng(0)
    for size in np.geomspace(1e-3, 1, 20):
        A = rng.normal(size=(5, 5))
        other = D + size * D[0, 0] * A @ A.T
        other /= np.trace(other)
        assert np.trace(W.T @ np.linalg.inv(other) @ W) >= least * (1 - 1e-9)


def test_scaled_tasks_have_the_directions_of_the_fit():
    dataset = make_low_rank_tasks(300, 10, 6, rank=2, noise=0.3, random_state=0)
    units = np.geomspace(1e-3, 1e4, 6)
    model = LowRankRegressor(0.15, scale_tasks=True).fit(dataset.data, dataset.target)
    scaled = clone(model).fit(dataset.data, dataset.target * units)
    assert model.rank_ == scaled.rank_ == 2
    np.testing.assert_allclose(scaled.components_, model.components_, atol=1e-6)
    np.testing.assert_allclose(scaled.singular_values_, model.singular_values_, rtol=1e-6)
    np.testing.assert_allclose(
        projection(scaled.components_), projection(scaled.coef_ / units[:, None]), atol=1e-6
    )


def test_left_out_and_single_tasks():
    dataset = make_low_rank_tasks(80, 5, 4, classification=True, random_state=0)
    target = dataset.target.copy()
    target[:, 2] = 1
    with pytest.warns(UserWarning, match=r"\[2\]"):
        model = LowRankClassifier(0.02).fit(dataset.data, target)
    others = LowRankClassifier(0.02).fit(dataset.data, np.delete(target, 2, axis=1))
    assert model.rank_ <= 3
    np.testing.assert_allclose(
        projection(model.components_), projection(others.components_), atol=0.05
    )
    single = LowRankRegressor(0.1).fit(dataset.data, dataset.data[:, 0])
    assert single.coef_.shape == (5,) and single.rank_ == 1
    np.testing.assert_allclose(single.components_[0], single.coef_ / np.linalg.norm(single.coef_))
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = LowRankClassifier().fit(dataset.data, np.ones((80, 3)))
    assert none.rank_ == 0 and none.components_.shape == (0, 5)
    np.testing.assert_allclose(none.feature_covariance_, np.eye(5) / 5)


# --- the shared representation --------------------------------------------------------------------


def test_transform_is_the_features_in_the_directions():
    dataset = make_low_rank_tasks(50, 8, 5, layout="stacked", random_state=0)
    X, y = dataset.data, dataset.target
    for column, data in ((-1, X), (0, X[:, [8, *range(8)]])):
        model = LowRankRegressor(1.0, task_column=column).fit(data, y)
        shared = model.transform(data)
        np.testing.assert_allclose(shared, X[:, :8] @ model.components_.T)
        sparse = model.transform(sp.csr_array(data))
        assert isinstance(sparse, np.ndarray)
        np.testing.assert_allclose(sparse, shared)
        unseen = data[:3].copy()
        unseen[:, column] = 77
        np.testing.assert_allclose(model.transform(unseen), shared[:3])
        np.testing.assert_allclose(model.fit_transform(data, y), shared)
        # Predictions depend on a row only through its representation.
        loadings = model.coef_ @ model.components_.T
        codes = X[:, -1].astype(int)
        by_hand = (shared * loadings[codes]).sum(axis=1) + model.intercept_[codes]
        np.testing.assert_allclose(by_hand, model.predict(data))
    with pytest.raises(ValueError, match="features"):
        model.transform(X[:, :5])


def test_names_of_the_directions():
    pd = pytest.importorskip("pandas")
    dataset = make_low_rank_tasks(60, 6, 4, layout="stacked", random_state=0)
    frame = pd.DataFrame(dataset.data, columns=[*"abcdef", "school"])
    frame["school"] = frame["school"].map({0: "w", 1: "x", 2: "y", 3: "z"})
    model = LowRankRegressor(1.0, task_column="school").fit(frame, dataset.target)
    names = [f"lowrankregressor{k}" for k in range(model.rank_)]
    assert model.get_feature_names_out().tolist() == names
    out = model.set_output(transform="pandas").transform(frame)
    assert list(out.columns) == names and out.index.equals(frame.index)


def test_representation_for_a_further_task_in_a_pipeline():
    # Two directions in 40 dimensions are learned from many tasks; 20 labels then suffice.
    dataset = make_low_rank_tasks(400, 40, 31, rank=2, noise=0.5, random_state=0)
    X, y, new = dataset.data, dataset.target[:, :30], dataset.target[:, 30]
    low = LowRankRegressor(0.5).fit(X[:200], y[:200])
    assert low.rank_ == 2
    few = slice(200, 220)
    representation = LinearRegression().fit(low.transform(X[few]), new[few])
    assert representation.score(low.transform(X[220:]), new[220:]) > 0.9
    assert LinearRegression().fit(X[few], new[few]).score(X[220:], new[220:]) < 0.7

    labels = (y > 0).astype(int)
    pipeline = make_pipeline(LowRankClassifier(0.2), KNeighborsClassifier(15))
    pipeline.fit(X[:300], labels[:300])
    plain = KNeighborsClassifier(15).fit(X[:300], labels[:300])
    assert (pipeline.predict(X[300:]) == labels[300:]).mean() > 0.85
    assert (plain.predict(X[300:]) == labels[300:]).mean() < 0.75


def test_unfitted_and_bad_parameters():
    X, y = np.zeros((3, 2)), np.zeros((3, 2))
    for name in ("rank_", "components_", "singular_values_", "feature_covariance_"):
        assert not hasattr(LowRankRegressor(), name)
    with pytest.raises(NotFittedError):
        LowRankRegressor().transform(X)
    with pytest.raises(ValueError, match="'power' parameter of LowRankRegressor must be"):
        LowRankRegressor(power=3).fit(X, y)
    with pytest.raises(ValueError, match="'alpha' parameter of LowRankRegressor"):
        LowRankRegressor(-1.0).fit(X, y)
