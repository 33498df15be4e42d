"""Every error and warning names the rule, what was met, and the remedy."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import cross_val_score

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.model_selection import alpha_max

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 3))
Y = X[:, :2] + 0.1 * rng.normal(size=(12, 2))
LABELS = (Y > 0).astype(float)
IDS = np.repeat([10, 20, 30], 4)
STACKED = np.column_stack([X, IDS])
y = Y[:, 0]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BlockSparseRegressor(-1), r"'alpha' parameter of BlockSparseRegressor must be .* Got -1"),
        (BlockSparseRegressor(1, l1_ratio=2), r"'l1_ratio' .* BlockSparseRegressor .* Got 2"),
        (BlockSparseRegressor(unknown_task="zero"), "'unknown_task' .* 'error'.*'mean'|'mean'.*"),
        (BlockSparseRegressor(solver="magic"), "'solver' parameter .* 'magic'"),
        (BlockSparseRegressor(max_iter=0), "'max_iter' .* Got 0"),
        (BlockSparseRegressor(tol=-1.0), "'tol' .* Got -1.0"),
        (BlockSparseRegressor(fit_intercept="yes"), "'fit_intercept' .* 'yes'"),
        (BlockSparseRegressor(task_weight="equal"), "'task_weight' .* 'equal'"),
        (IndependentTaskRegressor("best"), "'alpha' .* 'best'"),
        (PooledTaskRegressor([1, 2]), "'alpha' parameter of PooledTaskRegressor"),
        (IndependentTaskRegressor([1, 2, 3]), r"alpha has shape \(3,\); there are 2 tasks"),
        (IndependentTaskRegressor([1, -2]), "alpha must be finite and >= 0"),
        (BlockSparseRegressor(task_weight=[1, 2, 3]), r"task_weight has shape \(3,\); .* 2 tasks"),
        (BlockSparseRegressor(task_weight=[1, 0]), "task_weight must be positive"),
        (BlockSparseRegressor(task_weight={0: 1, 5: 1}), r"misses \[1\] and has unknown \[5\]"),
        (BlockSparseRegressor(solver="newton"), "solver='newton' needs a smooth penalty"),
    ],
)
def test_parameters(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)


def test_task_without_labels_is_named():
    missing = Y.copy()
    missing[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"no label: \[1\].*Drop their columns"):
        BlockSparseRegressor().fit(X, missing)
    weights = np.ones_like(Y)
    weights[:, 0] = 0
    with pytest.raises(ValueError, match=r"no label: \[0\]"):
        BlockSparseRegressor().fit(X, Y, weights)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(missing, columns=["price", "clicks"])
    with pytest.raises(ValueError, match=r"no label: \['clicks'\]"):
        BlockSparseRegressor().fit(X, frame)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.where(np.eye(12, 2) > 0, np.inf, Y), r"y contains infinity \(task 0\)"),
        (np.where(np.arange(12) == 3, np.nan, y), "y contains NaN. A label may be missing"),
        (np.where(np.arange(12) == 3, np.inf, y), "y contains infinity"),
        (np.zeros((12, 2, 2)), r"got shape \(12, 2, 2\)"),
        (Y + 1j, "Complex data not supported"),
        (None, "requires y to be passed, but the target y is None"),
        (Y[:5], "inconsistent numbers of samples"),
    ],
)
def test_regression_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        BlockSparseRegressor().fit(X, labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (2 * LABELS - 1, r"y holds -1 and 1.*\(y \+ 1\) / 2"),
        (LABELS + 3, r"must hold 0, 1 and NaN.*\[3.0, 4.0\].*1-D y"),
        (np.where(LABELS > 0, "a", "b"), "must hold 0, 1 and NaN"),
        (np.where(LABELS > 0, np.inf, 0), "y contains infinity"),
        (np.ones(12), "at least 2 classes, but y contains only one class: 1.0"),
        (y, "Unknown label type"),
    ],
)
def test_classification_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        BlockSparseClassifier().fit(X, labels)


def test_stacked_classification_with_three_labels_names_the_tasks():
    labels = np.tile(["a", "b", "c", "a"], 3)
    with pytest.raises(ValueError, match=r"task 10: \['a', 'b', 'c'\]; task 20.*Recode"):
        BlockSparseClassifier(task_column=-1).fit(STACKED, labels)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(5), r"sample_weight must have shape \(12,\) or \(12, 2\), got \(5,\)"),
        (-np.ones(12), "must be >= 0; use 0 to leave a label out"),
        (np.full(12, np.nan), "sample_weight contains NaN"),
    ],
)
def test_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        BlockSparseRegressor().fit(X, Y, weights)


def test_weights_per_label_need_a_matrix():
    with pytest.raises(ValueError, match="goes with a matrix y only"):
        BlockSparseRegressor().fit(X, y, np.ones((12, 2)))
    with pytest.raises(ValueError, match="All sample weights are zero"):
        BlockSparseRegressor().fit(X, y, np.zeros(12))
    with pytest.raises(ValueError, match="All sample weights are zero"):
        BlockSparseClassifier(task_column=-1).fit(STACKED, LABELS[:, 0], np.zeros(12))


@pytest.mark.parametrize("weight", [{0: 1.0, 7: 2.0}, {0: -1.0}, {1: np.nan}])
def test_class_weight(weight):
    with pytest.raises(ValueError, match=r"class_weight must map the classes \[0, 1\]"):
        BlockSparseClassifier(class_weight=weight).fit(X, LABELS)


def test_unknown_task_lists_ids_and_remedies():
    model = BlockSparseRegressor(task_column=-1).fit(STACKED, y)
    strange = STACKED.copy()
    strange[:2, -1] = [99, 77]
    with pytest.raises(ValueError, match=r"\[77, 99\].*unknown_task='mean'.*StratifiedTaskKFold"):
        model.predict(strange)
    model.set_params(unknown_task="mean")
    average = X[:2] @ model.coef_.mean(axis=0) + model.intercept_.mean()
    np.testing.assert_allclose(model.predict(strange)[:2], average)


def test_plain_folds_over_sorted_tasks_say_which_splitter_to_use():
    with pytest.raises(ValueError, match="StratifiedTaskKFold"):
        cross_val_score(BlockSparseRegressor(task_column=-1), STACKED, y, cv=3, error_score="raise")


def test_task_column_that_is_not_there():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(STACKED, columns=["a", "b", "c", "school"])
    with pytest.raises(ValueError, match=r"no task column 'schol'; its columns are .*'school'"):
        BlockSparseRegressor(task_column="schol").fit(frame, y)
    with pytest.raises(ValueError, match="without column names"):
        BlockSparseRegressor(task_column="school").fit(STACKED, y)
    with pytest.raises(ValueError, match="task_column=4 is not a column of X, which has 4"):
        BlockSparseRegressor(task_column=4).fit(STACKED, y)
    with pytest.raises(ValueError, match="minimum of 2 is required: the task column and"):
        BlockSparseRegressor(task_column=0).fit(STACKED[:, :1], y)


def test_a_forgotten_task_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abc")).assign(school=["ash", "elm", "fir"] * 4)
    with pytest.raises(ValueError, match=r"convert string.*'ash'.*set task_column to it"):
        BlockSparseRegressor().fit(frame, y)
    assert BlockSparseRegressor(task_column="school").fit(frame, y).tasks_.tolist() == [
        "ash",
        "elm",
        "fir",
    ]


def test_suspicious_task_columns_warn():
    with pytest.warns(UserWarning, match="floats with a fractional part.*TaskTransformer"):
        BlockSparseRegressor(task_column=-1).fit(np.column_stack([X, IDS / 7]), y)
    with pytest.warns(UserWarning, match="Every task has a single row.*task_column"):
        BlockSparseRegressor(task_column=-1).fit(np.column_stack([X, np.arange(12)]), y)


@pytest.mark.parametrize(("dtype", "huge"), [(np.float32, 2.0**25), (np.float64, 2.0**54)])
def test_ids_that_floats_cannot_hold(dtype, huge):
    data = np.column_stack([X, huge + IDS]).astype(dtype)
    with pytest.raises(ValueError, match="exactly only up to.*integers or strings"):
        BlockSparseRegressor(task_column=-1).fit(data, y)


def test_missing_and_mixed_ids():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abc"))
    for missing in (None, np.nan, pd.NA):
        frame["task"] = ["u", "v", missing] * 4
        with pytest.raises(ValueError, match="task column holds missing values"):
            BlockSparseRegressor(task_column="task").fit(frame, y)
    frame["task"] = ["1", 1, "2"] * 4
    with pytest.raises(ValueError, match="mixes strings and numbers"):
        BlockSparseRegressor(task_column="task").fit(frame, y)


@pytest.mark.parametrize(
    "model", [BlockSparseRegressor(l1_ratio=0), IndependentTaskRegressor(), PooledTaskRegressor()]
)
def test_alpha_max_of_a_ridge(model):
    with pytest.raises(ValueError, match="No finite alpha makes the coefficients of .* zero"):
        alpha_max(model, X, Y)


@pytest.mark.parametrize("cls", [BlockSparseClassifier, IndependentTaskClassifier])
def test_one_class_tasks_are_named_and_left_out(cls):
    labels = np.column_stack([LABELS, np.ones(12)])
    labels[:3, 2] = np.nan
    with pytest.warns(UserWarning, match=r"same in the tasks \[2\].*Merge or drop"):
        model = cls(tol=1e-8).fit(X, labels)
    np.testing.assert_array_equal(model.coef_[2], 0)
    assert model.intercept_[2] == pytest.approx(np.log(2 * 9 + 1))
    without = cls(tol=1e-8).fit(X, LABELS)
    np.testing.assert_allclose(model.coef_[:2], without.coef_, atol=1e-10)
    # Without intercepts the penalised problem has a finite minimiser.
    kept = cls(fit_intercept=False).fit(X, labels)
    assert np.abs(kept.coef_[2]).max() > 0


def test_one_class_task_is_not_part_of_the_average():
    labels = LABELS[:, 0].copy()
    labels[:4] = 1
    with pytest.warns(UserWarning, match=r"\[10\]"):
        model = BlockSparseClassifier(task_column=-1, unknown_task="mean").fit(STACKED, labels)
    strange = np.column_stack([X, np.full(12, 99)])
    expected = X @ model.coef_[1:].mean(axis=0) + model.intercept_[1:].mean()
    np.testing.assert_allclose(model.decision_function(strange), expected)


def test_one_common_intercept_keeps_one_class_tasks(recwarn):
    labels = np.column_stack([LABELS, np.ones(12)])
    model = PooledTaskClassifier(task_intercepts=False).fit(X, labels)
    assert not [w for w in recwarn if "same in the tasks" in str(w.message)]
    np.testing.assert_array_equal(model.coef_[0], model.coef_[2])


def test_past_max_iter_warns_with_gap_and_remedy():
    with pytest.warns(
        ConvergenceWarning, match=r"after 3 iterations .* gap of .*Increase max_iter"
    ):
        model = BlockSparseRegressor(0.001, tol=1e-12, max_iter=3).fit(X, Y)
    assert model.n_iter_ == 3
    assert model.dual_gap_ > 0


def test_separable_labels_without_penalty_warn():
    labels = (X[:, 0] > 0).astype(int)
    with pytest.warns(UserWarning, match="separable.*no finite minimiser.*Increase alpha"):
        BlockSparseClassifier(0.0, max_iter=30, tol=1e-12).fit(X, labels)


def test_not_fitted_and_wrong_width():
    with pytest.raises(NotFittedError):
        BlockSparseRegressor().predict(X)
    model = BlockSparseRegressor(task_column=-1).fit(STACKED, y)
    with pytest.raises(ValueError, match="X has 3 features, but BlockSparseRegressor is expecting"):
        model.predict(STACKED[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.where(np.eye(12, 4) > 0, np.nan, STACKED))


def test_sparse_frames_of_wrong_shape():
    with pytest.raises(ValueError, match="Expected 2D array"):
        BlockSparseRegressor(task_column=-1).fit(X[:, 0], y)
    with pytest.raises(ValueError, match="NaN|infinity"):
        BlockSparseRegressor().fit(sp.csr_array(np.where(np.eye(12, 3) > 0, np.inf, X)), Y)
