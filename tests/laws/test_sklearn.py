"""scikit-learn's own checks, and its tools on the layouts for which they are documented to work."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, StackingClassifier, StackingRegressor
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multioutput import RegressorChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl import BlockSparseClassifier, BlockSparseRegressor, IndependentTaskRegressor
from skmtl.datasets import load_digits_tasks, make_block_sparse
from skmtl.inspection import column_importance
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import StratifiedTaskKFold
from skmtl.preprocessing import TaskTransformer

ESTIMATORS = [getattr(skmtl, name) for name in skmtl.__all__ if name[0].isupper()]
# Unknown tasks are read in the base class; one class for each way to fit and to tune.
WITH_UNKNOWN_TASKS = [
    skmtl.BlockSparseRegressor,
    skmtl.BlockSparseRegressorCV,
    skmtl.IndependentTaskRegressor,
    skmtl.CappedBlockSparseRegressor,
]

# The task column is read, and decisions become classes, in the base classes, and one engine tunes
# all CV estimators: the families that use tasks, or the rows of each, for more than a penalty, and
# one CV estimator for each way to fit.
WITH_TASKS = [
    skmtl.BlockSparseRegressor,
    skmtl.BlockSparseClassifier,
    skmtl.BlockSparseRegressorCV,
    skmtl.BlockSparseClassifierCV,
    skmtl.ClusteredTaskRegressor,
    skmtl.FusedTaskRegressor,
    skmtl.GraphRegularizedRegressor,
    skmtl.GroupOverlapClassifier,
    skmtl.IndependentTaskRegressor,
    skmtl.IndependentTaskClassifier,
    skmtl.PooledTaskRegressor,
    skmtl.SafeTransferRegressor,
    skmtl.TreeGuidedRegressor,
]

FLOAT_IDS = (
    "scikit-learn's checks put random floats into the task column: each row is its own task, and "
    "rows met in prediction are tasks that training never saw"
)
FAIL_WITH_FLOAT_IDS = [
    "check_class_weight_classifiers",
    "check_decision_proba_consistency",
    "check_fit_idempotent",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
]
# The checks fit a hundred times: CV estimators take few alphas and folds.
FEW_FITS = {"alphas": [0.1, 0.01], "cv": 2}
CHECKED_STRUCTURES = ["independent", "pooled", "block_sparse"]
ANOTHER_SOLVER = {
    "check_sample_weight_equivalence_on_sparse_data": "rows that are repeated, not weighted, may "
    "be more than the features, where another solver is faster: the fits agree to tol"
}


def _is_quick(cls):
    # SafeTransfer cross-validates three estimators in each of a hundred fits.
    return cls is skmtl.BlockSparseClassifier or (
        cls.__name__.endswith("Regressor") and cls is not skmtl.SafeTransferRegressor
    )


def _is_block_sparse(cls):
    return cls in (skmtl.BlockSparseRegressor, skmtl.BlockSparseClassifier)


def _mostly_slow(classes, is_quick):
    """Classes for parametrize, with all but the fast ones marked slow."""
    slow = pytest.mark.slow
    return [cls if is_quick(cls) else pytest.param(cls, marks=slow) for cls in classes]


def _to_check(cls, **params):
    """The estimator that scikit-learn's checks run on, and the failures expected of it."""
    if cls.__name__.startswith("StructureSearch"):
        column = {"task_column": params.pop("task_column", None)}
        search = cls(CHECKED_STRUCTURES, **FEW_FITS, params=params or None, **column)
        return search, ANOTHER_SOLVER
    if cls.__name__.endswith("CV"):
        return cls(**FEW_FITS, **params), ANOTHER_SOLVER
    if cls.__name__.startswith("SafeTransfer"):
        return cls("block_sparse", alphas=2, cv=2, **params), ANOTHER_SOLVER
    return cls(**params), {}


@pytest.mark.parametrize("cls", _mostly_slow(ESTIMATORS, _is_quick))
def test_check_estimator(cls):
    estimator, expected = _to_check(cls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=expected, on_fail=None)
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not failed
    assert len(results) > 40


@pytest.mark.parametrize("cls", _mostly_slow(WITH_UNKNOWN_TASKS, _is_block_sparse))
def test_check_estimator_with_a_task_column_and_unknown_tasks(cls):
    estimator, _ = _to_check(cls, task_column=-1, unknown_task="mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None)
    assert not {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}


@pytest.mark.parametrize("cls", _mostly_slow(WITH_TASKS, _is_block_sparse))
def test_check_estimator_with_a_task_column(cls):
    estimator, _ = _to_check(cls, task_column=-1, unknown_task="error")
    expected = {name: FLOAT_IDS for name in FAIL_WITH_FLOAT_IDS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=expected, on_fail=None)
    assert not {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(60, 8, 3, n_informative=3, random_state=0)


@pytest.fixture(scope="module")
def stacked():
    return make_block_sparse(30, 8, 4, n_informative=3, layout="stacked", random_state=0)


@pytest.fixture(scope="module")
def stacked_frame(stacked):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(stacked.data[:, :-1], columns=[f"x{j}" for j in range(8)])
    frame["school"] = np.array(["ash", "elm", "fir", "oak"])[stacked.data[:, -1].astype(int)]
    return frame


def test_clone_keeps_parameters_and_forgets_the_fit(shared):
    model = BlockSparseRegressor(alpha=0.3, l1_ratio=0.7, tol=1e-6).fit(shared.data, shared.target)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coef_")


@pytest.mark.parametrize("roundtrip", ["pickle", "joblib"])
def test_persistence(roundtrip, stacked, tmp_path):
    model = BlockSparseRegressor(alpha=0.1, task_column=-1).fit(stacked.data, stacked.target)
    if roundtrip == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        joblib.dump(model, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(stacked.data), model.predict(stacked.data))


@pytest.mark.turns(2)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_in_a_pipeline_shared(shared, n_jobs):
    pipeline = make_pipeline(StandardScaler(), BlockSparseRegressor())
    grid = {"blocksparseregressor__alpha": [0.01, 0.1, 10.0]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(shared.data, shared.target)
    assert search.best_params_["blocksparseregressor__alpha"] < 10
    assert search.predict(shared.data).shape == shared.target.shape


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_in_a_pipeline_stacked(stacked_frame, stacked, n_jobs):
    pipeline = make_pipeline(
        TaskTransformer(StandardScaler(), task_column="school"),
        BlockSparseRegressor(task_column="school"),
    )
    cv = StratifiedTaskKFold(3, task_column="school", random_state=0)
    grid = {"blocksparseregressor__alpha": [0.01, 0.1, 10.0]}
    scorer = make_task_scorer("rmse", task_column="school")
    search = GridSearchCV(pipeline, grid, cv=cv, scoring=scorer, n_jobs=n_jobs)
    search.fit(stacked_frame, stacked.target)
    assert search.best_params_["blocksparseregressor__alpha"] < 10
    assert search.best_score_ < 0


def test_search_over_missing_labels():
    made = make_block_sparse(60, 8, 3, n_informative=3, missing=0.5, random_state=0)
    cv = StratifiedTaskKFold(3, random_state=0)
    for scoring in (None, make_task_scorer("r2")):
        search = GridSearchCV(BlockSparseRegressor(), {"alpha": [0.1, 10]}, cv=cv, scoring=scoring)
        search.fit(made.data, made.target)
        assert search.best_params_["alpha"] == 0.1
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_randomized_search(shared):
    search = RandomizedSearchCV(
        BlockSparseRegressor(), {"alpha": [0.01, 0.1, 1.0, 10.0]}, n_iter=3, cv=3, random_state=0
    ).fit(shared.data, shared.target)
    assert search.best_score_ > 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validation(shared, stacked, n_jobs):
    scores = cross_val_score(
        BlockSparseRegressor(0.1), shared.data, shared.target, scoring="r2", cv=3, n_jobs=n_jobs
    )
    assert (scores > 0.5).all()
    result = cross_validate(
        BlockSparseRegressor(0.1, task_column=-1),
        stacked.data,
        stacked.target,
        scoring=["r2", "neg_mean_squared_error"],
        cv=KFold(3, shuffle=True, random_state=0),
        n_jobs=n_jobs,
    )
    assert (result["test_r2"] > 0.5).all()


def test_cross_val_predict(shared, stacked):
    out = cross_val_predict(BlockSparseRegressor(0.1), shared.data, shared.target, cv=3)
    assert out.shape == shared.target.shape
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    model = BlockSparseRegressor(0.1, task_column=-1)
    out = cross_val_predict(model, stacked.data, stacked.target, cv=cv)
    assert np.corrcoef(out, stacked.target)[0, 1] > 0.7


def test_learning_and_validation_curves(stacked):
    cv = StratifiedTaskKFold(3, task_column=-1, random_state=0)
    model = BlockSparseRegressor(0.1, task_column=-1)
    # Shuffled, since the first third of rows sorted by task has only the first tasks.
    _, _, test = learning_curve(
        model, stacked.data, stacked.target, cv=cv, train_sizes=[0.6, 1.0], shuffle=True,
        random_state=0,
    )  # fmt: skip
    assert np.isfinite(test).all()
    _, test = validation_curve(
        model, stacked.data, stacked.target, param_name="alpha", param_range=[0.1, 10.0], cv=cv
    )
    assert (test[0] > test[1]).all()


def test_permutation_test_score(shared):
    score, _, p = permutation_test_score(
        BlockSparseRegressor(0.1), shared.data, shared.target, n_permutations=9, random_state=0
    )
    assert score > 0.5 and p <= 0.1


def test_permutation_importance(shared, stacked_frame, stacked):
    model = BlockSparseRegressor(0.1).fit(shared.data, shared.target)
    found = permutation_importance(model, shared.data, shared.target, random_state=0)
    assert set(np.argsort(found.importances_mean)[-3:]) == set(np.flatnonzero(shared.support))
    model = BlockSparseRegressor(0.1, task_column="school").fit(stacked_frame, stacked.target)
    found = permutation_importance(model, stacked_frame, stacked.target, random_state=0)
    assert found.importances_mean.shape == (9,)
    assert found.importances_mean[8] > 0  # the right task matters


def test_partial_dependence(shared):
    model = BlockSparseRegressor(0.1).fit(shared.data, shared.target[:, 0])
    out = partial_dependence(model, shared.data, [0], grid_resolution=5)
    slope = np.diff(out["average"][0]) / np.diff(out["grid_values"][0])
    np.testing.assert_allclose(slope, model.coef_[0], atol=1e-8)


@pytest.mark.parametrize("selector", [RFE, SelectFromModel])
def test_feature_selection(selector, shared, stacked):
    options = {"n_features_to_select": 3} if selector is RFE else {"threshold": 1e-8}
    model = selector(BlockSparseRegressor(1.0), importance_getter=column_importance, **options).fit(
        shared.data, shared.target
    )
    np.testing.assert_array_equal(model.get_support(), shared.support)
    options = {"n_features_to_select": 4} if selector is RFE else {"threshold": 1e-8}
    model = selector(
        BlockSparseRegressor(1.0, task_column=-1), importance_getter=column_importance, **options
    ).fit(stacked.data, stacked.target)
    np.testing.assert_array_equal(model.get_support(), np.append(stacked.support, True))
    if selector is RFE:
        assert model.predict(stacked.data).shape == stacked.target.shape


def test_stacking(stacked, shared):
    cv = KFold(3, shuffle=True, random_state=0)
    blend = StackingRegressor(
        [
            ("block", BlockSparseRegressor(0.1, task_column=-1)),
            ("alone", IndependentTaskRegressor(0.1, task_column=-1)),
        ],
        Ridge(),
        cv=cv,
    ).fit(stacked.data, stacked.target)
    assert blend.score(stacked.data, stacked.target) > 0.7
    y = (shared.target[:, 0] > 0).astype(int)
    blend = StackingClassifier([("block", BlockSparseClassifier())], LogisticRegression())
    assert blend.fit(shared.data, y).score(shared.data, y) > 0.8


def test_meta_estimators(shared, stacked):
    y = shared.target[:, 0]
    log = TransformedTargetRegressor(BlockSparseRegressor(0.01), func=np.cbrt, inverse_func=_cube)
    assert np.isfinite(log.fit(shared.data, y).predict(shared.data)).all()
    chain = RegressorChain(BlockSparseRegressor(0.1), order=[2, 0, 1])
    assert chain.fit(shared.data, shared.target).predict(shared.data).shape == (60, 3)
    bag = BaggingRegressor(
        BlockSparseRegressor(0.1, task_column=-1, unknown_task="mean"), 5, random_state=0
    )
    assert bag.fit(stacked.data, stacked.target).score(stacked.data, stacked.target) > 0.7


def test_calibration():
    digits = load_digits_tasks()
    X, y = digits.data[:300], digits.target[:300]
    model = CalibratedClassifierCV(BlockSparseClassifier(0.02), cv=3).fit(X, y)
    assert model.score(digits.data[300:600], digits.target[300:600]) > 0.7


def test_string_classes_and_stacked_probabilities(stacked):
    y = np.where(stacked.target > 0, "yes", "no")
    model = BlockSparseClassifier(0.01, task_column=-1).fit(stacked.data, y)
    assert model.classes_.tolist() == ["no", "yes"]
    p = model.predict_proba(stacked.data)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(stacked.data) == "yes", p[:, 1] > 0.5)
    scores = cross_val_score(
        model,
        stacked.data,
        y,
        scoring="roc_auc",
        cv=StratifiedTaskKFold(3, task_column=-1, random_state=0),
    )
    assert (scores > 0.6).all()


def test_sparse_input_is_never_densified(monkeypatch, shared):
    X = sp.random(200, 3000, density=0.01, random_state=0, format="csr")
    Y = X[:, :3].toarray() + 0.01 * shared.target[np.arange(200) % 60]

    def refuse(self, *args, **kwargs):
        if min(self.shape) > 200:
            raise AssertionError("densified")
        return plain(self, *args, **kwargs)

    plain = type(X).toarray
    monkeypatch.setattr(type(X), "toarray", refuse)
    monkeypatch.setattr(type(X), "todense", refuse)
    model = BlockSparseRegressor(1e-4).fit(X, Y)
    assert model.predict(X).shape == Y.shape


def _cube(z):
    return z**3


def test_the_search_of_a_classifier_with_missing_labels():
    made = make_block_sparse(60, 6, 3, n_informative=2, random_state=0)
    Y = (made.target > 0).astype(float)
    Y[::4, 1] = np.nan
    grid = {"alpha": [0.01, 0.1]}
    # scikit-learn stratifies by y before any fit; the documentation names the remedy.
    with pytest.raises(ValueError, match="Input y contains NaN"):
        GridSearchCV(BlockSparseClassifier(), grid, cv=3).fit(made.data, Y)
    search = GridSearchCV(BlockSparseClassifier(), grid, cv=StratifiedTaskKFold(3, random_state=0))
    assert np.isfinite(search.fit(made.data, Y).cv_results_["mean_test_score"]).all()
    for name in skmtl.__all__:
        if name.endswith(("Classifier", "ClassifierCV")):
            doc = getattr(skmtl, name).__doc__
            assert "StratifiedTaskKFold" in doc and "Input y contains NaN" in doc, name
