"""Fits from sufficient statistics equal those from rows."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit
from sklearn.utils.estimator_checks import check_estimator

import skmtl
from skmtl import reference
from skmtl.design import Moments, TaskStatistics
from skmtl.design import _statistics as statistics_module
from skmtl.inspection import transfer_gain
from skmtl.model_selection import path
from tests.statistics_cases import every_layout, make_case

FAMILIES = [
    name for name in skmtl.__all__ if name.endswith("Regressor") and name != "SafeTransferRegressor"
]
SEARCHES = ["BlockSparseRegressorCV", "ClusteredTaskRegressorCV", "TaskRelationRegressorCV"]


def quiet(method, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method(*args)


def assert_equal(model, other, tol=1e-6):
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=tol, atol=tol)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=tol, atol=tol)
    assert model.objective_ == pytest.approx(other.objective_, rel=1e-9, abs=1e-12)
    assert model.tasks_.tolist() == other.tasks_.tolist()
    assert model.n_features_in_ == other.n_features_in_


@pytest.mark.turns(3)
@every_layout
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name, layout):
    case = make_case(layout)
    kind, params = getattr(skmtl, name), case.params | {"tol": 1e-10}
    rows = quiet(kind(**params).fit, case.X, case.y, case.weights)
    sums = quiet(kind(**params).fit_statistics, case.statistics())
    assert_equal(sums, rows)
    gap = pytest.approx(rows.dual_gap_, abs=1e-9 * rows.objective_ + 1e-12, nan_ok=True)
    assert sums.dual_gap_ == gap


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    "options",
    [
        {"fit_intercept": False},
        {"intercept": "shrunk"},
        {"scale_tasks": True},
        {"task_weight": "balanced"},
        {"prior_coef": np.arange(5.0)},
    ],
    ids=lambda options: next(iter(options)),
)
@every_layout
def test_options(layout, options):
    case = make_case(layout)
    if layout == "single":
        options = options | {"task_weight": None}
    for kind in (skmtl.BlockSparseRegressor, skmtl.PooledTaskRegressor):
        model = kind(0.1, tol=1e-10, **case.params, **options)
        sums = quiet(model.fit_statistics, case.statistics())
        coef, intercept = sums.coef_.copy(), np.copy(sums.intercept_)
        model.fit(case.X, case.y, case.weights)
        np.testing.assert_allclose(coef, model.coef_, atol=1e-6)
        np.testing.assert_allclose(intercept, model.intercept_, atol=1e-6)


@pytest.mark.turns(2)
@every_layout
@pytest.mark.parametrize(
    "name", ["BlockSparseRegressor", "ClusteredTaskRegressor", "PooledTaskRegressor"]
)
def test_against_cvxpy(name, layout):
    """cvxpy minimises the objective on the rows."""
    pytest.importorskip("cvxpy")
    case = make_case(layout, n=60, n_features=4, n_tasks=3)
    model = getattr(skmtl, name)(0.2, tol=1e-10, **case.params)
    expected = reference.solve(model, case.X, case.y, case.weights)
    quiet(model.fit_statistics, case.statistics())
    assert model.objective_ == pytest.approx(expected.objective, rel=1e-6)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)


def test_partial_fit_against_scikit_learns_ridge():
    case = make_case("shared")
    model = skmtl.IndependentTaskRegressor(0.3, tol=1e-10)
    for rows in np.array_split(np.arange(120), 5):
        model.partial_fit(*case.part(rows))
    expected = Ridge(alpha=0.3 * 120).fit(case.X, case.y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-7)


def test_fewer_rows_than_features_and_a_constant_feature():
    case = make_case("stacked", n=24, n_features=12)
    case.X[:, 3] = 0.1
    model = skmtl.TaskRelationRegressor(0.01, tol=1e-10, **case.params)
    coef = model.fit_statistics(case.statistics()).coef_
    assert not coef[:, 3].any()
    np.testing.assert_allclose(coef, model.fit(case.X, case.y, case.weights).coef_, atol=1e-6)


def test_large_means():
    case = make_case("stacked", offset=1e8)
    model = skmtl.BlockSparseRegressor(0.05, tol=1e-10, **case.params)
    coef = model.fit_statistics(case.statistics()).coef_
    np.testing.assert_allclose(coef, model.fit(case.X, case.y, case.weights).coef_, atol=1e-6)


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_new_tasks_and_their_deviations_know_the_number_of_labels(layout):
    case = make_case(layout)
    model = skmtl.TaskRelationRegressor(0.1, tol=1e-10, **case.params)
    sums = skmtl.TaskRelationRegressor(0.1, tol=1e-10, **case.params)
    model.fit(case.X, case.y, case.weights)
    sums.fit_statistics(case.statistics())
    np.testing.assert_allclose(sums.noise_variance_, model.noise_variance_, rtol=1e-6)
    X = case.X[:6].copy()
    if layout == "stacked":
        X[:, -1] = 7
    found = [each.fit_new_task(X, case.X[:6, 0]) for each in (model, sums)]
    np.testing.assert_allclose(found[0].coef_[-1], found[1].coef_[-1], atol=1e-5)
    deviations = [each.predict(X, return_std=True)[1] for each in found]
    np.testing.assert_allclose(*deviations, rtol=1e-5)


class TestCrossValidation:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
    @pytest.mark.parametrize("name", SEARCHES)
    def test_the_parts_are_the_folds(self, name, layout):
        case, folds = make_case(layout), np.arange(120) % 4
        kind = getattr(skmtl, name)
        rows = kind(cv=PredefinedSplit(folds), alphas=6, **case.params)
        quiet(rows.fit, case.X, case.y, case.weights)
        sums = quiet(kind(alphas=6, **case.params).fit_statistics, case.parts(folds))
        np.testing.assert_allclose(sums.alphas_, rows.alphas_, rtol=1e-9)
        np.testing.assert_allclose(sums.mse_path_, rows.mse_path_, rtol=1e-6)
        assert sums.alpha_ == pytest.approx(rows.alpha_)
        np.testing.assert_allclose(sums.coef_, rows.coef_, atol=1e-6)

    def test_a_part_that_holds_almost_everything_does_not_cancel(self):
        case = make_case("shared", n=300)
        folds = np.repeat([0, 1, 2], [280, 10, 10])
        case.X[folds == 0] *= 1e6
        model = skmtl.BlockSparseRegressorCV(cv=PredefinedSplit(folds), alphas=[1.0, 0.1])
        quiet(model.fit, case.X, case.y)
        sums = skmtl.BlockSparseRegressorCV(alphas=[1.0, 0.1])
        quiet(sums.fit_statistics, case.parts(folds))
        np.testing.assert_allclose(sums.mse_path_, model.mse_path_, rtol=1e-5)

    def test_separate_strengths(self):
        case, folds = make_case("stacked"), np.arange(120) % 5
        model = skmtl.IndependentTaskRegressor(alpha="cv", **case.params)
        model.fit_statistics(case.parts(folds))
        assert model.alpha_.shape == (4,)
        fixed = skmtl.IndependentTaskRegressor(alpha=model.alpha_, **case.params)
        fixed.fit(case.X, case.y, case.weights)
        np.testing.assert_allclose(model.coef_, fixed.coef_, atol=1e-6)

    def test_one_part_is_not_enough(self):
        case = make_case("stacked")
        for kind in (skmtl.BlockSparseRegressorCV, skmtl.IndependentTaskRegressor):
            model = kind(**case.params)
            if "alpha" in model.get_params():
                model.set_params(alpha="cv")
            with pytest.raises(ValueError, match="needs the statistics of several folds"):
                model.fit_statistics(case.statistics())

    def test_scorers_need_rows(self):
        case = make_case("shared")
        model = skmtl.BlockSparseRegressorCV(scoring="r2")
        with pytest.raises(ValueError, match="scoring='r2' needs rows"):
            model.fit_statistics(case.parts(np.arange(120) % 3))


class TestPath:
    def test_equals_that_of_rows(self):
        case = make_case("stacked")
        model = skmtl.ClusteredTaskRegressor(tol=1e-10, **case.params)
        rows = path(model, case.X, case.y, sample_weight=case.weights, alphas=5)
        for given in (case.statistics(), case.parts(np.arange(120) % 3)):
            sums = path(model, given, alphas=5)
            np.testing.assert_allclose(sums[0], rows[0], rtol=1e-9)
            np.testing.assert_allclose(sums[1], rows[1], atol=1e-6)

    def test_weights_beside_statistics_are_refused(self):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(**case.params)
        with pytest.raises(TypeError, match="contain the weights already"):
            path(model, case.statistics(), sample_weight=case.weights)

    def test_labels_beside_statistics_and_other_losses_are_refused(self):
        case = make_case("stacked")
        with pytest.raises(TypeError, match="leave y out"):
            path(skmtl.BlockSparseRegressor(**case.params), case.statistics(), case.y)
        model = skmtl.BlockSparseRegressor(loss="huber", **case.params)
        with pytest.raises(TypeError, match="loss='squared'"):
            path(model, case.statistics())


class TestTransferGain:
    @pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
    def test_equals_that_of_rows(self, layout):
        case, folds = make_case(layout), np.arange(120) % 4
        case.weights = None
        model = skmtl.TaskRelationRegressor(0.1, **case.params)
        baselines = [("pooled", skmtl.PooledTaskRegressor(0.1, **case.params))]
        given = {"baselines": baselines, "tune": False}
        rows = transfer_gain(model, case.X, case.y, cv=PredefinedSplit(folds), **given)
        sums = transfer_gain(model, case.parts(folds), **given)
        for name in ("gain", "se", "low", "p"):
            found = [getattr(result["pooled"], name) for result in (rows, sums)]
            np.testing.assert_allclose(*found, rtol=1e-6)
        assert sums.n_labels.tolist() == rows.n_labels.tolist()

    def test_strengths_are_selected_within_the_training_parts(self):
        case, folds = make_case("stacked", n=400), np.arange(400) % 5
        result = transfer_gain(skmtl.BlockSparseRegressor(**case.params), case.parts(folds))
        assert result["pooled"].verdict.tolist() == ["helped"] * 4
        assert result.n_folds == 5

    def test_tasks_need_labels_in_the_training_parts(self):
        case = make_case("stacked")
        numbers = np.where(case.X[:, -1] == 30, 1, np.arange(len(case.X)) % 3)
        model = skmtl.BlockSparseRegressor(**case.params)
        with pytest.raises(ValueError, match=r"the others hold no label of the tasks \[30\]"):
            transfer_gain(model, case.parts(numbers))
        with pytest.raises(ValueError, match="3 or more folds, got 1"):
            transfer_gain(model, case.statistics())

    def test_what_needs_rows_is_refused(self):
        case = make_case("stacked")
        parts, model = case.parts(np.arange(120) % 3), skmtl.BlockSparseRegressor(**case.params)
        with pytest.raises(ValueError, match="groups needs rows"):
            transfer_gain(model, parts, groups=np.arange(120))
        with pytest.raises(ValueError, match="3 or more folds, got 2"):
            transfer_gain(model, parts[:2])
        with pytest.raises(TypeError, match="cannot be fitted from statistics"):
            transfer_gain(model, parts, baselines=[("b", skmtl.StructureSearchRegressorCV())])


class TestPartialFit:
    @every_layout
    def test_is_the_fit_of_all_rows(self, layout):
        case = make_case(layout)
        model = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        for rows in np.array_split(np.arange(120), 4):
            quiet(model.partial_fit, *case.part(rows))
        whole = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        assert_equal(model, whole.fit(case.X, case.y, case.weights))

    def test_new_tasks_and_calls_without_a_fit(self):
        case = make_case("stacked")
        model = skmtl.TaskRelationRegressor(0.1, tol=1e-10, **case.params)
        model.partial_fit(*case.part(case.X[:, -1] < 20))
        assert model.tasks_.tolist() == [0, 10]
        before = model.coef_.copy()
        model.partial_fit(*case.part(case.X[:, -1] == 30), solve=False)
        np.testing.assert_array_equal(model.coef_, before)
        model.partial_fit(*case.part(case.X[:, -1] == 20))
        whole = skmtl.TaskRelationRegressor(0.1, tol=1e-10, **case.params)
        assert_equal(model, whole.fit(case.X, case.y, case.weights))

    def test_goes_on_from_the_last_fit(self):
        case = make_case("stacked", n=400)
        model = skmtl.ClusteredTaskRegressor(0.05, tol=1e-8, **case.params)
        model.partial_fit(case.X, case.y)
        cold = model.n_iter_
        model.partial_fit(case.X, case.y)  # the same data again have the same minimiser
        assert model.n_iter_ < cold

    def test_a_fit_begins_anew(self):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(**case.params).partial_fit(case.X, case.y)
        model.fit(case.X, case.y)
        assert not hasattr(model, "statistics_")

    def test_statistics_from_elsewhere_begin_anew(self):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(**case.params).partial_fit(case.X, case.y)
        model.fit_statistics(case.statistics())
        assert not hasattr(model, "statistics_")

    @pytest.mark.parametrize("change", [{"task_column": None}, {"offset_column": 0}])
    def test_other_columns_add_nothing(self, change):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(0.1, **case.params).partial_fit(case.X, case.y)
        with pytest.raises(ValueError, match="The statistics were collected with"):
            model.set_params(**change).partial_fit(case.X, case.y)
        assert model.statistics_.n_batches_ == 1

    def test_a_first_batch_that_is_refused_decides_nothing(self):
        case, model = make_case("stacked"), skmtl.BlockSparseRegressor()
        with pytest.raises(ValueError, match="Batch 0"):
            model.partial_fit(case.X[:, :2], None)
        model.set_params(**case.params).partial_fit(case.X, case.y)
        assert model.tasks_.tolist() == [0, 10, 20, 30]

    def test_rows_that_are_refused_change_nothing(self):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(0.1, **case.params).partial_fit(case.X, case.y)
        before = model.coef_.copy()
        with pytest.raises(ValueError, match="Batch 1"):
            model.partial_fit(case.X[:, 1:], case.y)
        np.testing.assert_array_equal(model.partial_fit(case.X, case.y).coef_, before)

    def test_goes_on_after_a_pickle(self):
        case = make_case("stacked")
        model = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        model.partial_fit(*case.part(slice(0, 60)))
        model = pickle.loads(pickle.dumps(model)).partial_fit(*case.part(slice(60, None)))
        whole = skmtl.BlockSparseRegressor(0.1, tol=1e-10, **case.params)
        assert_equal(model, whole.fit(case.X, case.y, case.weights))

    @pytest.mark.parametrize(
        "model",
        [
            skmtl.BlockSparseRegressor(loss="huber"),
            skmtl.BlockSparseRegressorCV(),
            skmtl.IndependentTaskRegressor(alpha="cv"),
        ],
    )
    def test_is_hidden_where_sums_do_not_determine_the_fit(self, model):
        assert not hasattr(model, "partial_fit")

    @pytest.mark.parametrize("name", ["BlockSparseRegressor", "TaskRelationRegressor"])
    def test_scikit_learn_accepts_it(self, name):
        check_estimator(getattr(skmtl, name)())


class TestStatisticsThatDoNotFit:
    def test_other_columns(self):
        statistics = make_case("stacked").statistics()
        with pytest.raises(ValueError, match="task_column=-1, but .* task_column=None"):
            skmtl.BlockSparseRegressor().fit_statistics(statistics)

    def test_other_things(self):
        for given in (np.eye(3), [], [1]):
            with pytest.raises(TypeError, match="Expected TaskStatistics or a list"):
                skmtl.BlockSparseRegressor().fit_statistics(given)

    def test_tasks_without_labels(self):
        case = make_case("shared")
        case.y[:, 2] = np.nan
        with pytest.raises(ValueError, match=r"no label: \[2\]"):
            skmtl.BlockSparseRegressor().fit_statistics(case.statistics())

    def test_parts_of_different_columns(self):
        case = make_case("stacked")
        narrow = TaskStatistics(task_column=-1).update(case.X[:, 1:], case.y)
        with pytest.raises(ValueError, match="different columns"):
            skmtl.BlockSparseRegressor(**case.params).fit_statistics([case.statistics(), narrow])


def test_one_pass_over_the_data(monkeypatch):
    """Every batch is read once, and a search over five parts sums no rows again."""
    read, case = [], make_case("stacked", n=400)
    original = statistics_module.read_batch

    def counted(*args, **kwargs):
        read.append(len(args[1]))
        return original(*args, **kwargs)

    monkeypatch.setattr(statistics_module, "read_batch", counted)
    parts = case.parts(np.arange(400) % 5)
    assert sum(read) == 400
    summed, of = [], Moments.of.__func__

    def watched(cls, data, **kwargs):
        summed.append(len(data.X))
        return of(cls, data, **kwargs)

    monkeypatch.setattr(Moments, "of", classmethod(watched))
    quiet(skmtl.BlockSparseRegressorCV(alphas=50, **case.params).fit_statistics, parts)
    assert sum(read) == 400
    assert max(summed) <= 5 * 4 * (5 + 2)  # rows that stand for the parts, not those of the data
