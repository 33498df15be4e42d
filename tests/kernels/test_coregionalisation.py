"""Learned covariances of tasks, in Gaussian processes."""

import warnings

import numpy as np
import pytest
from kernel_problems import LINEAR, T, fit_gp, kernel_models, make_linear, make_rows, make_waves
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from skmtl import IndependentTaskRegressor, PooledTaskRegressor
from skmtl.kernels import MeanRegularizedTaskKernel, TaskKernel


def test_zero_loadings_are_a_saddle_and_not_the_start():
    gp = GaussianProcessRegressor(
        TaskKernel(RBF(), tasks=T, loadings=np.zeros((T, 1))), optimizer=None
    ).fit(make_rows(), np.ones(17))
    _, gradient = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
    np.testing.assert_allclose(gradient[1 : 1 + T], 0, atol=1e-12)
    start = TaskKernel(RBF(), tasks=T, rank=2)
    assert np.abs(start.theta[1 : 1 + 2 * T]).min() > 1e-3
    np.testing.assert_array_equal(start.theta, clone(start).theta)
    assert (start.theta != start.set_params(random_state=1).theta).any()


def test_diagonal_matrix_is_independent_tasks():
    X, y = make_linear()
    alpha = 0.4
    linear = IndependentTaskRegressor(alpha, fit_intercept=False, task_column=-1, tol=1e-12)
    expected = linear.fit(X, y).predict(X)
    kernel = TaskKernel(LINEAR, tasks=T, rank=0)
    for model in kernel_models(kernel, alpha * len(y) / T):
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)
    strengths = np.array([0.1, 1.0, 3.0, 0.4])
    linear.set_params(alpha=strengths)
    kernel.set_params(variances=1 / strengths)
    expected = linear.fit(X, y).predict(X)
    for model in kernel_models(kernel, len(y) / T):
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)


def test_matrix_of_ones_is_pooling():
    X, y = make_linear()
    alpha = 0.4
    linear = PooledTaskRegressor(
        alpha, task_intercepts=False, fit_intercept=False, task_column=-1, tol=1e-12
    )
    expected = linear.fit(X, y).predict(X)
    ones = TaskKernel(LINEAR, loadings=np.ones((T, 1)), variances=0, variances_bounds="fixed")
    limit = MeanRegularizedTaskKernel(LINEAR, tasks=T, ridge=1e-9)
    for kernel in (ones, limit):
        for model in kernel_models(kernel, alpha * len(y) / T):
            np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gaussian_process_learns_the_covariance(seed):
    X, y, X_test, f_test, truth = make_waves([30, 30, 6, 30, 6, 6], seed=seed)
    gp = fit_gp(TaskKernel(RBF(), tasks=6) + WhiteKernel(0.1), X, y)
    B = gp.kernel_.k1.task_covariance
    correlations = B / np.sqrt(np.outer(np.diag(B), np.diag(B)))
    assert (np.sign(B) == np.sign(truth)).all()
    assert np.abs(correlations - truth).mean() < 0.25
    assert 0.6 < gp.kernel_.k1.base_kernel.length_scale < 1.5

    few = [2, 4, 5]
    errors, alone = [], []
    for t in few:
        mine, test = X[:, 1] == t, X_test[:, 1] == t
        errors.append(np.mean((gp.predict(X_test[test]) - f_test[test]) ** 2))
        single = fit_gp(ConstantKernel() * RBF() + WhiteKernel(0.1), X[mine, :1], y[mine])
        alone.append(np.mean((single.predict(X_test[test, :1]) - f_test[test]) ** 2))
    assert np.mean(errors) < 0.5 * np.mean(alone)


def test_learned_optimum_is_stationary_and_beats_the_start():
    X, y, *_ = make_waves([8] * 6)
    kernel = TaskKernel(RBF(), tasks=6, random_state=3) + WhiteKernel(0.1)
    start = GaussianProcessRegressor(kernel, optimizer=None).fit(X, y)
    gp = fit_gp(kernel, X, y)
    restarted = fit_gp(kernel, X, y, n_restarts_optimizer=1, random_state=0)
    assert gp.log_marginal_likelihood_value_ > start.log_marginal_likelihood_value_ + 10
    best = restarted.log_marginal_likelihood_value_
    assert best >= gp.log_marginal_likelihood_value_ - 1e-6
    _, gradient = gp.log_marginal_likelihood(gp.kernel_.theta, eval_gradient=True)
    inside = (gp.kernel_.theta > gp.kernel_.bounds[:, 0]) & (
        gp.kernel_.theta < gp.kernel_.bounds[:, 1]
    )
    assert np.abs(gradient[inside]).max() < 0.05


def test_bounds_hold_and_are_named():
    X, y, *_ = make_waves([6] * 6)
    kernel = TaskKernel(
        RBF(1.0, "fixed"), tasks=6, loadings_bounds=(-0.2, 0.2), variances_bounds="fixed"
    )
    with pytest.warns(ConvergenceWarning, match="parameter loadings is close to the specified"):
        gp = GaussianProcessRegressor(kernel, alpha=0.1).fit(X, y)
    assert 0.19 < np.abs(gp.kernel_.loadings).max() <= 0.2 + 1e-12
    assert kernel.loadings is None and gp.kernel_.variances == 1.0


def test_noise_of_each_task():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0, 6, 160), np.repeat([0, 1], 80)])
    y = np.sin(X[:, 0]) + np.where(X[:, 1] == 0, 0.05, 0.5) * rng.standard_normal(160)
    noise = TaskKernel(WhiteKernel(1.0, "fixed"), tasks=2, rank=0, variances=0.1)
    gp = fit_gp(TaskKernel(RBF(), tasks=2) + noise, X, y)
    np.testing.assert_allclose(gp.kernel_.k2.variances, [0.05**2, 0.5**2], rtol=0.5)


def test_gaussian_process_classifier():
    X, y, X_test, f_test, truth = make_waves([15] * 6)
    labels = np.where(y > 0, "up", "down")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        gp = GaussianProcessClassifier(TaskKernel(RBF(), tasks=6)).fit(X, labels)
    assert gp.score(X_test, np.where(f_test > 0, "up", "down")) > 0.85
    B = gp.kernel_.task_covariance
    assert (np.sign(B) == np.sign(truth)).all()
