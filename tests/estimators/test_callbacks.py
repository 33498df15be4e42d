"""scikit-learn's callbacks follow fits, and may stop them."""

import copy
import pickle
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    CappedBlockSparseRegressor,
    GroupOverlapRegressor,
    IndependentTaskRegressor,
    LowRankRegressor,
    SafeTransferRegressor,
    StructureSearchRegressorCV,
    TaskRelationRegressor,
    TreeGuidedRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.estimators.base._callbacks import SILENT, follow, is_followed
from skmtl.inspection import transfer_gain
from skmtl.metrics import make_task_scorer
from skmtl.model_selection import AlphaSearchCV, path

HAS_CALLBACKS = find_spec("sklearn.callback") is not None
needs_callbacks = pytest.mark.skipif(
    not HAS_CALLBACKS, reason="callbacks need scikit-learn 1.9 or later"
)

FITS = [
    BlockSparseRegressor(0.1, tol=1e-8),
    BlockSparseRegressor(0.1, refit_support=True),
    IndependentTaskRegressor(alpha="cv"),
    LowRankRegressor(0.1, solver="fista", scale_tasks=True),
    TaskRelationRegressor(0.1, tol=1e-6),  # in rotated coordinates
    TreeGuidedRegressor(0.1),
    CappedBlockSparseRegressor(0.1, tol=1e-8),
    GroupOverlapRegressor(0.1, n_init=2, random_state=0),
]
SEARCHES = [
    BlockSparseRegressorCV(alphas=[1.0, 0.3, 0.1, 0.03], cv=3),
    BlockSparseRegressorCV(alphas=[1.0, 0.3, 0.1, 0.03], cv=3, patience=1),
    AlphaSearchCV(LowRankRegressor(), alphas=[1.0, 0.1, 0.01], cv=2),
    SafeTransferRegressor("low_rank", alphas=3, cv=2),
    StructureSearchRegressorCV(
        ["block_sparse"], alphas=[1.0, 0.1], cv=2, nested=True, random_state=0
    ),
]
_name = lambda model: type(model).__name__  # noqa: E731


class Recorder:
    """Records the tasks, and asks to stop at the end of one."""

    max_propagation_depth = None

    def __init__(self, stop_after=None, task_name=None):
        self.stop_after, self.task_name = stop_after, task_name
        self.begun, self.ended, self.calls = [], [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, X=None, metadata=None):
        self.ended.append((context.task_name, fitted_estimator, metadata))
        n_ended = sum(name == (self.task_name or name) for name, _, _ in self.ended)
        return self.stop_after is not None and n_ended >= self.stop_after

    def fitted(self, name="iterations"):
        """The estimators as if the fit had stopped at the end of each task of this name."""
        return [model for task, model, _ in self.ended if task == name and model is not None]

    def count(self, name):
        return sum(task == name for task, _, _ in self.ended)


@pytest.fixture(scope="module")
def data():
    found = make_block_sparse(40, 6, 3, n_informative=3, random_state=0)
    y = found.target.copy()
    y[::7, 1] = np.nan
    return found.data, y


@pytest.fixture(scope="module")
def stacked():
    found = make_block_sparse(
        40, 6, 3, n_informative=3, layout="stacked", classification=True, random_state=0
    )
    return found.data, found.target


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The (best|selected) alpha")
        yield


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks")
def test_estimators_have_no_callbacks_with_old_releases(data):
    model = BlockSparseRegressor().fit(*data)
    assert not hasattr(model, "set_callbacks") and not is_followed(model)
    assert follow(model, lambda task: task is SILENT, *data, None)


def test_silent_tasks_do_nothing():
    task = SILENT.subtask("fold", 3, number=1)
    task.begin()
    assert task.end() is False and task.iterations(None) is None
    with task.passed_to(None):
        pass


@needs_callbacks
class TestFit:
    @pytest.mark.parametrize("model", FITS, ids=_name)
    def test_reports_lead_to_the_fit(self, model, data):
        recorder, plain = Recorder(), clone(model).fit(*data)
        model = clone(model).set_callbacks(recorder)
        model.fit(*data)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        assert recorder.calls == ["setup", "teardown"]
        assert len(recorder.begun) == len(recorder.ended)
        numbers = [number for name, number in recorder.begun if name == "iterations"]
        assert numbers == list(range(len(numbers)))
        states = recorder.fitted()
        np.testing.assert_array_equal([state.dual_gap_ for state in states][-1], plain.dual_gap_)
        np.testing.assert_array_equal(states[-1].predict(data[0]), plain.predict(data[0]))
        if not np.isnan(plain.dual_gap_):
            assert (np.diff([state.dual_gap_ for state in states]) <= 0).all()

    @pytest.mark.parametrize("model", FITS, ids=_name)
    def test_a_stop_leaves_the_fit_of_that_moment(self, model, data):
        recorder = Recorder(1, "iterations")
        model = clone(model).set_callbacks(recorder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a stop that was asked for is no failure
            model.fit(*data)
        (state,) = recorder.fitted()
        np.testing.assert_array_equal(state.coef_, model.coef_)
        np.testing.assert_array_equal(state.dual_gap_, model.dual_gap_)
        assert recorder.fitted("fit")[0].n_iter_ == model.n_iter_
        np.testing.assert_array_equal(state.predict(data[0]), model.predict(data[0]))

    def test_stopped_gap_is_that_reached(self, data):
        model = LowRankRegressor(0.1, solver="fista", tol=1e-8)
        stopped = clone(model).set_callbacks(Recorder(3, "iterations")).fit(*data)
        best = model.fit(*data)
        assert stopped.dual_gap_ > best.dual_gap_
        assert stopped.objective_ - best.objective_ <= stopped.dual_gap_ + best.dual_gap_

    def test_scoring_monitor(self, stacked):
        from sklearn.callback import ScoringMonitor

        scores = {"accuracy": "accuracy", "gap": lambda model, X, y, **_: model.dual_gap_}
        for scoring in ("accuracy", scores):
            monitor = ScoringMonitor(scoring=scoring)
            model = BlockSparseClassifier(0.01, task_column=-1, tol=1e-6).set_callbacks(monitor)
            model.fit(*stacked)
            rows = [row for row in monitor.get_logs().data if row["task_name"] == "iterations"]
            assert rows[-1]["accuracy"] == model.score(*stacked) > rows[0]["accuracy"]
        gaps = [row["gap"] for row in rows]
        assert gaps[-1] == model.dual_gap_ and sorted(gaps, reverse=True) == gaps

    def test_scoring_monitor_with_missing_labels(self, data):
        from sklearn.callback import ScoringMonitor

        monitor = ScoringMonitor(scoring={"r2": make_task_scorer("r2")})
        weights = np.random.default_rng(0).uniform(size=data[1].shape)
        model = BlockSparseRegressorCV(alphas=[1.0, 0.1, 0.01], cv=2).set_callbacks(monitor)
        model.fit(*data, weights)
        rows = monitor.get_logs().data
        expected = make_task_scorer("r2")(model, *data, sample_weight=weights)
        assert rows[0]["r2"] == expected and rows[0]["task_name"] == "fit"
        assert rows[-1]["r2"] == expected and rows[-1]["task_name"] == "iterations"

    def test_sample_weight_is_metadata(self, data):
        recorder, weights = Recorder(), np.linspace(0, 1, 40)
        model = BlockSparseRegressor(0.1).set_callbacks(recorder).fit(*data, weights)
        assert all(metadata["sample_weight"] is weights for _, _, metadata in recorder.ended)
        plain = BlockSparseRegressor(0.1).fit(*data, sample_weight=weights)
        np.testing.assert_array_equal(model.coef_, plain.coef_)

    def test_tasks_that_do_not_enter_the_objective(self, data):
        recorder = Recorder()
        model = BlockSparseClassifier().set_callbacks(recorder)
        with pytest.warns(UserWarning, match="All labels are the same") as caught:
            model.fit(data[0], np.ones((40, 2)))
        assert caught[0].filename == __file__
        assert len(recorder.begun) == len(recorder.ended) == 2

    def test_clone_and_pickle(self, data):
        model = BlockSparseRegressor(0.1).set_callbacks(Recorder()).fit(*data)
        assert is_followed(clone(model)) and not is_followed(clone(model).set_callbacks())
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            np.testing.assert_array_equal(again.predict(data[0]), model.predict(data[0]))
            again.fit(*data)
        assert not {"_callback_fit_ctx", "_parent_callback_ctx"} & vars(model).keys()


@needs_callbacks
class TestSearches:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("model", SEARCHES, ids=_name)
    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_tasks_begin_and_end(self, model, n_jobs, data):
        recorder, plain = Recorder(), clone(model).fit(*data)
        model = clone(model).set_params(n_jobs=n_jobs).set_callbacks(recorder)
        model.fit(*data)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        assert recorder.calls == ["setup", "teardown"]
        assert sorted(name for name, _ in recorder.begun) == sorted(
            name for name, _, _ in recorder.ended
        )
        assert recorder.count("fit") >= 6

    def test_folds_and_alphas(self, data):
        recorder = Recorder()
        clone(SEARCHES[0]).set_callbacks(recorder).fit(*data)
        assert recorder.count("fold") == 3 and recorder.count("fit") == 3 * 4 + 1
        assert recorder.count("refit") == recorder.count("cross-validation") == 1
        assert recorder.fitted("refit")[0].dual_gap_ == recorder.fitted()[-1].dual_gap_

    def test_stop_of_a_cross_validation(self, data):
        whole = clone(SEARCHES[0]).fit(*data)
        model = clone(SEARCHES[0]).set_callbacks(Recorder(6, "fit"))
        with pytest.warns(UserWarning, match="after 1 of 3 folds"):
            model.fit(*data)
        np.testing.assert_array_equal(model.mse_path_[:, 0], whole.mse_path_[:, 0])
        assert np.isnan(model.mse_path_[:, 1:]).all()
        assert model.alpha_ == model.alphas_[model.mse_path_[:, 0].argmin()]
        assert model.dual_gap_ < model.objective_
        side_by_side = clone(SEARCHES[1]).set_callbacks(Recorder(7, "fit"))
        with pytest.warns(UserWarning, match="among the 2 of 4 strengths"):
            side_by_side.fit(*data)
        assert side_by_side.alpha_ in side_by_side.alphas_[:2]

    @pytest.mark.parametrize("model", SEARCHES, ids=_name)
    def test_stop_before_anything_is_selected(self, model, data):
        recorder = Recorder(1, "fit")
        model = clone(model).set_callbacks(recorder)
        with pytest.raises(RuntimeError, match="A callback stopped .* nothing is fitted"):
            model.fit(*data)
        assert recorder.calls == ["setup", "teardown"] and not hasattr(model, "coef_")

    def test_stop_of_structures(self, data):
        names = ["block_sparse", "low_rank", "dirty"]
        whole = StructureSearchRegressorCV(names, alphas=8, cv=2, nested=True, random_state=0)
        # The pooled fits, the first four strengths of the others, and a part of the rest.
        recorder = Recorder(16 + 4 * 2 * 4 + 3, "fit")
        model = clone(whole).set_callbacks(recorder)
        with pytest.warns(UserWarning, match="of 5 structures have scores"):
            model.fit(*data)
        assert len(model.results_.structures) == 5 and model.nested_ is None
        assert model.best_structure_ in names and model.coef_.shape == (3, 6)

    def test_path(self, data):
        recorder = Recorder(2, "fit")
        model = BlockSparseRegressor().set_callbacks(recorder)
        alphas, coefs, gaps = path(model, *data, alphas=5)
        assert len(alphas) == len(gaps) == coefs.shape[2] == 2
        np.testing.assert_array_equal(recorder.fitted("fit")[1].coef_, coefs[:, :, 1])
        whole = path(BlockSparseRegressor(), *data, alphas=5)
        np.testing.assert_array_equal(coefs, whole[1][:, :, :2])

    def test_sample_weight_reaches_all_fits(self, data):
        weights = np.tile([0.0, 1.0, 2.0, 1.0], 10)
        for model in SEARCHES:
            recorder = Recorder()
            followed = clone(model).set_callbacks(recorder).fit(*data, weights)
            plain = clone(model).fit(*data, weights)
            np.testing.assert_array_equal(followed.coef_, plain.coef_)
            assert recorder.ended[-1][2]["sample_weight"] is weights


@needs_callbacks
class TestWithinScikitLearn:
    def test_grid_search_and_pipelines(self, stacked):
        X, y = stacked
        recorder = Recorder()
        model = make_pipeline(StandardScaler(), BlockSparseRegressorCV(alphas=2, eps=0.1, cv=2))
        search = GridSearchCV(model, {"blocksparseregressorcv__rule": ["best", "1se"]}, cv=2)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*does not support callbacks")
            search.set_callbacks(recorder).fit(X[:, :-1], y)
        assert recorder.calls == ["setup", "teardown"]
        assert recorder.count("cross-validation") == 2 * 2 + 1
        assert not is_followed(search.best_estimator_[-1])
        weights = np.linspace(0.1, 1, len(y))
        name = {"blocksparseregressorcv__sample_weight": weights}
        plain = clone(search).set_callbacks().fit(X[:, :-1], y, **name)
        search.fit(X[:, :-1], y, **name)
        np.testing.assert_array_equal(search.predict(X[:, :-1]), plain.predict(X[:, :-1]))

    def test_progress_bar(self, data, capsys):
        pytest.importorskip("rich")
        from sklearn.callback import ProgressBar

        X, y = data[0], np.nan_to_num(data[1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            grid = {"alpha": [0.1, 1.0]}
            GridSearchCV(BlockSparseRegressor(), grid, cv=2).set_callbacks(ProgressBar()).fit(X, y)
            AlphaSearchCV(LowRankRegressor(), alphas=[1.0, 0.1, 0.01], cv=2).set_callbacks(
                ProgressBar()
            ).fit(X, y)
            cross_validate(BlockSparseRegressor().set_callbacks(ProgressBar()), X, y, cv=2)
        shown = capsys.readouterr().out
        assert "GridSearchCV - fit" in shown and "AlphaSearchCV - fold #1" in shown

    @pytest.mark.slow  # processes import everything anew
    def test_processes(self, data):
        from joblib import parallel_config
        from sklearn.callback import ScoringMonitor

        X, y = data[0], np.nan_to_num(data[1])
        monitor = ScoringMonitor(scoring="r2")
        model = BlockSparseRegressor().set_callbacks(monitor)
        recorder = Recorder()
        with parallel_config("loky", n_jobs=2):
            GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, y)
            followed = clone(SEARCHES[0]).set_params(n_jobs=2).set_callbacks(recorder).fit(X, y)
        assert len({row["parent_task_id_path"] for row in monitor.get_logs().data}) >= 5
        np.testing.assert_array_equal(followed.coef_, clone(SEARCHES[0]).fit(X, y).coef_)
        # What happens in another process stays there, unless the callback sends it.
        assert recorder.count("cross-validation") == recorder.count("refit") == 1


@pytest.mark.turns(2)
@needs_callbacks
@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("steps", [(), (StandardScaler(),)], ids=["alone", "pipeline"])
def test_transfer_gain(data, tune, steps):
    recorder = Recorder()
    model = BlockSparseRegressor(0.1)
    model = (make_pipeline(*steps, model) if steps else model).set_callbacks(recorder)
    kept = {"cv": 2, "n_repeats": 1, "tune": tune, "baselines": ["independent"], "random_state": 0}
    followed = transfer_gain(model, *data, **kept)
    assert recorder.calls == ["setup", "teardown"] * 2  # only the fit of each outer fold
    assert recorder.count("iterations") > 2
    model.set_callbacks()
    silent = transfer_gain(model, *data, **kept)
    losses = [result["independent"].fold_gains for result in (followed, silent)]
    np.testing.assert_array_equal(*losses)


@needs_callbacks
@pytest.mark.parametrize("model", [BlockSparseRegressor(0.1), SEARCHES[0], SEARCHES[3]], ids=_name)
def test_interrupted_fit(data, model):
    recorder = Recorder()
    recorder.on_fit_task_end = interrupt
    model = clone(model).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data)
    assert recorder.calls == ["setup", "teardown"]
    with pytest.raises(NotFittedError):
        model.predict(data[0])
    expected = clone(model).set_callbacks().fit(*data).coef_
    np.testing.assert_array_equal(model.set_callbacks().fit(*data).coef_, expected)


def interrupt(estimator, context):
    raise KeyboardInterrupt
