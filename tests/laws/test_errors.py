"""Every error and warning names the rule, the value received, and the remedy."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.datasets import make_block_sparse, make_related_tasks
from skmtl.design._tasks import split_task_column
from skmtl.inspection import TransferGainDisplay, transfer_gain
from skmtl.metrics import make_task_scorer, r2_score
from skmtl.model_selection import alpha_max, convert_alpha, path
from skmtl.penalties import (
    L1,
    L21,
    ChosenEntries,
    FeatureGroups,
    FusedTasks,
    GraphTotalVariation,
    Positive,
    Ridge,
    Superposition,
    TaskQuadratic,
    TreeGroup,
    WeightedRows,
)
from skmtl.preprocessing import TaskTransformer, stack_tasks

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
        (BlockSparseRegressor(task_weight=["a", "b"]), "task_weight must hold numbers .*'a'"),
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
        (np.where(Y > 0, "high", "low"), "y must hold numbers .*'(high|low)'"),
        ([[1.0, 2.0], [3.0]], "matrix with one column per task .*stack_tasks"),
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
        (np.array(["a", 1] * 6, dtype=object), "y mixes labels of several types.*'a', 1"),
        (np.array(["a", "b", None] * 4, dtype=object), "4 of 12 without one, first in row 2"),
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
    with pytest.raises(ValueError, match="is allowed only with a matrix y"):
        BlockSparseRegressor().fit(X, y, np.ones((12, 2)))
    with pytest.raises(ValueError, match="All sample weights are zero"):
        BlockSparseRegressor().fit(X, y, np.zeros(12))
    with pytest.raises(ValueError, match="All sample weights are zero"):
        BlockSparseClassifier(task_column=-1).fit(STACKED, LABELS[:, 0], np.zeros(12))


@pytest.mark.parametrize("weight", [{0: 1.0, 7: 2.0}, {0: -1.0}, {1: np.nan}])
def test_class_weight(weight):
    with pytest.raises(ValueError, match=r"class_weight must map the classes \[0, 1\]"):
        BlockSparseClassifier(class_weight=weight).fit(X, LABELS)


def test_class_weights_that_are_not_numbers():
    with pytest.raises(ValueError, match="class_weight must hold numbers .*'heavy'"):
        BlockSparseClassifier(class_weight={0: "heavy"}).fit(X, LABELS)


def test_complex_weights():
    # NumPy would drop the imaginary part with a warning.
    weights = np.ones(len(X)) + 1j
    with pytest.raises(ValueError, match="sample_weight must hold numbers .*complex"):
        BlockSparseRegressor().fit(X, Y, sample_weight=weights)
    with pytest.raises(ValueError, match="sample_weight must hold numbers .*complex"):
        r2_score(Y, Y, sample_weight=weights)


def test_score_refuses_labels_that_fit_refuses():
    model = BlockSparseClassifier().fit(X, LABELS)
    with pytest.raises(ValueError, match=r"y holds -1 and 1.*\(y \+ 1\) / 2"):
        model.score(X, 2 * LABELS - 1)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("model", [BlockSparseRegressor(), PooledTaskRegressor()], ids=repr)
def test_numbers_whose_squares_overflow(model):
    # Once this returned zero coefficients with a gap of zero.
    for data in (1e200 * np.asarray(X), sp.csr_array(1e200 * np.asarray(X))):
        with pytest.raises(ValueError, match="X must not be so large .*Divide by a power"):
            model.fit(data, Y)
    with pytest.raises(ValueError, match="y must not be so large .*Divide by a power"):
        model.fit(X, 1e200 * np.asarray(Y))
    with pytest.raises(ValueError, match="sample_weight must not be so large"):
        model.fit(X, Y, sample_weight=np.full(len(X), 1e308))
    with pytest.raises(ValueError, match="sample_weight must not be so small .*Multiply"):
        model.fit(X, Y, sample_weight=np.full(len(X), 1e-310))


@pytest.mark.parametrize("task_column", [None, -1])
def test_lazy_frames(task_column):
    pl = pytest.importorskip("polars")
    lazy = pl.DataFrame(np.asarray(X)).lazy()
    model = BlockSparseRegressor(task_column=task_column)
    with pytest.raises(TypeError, match=r"LazyFrame is a query without data.*collect\(\)"):
        model.fit(lazy, Y)
    with pytest.raises(TypeError, match="LazyFrame is a query without data"):
        model.fit(X, lazy)


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


def test_missing_task_column():
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
    frame["a"] = frame["school"]
    with pytest.raises(ValueError, match=r"'ash'. Is task_column='school' the column.*encoding"):
        BlockSparseRegressor(task_column="school").fit(frame, y)
    frame["a"] = X[:, 0]
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
        model = BlockSparseRegressor(0.001, tol=1e-12, max_iter=3, solver="fista").fit(X, Y)
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


@pytest.mark.parametrize("cls", [MultiTaskRegressor, MultiTaskClassifier])
@pytest.mark.parametrize("given", ["l21", L21, [L21()], 0.1])
def test_penalties_are_called_by_their_public_name(cls, given):
    rule = rf"'penalty' parameter of {cls.__name__} must be a penalty such as skmtl.penalties.L21\("
    with pytest.raises(ValueError, match=rule) as caught:
        cls(penalty=given).fit(X, LABELS)
    assert "_base" not in str(caught.value)
    assert f"Got {given!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (FeatureGroups(groups=[0, 1]), "group of each of the 3 features. Got"),
        (FeatureGroups(groups=["a", "b", "b"]), "return_inverse=True"),
        (FeatureGroups(groups=[0, 1, 1], weights=[1, -1, -1]), "finite numbers >= 0, one for each"),
        (FeatureGroups(groups=[0, 1, 1], weights=[1, 1, 2]), "Use the mean of each group"),
        (WeightedRows("l1", np.ones(3)), "'penalty' parameter of WeightedRows .* Got 'l1'"),
        (WeightedRows(Positive(L21()), np.ones(3)), r"use Positive\(WeightedRows\(...\)\)"),
        (
            WeightedRows(ChosenEntries(np.ones((3, 2), bool)), np.ones(3)),
            "must be a norm of the rows",
        ),
        (WeightedRows(Superposition(L1(), L21()), np.ones(3)), "must be a norm of the rows"),
        (WeightedRows(WeightedRows(L21(), [0, 1, 1]), np.ones(3)), "that penalises all of them"),
        (WeightedRows(L21(-1.0), np.ones(3)), "'alpha' parameter of L21 must be"),
        (WeightedRows(L21(), "heavy"), "'weights' parameter of WeightedRows .* Got 'heavy'"),
        (WeightedRows(L21(), [1, 2]), r"for each of the 3 features. Got \[1, 2\]"),
        (ChosenEntries("all"), r"'chosen' .* bool array of shape \(3, 2\). Got 'all'"),
        (ChosenEntries(np.ones((3, 3), bool)), r"of shape \(3, 2\).*Got the shape \(3, 3\)"),
        (ChosenEntries(np.ones((3, 2), bool), "yes"), "'positive' parameter of ChosenEntries"),
        (Ridge("a"), "'alpha' parameter of Ridge .* Got 'a'"),
        (FusedTasks(order="chain"), "'order' parameter of FusedTasks .*columns 0 to 1.*'chain'"),
        (FusedTasks(order=[0.0, 1.0]), r"'order' parameter of FusedTasks .*got \[0.0, 1.0\]"),
        (TreeGroup(1, [[0, 1]]), r"'weights' .* of the 1 groups, got \[\]. Pass as many"),
        (
            TreeGroup(1, [["a", "b"]], [1]),
            r"'groups' parameter of TreeGroup .*got \[\['a', 'b'",
        ),
        (TreeGroup(1, [[0, 1]], "a"), "'weights' parameter of TreeGroup"),
        (TreeGroup(1, 3, [1]), "'groups' parameter of TreeGroup .* got 3"),
        (GraphTotalVariation("chain"), "'adjacency' cannot be read as numbers.*'chain'"),
        (GraphTotalVariation([(0, 1), (0, 1, 2)]), "'adjacency' cannot be read as numbers"),
        (TaskQuadratic("chain"), "'matrix' cannot be read as numbers.*'chain'"),
        (TaskQuadratic(sp.eye(3)), r"'matrix' has shape \(3, 3\)"),
        (TaskQuadratic(sp.csr_array([[1, 2], [0, 1]])), "'matrix' must be symmetric.*task 0 to 1"),
        (TaskQuadratic(sp.csr_array([[0, 1], [1, 0]])), "'matrix' must be positive semidefinite"),
    ],
)
def test_penalties_name_what_is_wrong_in_them(penalty, message):
    with pytest.raises(ValueError, match=message):
        MultiTaskRegressor(penalty=penalty).fit(X, Y)


@pytest.mark.parametrize("column", [1.0, None, [1], True])
def test_a_task_column_is_a_name_or_a_position(column):
    with pytest.raises(ValueError, match="'task_column'|task_column must be the name"):
        TaskTransformer(StandardScaler(), task_column=column).fit(STACKED)
    with pytest.raises(ValueError, match="task_column must be the name .* Use -1 for the last"):
        split_task_column(STACKED, column)


@pytest.mark.parametrize("estimator", [None, "ridge", BlockSparseRegressor, [], {}])
def test_objects_that_are_not_estimators(estimator):
    for function in (alpha_max, path):
        with pytest.raises(TypeError, match=f"{function.__name__} takes an estimator.*Pass one"):
            function(estimator, X, Y)
    with pytest.raises(TypeError, match="transfer_gain takes an estimator.*Pass an instance"):
        transfer_gain(estimator, X, Y)


def test_arguments_of_the_other_functions():
    model = BlockSparseRegressor()
    for eps in ("small", None, [0.1], 2):
        with pytest.raises(ValueError, match="eps, .* must be in"):
            path(model, X, Y, eps=eps)
    for weight in ("a", {}, [[1], [1, 2]]):
        with pytest.raises(ValueError, match="sample_weight must hold numbers .*Pass an array"):
            model.fit(X, Y, weight)
        with pytest.raises(ValueError, match="sample_weight must hold numbers"):
            r2_score(Y, Y, sample_weight=weight)
    with pytest.raises(ValueError, match="n_samples must hold numbers"):
        convert_alpha(1.0, from_="scikit-learn", n_samples={"a": 3})
    with pytest.raises(ValueError, match=r"average must be 'macro', 'pooled' or None, got \["):
        r2_score(Y, Y, average=["macro"])
    for metric in (None, ["r2"], "R2", model):
        with pytest.raises(ValueError, match=r"metric must be a function or one of \['r2'"):
            make_task_scorer(metric)
    for baselines in (None, 3, model):
        with pytest.raises(ValueError, match=r"A baseline must be one of \['independent'"):
            transfer_gain(model, X, Y, baselines=baselines)
    with pytest.raises(TypeError, match="from_result takes the result of transfer_gain, got list"):
        TransferGainDisplay.from_result([0.1])
    with pytest.raises(ValueError, match="bias must be one number or one per task, got {}"):
        make_block_sparse(bias={})
    with pytest.raises(ValueError, match="covariance must hold numbers"):
        make_related_tasks(covariance={"a": 1})
    with pytest.raises(ValueError, match=r"alpha must name every task once: it misses \[1\]\. The"):
        IndependentTaskRegressor({0: 1}).fit(X, Y)
    with pytest.raises(ValueError, match="'l1_ratio' parameter of BlockSparseRegressor .* Got {}"):
        BlockSparseRegressorCV(l1_ratio={}).fit(X, Y)
    for cv in (np.ones((2, 2)), [("a", "b")]):
        with pytest.raises(ValueError, match="A split of cv must be a pair .*Pass a splitter"):
            BlockSparseRegressorCV(alphas=2, cv=cv).fit(X, Y)


def test_preprocessing_arguments():
    whole = TaskTransformer(StandardScaler(), task_column=-1)
    for rows in ([], {}, None, X[:, 0]):
        with pytest.raises(ValueError, match="Expected 2D array"):
            whole.fit(rows)
    whole.fit(STACKED)
    for rows in ([], {}, None, X[:, 0]):
        with pytest.raises(ValueError, match="Expected 2D array"):
            whole.transform(rows)
    with pytest.raises(ValueError, match="minimum of 2 is required: the task column and"):
        clone(whole).fit(STACKED[:, 3:])
    with pytest.raises(ValueError, match=r"Xs must be a list .* got dict.*list\(d.values\(\)\)"):
        stack_tasks({"ash": X, "elm": X}, [y, y])
    with pytest.raises(ValueError, match="ys must be a list with one entry per task, got None"):
        stack_tasks([X], None)
    with pytest.raises(ValueError, match="names must be a list .* got str"):
        stack_tasks([X], [y], "ash")
    with pytest.raises(ValueError, match="names must be strings or numbers, one per task"):
        stack_tasks([X], [y], [[1, 2]])


def test_labels_to_score_have_the_shape_of_predictions():
    model = BlockSparseClassifier(0.01).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"y has shape \(12,\).*12 rows to predict 2 tasks"):
        model.score(X, LABELS[:, 0])
    with pytest.raises(ValueError, match="y must hold numbers"):
        model.score(X, np.full(LABELS.shape, "a"))
