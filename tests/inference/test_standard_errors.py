"""Standard errors against statsmodels, least squares, and prediction from covariances."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import block_diag

import skmtl
from skmtl import (
    BlockSparseRegressor,
    ClusteredTaskRegressor,
    GraphRegularizedRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    PooledTaskRegressor,
    TaskRelationRegressor,
)
from skmtl.inference import standard_errors

EXACT = {"task_column": -1, "tol": 1e-13}


def hospitals(n_tasks=8, n=90, d=3, seed=0, spread=0.7):
    """Stacked rows of tasks of unequal size, with other means of the features in each."""
    rng = np.random.default_rng(seed)
    codes = np.append(np.arange(n_tasks), rng.integers(0, n_tasks, n - n_tasks))
    X = rng.normal(size=(n, d)) + 0.3 * codes[:, None] + 2
    levels = 4 + rng.normal(scale=spread, size=n_tasks)
    W = rng.normal(size=d) + 0.5 * rng.normal(size=(n_tasks, d))
    y = (X * W[codes]).sum(axis=1) + levels[codes] + rng.normal(size=n)
    return np.column_stack([X, codes]), y


class TestMixedLM:
    """The same ratio of variances, which is the number of labels that the mean counts for."""

    def fitted(self, X, y, ratio):
        mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
        exog = np.column_stack([X[:, :-1], np.ones(len(X))])
        n_effects = exog.shape[1]
        parts = mixed.MixedLMParams.from_components
        return mixed.MixedLM(y, exog, groups=X[:, -1]).fit(
            start_params=parts(np.zeros(n_effects), np.array([[1 / ratio]])),
            free=parts(np.ones(n_effects), np.zeros((1, 1))),
        )

    @pytest.mark.parametrize("ratio", [0.3, 2.0, 40.0])
    def test_random_intercepts(self, ratio):
        X, y = hospitals()
        known = self.fitted(X, y, ratio)
        errors = standard_errors(PooledTaskRegressor(0, intercept=ratio, **EXACT), X, y)
        fixed = errors.fixed
        tight = {"rtol": 1e-8, "atol": 1e-10}
        np.testing.assert_allclose(np.append(fixed.coef, fixed.intercept), known.fe_params, **tight)
        deviations = np.append(fixed.coef_std, fixed.intercept_std)
        np.testing.assert_allclose(deviations, known.bse_fe, **tight)
        covariance = np.asarray(known.cov_params())[:4, :4]
        np.testing.assert_allclose(errors.fixed_covariance, covariance, **tight)
        np.testing.assert_allclose(errors.noise_variance, known.scale, **tight)
        effects = [float(np.ravel(effect)[0]) for effect in known.random_effects.values()]
        np.testing.assert_allclose(errors.random.intercept, effects, rtol=1e-6, atol=1e-8)
        variances = [float(np.ravel(one)[0]) for one in known.random_effects_cov.values()]
        np.testing.assert_allclose(errors.conditional_std**2, variances, **tight)
        assert np.abs(errors.random.coef).max() < 1e-14
        assert (errors.random.coef_std == 0).all()

    def test_the_ratio_that_statsmodels_estimates(self):
        mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
        X, y = hospitals(n_tasks=15, n=200, seed=3)
        exog = np.column_stack([X[:, :-1], np.ones(len(X))])
        estimated = mixed.MixedLM(y, exog, groups=X[:, -1]).fit()
        ratio = float(estimated.scale / estimated.cov_re[0, 0])
        known = self.fitted(X, y, ratio)
        errors = standard_errors(PooledTaskRegressor(0, intercept=ratio, **EXACT), X, y)
        np.testing.assert_allclose(errors.noise_variance, estimated.scale, rtol=1e-8)
        np.testing.assert_allclose(
            np.append(errors.fixed.coef_std, errors.fixed.intercept_std), known.bse_fe, rtol=1e-8
        )
        variances = [float(np.ravel(one)[0]) for one in estimated.random_effects_cov.values()]
        np.testing.assert_allclose(errors.conditional_std**2, variances, rtol=1e-8)


def test_random_slopes():
    # Mean regularisation: slopes of equal variance around a free mean.
    gls = pytest.importorskip("statsmodels.api").GLS
    X, y = hospitals(n_tasks=6, n=120, seed=1)
    X[:, :-1] -= X[:, :-1].mean(axis=0)  # where the intercepts are compared
    features, codes = X[:, :-1], X[:, -1]
    alpha, ratio, n_tasks, n = 0.4, 2.0, 6, 120
    slopes = n_tasks / n / alpha  # their variance, relative to the noise
    same = codes[:, None] == codes
    V = np.eye(n) + same * (slopes * features @ features.T + 1 / ratio)
    known = gls(y, np.column_stack([features, np.ones(n)]), sigma=V).fit()
    errors = standard_errors(GraphRegularizedRegressor(alpha, intercept=ratio, **EXACT), X, y)
    effects = np.append(errors.fixed.coef, errors.fixed.intercept)
    np.testing.assert_allclose(effects, known.params, rtol=1e-6)
    np.testing.assert_allclose(errors.noise_variance, known.scale, rtol=1e-8)
    # These six tasks are all tasks here, but a sample there.
    covariance = known.cov_params()
    covariance[:3, :3] -= np.eye(3) * slopes * known.scale / n_tasks
    np.testing.assert_allclose(errors.fixed_covariance, covariance, atol=1e-9)


class Covariances:
    """Best linear unbiased prediction from covariances, which need no inverse of a prior.

    Parameters
    ----------
    X, y : stacked data
    between : ndarray of shape (n_tasks, n_tasks)
        The covariance between tasks of the coefficients.
    pull : float
        0: the intercepts are fixed effects.
    precision : ndarray of shape (n,)
        The inverse variances of the labels, up to a factor.
    """

    def __init__(self, X, y, between, pull=0.0, precision=None):
        features, codes = X[:, :-1], X[:, -1].astype(int)
        n, d = features.shape
        n_tasks = codes.max() + 1
        precision = np.ones(n) if precision is None else precision
        omega = precision * n_tasks / precision.sum()
        self.centre = omega @ features / omega.sum()
        dummies = np.eye(n_tasks)[codes]
        # Coefficients in the order of tasks, then of features.
        Z = (dummies[:, :, None] * (features - self.centre)[:, None, :]).reshape(n, -1)
        G = np.kron(between, np.eye(d))
        A = dummies
        if pull > 0:
            A, Z = np.ones((n, 1)), np.hstack([Z, dummies])
            G = block_diag(G, np.eye(n_tasks) * precision.sum() / (n_tasks * pull))
        V = Z @ G @ Z.T + np.diag(1 / omega)
        inverse = np.linalg.inv(V)
        bread = np.linalg.inv(A.T @ inverse @ A)
        P = inverse - inverse @ A @ bread @ A.T @ inverse
        self.scale = float(y @ P @ y) / (n - A.shape[1])
        random, fixed = G @ Z.T @ P @ y, bread @ A.T @ inverse @ y
        # The errors of fixed and random effects together (Robinson 1991, section 5).
        cross = -bread @ A.T @ inverse @ Z @ G
        errors = np.block([[bread, cross], [cross.T, G - G @ Z.T @ P @ Z @ G]])
        q = A.shape[1]
        rows = np.zeros((n_tasks, q + len(G)))
        rows[:, :q] = 1.0 if pull > 0 else np.eye(n_tasks)
        if pull > 0:
            rows[:, q + n_tasks * d :] = np.eye(n_tasks)
        rows[:, q : q + n_tasks * d] = -np.kron(np.eye(n_tasks), self.centre)
        self.coef = random[: n_tasks * d].reshape(n_tasks, d)
        self.intercept = rows @ np.append(fixed, random)
        covariance = self.scale * errors
        self.coef_std = np.sqrt(np.diag(covariance)[q : q + n_tasks * d]).reshape(n_tasks, d)
        self.intercept_std = np.sqrt(np.diag(rows @ covariance @ rows.T))
        average = np.kron(np.full((1, n_tasks), 1 / n_tasks), np.eye(d))
        self.mean_covariance = (
            average @ covariance[q : q + n_tasks * d, q : q + n_tasks * d] @ average.T
        )
        self.noise_variance = self.scale * n / n_tasks

    def check(self, errors):
        np.testing.assert_allclose(errors.tasks.coef, self.coef, atol=2e-5)
        np.testing.assert_allclose(errors.tasks.intercept, self.intercept, atol=1e-4)
        tight = {"rtol": 1e-6, "atol": 1e-8}
        np.testing.assert_allclose(errors.tasks.coef_std, self.coef_std, **tight)
        np.testing.assert_allclose(errors.tasks.intercept_std, self.intercept_std, **tight)
        np.testing.assert_allclose(errors.noise_variance, self.noise_variance, **tight)
        d = self.coef.shape[1]
        covariance = errors.fixed_covariance[:d, :d]
        np.testing.assert_allclose(covariance, self.mean_covariance, **tight)


def learned(model):
    """The covariance between tasks that an estimator has learned, in units of 1 / alpha."""
    if isinstance(model, LowRankRegressor):
        _, sizes, directions = np.linalg.svd(model.coef_.T, full_matrices=False)
        root = (directions.T * sizes) @ directions
        return root if model.power == 1 else root / np.trace(root)
    if isinstance(model, GraphRegularizedRegressor):
        return np.linalg.inv(model.laplacian_ + model.ridge * np.eye(len(model.laplacian_)))
    if isinstance(model, IndependentTaskRegressor):
        return np.eye(len(model.coef_))
    between = model.task_covariance_
    return between @ np.linalg.inv(np.eye(8) + getattr(model, "ridge", 0.0) * between)


@pytest.mark.turns(2)
@pytest.mark.parametrize("intercept", ["free", "shrunk", 3.0])
@pytest.mark.parametrize(
    "model",
    [
        TaskRelationRegressor(0.05),
        TaskRelationRegressor(0.05, ridge=0.5),
        ClusteredTaskRegressor(0.1, n_clusters=2),
        ClusteredTaskRegressor(0.1, n_clusters=2, form="relaxed"),
        ClusteredTaskRegressor(0.1, clusters=[0, 0, 0, 0, 1, 1, 1, 1]),
        GraphRegularizedRegressor(0.3, graph="chain", ridge=0.2),
        LowRankRegressor(0.01),
        LowRankRegressor(0.05, power=2),
        IndependentTaskRegressor(0.2),
    ],
    ids=repr,
)
def test_families(model, intercept):
    X, y = hospitals()
    model.set_params(**EXACT, intercept=intercept)
    errors = standard_errors(model, X, y)
    between = learned(errors.estimator) / model.alpha
    pull = {"free": 0.0, "shrunk": 1.0}.get(intercept, intercept)
    Covariances(X, y, between, pull).check(errors)


@pytest.mark.parametrize("task_weight", [None, "balanced"])
@pytest.mark.parametrize("intercept", ["free", "shrunk"])
def test_weights_are_inverse_variances(intercept, task_weight):
    X, y = hospitals()
    weights = np.random.default_rng(5).uniform(0.3, 3, len(X))
    model = GraphRegularizedRegressor(
        0.3, ridge=0.2, intercept=intercept, task_weight=task_weight, **EXACT
    )
    errors = standard_errors(model, X, y, weights)
    codes = X[:, -1].astype(int)
    sums = np.bincount(codes, weights)
    c = np.ones(8) if task_weight is None else weights.sum() / (8 * sums)
    between = learned(errors.estimator) / 0.3
    if intercept == "free" or task_weight is None:
        pull = {"free": 0.0, "shrunk": 1.0}[intercept]
        Covariances(X, y, between, pull, weights * c[codes]).check(errors)
    else:
        # The variance of an intercept also depends on the weight of its task.
        known = standard_errors(
            GraphRegularizedRegressor(0.3, ridge=0.2, intercept=1.0, task_weight=c, **EXACT),
            *(X, y, weights),
        )
        np.testing.assert_allclose(errors.tasks.coef_std, known.tasks.coef_std)
    scaled = standard_errors(model.set_params(intercept="free"), X, y, 10 * weights)
    plain = standard_errors(model, X, y, weights)
    np.testing.assert_allclose(scaled.tasks.coef_std, plain.tasks.coef_std)
    np.testing.assert_allclose(scaled.noise_variance, plain.noise_variance)


class TestLeastSquares:
    def reference(self, A, y, weights=None):
        weights = np.ones(len(y)) if weights is None else weights
        bread = np.linalg.inv(A.T @ (weights[:, None] * A))
        theta = bread @ A.T @ (weights * y)
        scale = weights @ (y - A @ theta) ** 2 / (len(y) - A.shape[1])
        return theta, np.sqrt(scale * np.diag(bread)), scale

    @pytest.mark.parametrize("weighted", [False, True])
    def test_an_intercept_for_each_task(self, weighted):
        X, y = hospitals()
        weights = np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else None
        A = np.hstack([X[:, :-1], np.eye(8)[X[:, -1].astype(int)]])
        theta, deviations, scale = self.reference(A, y, weights)
        errors = standard_errors(PooledTaskRegressor(0, **EXACT), X, y, weights)
        np.testing.assert_allclose(errors.fixed.coef, theta[:3], atol=1e-8)
        np.testing.assert_allclose(errors.fixed.coef_std, deviations[:3], rtol=1e-8)
        np.testing.assert_allclose(errors.tasks.intercept_std, deviations[3:], rtol=1e-8)
        scale /= 1.0 if weights is None else weights.mean()
        np.testing.assert_allclose(errors.noise_variance, scale, rtol=1e-8)
        assert errors.degrees_of_freedom == len(y) - 11
        assert errors.conditional_std is None

    @pytest.mark.parametrize("fit_intercept", [True, False])
    def test_one_intercept_or_none(self, fit_intercept):
        X, y = hospitals()
        A = np.column_stack([X[:, :-1], np.ones(len(X))][: 1 + fit_intercept])
        _, deviations, _ = self.reference(A, y)
        model = PooledTaskRegressor(0, task_intercepts=False, fit_intercept=fit_intercept, **EXACT)
        errors = standard_errors(model, X, y)
        np.testing.assert_allclose(errors.fixed.coef_std, deviations[:3], rtol=1e-8)
        if fit_intercept:
            np.testing.assert_allclose(errors.tasks.intercept_std, deviations[3], rtol=1e-8)
        else:
            assert (errors.tasks.intercept_std == 0).all()
            assert errors.fixed_covariance.shape == (3, 3)

    def test_one_task(self):
        X, y = hospitals()
        A = np.column_stack([X[:, :-1], np.ones(len(X))])
        theta, deviations, _ = self.reference(A, y)
        errors = standard_errors(IndependentTaskRegressor(0, tol=1e-13), X[:, :-1], y)
        assert errors.tasks.coef.shape == errors.tasks.coef_std.shape == (3,)
        np.testing.assert_allclose(errors.tasks.coef, theta[:3], atol=1e-8)
        np.testing.assert_allclose(errors.tasks.coef_std, deviations[:3], rtol=1e-8)
        np.testing.assert_allclose(errors.tasks.intercept_std, deviations[3], rtol=1e-8)
        assert errors.random.intercept_std == pytest.approx(0, abs=1e-8)

    def test_a_ridge_is_a_prior(self):
        X, y = hospitals()
        X = X[:, [0, 1, 2, 3]]
        alpha, n = 0.5, len(y)
        A = np.column_stack([X[:, :-1], np.ones(n)])
        H = A.T @ A + np.diag([n * alpha / 8] * 3 + [0.0])
        theta = np.linalg.solve(H, A.T @ y)
        left = ((y - A @ theta) ** 2).sum() + n * alpha / 8 * (theta[:3] ** 2).sum()
        deviations = np.sqrt(left / (n - 1) * np.diag(np.linalg.inv(H)))
        model = PooledTaskRegressor(alpha, task_intercepts=False, **EXACT)
        errors = standard_errors(model, X, y)
        np.testing.assert_allclose(errors.fixed.coef_std, deviations[:3], rtol=1e-7)
        np.testing.assert_allclose(errors.fixed.intercept_std, deviations[3], rtol=1e-7)


@pytest.mark.parametrize("intercept", ["free", 2.0])
def test_layouts_agree(intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(25, 2)), rng.normal(size=(25, 3))
    Y[rng.uniform(size=Y.shape) < 0.3] = np.nan
    row, task = np.nonzero(~np.isnan(Y))
    order = rng.permutation(len(row))
    row, task = row[order], task[order]
    model = GraphRegularizedRegressor(0.1, intercept=intercept, tol=1e-13)
    shared = standard_errors(model, X, Y)
    sparse = standard_errors(model, sp.csr_array(X), Y)
    model.set_params(task_column=-1)
    stacked = standard_errors(model, np.column_stack([X[row], task]), Y[row, task])
    for other in (sparse, stacked):
        for part in ("tasks", "fixed", "random"):
            for name in ("coef", "coef_std", "intercept", "intercept_std"):
                one, two = (getattr(getattr(which, part), name) for which in (shared, other))
                np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(shared.fixed_covariance, other.fixed_covariance, rtol=1e-6)


def test_data_frames():
    pd = pytest.importorskip("pandas")
    X, y = hospitals()
    frame = pd.DataFrame(X[:, :-1], columns=list("abc")).assign(ward=X[:, -1].astype(int))
    named = PooledTaskRegressor(0, intercept="shrunk", task_column="ward", tol=1e-13)
    one = standard_errors(named, frame, pd.Series(y))
    two = standard_errors(PooledTaskRegressor(0, intercept="shrunk", **EXACT), X, y)
    np.testing.assert_allclose(one.fixed_covariance, two.fixed_covariance, rtol=1e-12)


def test_errors_are_as_large_as_stated():
    # Standardised errors of simulated hospitals, whose levels and noise have known variances.
    squares = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        codes = np.append(np.arange(8), rng.integers(0, 8, 52))
        x, levels = rng.normal(size=60), rng.normal(scale=0.5, size=8)
        y = 2 * x + levels[codes] + rng.normal(size=60)
        model = PooledTaskRegressor(0, intercept=4.0, task_column=-1)
        errors = standard_errors(model, np.column_stack([x, codes]), y)
        tasks, fixed = errors.tasks, errors.fixed
        z = (fixed.coef[0] - 2) / fixed.coef_std[0], fixed.intercept / fixed.intercept_std
        a = ((tasks.intercept - levels) / tasks.intercept_std) ** 2
        squares.append([z[0] ** 2, z[1] ** 2, a.mean()])
    # The mean square of t with 58 degrees of freedom is 1.04, and its error here about .1.
    assert np.abs(np.mean(squares, axis=0) - 1.04).max() < 0.3


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (skmtl.PooledTaskClassifier(), TypeError, "regressor of skmtl"),
        (skmtl.BlockSparseRegressorCV(), TypeError, "with given parameters"),
        (PooledTaskRegressor("cv"), ValueError, "a number for alpha"),
        (TaskRelationRegressor(scale_tasks=True), ValueError, "scale_tasks=False"),
        (PooledTaskRegressor(loss="huber"), ValueError, "needs loss='squared'"),
        (
            BlockSparseRegressor(0.1),
            ValueError,
            "does not correspond to a Gaussian prior between tasks",
        ),
        (
            GraphRegularizedRegressor(0.1, block=0.1),
            ValueError,
            "not correspond to a Gaussian prior",
        ),
    ],
)
def test_models_without_standard_errors(model, error, message):
    X, y = hospitals()
    if "task_column" in model.get_params():
        model.set_params(task_column=-1)
    if not isinstance(model, TaskRelationRegressor) and "Classifier" in type(model).__name__:
        y = (y > np.median(y)).astype(float)
    with pytest.raises(error, match=message):
        standard_errors(model, X, y)


def test_warnings_are_given_once():
    X, y = hospitals()
    X[:, -1] += 0.5
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        standard_errors(PooledTaskRegressor(0, **EXACT), X, y)
    assert len([one for one in caught if "fractional part" in str(one.message)]) == 1


def test_parameters_that_the_labels_do_not_determine():
    X, y = hospitals()
    twice = np.column_stack([X[:, 0], X])
    constant = np.column_stack([np.ones(len(X)), X])
    for wrong in (twice, constant):
        with pytest.raises(ValueError, match=r"constant or collinear.*alpha > 0"):
            standard_errors(PooledTaskRegressor(0, **EXACT), wrong, y)
        assert np.isfinite(
            standard_errors(PooledTaskRegressor(0.1, **EXACT), wrong, y).fixed.coef_std
        ).all()
    few = X[:11]
    with pytest.raises(ValueError, match="more labels than unpenalised parameters, got 11 .* 11"):
        standard_errors(PooledTaskRegressor(0, **EXACT), few, y[:11])


def test_a_large_problem_is_refused():
    X = np.zeros((50, 300))
    with pytest.raises(ValueError, match="at most 8000 parameters, got 9030"):
        standard_errors(
            TaskRelationRegressor(ridge=1.0), X, np.random.default_rng(0).normal(size=(50, 30))
        )


def test_coefficients_that_the_fit_has_excluded():
    X, y = hospitals()
    errors = standard_errors(LowRankRegressor(100.0, **EXACT), X, y)
    assert (errors.tasks.coef == 0).all()
    assert (errors.tasks.coef_std == 0).all()
    counts = np.bincount(X[:, -1].astype(int))
    within = [y[X[:, -1] == code].var() * count for code, count in enumerate(counts)]
    scale = sum(within) / (len(y) - 8)
    np.testing.assert_allclose(errors.tasks.intercept_std, np.sqrt(scale / counts), rtol=1e-8)
