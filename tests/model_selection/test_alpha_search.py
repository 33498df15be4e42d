"""AlphaSearchCV of every estimator: against GridSearchCV and CV estimators, delegation."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LassoCV, Ridge
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    PredefinedSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    GroupOverlapRegressor,
    LowRankClassifier,
    LowRankRegressor,
    MultiTaskRegressor,
    SafeTransferRegressor,
    TaskRelationRegressorCV,
    TreeGuidedRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.inspection import transfer_gain
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, path
from skmtl.penalties import L1, L21, Superposition
from skmtl.penalties import Ridge as RidgePenalty
from tests.statistics_cases import make_case

# All that have an alpha: SafeTransfer selects those of its fits.
FAMILIES = [
    getattr(skmtl, name)
    for name in skmtl.__all__
    if name[0].isupper() and not name.endswith("CV") and not name.startswith("SafeTransfer")
]
# Each family once in either layout, by turns the regressor and the classifier.
REGRESSORS, CLASSIFIERS = (
    [cls for cls in FAMILIES if cls.__name__.endswith(kind)] for kind in ("Regressor", "Classifier")
)
IN_SHARED = REGRESSORS[::2] + CLASSIFIERS[1::2]
IN_STACKED = REGRESSORS[1::2] + CLASSIFIERS[::2]
# Required parameters, and random_state.
NEEDED = {
    "GraphRegularized": {"graph": "complete"},
    "ClusteredTask": {"n_clusters": 2},
    "GroupOverlap": {"random_state": 0},
}


def _make(cls, **params):
    family = cls.__name__.removesuffix("Regressor").removesuffix("Classifier")
    return cls(tol=1e-9, **NEEDED.get(family, {}), **params)


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(50, 6, 4, n_informative=3, noise=2.0, random_state=0)


@pytest.fixture(scope="module")
def stacked():
    return make_block_sparse(20, 6, 4, n_informative=3, noise=2.0, layout="stacked", random_state=0)


def _quietly(fit, *args, **kwargs):
    """Ignore warnings of optima at the edge of short grids, and of alphas without effect."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(*args, **kwargs)


def held_out_loss(model, X, y):
    """The default criterion, computed from its definition."""
    truth = np.asarray(y)
    if is_classifier(model):
        p = model.predict_proba(X)
        if truth.ndim == 1:
            return -log_loss(truth, p, labels=model.classes_)
        seen = ~np.isnan(truth)
        return -log_loss(truth[seen], p[seen], labels=[0, 1])
    return -np.nanmean((truth - model.predict(X)) ** 2)


def _assert_grid_searchs(search, X, y, scoring=held_out_loss, atol=1e-4):
    """Check that the scores and the selection equal GridSearchCV's over the same alphas."""
    _quietly(search.fit, X, y)
    grid = GridSearchCV(
        search.estimator, {"alpha": search.alphas_}, scoring=scoring, cv=search.cv
    )  # fmt: skip
    _quietly(grid.fit, X, y)
    theirs = [grid.cv_results_[f"split{k}_test_score"] for k in range(grid.n_splits_)]
    ours = -search.mse_path_ if hasattr(search, "mse_path_") else search.scores_path_
    np.testing.assert_allclose(ours.T, theirs, atol=atol, rtol=atol)
    assert search.alpha_ == grid.best_params_["alpha"]
    assert search.best_score_ == pytest.approx(grid.best_score_, rel=1e-4)
    np.testing.assert_array_equal(search.coef_, grid.best_estimator_.coef_)
    np.testing.assert_array_equal(search.predict(X), grid.predict(X))


# The same as GridSearchCV


@pytest.mark.slow
@pytest.mark.parametrize("cls", IN_SHARED)
def test_equals_grid_search_with_missing_labels(cls, shared):
    Y = (shared.target > 0).astype(float) if "Classifier" in cls.__name__ else shared.target.copy()
    Y[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    cv = StratifiedTaskKFold(2, random_state=0)
    _assert_grid_searchs(AlphaSearchCV(_make(cls), alphas=3, eps=0.05, cv=cv), shared.data, Y)


@pytest.mark.slow
@pytest.mark.parametrize("cls", IN_STACKED)
def test_equals_grid_search_stacked(cls, stacked):
    y = stacked.target
    if "Classifier" in cls.__name__:
        y = np.where(y > 0, "yes", "no")
    cv = StratifiedTaskKFold(2, task_column=-1, random_state=0)
    model = _make(cls, task_column=-1)
    _assert_grid_searchs(AlphaSearchCV(model, alphas=3, eps=0.1, cv=cv), stacked.data, y)


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "model",
    [
        TreeGuidedRegressor(),
        TreeGuidedRegressor(tree=[[0, 1], [2, 3]]),
        MultiTaskRegressor(penalty=L21(0.5) + RidgePenalty(0.1)),
        MultiTaskRegressor(penalty=Superposition(L21(0.5), L1(0.3)), loss="huber"),
        LowRankRegressor(task_weight="balanced", fit_intercept=False),
        LowRankRegressor(scale_tasks=True, intercept="shrunk"),
        BlockSparseRegressor(l1_ratio=0.5, feature_weight=[0, 1, 1, 1, 1, 2], refit_support=True),
    ],
    ids=repr,
)
def test_equals_grid_search_with_other_parameters(model, shared):
    cv, model = KFold(3, shuffle=True, random_state=0), model.set_params(tol=1e-10)
    search = AlphaSearchCV(model, alphas=[1.0, 0.3, 0.1], cv=cv, scoring="r2")
    _assert_grid_searchs(search, shared.data, shared.target, scoring="r2")
    assert not hasattr(search, "mse_path_")


@pytest.mark.slow
def test_regression_and_classification_tasks_together(shared):
    Y = shared.target * [1, 10, 1, 1]
    Y[:, 2:] = Y[:, 2:] > 0
    loss = {0: "squared", 1: "huber", 2: "logistic", 3: "logistic"}
    cv = KFold(3, shuffle=True, random_state=0)
    model = MultiTaskRegressor(loss=loss, tol=1e-10)
    # Predictions of binary tasks are probabilities, their labels 0 and 1.
    _assert_grid_searchs(AlphaSearchCV(model, alphas=[0.3, 0.1, 0.03], cv=cv), shared.data, Y)
    model.set_params(scale_tasks=True)
    search = AlphaSearchCV(model, alphas=[0.3, 0.1, 0.03], cv=cv, scoring="r2")
    _assert_grid_searchs(search, shared.data, Y, scoring="r2")


@pytest.mark.parametrize("weight", ["balanced", {0: 1.0, 1: 3.0}])
def test_class_weights_are_those_of_each_training_set(weight, shared):
    Y = (shared.target > 1).astype(int)
    model = LowRankClassifier(class_weight=weight, tol=1e-9)
    cv = StratifiedTaskKFold(3, random_state=0)
    search = AlphaSearchCV(model, alphas=4, eps=0.1, cv=cv, scoring=held_out_loss)
    _assert_grid_searchs(search, shared.data, Y)


def test_names_of_features_and_tasks_reach_the_folds(stacked):
    frame = pd.DataFrame(stacked.data[:, :-1], columns=list("abcdef"))
    frame["school"] = np.array(["ash", "elm", "fir", "oak"])[stacked.data[:, -1].astype(int)]
    model = BlockSparseRegressor(
        task_column="school", feature_weight={"a": 0.0, "b": 3.0}, tol=1e-9,
        task_weight={"ash": 2.0, "elm": 1.0, "fir": 1.0, "oak": 1.0},
    )  # fmt: skip
    cv = StratifiedTaskKFold(3, task_column="school", random_state=0)
    search = AlphaSearchCV(model, alphas=5, eps=0.1, cv=cv)
    _assert_grid_searchs(search, frame, pd.Series(stacked.target))
    assert search.feature_names_in_.tolist() == frame.columns.tolist()
    assert search.n_features_in_ == 7 and search.tasks_.tolist() == ["ash", "elm", "fir", "oak"]


def test_non_convex_fits_start_anew(shared):
    X, Y = shared.data, shared.target
    model = GroupOverlapRegressor(n_latent=2, random_state=0)
    alphas = [0.5, 0.2, 0.1]
    together = _quietly(AlphaSearchCV(model, alphas=alphas, cv=KFold(3)).fit, X, Y)
    for k, alpha in enumerate(alphas):
        alone = _quietly(AlphaSearchCV(model, alphas=[alpha], cv=KFold(3)).fit, X, Y)
        np.testing.assert_array_equal(alone.mse_path_[0], together.mse_path_[k])
    again = _quietly(clone(together).fit, X, Y)
    np.testing.assert_array_equal(again.coef_, together.coef_)
    np.testing.assert_array_equal(again.latent_tasks_, together.latent_tasks_)


# The same as the CV estimators


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"rule": "1se"},
        pytest.param({"scoring": "r2"}, marks=pytest.mark.slow),
        pytest.param({"cv": 3, "n_jobs": 2}, marks=pytest.mark.slow),
    ],
)
def test_equals_block_sparse_cv(params, shared):
    theirs = BlockSparseRegressorCV(tol=1e-9, **params).fit(shared.data, shared.target)
    ours = AlphaSearchCV(BlockSparseRegressor(tol=1e-9), **params).fit(shared.data, shared.target)
    np.testing.assert_array_equal(ours.alphas_, theirs.alphas_)
    for name in ("mse_path_", "scores_path_"):
        assert hasattr(ours, name) == hasattr(theirs, name)
        if hasattr(ours, name):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9)
    assert ours.alpha_ == theirs.alpha_ and ours.best_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_array_equal(ours.support_, theirs.support_)


def test_equals_scikit_learns_lasso_cv(shared):
    y, weights = shared.target[:, 0], np.random.default_rng(0).uniform(0.1, 2, 50)
    alphas = np.geomspace(3, 0.03, 10)
    ours = AlphaSearchCV(BlockSparseRegressor(tol=1e-12), alphas=alphas)
    ours.fit(shared.data, y, sample_weight=weights)
    theirs = LassoCV(alphas=alphas, tol=1e-12, max_iter=100_000).fit(shared.data, y, weights)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert ours.alpha_ == theirs.alpha_ and ours.coef_.shape == (6,)


def test_default_grid_of_a_squared_norm_is_the_cv_estimators(shared):
    theirs = _quietly(TaskRelationRegressorCV().fit, shared.data, shared.target)
    ours = AlphaSearchCV(skmtl.TaskRelationRegressor(), alphas=30)
    _quietly(ours.fit, shared.data, shared.target)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_)
    grid = path(LowRankRegressor(), shared.data, shared.target, alphas=7)[0]
    search = _quietly(AlphaSearchCV(LowRankRegressor(), alphas=7).fit, shared.data, shared.target)
    np.testing.assert_allclose(search.alphas_, grid)


# Scorers, groups, weights


def test_scorers_by_task(shared):
    Y = (shared.target > 0).astype(float)
    Y[::3, 1] = np.nan
    scorer = make_task_scorer(average_precision_score)
    cv = StratifiedTaskKFold(3, random_state=0)
    model = LowRankClassifier(tol=1e-9)
    search = AlphaSearchCV(model, alphas=5, eps=0.05, cv=cv, scoring=scorer)
    _assert_grid_searchs(search, shared.data, Y, scoring=scorer)


def test_groups(shared):
    groups = np.arange(50) // 3
    splits = list(StratifiedTaskKFold(4, random_state=0).split(shared.data, shared.target, groups))
    by_groups = AlphaSearchCV(LowRankRegressor(), alphas=5, cv=4)
    _quietly(by_groups.fit, shared.data, shared.target, groups=groups)
    by_splits = AlphaSearchCV(LowRankRegressor(), alphas=5, cv=splits)
    _quietly(by_splits.fit, shared.data, shared.target)
    np.testing.assert_array_equal(by_groups.mse_path_, by_splits.mse_path_)


def test_tasks_that_a_fold_leaves_out(stacked):
    # Parameters of single tasks are dropped with their tasks.
    for cls in (skmtl.DirtyModelRegressor, skmtl.GraphRegularizedRegressor, BlockSparseRegressor):
        model = _make(cls, task_column=-1, unknown_task="mean")
        search = AlphaSearchCV(model, alphas=[0.5, 0.1], cv=KFold(4))
        _assert_grid_searchs(search, stacked.data, stacked.target)
        search.set_params(scoring="r2")
        _assert_grid_searchs(search, stacked.data, stacked.target, scoring="r2")


# A scikit-learn meta-estimator

NOT_OURS = {
    "check_sample_weight_equivalence_on_sparse_data": "rows that are repeated, not weighted, may "
    "be more than the features, where another solver is faster: the fits agree to tol"
}


@pytest.mark.slow
@pytest.mark.parametrize("cls", [BlockSparseRegressor, LowRankClassifier, GroupOverlapRegressor])
def test_check_estimator(cls):
    search = AlphaSearchCV(_make(cls).set_params(tol=1e-4), alphas=[0.3, 0.1], cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(search, expected_failed_checks=NOT_OURS, on_fail=None)
    assert not {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert len(results) > 40


def test_delegates_to_the_best_estimator(shared):
    Y = (shared.target > 0).astype(int)
    search = AlphaSearchCV(LowRankClassifier(), alphas=5, eps=0.1)
    with pytest.raises(NotFittedError):
        search.predict(shared.data)
    for name in ("coef_", "classes_", "n_features_in_", "tasks_", "best_estimator_"):
        assert not hasattr(search, name)
    _quietly(search.fit, shared.data, Y)
    best = search.best_estimator_
    assert best.alpha == search.alpha_ and search.estimator.alpha == LowRankClassifier().alpha
    for method in ("predict", "predict_proba", "decision_function"):
        expected = getattr(best, method)(shared.data)
        np.testing.assert_array_equal(getattr(search, method)(shared.data), expected)
    assert search.score(shared.data, Y) == best.score(shared.data, Y)
    for name in ("coef_", "intercept_", "classes_", "tasks_", "n_features_in_", "dual_gap_"):
        np.testing.assert_array_equal(getattr(search, name), getattr(best, name))
    with pytest.raises(AttributeError, match="no attribute 'nonsense_'"):
        search.nonsense_  # noqa: B018
    for method in ("predict_proba", "decision_function"):
        assert not hasattr(AlphaSearchCV(BlockSparseRegressor()), method)
    hinge = AlphaSearchCV(BlockSparseClassifier(loss="squared_hinge"))
    assert not hasattr(hinge, "predict_proba") and hasattr(hinge, "decision_function")


def test_has_the_tags_of_its_estimator(shared):
    classifier, regressor = AlphaSearchCV(LowRankClassifier()), AlphaSearchCV(LowRankRegressor())
    assert is_classifier(classifier) and is_regressor(regressor)
    assert get_tags(classifier).classifier_tags.multi_label
    assert get_tags(regressor).input_tags.sparse and get_tags(regressor).target_tags.multi_output
    nested = clone(classifier).set_params(estimator__loss="squared_hinge", rule="1se")
    assert nested.estimator.loss == "squared_hinge" and nested.get_params()["rule"] == "1se"
    assert repr(regressor) == "AlphaSearchCV(estimator=LowRankRegressor())"
    search = _quietly(regressor.set_params(alphas=5).fit, shared.data, shared.target)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(shared.data), search.predict(shared.data))
    _quietly(search.set_params(scoring="r2").fit, shared.data, shared.target)
    assert not hasattr(search, "mse_path_") and search.scores_path_.shape == (5, 5)


def test_in_scikit_learns_tools(shared, stacked):
    search = AlphaSearchCV(LowRankRegressor(), alphas=5, eps=0.1)
    pipeline = make_pipeline(StandardScaler(), search)
    scores = _quietly(cross_val_score, pipeline, shared.data, shared.target, cv=3)
    assert (scores > 0.2).all()
    search = AlphaSearchCV(LowRankRegressor(task_column=-1), alphas=5, eps=0.1)
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    out = _quietly(cross_val_predict, search, stacked.data, stacked.target, cv=cv)
    assert np.corrcoef(out, stacked.target)[0, 1] > 0.4
    nested = GridSearchCV(
        AlphaSearchCV(skmtl.DirtyModelRegressor(), alphas=4, eps=0.1),
        {"estimator__private": [0.6, 0.8]},
        cv=3,
    )
    assert _quietly(nested.fit, shared.data, shared.target).best_score_ > 0.2
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = AlphaSearchCV(LowRankRegressor(), alphas=[0.5]).set_fit_request(
            sample_weight=True
        )
        weights = np.arange(50.0)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        routed = make_pipeline(scaler, weighted)
        routed.fit(shared.data, shared.target, sample_weight=weights)
    plain = LowRankRegressor(0.5).fit(
        StandardScaler().fit_transform(shared.data), shared.target, weights
    )
    np.testing.assert_allclose(routed[-1].coef_, plain.coef_, atol=1e-3)


def test_transfer_gain_takes_it_as_it_is(shared):
    search = AlphaSearchCV(LowRankRegressor(), alphas=4, eps=0.1)
    result = _quietly(
        transfer_gain, search, shared.data, shared.target, baselines=["pooled"], cv=3, n_repeats=1
    )
    assert result.estimator_name == "LowRankRegressor"


@pytest.mark.parametrize(
    "estimator, error, message",
    [
        (BlockSparseRegressorCV(), TypeError, "without cross-validation, BlockSparseRegressor"),
        (Ridge(), TypeError, "AlphaSearchCV takes an estimator of skmtl"),
        (make_pipeline(Ridge()), TypeError, "the pipeline's last step"),
        (SafeTransferRegressor(), TypeError, "selects the strengths of several estimators"),
        ("ridge", ValueError, "'estimator' parameter of AlphaSearchCV"),
        (LowRankRegressor(tol=-1), ValueError, "'tol' parameter of LowRankRegressor"),
    ],
)
def test_wrong_estimators_are_rejected(estimator, error, message, shared):
    with pytest.raises(error, match=message):
        AlphaSearchCV(estimator).fit(shared.data, shared.target)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"alphas": [1.0, -1.0]}, "finite strengths >= 0"),
        ({"eps": 1.0}, "'eps' parameter of AlphaSearchCV"),
        ({"rule": "2se"}, "'rule' parameter"),
        ({"scoring": "nonsense"}, "'scoring' parameter"),
        ({"cv": []}, "yields no split"),
    ],
)
def test_errors_name_the_remedy(params, message, shared):
    with pytest.raises(ValueError, match=message):
        AlphaSearchCV(LowRankRegressor(), **params).fit(shared.data, shared.target)


class TestStatistics:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize("cls", REGRESSORS, ids=lambda cls: cls.__name__)
    def test_the_parts_are_the_folds(self, cls):
        layout = "stacked" if REGRESSORS.index(cls) % 2 else "missing"
        case, folds = make_case(layout), np.arange(120) % 3
        model = _make(cls, **case.params)
        rows = AlphaSearchCV(model, alphas=3, eps=0.1, cv=PredefinedSplit(folds))
        _quietly(rows.fit, case.X, case.y, case.weights)
        sums = AlphaSearchCV(model, alphas=3, eps=0.1)
        assert _quietly(sums.fit_statistics, case.parts(folds)) is sums
        np.testing.assert_allclose(sums.alphas_, rows.alphas_, rtol=1e-6)
        np.testing.assert_allclose(sums.mse_path_, rows.mse_path_, rtol=1e-4)
        assert sums.alpha_ == pytest.approx(rows.alpha_, rel=1e-6)
        np.testing.assert_allclose(sums.coef_, rows.coef_, atol=1e-3)
        np.testing.assert_allclose(sums.predict(case.X), rows.predict(case.X), atol=1e-2)

    def test_it_equals_the_cv_estimator(self):
        case, folds = make_case("stacked"), np.arange(120) % 4
        parts = case.parts(folds)
        search = AlphaSearchCV(BlockSparseRegressor(**case.params), alphas=8, rule="1se")
        model = BlockSparseRegressorCV(alphas=8, rule="1se", **case.params)
        for each in (search, model):
            _quietly(each.fit_statistics, parts)
        np.testing.assert_array_equal(search.mse_path_, model.mse_path_)
        assert search.alpha_ == model.alpha_
        np.testing.assert_allclose(search.coef_, model.coef_, atol=1e-4)

    def test_it_exists_with_the_squared_loss_only(self):
        for estimator in (BlockSparseClassifier(), BlockSparseRegressor(loss="huber"), Ridge()):
            assert not hasattr(AlphaSearchCV(estimator), "fit_statistics")
        with pytest.raises(AttributeError, match="has no attribute 'fit_statistics'"):
            AlphaSearchCV(BlockSparseClassifier()).fit_statistics([])

    def test_errors(self):
        case = make_case("shared")
        parts, search = case.parts(np.arange(120) % 2), AlphaSearchCV(LowRankRegressor())
        with pytest.raises(ValueError, match="needs the statistics of several folds"):
            search.fit_statistics(parts[0])
        with pytest.raises(TypeError, match="Expected TaskStatistics or a list"):
            search.fit_statistics(case.X)
        with pytest.raises(ValueError, match="scoring='r2' needs rows"):
            search.set_params(scoring="r2").fit_statistics(parts)
        with pytest.raises(ValueError, match="task_column=None, but LowRankRegressor has"):
            AlphaSearchCV(LowRankRegressor(task_column=0)).fit_statistics(parts)
