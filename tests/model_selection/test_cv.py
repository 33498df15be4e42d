"""Estimators that select alpha: against scikit-learn and GridSearchCV, the rule, folds, errors."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LassoCV, MultiTaskElasticNetCV, MultiTaskLassoCV
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import skmtl
from skmtl import (
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    ClusteredTaskRegressorCV,
    TaskRelationClassifierCV,
    TaskRelationRegressor,
    TaskRelationRegressorCV,
)
from skmtl.datasets import make_block_sparse
from skmtl.design import Moments
from skmtl.estimators.tuning import Fold, HeldOutLoss, RowFolds, choose
from skmtl.estimators.tuning._moment_folds import MomentFolds
from skmtl.metrics import make_task_scorer, subset_accuracy_score
from skmtl.model_selection import StratifiedTaskKFold

# scikit-learn's name for the number of strengths depends on the release.
COUNT = "alphas" if parse_version(sklearn.__version__) >= parse_version("1.7") else "n_alphas"

CV = [
    getattr(skmtl, name)
    for name in skmtl.__all__
    if name.endswith("CV") and not name.startswith("StructureSearch")
]
# Not close to zero, where fits of classifiers take long.
ALPHAS = {"Regressor": [3.0, 1.0, 0.3, 0.1], "Classifier": [0.1, 0.05, 0.02, 0.01]}


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(50, 10, 4, n_informative=3, noise=2.0, random_state=0)


@pytest.fixture(scope="module")
def stacked():
    return make_block_sparse(20, 6, 4, n_informative=3, noise=2.0, layout="stacked", random_state=0)


def _is_classifier(cls):
    return "Classifier" in cls.__name__


def _alphas(cls):
    return ALPHAS["Classifier" if _is_classifier(cls) else "Regressor"]


def _plain(model):
    """The estimator without cross-validation, with the same parameters."""
    cls = getattr(skmtl, type(model).__name__.removesuffix("CV"))
    names = set(cls().get_params()) - {"alpha"}
    return cls(**{name: value for name, value in model.get_params().items() if name in names})


def _quietly(fit, *args, **kwargs):
    """Ignore the warning of an optimum at the edge, which short grids cause."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The (best|chosen) alpha")
        return fit(*args, **kwargs)


def held_out_loss(model, X, y):
    """The default criterion, computed from its definition."""
    if _is_classifier(type(model)):
        p, truth = model.predict_proba(X), np.asarray(y)
        if truth.ndim == 1:
            return -log_loss(truth, p, labels=model.classes_)
        seen = ~np.isnan(truth)
        return -log_loss(truth[seen], p[seen], labels=[0, 1])
    return -np.nanmean((np.asarray(y) - model.predict(X)) ** 2)


def _assert_same_choice(model, X, y, cv, *, scoring=held_out_loss, atol=1e-6):
    model = _quietly(model.set_params(tol=1e-11, alphas=_alphas(type(model))).fit, X, y)
    plain = _plain(model)
    search = GridSearchCV(plain, {"alpha": model.alphas_}, scoring=scoring, cv=cv).fit(X, y)
    theirs = [search.cv_results_[f"split{k}_test_score"] for k in range(search.n_splits_)]
    ours = -model.mse_path_ if hasattr(model, "mse_path_") else model.scores_path_
    np.testing.assert_allclose(ours.T, theirs, atol=atol, rtol=atol)
    assert model.alpha_ == search.best_params_["alpha"]
    assert model.best_score_ == pytest.approx(search.best_score_, rel=1e-6)
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, atol=1e-8)
    np.testing.assert_array_equal(model.predict(X), search.predict(X))


def test_equals_multi_task_lasso_cv(shared):
    ours = BlockSparseRegressorCV(alphas=30, tol=1e-10).fit(shared.data, shared.target)
    theirs = MultiTaskLassoCV(**{COUNT: 30}, tol=1e-12, max_iter=100_000)
    theirs.fit(shared.data, shared.target)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)


def test_equals_elastic_net_cv_over_a_list_and_weights(shared):
    ratios, weights = [0.3, 0.9], np.random.default_rng(0).uniform(0.1, 2, 50)
    ours = BlockSparseRegressorCV(alphas=20, l1_ratio=ratios, tol=1e-11)
    ours.fit(shared.data, shared.target)
    theirs = MultiTaskElasticNetCV(**{COUNT: 20}, l1_ratio=ratios, tol=1e-12, max_iter=100_000)
    theirs.fit(shared.data, shared.target)
    assert ours.mse_path_.shape == theirs.mse_path_.shape == (2, 20, 5)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert (ours.l1_ratio_, ours.alpha_) == (theirs.l1_ratio_, pytest.approx(theirs.alpha_))
    y = shared.target[:, 0]
    ours = BlockSparseRegressorCV(alphas=10, tol=1e-12).fit(shared.data, y, weights)
    theirs = LassoCV(**{COUNT: 10}, tol=1e-12, max_iter=100_000).fit(shared.data, y, weights)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert ours.coef_.shape == theirs.coef_.shape


@pytest.mark.turns(3)
@pytest.mark.parametrize("cls", CV)
def test_equals_grid_search_shared(cls, shared):
    Y = (shared.target > 0).astype(int) if _is_classifier(cls) else shared.target
    model = cls(n_clusters=2) if cls._varied == "n_clusters" else cls()
    cv = KFold(3, shuffle=True, random_state=0)
    _assert_same_choice(model.set_params(cv=cv), shared.data, Y, cv)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CV)
def test_equals_grid_search_with_missing_labels(cls, shared):
    Y = (shared.target > 0).astype(float) if _is_classifier(cls) else shared.target.copy()
    Y[np.random.default_rng(0).random(Y.shape) < 0.4] = np.nan
    # The default folds are the splitter's.
    cv = StratifiedTaskKFold(3, random_state=0)
    _assert_same_choice(cls(cv=3), shared.data, Y, cv)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CV)
def test_equals_grid_search_stacked(cls, stacked):
    y = np.where(stacked.target > 0, "yes", "no") if _is_classifier(cls) else stacked.target
    rows = np.random.default_rng(0).permutation(len(y))
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    _assert_same_choice(cls(cv=3, task_column=-1), stacked.data[rows], y[rows], cv)


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    "model",
    [
        BlockSparseRegressorCV(loss="huber", huber_delta=2.0, solver="fista"),
        BlockSparseRegressorCV(task_weight="balanced", l1_ratio=0.5),
        BlockSparseRegressorCV(norm="linf", fit_intercept=False),
        TaskRelationRegressorCV(task_weight=[1, 2, 3, 4], ridge=0.1),
        ClusteredTaskRegressorCV(mean=0),
        ClusteredTaskRegressorCV(loss="huber"),
    ],
    ids=repr,
)
def test_equals_grid_search_with_other_parameters(model, shared):
    Y = shared.target.copy()
    Y[:20, 0] = np.nan
    cv = StratifiedTaskKFold(3, random_state=1)
    _assert_same_choice(model.set_params(cv=cv), shared.data, Y, cv)


@pytest.mark.parametrize("weight", [None, "balanced", {0: 1.0, 1: 3.0}])
def test_class_weights_are_those_of_each_training_set(weight, shared):
    Y = (shared.target > 1).astype(int)
    # The default criterion is weighted by class; other criteria must not be.
    model = BlockSparseClassifierCV(class_weight=weight, cv=3, scoring=held_out_loss)
    cv = StratifiedTaskKFold(3, random_state=0)
    _assert_same_choice(model, shared.data, Y, cv)


def test_classes_one_against_the_rest(shared):
    y = np.array(["a", "b", "c"])[np.digitize(shared.target[:, 0], [-1, 1])]
    cv = StratifiedKFold(3)
    model = BlockSparseClassifierCV(cv=cv, scoring="neg_log_loss")
    _assert_same_choice(model, shared.data, y, cv, scoring="neg_log_loss")
    assert model.coef_.shape == (3, 10) and model.predict_proba(shared.data).shape == (50, 3)
    default = _quietly(BlockSparseClassifierCV(cv=3, alphas=5, eps=0.1).fit, shared.data, y)
    assert default.scores_path_.shape == (5, 3)


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_multinomial_classes(weight, shared):
    y = np.array(["a", "b", "c"])[np.digitize(shared.target[:, 0], [-1, 1])]
    cv = StratifiedTaskKFold(3, random_state=0)
    model = BlockSparseClassifierCV(cv=3, loss="multinomial", class_weight=weight)
    model.set_params(scoring="neg_log_loss" if weight else None)
    _assert_same_choice(model, shared.data, y, cv, scoring="neg_log_loss")
    assert model.coef_.shape == (3, 10)


def test_scale_tasks_scales_in_each_training_set(shared):
    Y = shared.target * [1, 10, 100, 1000]
    cv = KFold(3)
    model = BlockSparseRegressorCV(scale_tasks=True, cv=cv, scoring="r2")
    _assert_same_choice(model, shared.data, Y, cv, scoring="r2")
    # Units have no effect, and the criterion scales each task by its standard deviation.
    kwargs = {"scale_tasks": True, "alphas": 20, "tol": 1e-10}
    ours = _quietly(BlockSparseRegressorCV(**kwargs).fit, shared.data, Y)
    same = _quietly(BlockSparseRegressorCV(**kwargs).fit, shared.data, shared.target)
    np.testing.assert_allclose(ours.mse_path_, same.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(ours.coef_[3], 1000 * same.coef_[3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error", make_task_scorer("rmse")])
def test_any_scorer(scoring, shared):
    cv = KFold(3)
    model = TaskRelationRegressorCV(cv=cv, scoring=scoring)
    _assert_same_choice(model, shared.data, shared.target, cv, scoring=scoring)
    assert not hasattr(model, "mse_path_")


def test_task_scorers_take_missing_labels_and_the_task_column(shared, stacked):
    Y = shared.target.copy()
    Y[::2, 0] = np.nan
    cv = StratifiedTaskKFold(3, random_state=0)
    scorer = make_task_scorer("r2")
    _assert_same_choice(BlockSparseRegressorCV(cv=cv, scoring=scorer), shared.data, Y, cv,
                        scoring=scorer)  # fmt: skip
    with pytest.raises(ValueError, match=r"(?s)NaN.*make_task_scorer"):
        BlockSparseRegressorCV(cv=cv, scoring="r2").fit(shared.data, Y)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(stacked.data[:, :-1], columns=list("abcdef"))
    frame["school"] = np.array(["ash", "elm", "fir", "oak"])[stacked.data[:, -1].astype(int)]
    cv = StratifiedTaskKFold(3, task_column="school", random_state=0)
    scorer = make_task_scorer("rmse", task_column="school")
    model = BlockSparseRegressorCV(cv=cv, scoring=scorer, task_column="school")
    _assert_same_choice(model, frame, pd.Series(stacked.target), cv, scoring=scorer)
    assert model.feature_names_in_[-1] == "school"


def test_subset_accuracy_takes_missing_labels(shared):
    Y = (shared.target > 0).astype(float)
    Y[::3, 1] = np.nan
    cv = StratifiedTaskKFold(3, random_state=0)
    model = BlockSparseClassifierCV(cv=cv, scoring=make_scorer(subset_accuracy_score))
    # Without scoring GridSearchCV uses the estimator's own score.
    _assert_same_choice(model, shared.data, Y, cv, scoring=None)


def test_scorers_get_the_weights(shared):
    seen = []

    def scorer(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return estimator.score(X, y, sample_weight)

    weights = np.arange(50.0)
    _quietly(
        BlockSparseRegressorCV(alphas=[1.0], cv=KFold(2), scoring=scorer).fit,
        shared.data, shared.target, weights,
    )  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(seen), weights)


def test_sparse_and_float32(shared):
    dense = BlockSparseRegressorCV(alphas=8, tol=1e-10).fit(shared.data, shared.target)
    thin = BlockSparseRegressorCV(alphas=8, tol=1e-10)
    thin.fit(sp.csr_matrix(shared.data), shared.target)
    np.testing.assert_allclose(thin.mse_path_, dense.mse_path_, rtol=1e-5)
    single = BlockSparseRegressorCV(alphas=8).fit(shared.data.astype(np.float32), shared.target)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.mse_path_, dense.mse_path_, rtol=1e-2)


# Folds by subtraction


def _folds(n, n_splits=4):
    splits = KFold(n_splits, shuffle=True, random_state=0).split(np.zeros((n, 1)))
    return [Fold(k, train, test, test) for k, (train, test) in enumerate(splits)]


@pytest.mark.turns(2)
@pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
@pytest.mark.parametrize("offset", [0.0, 1e5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_moments_of_folds_are_those_of_rows(layout, offset, fit_intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 5)), rng.normal(size=(60, 3))
    model = TaskRelationRegressor(0.1, tol=1e-12, fit_intercept=fit_intercept)
    X, Y = X + offset * fit_intercept, Y + X @ rng.normal(size=(5, 3)) + offset * fit_intercept
    X[:, 4] = rng.integers(0, 20, 60) == 0  # rare: constant in some training set of some task
    weights = rng.uniform(0.5, 2, 60)
    if layout == "missing":
        Y[rng.random(Y.shape) < 0.5] = np.nan
    if layout == "stacked":
        X = np.column_stack([X, np.repeat([0, 1, 2], 20)])
        Y = Y[:, 0]
        model.set_params(task_column=-1)
    data = model._read(X, Y, weights)
    measure = HeldOutLoss(data)
    moments, rows = MomentFolds(model, data, measure), RowFolds(data, measure)
    folds = _folds(len(data.y))
    # Training sets that are not the complements of their test sets.
    folds.append(Fold(4, folds[0].train[::2], folds[0].test, folds[0].test))
    folds.append(Fold(5, np.sort(np.r_[folds[0].train, folds[0].train[:5]]), *[folds[0].test] * 2))
    for fold in folds:
        part, objective, judge = moments(model, fold)
        expected_part, expected_objective, expected_judge = rows(model, fold)
        fit = model._fit_data(part, None, objective)
        expected = model._fit_data(expected_part, None, expected_objective)
        np.testing.assert_allclose(fit.coef, expected.coef, atol=1e-5)
        assert fit.objective == pytest.approx(expected.objective, rel=1e-7)
        assert judge(model, fit) == pytest.approx(expected_judge(model, fit), rel=1e-7)


def test_a_fold_that_takes_nearly_all_is_summed_from_rows(monkeypatch):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2000, 3)), rng.normal(size=(2000, 2))
    X[5:, 2] = 1e8 * rng.normal(size=1995)  # the remaining rows have a different scale
    model = TaskRelationRegressor(1e-3, tol=1e-12)
    data = model._read(X, Y, None)
    source = MomentFolds(model, data, HeldOutLoss(data))
    rows = np.arange(2000)
    part, objective, _ = source(model, Fold(0, rows[:5], rows[5:], rows[5:]))
    found = model._fit_data(part, None, objective)
    expected = model._fit_data(data.take(rows[:5]))
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-5, atol=1e-9)


def test_perfect_predictions_are_judged_by_rows():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(100, 4)), rng.normal(size=(4, 2))
    model = _quietly(BlockSparseRegressorCV(alphas=[1e-9, 1e-13], tol=1e-14).fit, X, X @ W + 1e3)
    assert (model.mse_path_ >= 0).all() and (model.mse_path_[1] < 1e-15).all()


def test_all_folds_cost_one_pass_and_data_are_read_once(shared, monkeypatch):
    rows, reads = [], []
    of, read = Moments.of.__func__, TaskRelationRegressorCV._read

    def count_rows(cls, data, **kwargs):
        rows.append(data.X.shape[0])
        return of(cls, data, **kwargs)

    def count_reads(self, *args):
        reads.append(self)
        return read(self, *args)

    monkeypatch.setattr(Moments, "of", classmethod(count_rows))
    monkeypatch.setattr(TaskRelationRegressorCV, "_read", count_reads)
    monkeypatch.setattr(TaskRelationRegressor, "fit", None)
    model = TaskRelationRegressorCV(alphas=5).set_params(cv=5)
    _quietly(model.fit, shared.data, shared.target)
    assert rows == [50, 10, 10, 10, 10, 10] and len(reads) == 1


# The choice


def test_one_standard_error_by_hand(shared):
    X, Y = shared.data, shared.target
    best = BlockSparseRegressorCV(alphas=40, tol=1e-6).fit(X, Y)
    rule = BlockSparseRegressorCV(alphas=40, tol=1e-6, rule="1se").fit(X, Y)
    np.testing.assert_array_equal(best.mse_path_, rule.mse_path_)
    mean = best.mse_path_.mean(axis=1)
    k = mean.argmin()
    allowed = mean[k] + best.mse_path_[k].std(ddof=1) / np.sqrt(5)
    assert best.alpha_ == best.alphas_[k]
    assert rule.alpha_ == best.alphas_[mean <= allowed].max() > best.alpha_
    assert rule.support_.sum() <= best.support_.sum()
    assert rule.best_score_ == pytest.approx(-mean[rule.alphas_ == rule.alpha_][0])


def test_choose():
    scores = np.array([[[1.0, 1.0], [3.0, 1.0], [2.0, 2.0]], [[0, 0], [0.0, 0.0], [5.0, np.nan]]])
    choice = choose(scores, "best")
    assert (choice.row, choice.column, choice.score) == (0, 1, 2.0)  # of equals the larger alpha
    assert choose(scores, "1se").column == 0  # 1 >= 2 - (sqrt 2 / sqrt 2)
    assert choose(scores[:, ::-1], "1se").column == 0  # no spread, no tolerance
    with pytest.raises(ValueError, match="No alpha has a score"):
        choose(np.full((1, 2, 3), np.nan), "best")
    with pytest.raises(ValueError, match="at least two folds"):
        choose(np.zeros((1, 2, 1)), "1se")


def test_the_refit_is_the_plain_estimators(shared):
    for model in (
        BlockSparseRegressorCV(l1_ratio=[0.5, 1.0], alphas=10),
        ClusteredTaskRegressorCV(n_clusters=[1, 2, 3], alphas=10),
    ):
        _quietly(model.fit, shared.data, shared.target)
        name = model._varied
        chosen = getattr(model, f"{name}_")
        assert chosen in getattr(model, name)
        plain = getattr(skmtl, type(model).__name__.removesuffix("CV"))
        plain = plain(model.alpha_, **{name: chosen}).fit(shared.data, shared.target)
        np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-10)
        assert model.dual_gap_ == pytest.approx(plain.dual_gap_, abs=1e-9)
        assert model.alphas_.shape == (len(getattr(model, name)), 10)
        if name == "n_clusters":
            np.testing.assert_array_equal(model.labels_, plain.labels_)
            np.testing.assert_allclose(model.task_covariance_, plain.task_covariance_, atol=1e-8)
            assert model.cluster_centers_.shape == plain.cluster_centers_.shape


def test_warns_at_the_edges_of_the_grid(shared):
    X, Y = shared.data, shared.target
    with pytest.warns(UserWarning, match=r"smallest of the grid.*Lower eps"):
        model = BlockSparseRegressorCV(alphas=4, eps=0.7).fit(X, Y)
    with pytest.warns(UserWarning, match=r"smallest of the grid.*Pass smaller alphas"):
        BlockSparseRegressorCV(alphas=model.alphas_).fit(X, Y)
    with pytest.warns(UserWarning, match=r"largest of the grid.*Pass larger alphas"):
        BlockSparseRegressorCV(alphas=[1e-6, 1e-7]).fit(X, Y)
    noise = np.random.default_rng(1).normal(size=(50, 2))
    with pytest.warns(UserWarning, match="do not help to predict"):
        BlockSparseRegressorCV(alphas=10, rule="1se").fit(X, noise)
    with pytest.warns(UserWarning, match="larger alphas as a list"):
        TaskRelationRegressorCV(alphas=10, rule="1se").fit(X, noise)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BlockSparseRegressorCV().fit(X, Y)
        BlockSparseRegressorCV(alphas=[0.5]).fit(X, Y)
        BlockSparseRegressorCV(alphas=[0.5, 0.0], tol=1e-8).fit(X, 0.0 * Y + X[:, :4])


# Folds


def test_default_folds_of_complete_regression_are_kfolds(shared):
    default = _quietly(BlockSparseRegressorCV(alphas=5).fit, shared.data, shared.target)
    five = _quietly(BlockSparseRegressorCV(alphas=5, cv=KFold(5)).fit, shared.data, shared.target)
    np.testing.assert_array_equal(default.mse_path_, five.mse_path_)


def test_zero_weights_leave_out_also_from_default_folds(shared, stacked):
    rng = np.random.default_rng(0)
    for model, dataset in (
        (TaskRelationRegressorCV(alphas=5), shared),
        (TaskRelationRegressorCV(alphas=5, task_column=-1), stacked),
        (TaskRelationClassifierCV(alphas=3, eps=0.1), shared),
    ):
        X, y = dataset.data, dataset.target
        y = y > 0 if _is_classifier(type(model)) else y
        weights = rng.integers(0, 2, len(y)).astype(float)
        kept = _quietly(clone(model).fit, X[weights > 0], y[weights > 0])
        weighted = _quietly(model.fit, X, y, weights)
        np.testing.assert_allclose(weighted.alphas_, kept.alphas_, rtol=1e-9)
        np.testing.assert_allclose(weighted.coef_, kept.coef_, atol=1e-6)


def test_held_out_weights_count(shared):
    weights = np.random.default_rng(0).uniform(0, 2, shared.target.shape)
    cv = KFold(3)
    model = BlockSparseRegressorCV(alphas=[1.0], cv=cv, tol=1e-10)
    model.fit(shared.data, shared.target, weights)
    for k, (train, test) in enumerate(cv.split(shared.data)):
        plain = BlockSparseRegressor(1.0, tol=1e-10)
        plain.fit(shared.data[train], shared.target[train], weights[train])
        errors = (shared.target[test] - plain.predict(shared.data[test])) ** 2
        expected = np.average(errors, weights=weights[test])
        assert model.mse_path_[0, k] == pytest.approx(expected, rel=1e-6)


def test_splits_may_be_masks_or_overlap(shared):
    X, Y = shared.data, shared.target
    splits = list(ShuffleSplit(3, test_size=0.3, random_state=0).split(X))
    masks = [tuple(np.isin(np.arange(50), rows) for rows in split) for split in splits]
    by_rows = _quietly(BlockSparseRegressorCV(alphas=5, cv=splits).fit, X, Y)
    by_mask = _quietly(BlockSparseRegressorCV(alphas=5, cv=iter(masks)).fit, X, Y)
    np.testing.assert_array_equal(by_rows.mse_path_, by_mask.mse_path_)
    again = _quietly(BlockSparseRegressorCV(alphas=5, cv=ShuffleSplit(3, test_size=0.3,
                                            random_state=0)).fit, X, Y)  # fmt: skip
    np.testing.assert_array_equal(by_rows.mse_path_, again.mse_path_)


def test_tasks_that_a_fold_leaves_out(stacked):
    X, y = stacked.data, stacked.target  # sorted by task
    with pytest.raises(ValueError, match=r"fold 0 hold no label of the tasks \[0.*StratifiedTask"):
        BlockSparseRegressorCV(task_column=-1, cv=KFold(4)).fit(X, y)
    for cls in (BlockSparseRegressorCV, TaskRelationClassifierCV):
        labels = np.where(y > 0, "yes", "no") if _is_classifier(cls) else y
        model = cls(task_column=-1, unknown_task="mean", cv=KFold(4))
        _assert_same_choice(model, X, labels, KFold(4))
    Y = np.full((80, 2), np.nan)
    Y[:20, 0], Y[20:, 1] = 1 + X[:20, 0], X[20:, 1]
    with pytest.raises(ValueError, match=r"fold 0 hold no label of the tasks \[0\].*cv=5"):
        BlockSparseRegressorCV(cv=KFold(4)).fit(X[:, :-1], Y)


def test_tasks_of_a_single_row_are_predicted_by_the_average(stacked):
    X = stacked.data[:20].copy()
    X[:, -1] = np.arange(20)
    with pytest.warns(UserWarning, match="predict the held-out tasks by the average"):
        model = BlockSparseRegressorCV(task_column=-1, alphas=3).fit(X, stacked.target[:20])
    assert np.isfinite(model.mse_path_).all() and model.unknown_task == "error"


def test_tasks_of_one_class_follow_the_plain_estimator(stacked):
    X, y = stacked.data, stacked.target > 0
    y[X[:, -1] == 2] = True  # everywhere
    y[X[:, -1] == 3] = np.arange(20) == 0  # in some training sets
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    with pytest.warns(UserWarning, match="All labels are the same in the tasks"):
        _assert_same_choice(TaskRelationClassifierCV(cv=3, task_column=-1), X, y, cv)


# A scikit-learn estimator


@pytest.mark.turns(3)
@pytest.mark.parametrize("cls", CV)
def test_clone_pickle_threads(cls, shared):
    Y = (shared.target > 0).astype(int) if _is_classifier(cls) else shared.target
    model = cls(alphas=_alphas(cls), cv=3, rule="1se", n_jobs=2)
    with pytest.raises(NotFittedError):
        model.predict(shared.data)
    assert "alpha" not in model.get_params()
    assert clone(model).get_params() == model.get_params()
    _quietly(model.fit, shared.data, Y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(shared.data), model.predict(shared.data))
    alone = _quietly(clone(model).set_params(n_jobs=None).fit, shared.data, Y)
    np.testing.assert_allclose(alone.coef_, model.coef_, atol=1e-12)
    assert np.isfinite(model.score(shared.data, Y)) and model.n_iter_ >= 1


def test_fitting_again_forgets_the_other_scores(shared):
    model = _quietly(BlockSparseRegressorCV(alphas=5).fit, shared.data, shared.target)
    model.set_params(scoring="r2", warm_start=True)
    _quietly(model.fit, shared.data, shared.target)
    assert not hasattr(model, "mse_path_") and model.scores_path_.shape == (5, 5)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"alphas": [1.0, -1.0]}, "finite strengths >= 0"),
        ({"alphas": 0}, "'alphas' parameter of BlockSparseRegressorCV"),
        ({"eps": 1.0}, "'eps' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"rule": "2se"}, "'rule' parameter"),
        ({"scoring": "nonsense"}, "'scoring' parameter"),
        ({"l1_ratio": [0.5, 1.5]}, r"'l1_ratio' parameter .* Got 1.5"),
        ({"l1_ratio": []}, "l1_ratio must be a number or a flat list"),
        ({"cv": []}, "yields no split"),
        ({"cv": [(np.arange(10), [])]}, "no label in its held-out rows"),
        ({"cv": [([], np.arange(10))]}, "no label in its training rows"),
        ({"cv": [([0, 1], [99])]}, "rows of X, which has 50; got row 99"),
        ({"cv": 51}, "n_samples=50. Lower cv"),
        ({"cv": [([*range(25)], [*range(25, 50)])], "rule": "1se"}, "at least two folds"),
    ],
)
def test_errors_name_the_remedy(params, message, shared):
    with pytest.raises(ValueError, match=message):
        BlockSparseRegressorCV(**params).fit(shared.data, shared.target)


def test_scikit_learns_stratified_folds_name_ours(shared):
    Y = (shared.target > 0).astype(float)
    for missing in (False, True):
        if missing:
            Y[0, 0] = np.nan
        with pytest.raises(ValueError, match=r"cannot split these data[\s\S]*StratifiedTaskKFold"):
            BlockSparseClassifierCV(cv=StratifiedKFold(3)).fit(shared.data, Y)


def test_more_clusters_than_tasks(shared):
    with pytest.raises(ValueError, match="n_clusters=9 is more than the 4 tasks"):
        ClusteredTaskRegressorCV(n_clusters=[2, 9]).fit(shared.data, shared.target)


def test_the_benchmark_agrees_with_grid_search(capsys, tmp_path):
    benchmark = pytest.importorskip("benchmarks.cross_validation")
    arguments = ["--quick", "--repeats", "1", "--only", "tall", "--json", str(tmp_path / "rows")]
    rows = benchmark.main(arguments)
    assert len(rows) == 3 and (tmp_path / "rows").exists()
    assert all(row["same_alpha"] and row["score_difference"] < 1e-3 for row in rows)
    assert "| tall 2000 x 20, T=20 " in capsys.readouterr().out


# Groups


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_groups_are_never_split(layout, shared, stacked):
    dataset = shared if layout == "shared" else stacked
    column = None if layout == "shared" else -1
    rows = np.arange(len(dataset.target))
    groups, weights = np.char.add("patient ", (rows // 2).astype(str)), (rows % 7 > 0).astype(float)
    seen, held = [], weights > 0
    for cv in (3, StratifiedTaskKFold(3, task_column=column, random_state=0), None):
        model = BlockSparseRegressorCV(alphas=5, cv=cv, task_column=column)
        _quietly(model.fit, dataset.data, dataset.target, weights, groups=groups)
        seen.append(model.mse_path_)
    # An integer cv means the splitter, on rows with positive weight.
    splitter = StratifiedTaskKFold(3, task_column=column, random_state=0)
    X, y = dataset.data[held], dataset.target[held]
    splits = list(splitter.split(X, y, groups[held]))
    for train, test in splits:
        assert not set(groups[held][train]) & set(groups[held][test])
    model = BlockSparseRegressorCV(alphas=5, cv=splits, task_column=column)
    np.testing.assert_allclose(_quietly(model.fit, X, y).mse_path_, seen[0], rtol=1e-6)
    assert seen[2].shape == (5, 5)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.set_params(cv=3).fit(dataset.data, dataset.target, groups=groups[:-1])


def test_groups_in_a_pipeline_with_metadata_routing(shared):
    groups = np.arange(50) // 5
    with sklearn.config_context(enable_metadata_routing=True):
        model = BlockSparseRegressorCV(alphas=5, cv=3).set_fit_request(groups=True)
        pipeline = _quietly(
            make_pipeline(StandardScaler(with_std=False), model).fit,
            shared.data, shared.target, groups=groups,
        )  # fmt: skip
    plain = BlockSparseRegressorCV(alphas=5, cv=3)
    _quietly(plain.fit, shared.data, shared.target, groups=groups)
    np.testing.assert_allclose(pipeline[-1].mse_path_, plain.mse_path_, rtol=1e-3)
