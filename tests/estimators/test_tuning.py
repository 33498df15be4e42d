"""The tuning engine: user-defined folds, scores overall and by task, selection."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skmtl import (
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskRegressor,
    reference,
)
from skmtl._folds import assign_shared, label_strata
from skmtl.estimators._ridge_cv import N_FOLDS
from skmtl.estimators._ridge_path import has_closed_form, ridge_coefficients
from skmtl.estimators.base import Fit
from skmtl.estimators.tuning import (
    Fold,
    HeldOutLoss,
    RowFolds,
    TaskLosses,
    choose,
    follow_path,
    make_grid,
    prepare_objective,
    ridge_grid,
    score_fold,
    search_grids,
)
from skmtl.estimators.tuning._path import extrapolated_fit


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((40, 4)), rng.standard_normal((4, 3))
    Y = X @ W + rng.standard_normal((40, 3))
    Y[:, 1][rng.random(40) < 0.2] = np.nan
    Y[4:, 2] = np.nan  # fewer labels than folds
    return X, Y


def _read(model, X, Y):
    model = model.set_params(alpha=1.0)
    return model, model._read(X, Y, None)


def _folds(n, n_splits=4):
    rows = np.arange(n)
    tests = [rows[rows % n_splits == k] for k in range(n_splits)]
    return [Fold(k, np.setdiff1d(rows, test), test, test) for k, test in enumerate(tests)]


def _ridge_losses(kind, X, Y, alphas, **params):
    """The mean losses (n_alphas, n_tasks) of held-out labels, without warm starts."""
    by_class = kind is IndependentTaskClassifier
    strata = label_strata(Y, by_class)
    folds = assign_shared(*strata, N_FOLDS, np.random.default_rng(0))
    total = np.zeros((len(alphas), Y.shape[1]))
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        for k, alpha in enumerate(alphas):
            model = kind(alpha=alpha, tol=1e-10, **params).fit(X[train], Y[train])
            Z = X[test] @ model.coef_.T + model.intercept_
            y = 2 * Y[test] - 1 if by_class else Y[test]
            losses = np.log1p(np.exp(-y * Z)) if by_class else (y - Z) ** 2 / 2
            total[k] += np.nansum(losses, axis=0)
    return total / (~np.isnan(Y)).sum(axis=0)


@pytest.mark.parametrize("kind", [IndependentTaskRegressor, PooledTaskRegressor])
def test_ridges_choose_by_the_losses_of_fits_from_scratch(kind, labels):
    X, Y = labels
    alpha = "cv" if kind is PooledTaskRegressor else "cv-each"
    model = kind(alpha=alpha, tol=1e-10).fit(X, Y)
    losses = _ridge_losses(kind, X, Y, model.alphas_)
    assert_allclose(model.cv_losses_, losses, rtol=1e-5)
    counts = (~np.isnan(Y)).sum(axis=0)
    for_all = model.alphas_[(losses * counts).sum(axis=1).argmin()]
    if kind is PooledTaskRegressor:
        assert model.alpha_ == for_all
    else:
        own = model.alphas_[losses.argmin(axis=0)]
        assert_array_equal(model.alpha_, np.where(counts >= N_FOLDS, own, for_all))


def test_ridge_classifiers_choose_by_the_losses_of_fits_from_scratch(labels):
    X, Y = labels[0], np.where(np.isnan(labels[1]), np.nan, labels[1] > 0)[:, :2]
    model = IndependentTaskClassifier(alpha="cv-each", tol=1e-10).fit(X, Y)
    losses = _ridge_losses(IndependentTaskClassifier, X, Y, model.alphas_)
    assert_allclose(model.cv_losses_, losses, rtol=1e-5)
    assert_array_equal(model.alpha_, model.alphas_[losses.argmin(axis=0)])


def _tasks(noise, n_rows, seed=0):
    """Stacked tasks with the same coefficients, and a noise level for each."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(noise)), n_rows)
    X = rng.standard_normal((len(codes), 8))
    y = X.sum(axis=1) + np.asarray(noise)[codes] * rng.standard_normal(len(codes))
    return np.column_stack([X, codes]), y


def test_cv_takes_one_strength_where_tasks_are_alike():
    X, y = _tasks([3.0] * 20, 12)
    each = IndependentTaskRegressor(alpha="cv-each", task_column=-1).fit(X, y)
    assert len(np.unique(each.alpha_)) > 1
    one = IndependentTaskRegressor(alpha="cv", task_column=-1).fit(X, y)
    assert len(np.unique(one.alpha_)) == 1
    assert one.alpha_[0] == one.alphas_[one.cv_losses_.sum(axis=1).argmin()]  # equal counts
    X_new, y_new = _tasks([3.0] * 20, 500, seed=1)
    one_error, each_error = (np.mean((m.predict(X_new) - y_new) ** 2) for m in (one, each))
    assert one_error < each_error


def test_cv_takes_one_strength_each_where_tasks_differ():
    X, y = _tasks([0.0, 0.0, 0.0, 20.0, 20.0, 20.0], 40)
    y[120:] /= 5.0  # the noisy tasks count, but do not dominate
    model = IndependentTaskRegressor(alpha="cv", task_column=-1).fit(X, y)
    each = IndependentTaskRegressor(alpha="cv-each", task_column=-1).fit(X, y)
    assert_array_equal(model.alpha_, each.alpha_)
    assert model.alpha_[:3].max() < model.alpha_[3:].min()


@pytest.mark.parametrize("kind", [IndependentTaskRegressor, PooledTaskRegressor])
def test_ridges_say_that_every_alpha_has_a_loss_of_nan(kind, labels, monkeypatch):
    def scores(model, data, alphas, folds):
        return np.full((len(folds), len(alphas), data.n_tasks), np.nan)

    monkeypatch.setattr("skmtl.estimators._ridge_cv._scores", scores)
    with pytest.raises(ValueError, match="no alpha.*held-out loss is NaN.*a number as alpha"):
        kind(alpha="cv").fit(labels[0], labels[0][:, :3])


@pytest.mark.parametrize("kind", [IndependentTaskRegressor, PooledTaskRegressor])
@pytest.mark.parametrize("layout", ["stacked", "shared", "missing"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_closed_form_is_the_fit(kind, layout, fit_intercept, labels):
    X, Y = (labels[0], labels[1].copy()) if layout == "missing" else (labels[0], labels[0][:, :3])
    if layout == "missing":
        Y[:, 2] = np.nan  # a task without labels
        Y[0, 2] = 1.0
    params = {"task_weight": [1.0, 2.0, 0.5], "fit_intercept": fit_intercept, "tol": 1e-12}
    if layout == "stacked":
        X, Y = _tasks([1.0, 2.0, 3.0], 7)
        params["task_column"] = -1
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    model = kind(alpha=1.0, **params)
    data = model._read(X, Y, weights)
    if layout == "missing":
        data = data.take(np.arange(1, len(X)))
    assert has_closed_form(model, data)
    alphas = np.array([1.0, 1e-3])
    coef, intercept = ridge_coefficients(model, data, alphas)
    for k, alpha in enumerate(alphas):
        fit = model.set_params(alpha=alpha)._fit_data(data)
        assert_allclose(coef[k], fit.coef, atol=1e-7)
        assert_allclose(intercept[k], fit.intercept, atol=1e-7)
    assert not has_closed_form(kind(loss="huber", **params), data)


def test_a_given_strength_is_kept():
    X, y = _tasks([1.0] * 3, 10)
    model = IndependentTaskRegressor(alpha=[0.1, 0.2, 0.3], task_column=-1).fit(X, y)
    assert_array_equal(model.alpha_, [0.1, 0.2, 0.3])


def test_ridges_without_a_fold_take_the_largest_alpha():
    X = np.column_stack([np.arange(4.0), np.arange(4)])
    with pytest.warns(UserWarning, match="a single row"):
        model = IndependentTaskRegressor(alpha="cv", task_column=-1).fit(X, np.arange(4.0))
    assert_array_equal(model.alpha_, np.full(4, model.alphas_[0]))
    assert not model.cv_losses_.any() and not np.signbit(model.cv_losses_).any()


def test_a_score_for_each_task_or_one_for_all(labels):
    X, Y = labels
    model, data = _read(IndependentTaskRegressor(), X, Y)
    fold, alphas = _folds(len(X))[0], np.array([1.0, 0.1])
    own = score_fold(RowFolds(data, TaskLosses(data)), [model, model], [alphas, alphas], fold)
    one = score_fold(RowFolds(data, HeldOutLoss(data)), [model], [alphas], fold)
    assert own.shape == (2, 2, 3) and one.shape == (1, 2)
    assert_array_equal(own[0], own[1])
    # Half the sum of squared errors against their mean.
    n_labels = (~np.isnan(Y[fold.test])).sum()
    assert_allclose(own[0].sum(axis=1) * 2 / n_labels, one[0])
    assert model.alpha == 1.0  # the models are cloned


def test_the_path_shares_its_objective_and_starts_from_the_fit_before(labels):
    model, data = _read(BlockSparseRegressor(tol=1e-8), *labels)
    prepared = prepare_objective(model, data)
    alphas = make_grid(model, data, prepared, 4, 0.01)
    assert_allclose(alphas[1:] / alphas[:-1], 0.01 ** (1 / 3))
    warm, cold = (list(follow_path(model, data, alphas, prepared, warm=w)) for w in (True, False))
    assert not warm[0].coef.any()
    for one, other in zip(warm, cold, strict=True):
        assert_allclose(one.coef, other.coef, atol=1e-3)
    again = np.repeat(alphas[2:], 2)  # the second fit of each alpha starts at its minimum
    assert [fit.n_iter for fit in follow_path(model, data, again, prepared)][1::2] == [1, 1]


def _wide(n_alphas=8, **params):
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((40, 60)), np.zeros((60, 3))
    W[:6] = rng.standard_normal((6, 3))
    Y = X @ W + rng.standard_normal((40, 3))
    model, data = _read(BlockSparseRegressor(**params), X, Y)
    prepared = prepare_objective(model, data)
    return model, data, prepared, make_grid(model, data, prepared, n_alphas, 0.01), (X, Y)


@pytest.mark.turns(2)
@pytest.mark.parametrize("params", [{}, {"positive": True}, {"sparsity": 0.4}, {"l1_ratio": 0.6}])
def test_the_path_of_the_squared_loss_reaches_cvxpys_optima(params):
    tol = 1e-8
    model, data, prepared, alphas, (X, Y) = _wide(5, tol=tol, **params)
    for alpha, fit in zip(alphas, follow_path(model, data, alphas, prepared), strict=True):
        assert fit.dual_gap <= tol * prepared.null_value
        best = reference.solve(clone(model).set_params(alpha=alpha), X, Y).objective
        assert fit.objective == pytest.approx(best, rel=1e-6)


def test_extrapolated_starts_are_closer_to_the_minimum():
    model, data, prepared, alphas, _ = _wide(30, tol=1e-8)
    fits = list(follow_path(model, data, alphas, prepared))
    better = []
    for k in range(2, len(fits)):
        model.alpha = float(alphas[k])
        objective = prepared.with_penalty(model._get_penalty(data))
        points = [(float(alphas[j]), fits[j]) for j in (k - 2, k - 1)]
        starts = fits[k - 1], extrapolated_fit(points, model.alpha)
        last, ahead = (objective.value(objective.start(s.coef.T, s.intercept)) for s in starts)
        better.append(ahead - fits[k].objective < (last - fits[k].objective) / 2)
    assert np.mean(better) > 0.7


def test_what_is_not_extrapolated():
    def fit(*coef, parts=None):
        coef = np.array([coef], dtype=np.float32)
        return Fit(coef, np.zeros(1), 0.0, 0.0, 1, np.ones(1, dtype=bool), parts)

    before, last = fit(1.0, 0.0, 3.0, 2.0), fit(2.0, 1.0, 1.0, 0.0)
    ahead = extrapolated_fit([(2.0, before), (1.0, last)], 0.5)
    # Continued; entered; nearer to zero; left.
    assert_allclose(ahead.coef, [[2.4, 1.0, 0.2, 0.0]], rtol=1e-6)
    assert ahead.coef.dtype == np.float32
    # A sign would change; the longest step is that of equal differences.
    far = extrapolated_fit([(2.0, before), (1.0, last)], -9.0)
    assert_allclose(far.coef, [[2.8, 1.0, 1.0, 0.0]], rtol=1e-6)
    assert extrapolated_fit([(1.0, before), (1.0, last)], 0.5) is last
    sums = fit(1.0, parts=np.zeros((2, 1, 1)))
    assert extrapolated_fit([(2.0, sums), (1.0, sums)], 0.5) is sums
    # Back where it was: no step.
    assert_array_equal(extrapolated_fit([(2.0, before), (1.0, last)], 1.0).coef, last.coef)


def test_grids_where_nothing_can_be_learned():
    X, Y = np.ones((6, 2)), np.ones((6, 2))
    classifier, data = _read(IndependentTaskClassifier(), X, Y)
    assert_array_equal(ridge_grid(classifier, data), [1.0])
    assert_array_equal(make_grid(classifier, data, None, 3, 0.01), np.geomspace(1.0, 0.01, 3))


def test_a_search_warns_when_asked(labels):
    model, data = _read(BlockSparseRegressor(), *labels)
    alphas = np.array([50.0, 20.0])  # all coefficients are zero: the larger one is as good
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = search_grids(
            [model],
            data,
            _folds(len(data.y)),
            HeldOutLoss(data),
            unbalanced=data,
            alphas=alphas,
            eps=None,
            rule="best",
            n_jobs=None,
        )
    assert found.alpha == 50.0 and not found.computed
    assert found.choice == choose(found.scores, "best")
    with pytest.warns(UserWarning, match="the largest of the grid"):
        found.warn_at_edge()


@pytest.mark.parametrize("alpha", ["cv", "cv-each"])
def test_a_fit_to_some_of_the_tasks_selects_strengths_for_these(alpha):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 4))
    model = IndependentTaskRegressor(alpha=alpha)
    data = model._read(X, Y, None)
    some = np.array([True, False, True, True])
    fit = model._fit_data(data.select(some))
    alone = IndependentTaskRegressor(alpha=alpha).fit(X, Y[:, some])
    np.testing.assert_allclose(fit.coef, alone.coef_)
