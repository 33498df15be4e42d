"""Named entries and columns are read by name, in every parameter that accepts them."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LinearRegression

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    ClusteredTaskRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    MultiTaskRegressor,
    SafeTransferRegressor,
    StructureSearchRegressorCV,
    TreeGuidedRegressor,
)
from skmtl.auxiliary import AuxiliaryTaskRegressor
from skmtl.inference import TaskConformalRegressor, coefficient_intervals, stability_selection
from skmtl.kernels import TaskKernel
from skmtl.metrics import accuracy_score, r2_score
from skmtl.model_selection import AlphaSearchCV, StratifiedTaskKFold, path
from skmtl.penalties import L21, ChosenEntries, GraphTotalVariation, TaskQuadratic, WeightedRows

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
TASKS = ["pear", "fig", "kiwi"]
Y = pd.DataFrame(X @ RNG.normal(size=(3, 3)) + RNG.normal(size=(40, 3)), columns=TASKS)
WEIGHTS = pd.DataFrame(RNG.uniform(0.1, 3, (40, 3)), columns=TASKS)
FEATURES = pd.DataFrame(X, columns=["u", "v", "w"])
STACKED = pd.concat([FEATURES.assign(task=name) for name in TASKS], ignore_index=True)
Y_STACKED = Y.to_numpy().ravel(order="F")
GROUPS = np.arange(40) // 2
TIGHT = {"alpha": 0.1, "tol": 1e-10}


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize(
    ("estimator", "parameter", "given"),
    [
        (BlockSparseRegressor(**TIGHT), "task_weight", {"kiwi": 1.0, "pear": 5.0, "fig": 0.5}),
        (IndependentTaskRegressor(), "alpha", {"kiwi": 0.1, "pear": 5.0, "fig": 1.0}),
        (ClusteredTaskRegressor(), "clusters", {"kiwi": "a", "pear": "b", "fig": "a"}),
    ],
)
def test_a_series_by_task_is_read_as_a_dict(estimator, parameter, given, stacked):
    data = (STACKED, Y_STACKED) if stacked else (X, Y)
    estimator.set_params(task_column="task" if stacked else None)
    in_order = [given[task] for task in (sorted(TASKS) if stacked else TASKS)]
    expected = estimator.set_params(**{parameter: in_order}).fit(*data).coef_.copy()
    for by_name in (given, pd.Series(given)):
        coef = estimator.set_params(**{parameter: by_name}).fit(*data).coef_
        np.testing.assert_array_equal(coef, expected)
    # A Series with a default index is read by position, like an array.
    coef = estimator.set_params(**{parameter: pd.Series(in_order)}).fit(*data).coef_
    np.testing.assert_array_equal(coef, expected)
    wrong = pd.Series(given).rename({"fig": "plum"})
    with pytest.raises(ValueError, match=rf"{parameter}.*misses \['fig'\].*unknown \['plum'\]"):
        estimator.set_params(**{parameter: wrong}).fit(*data)
    twice = pd.concat([pd.Series(given), pd.Series(given)[:1]])
    with pytest.raises(ValueError, match=rf"{parameter}.*repeats \['kiwi'\]"):
        estimator.set_params(**{parameter: twice}).fit(*data)


def test_a_series_by_numbers():
    by_position = BlockSparseRegressor(**TIGHT, task_weight=[1.0, 2.0, 5.0])
    by_position.fit(X, Y.to_numpy())
    series = pd.Series([5.0, 1.0, 2.0], index=[2, 0, 1])
    by_name = BlockSparseRegressor(**TIGHT, task_weight=series).fit(X, Y.to_numpy())
    np.testing.assert_allclose(by_name.coef_, by_position.coef_, rtol=1e-9)


def test_a_series_by_feature():
    weight = {"w": 0.0, "u": 100.0, "v": 100.0}
    for given in (weight, pd.Series(weight), pd.Series(weight)[["v", "w", "u"]]):
        model = BlockSparseRegressor(5.0, feature_weight=given).fit(FEATURES, Y)
        # At weight 0 the third feature is not penalised, and nothing else is used.
        assert (model.coef_[:, :2] == 0).all()
        alone = LinearRegression().fit(FEATURES[["w"]], Y).coef_[:, 0]
        np.testing.assert_allclose(model.coef_[:, 2], alone, rtol=1e-6)
    model = BlockSparseRegressor(0.1, feature_weight=pd.Series({"z": 1.0}))
    with pytest.raises(ValueError, match=r"name features of X, got unknown \['z'\]"):
        model.fit(FEATURES, Y)
    with pytest.raises(ValueError, match="no column names, got a Series"):
        model.fit(X, Y)
    stacked = BlockSparseRegressor(0.1, feature_weight=pd.Series(weight), task_column="task")
    expected = BlockSparseRegressor(0.1, feature_weight=[100.0, 100.0, 0.0], task_column="task")
    np.testing.assert_array_equal(
        stacked.fit(STACKED, Y_STACKED).coef_, expected.fit(STACKED, Y_STACKED).coef_
    )


@pytest.mark.parametrize("clusters", [[["kiwi", "pear"], ["fig"]], [("fig",), {"pear", "kiwi"}]])
def test_clusters_as_lists_of_tasks(clusters):
    model = ClusteredTaskRegressor(clusters=clusters).fit(X, Y)
    same = ClusteredTaskRegressor(clusters=[0, 1, 0]).fit(X, Y)
    np.testing.assert_allclose(model.coef_, same.coef_)
    assert model.labels_[0] == model.labels_[2] != model.labels_[1]


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([["kiwi", "pear"]], r"misses \['fig'\]"),
        ([["kiwi", "pear"], ["fig", "kiwi"]], r"\['kiwi'\] appear more than once"),
        ([["kiwi", "pear"], ["fig", "plum"]], r"unknown \['plum'\]"),
        ([["kiwi", ["pear"]], ["fig"]], "are not task names"),
    ],
)
def test_clusters_that_are_not_a_partition(clusters, message):
    with pytest.raises(ValueError, match=message):
        ClusteredTaskRegressor(clusters=clusters).fit(X, Y)


def test_kernel_parameters_with_an_index():
    by_position = TaskKernel(RBF(), tasks=TASKS, rank=0, variances=[1.0, 2.0, 3.0])
    series = pd.Series({"kiwi": 3.0, "pear": 1.0, "fig": 2.0})
    kernel = TaskKernel(RBF(), tasks=TASKS, rank=0, variances=series)
    np.testing.assert_array_equal(kernel.task_covariance, by_position.task_covariance)
    loadings = pd.DataFrame({"first": [3.0, 1.0, 2.0]}, index=["kiwi", "pear", "fig"])
    kernel = TaskKernel(RBF(), tasks=TASKS, loadings=loadings, variances=1e-3)
    np.testing.assert_allclose(kernel.task_covariance[0], [1.001, 2.0, 3.0])


@pytest.mark.parametrize("library", [lambda frame: frame, pl.DataFrame])
def test_weights_and_scored_labels_in_another_order(library):
    model = BlockSparseRegressor(**TIGHT).fit(X, Y.to_numpy(), WEIGHTS.to_numpy())
    expected = model.score(X, Y.to_numpy(), WEIGHTS.to_numpy())
    other = library(WEIGHTS[["kiwi", "pear", "fig"]])
    named = BlockSparseRegressor(**TIGHT).fit(X, library(Y), other)
    np.testing.assert_allclose(named.coef_, model.coef_, rtol=1e-9)
    labels = library(Y[["fig", "kiwi", "pear"]])
    assert named.score(X, labels, other) == pytest.approx(expected)
    prediction = library(pd.DataFrame(model.predict(X), columns=TASKS))
    assert r2_score(labels, prediction, sample_weight=other) == pytest.approx(expected)
    # By position if one side has no names.
    assert model.score(X, Y, WEIGHTS.to_numpy()) == pytest.approx(expected)
    classifier = BlockSparseClassifier().fit(X, library((Y > 0).astype(int)))
    right = (classifier.predict(X) == (Y > 0).to_numpy()).all(axis=1).mean()
    assert classifier.score(X, library((Y > 0)[["kiwi", "fig", "pear"]])) == pytest.approx(right)


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    "result",
    [
        lambda y, w: BlockSparseRegressorCV(alphas=4, cv=3).fit(X, y, w, groups=GROUPS).mse_path_,
        lambda y, w: AlphaSearchCV(LowRankRegressor(), alphas=4, cv=3).fit(X, y, w).coef_,
        lambda y, w: SafeTransferRegressor("block_sparse", alphas=3, cv=3).fit(X, y, w).coef_,
        lambda y, w: StructureSearchRegressorCV(
            ["independent", "pooled"], alphas=3, cv=3, nested=True
        ).fit(X, y, w).nested_.scores,
        lambda y, w: AuxiliaryTaskRegressor(BlockSparseRegressor(0.1), auxiliary=[-1])
        .fit(X, y, w).coef_,
        lambda y, w: stability_selection(
            BlockSparseRegressor(), X, y, sample_weight=w, n_selected=2, random_state=0
        ).frequencies,
        lambda y, w: TaskConformalRegressor(BlockSparseRegressor(0.1), random_state=0)
        .fit(X, y, w).predict_interval(X),
        lambda y, w: coefficient_intervals(
            BlockSparseRegressor(0.1), X, y, sample_weight=w, method="bootstrap", n_bootstrap=3,
            random_state=0,
        ).intervals,
    ],
    ids=["cv", "alpha", "safe", "nested", "auxiliary", "stability", "conformal", "bootstrap"],
)  # fmt: skip
def test_weights_in_another_order_count_for_the_same_labels(result):
    weights = WEIGHTS * (np.random.default_rng(1).random(WEIGHTS.shape) < 0.5)
    labels = Y.mask(np.random.default_rng(2).random(Y.shape) < 0.3)
    expected = result(labels, weights)
    np.testing.assert_array_equal(result(labels, weights[["kiwi", "pear", "fig"]]), expected)


def test_columns_that_are_not_the_tasks():
    wrong = Y.rename(columns={"fig": "plum"})
    message = r"columns of {} must be the tasks.*misses \['fig'\].*unknown \['plum'\]"
    model = BlockSparseRegressor(0.1).fit(X, Y)
    for call in (
        lambda: model.score(X, wrong),
        lambda: BlockSparseClassifier().fit(X, Y > 0).score(X, wrong > 0),
    ):
        with pytest.raises(ValueError, match=message.format("y")):
            call()
    with pytest.raises(ValueError, match=message.format("sample_weight")):
        model.fit(X, Y, WEIGHTS.rename(columns={"fig": "plum"}))
    with pytest.raises(ValueError, match=message.format("y_pred")):
        accuracy_score(Y > 0, wrong > 0)


def test_a_scorer_of_a_cv_estimator_gets_weights_in_the_order_of_y():
    seen = []

    def scorer(estimator, X, y, sample_weight):
        seen.append(sample_weight)
        return 0.0

    BlockSparseRegressorCV(alphas=[0.1], cv=2, scoring=scorer).fit(
        X, Y, WEIGHTS[["kiwi", "pear", "fig"]]
    )
    rows = np.concatenate(seen)
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(WEIGHTS["pear"]))


@pytest.mark.parametrize("task_column", [None, "task", -1])
def test_duplicate_names(task_column):
    doubled = FEATURES.set_axis(["u", "v", "u"], axis=1).assign(task=np.repeat([0, 1], 20))
    model = BlockSparseRegressor(0.1, task_column=task_column)
    with pytest.raises(ValueError, match=r"columns of X must have different names, got \['u'\]"):
        model.fit(doubled, Y["fig"])
    doubled.columns = ["u", "task", "v", "task"]
    with pytest.raises(ValueError, match=r"different names, got \['task'\]"):
        model.fit(doubled, Y["fig"])
    labels = Y.set_axis(["a", "b", "a"], axis=1)
    with pytest.raises(ValueError, match=r"columns of y must have different names, got \['a'\]"):
        BlockSparseRegressor(0.1).fit(X, labels)


def test_columns_of_several_levels():
    columns = pd.MultiIndex.from_tuples([("fruit", "fig"), ("fruit", "pear"), ("nut", "hazel")])
    labels = Y.set_axis(columns, axis=1)
    plain = BlockSparseRegressor(**TIGHT, task_weight=[1.0, 2.0, 3.0]).fit(X, Y)
    weight = dict(zip(columns, [1.0, 2.0, 3.0], strict=True))
    model = BlockSparseRegressor(**TIGHT, task_weight=weight).fit(X, labels)
    assert model.tasks_.tolist() == columns.tolist()
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-7)
    assert model.score(X, labels[columns[::-1]]) == pytest.approx(plain.score(X, Y))
    features = FEATURES.set_axis(pd.MultiIndex.from_product([["x"], ["u", "v", "w"]]), axis=1)
    np.testing.assert_allclose(model.fit(features, labels).coef_, plain.coef_, rtol=1e-7)
    features["school", ""] = np.repeat([4, 5], 20)
    stacked = BlockSparseRegressor(0.1, task_column=-1).fit(features, Y["fig"])
    assert stacked.tasks_.tolist() == [4, 5]


MASK = [[False, True, False]] * 3


@pytest.mark.parametrize(
    "penalty",
    [
        WeightedRows(L21(0.1), np.ma.array([1.0, 2.0, 3.0], mask=MASK[0])),
        TaskQuadratic(np.ma.array(np.eye(3), mask=MASK)),
        GraphTotalVariation(np.ma.array(np.ones((3, 3)) - np.eye(3), mask=MASK)),
        ChosenEntries(np.ma.array(np.ones((3, 3), dtype=bool), mask=MASK)),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_penalties_refuse_masks(penalty):
    with pytest.raises(ValueError, match=f"of {type(penalty).__name__} must not have masked"):
        MultiTaskRegressor(penalty=penalty).fit(X, Y)


def test_masks_of_trees_alphas_and_groups():
    tree = np.ma.masked_equal([[0, 1, 0.5, 2], [2, 3, 0.7, 3]], 0.5)
    with pytest.raises(ValueError, match="'tree' must not have masked"):
        TreeGuidedRegressor(tree=tree).fit(X, Y)
    alphas = np.ma.masked_equal([2.0, 1.0, 0.5], 1.0)
    with pytest.raises(ValueError, match="alphas must not have masked"):
        path(BlockSparseRegressor(), X, Y, alphas=alphas)
    with pytest.raises(ValueError, match="alphas must not have masked"):
        AlphaSearchCV(BlockSparseRegressor(), alphas=alphas).fit(X, Y)
    groups = np.ma.masked_equal(np.arange(40) % 8, 3)
    with pytest.raises(ValueError, match="groups must not have masked"):
        next(StratifiedTaskKFold(2).split(X, Y, groups))
