"""Sufficient statistics: what they hold, how they add up, and what they refuse."""

import json
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skmtl import BlockSparseRegressor
from skmtl.design import TaskStatistics
from tests.statistics_cases import every_layout, make_case


def direct(case, task):
    """Count, weight, means and centred products of one task, in extended precision."""
    X, y = case.X.astype(np.longdouble), case.y
    weights = np.ones(len(y)) if case.weights is None else case.weights
    if case.params:
        used = X[:, -1] == task
        X, y = X[used, :-1], y[used]
    else:
        y = y if y.ndim == 1 else y[:, task]
        used = ~np.isnan(y)
        X, y = X[used], y[used]
    s, y = weights[used].astype(np.longdouble), y.astype(np.longdouble)
    x_mean, y_mean = s @ X / s.sum(), s @ y / s.sum()
    A, b = X - x_mean, y - y_mean
    return len(y), s.sum(), x_mean, y_mean, (A.T * s) @ A, (A.T * s) @ b, s @ b**2


def assert_sums(statistics, case, rtol=1e-12):
    for place, task in enumerate(statistics.tasks_.tolist()):
        count, weight, x_mean, y_mean, xx, xy, yy = direct(case, task)
        found = statistics.scatter(task)
        size = np.sqrt(np.diag(xx))
        assert statistics.label_counts_[place] == count
        assert float(statistics.weight_sums_[place]) == pytest.approx(float(weight), rel=rtol)
        np.testing.assert_allclose(statistics.x_means_[place], x_mean.astype(float), rtol=rtol)
        np.testing.assert_allclose(statistics.y_means_[place], float(y_mean), rtol=rtol)
        np.testing.assert_allclose(found[0], xx.astype(float), atol=rtol * size.max() ** 2)
        np.testing.assert_allclose(found[1], xy.astype(float), atol=rtol * size.max() * yy**0.5)
        np.testing.assert_allclose(found[2], float(yy), rtol=rtol)


def assert_same(one, other, rtol=1e-12):
    assert one.tasks_.tolist() == other.tasks_.tolist()
    np.testing.assert_array_equal(one.label_counts_, other.label_counts_)
    for name in ("weight_sums_", "x_means_", "y_means_"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol)
    for task in one.tasks_.tolist():
        for own, theirs in zip(one.scatter(task), other.scatter(task), strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(own, theirs, rtol=rtol, atol=rtol * scale)


class TestSums:
    @pytest.mark.turns(2)
    @every_layout
    @pytest.mark.parametrize("n_batches", [1, 3, 120])
    def test_are_those_of_all_rows(self, layout, n_batches):
        case = make_case(layout)
        assert_sums(case.statistics(n_batches), case)

    @every_layout
    def test_large_means_lose_nothing(self, layout):
        case = make_case(layout, offset=1e8)
        assert_sums(case.statistics(7), case)

    @every_layout
    def test_the_order_of_the_batches_does_not_matter(self, layout):
        case = make_case(layout)
        order = np.random.default_rng(1).permutation(len(case.X))
        rows = np.array_split(order, 5)
        shuffled = TaskStatistics.from_batches(map(case.part, rows), **case.params)
        assert_same(shuffled, case.statistics())

    def test_tasks_share_a_gram_matrix_while_no_label_is_missing(self):
        case, incomplete = make_case("shared"), make_case("missing", seed=1)
        statistics = case.statistics()
        alone = statistics.nbytes
        assert "1 Gram matrix" in repr(statistics)
        statistics.update(*incomplete.part(slice(None)))
        assert "4 Gram matrices" in repr(statistics) and statistics.nbytes > alone
        whole = make_case("shared")
        whole.X, whole.y = np.vstack([case.X, incomplete.X]), np.vstack([case.y, incomplete.y])
        whole.weights = np.append(np.ones(len(case.X)), incomplete.weights)
        assert_sums(statistics, whole)

    def test_only_half_of_each_gram_matrix_is_kept(self):
        case = make_case("stacked", n=400, n_features=60)
        assert case.statistics().nbytes < 1.2 * 8 * 4 * 60 * 61 / 2

    def test_a_stream_of_new_tasks_is_not_copied_for_each(self):
        rng, statistics = np.random.default_rng(0), TaskStatistics(task_column=-1)
        make_case("stacked").statistics()  # whatever is loaded at the first call
        tracemalloc.start()
        for task in range(100):
            X = np.column_stack([rng.normal(size=(3, 20)), np.full(3, task)])
            statistics.update(X, X[:, 0])
        assert tracemalloc.get_traced_memory()[1] < 4 * statistics.nbytes
        tracemalloc.stop()
        assert len(statistics.tasks_) == 100

    def test_sparse_rows_weights_of_zero_and_offsets(self):
        case = make_case("stacked")
        whole = case.statistics()
        sparse = TaskStatistics(task_column=-1).update(sp.csr_array(case.X), case.y, case.weights)
        assert_same(sparse, whole)
        more = np.vstack([case.X, case.X + 1])
        weights = np.append(case.weights, np.zeros(len(case.X)))
        twice = TaskStatistics(task_column=-1).update(more, np.tile(case.y, 2), weights)
        assert_same(twice, whole)
        shift = np.linspace(0, 1, len(case.y))
        beside = np.column_stack([shift, case.X])
        moved = TaskStatistics(task_column=-1, offset_column=0)
        assert_same(moved.update(beside, case.y + shift, case.weights), whole)


class TestArithmetic:
    @every_layout
    def test_parts_add_up_and_can_be_left_out(self, layout):
        case = make_case(layout)
        numbers = np.arange(len(case.X)) % 4
        parts = case.parts(numbers)
        assert_same(sum(parts), case.statistics())
        rest = sum(parts) - parts[2]
        assert_same(rest, sum(parts[:2]) + parts[3], rtol=1e-11)

    def test_operands_stay_as_they_are(self):
        one, other = make_case("stacked").parts(np.arange(120) % 2)
        before = one.scatter(10)[0]
        whole = one + other
        whole - other
        whole.update(*make_case("stacked", seed=3).part(slice(None)))
        np.testing.assert_array_equal(one.scatter(10)[0], before)
        assert one.label_counts_.sum() == 60

    def test_a_task_whose_labels_are_all_subtracted_is_gone(self):
        case = make_case("stacked")
        alone = case.X[:, -1] == 20
        part = TaskStatistics(task_column=-1).update(*case.part(alone))
        rest = case.statistics() - part
        assert rest.tasks_.tolist() == [0, 10, 30]
        back = rest + part
        assert_same(back, case.statistics())

    def test_cancellation_warns(self):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
        small = TaskStatistics().update(X, y)
        large = TaskStatistics().update(1e7 * X, y, np.full(50, 1e4))
        with pytest.warns(UserWarning, match="Add up the statistics of the other rows"):
            (small + large) - large

    def test_more_than_there_is_cannot_be_subtracted(self):
        one, other = make_case("stacked").parts(np.arange(120) % 2)
        with pytest.raises(ValueError, match="hold more labels"):
            one - (one + other)

    def test_different_columns_do_not_add_up(self):
        case = make_case("stacked")
        narrow = TaskStatistics(task_column=-1).update(case.X[:, 1:], case.y)
        with pytest.raises(ValueError, match="n_features_in_ is 6 and 5"):
            case.statistics() + narrow
        with pytest.raises(ValueError, match="different task_column"):
            case.statistics() + TaskStatistics(task_column=0).update(case.X[:, ::-1], case.y)
        with pytest.raises(TypeError):
            case.statistics() + 1


class TestBatchesThatDoNotFit:
    def test_the_message_names_the_batch_and_nothing_is_added(self):
        case = make_case("stacked")
        statistics = case.statistics(3)
        before = repr(statistics)
        wrong = case.X.copy()
        wrong[3, 1] = np.inf
        with pytest.raises(ValueError, match="Batch 3: .*infinity"):
            statistics.update(wrong, case.y)
        with pytest.raises(ValueError, match="Batch 3: .*5 features.* 6"):
            statistics.update(case.X[:, 1:], case.y)
        with pytest.raises(ValueError, match="Batch 3: .*inconsistent"):
            statistics.update(case.X, case.y[1:])
        assert repr(statistics) == before

    def test_ids_of_another_type(self):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "id": [1, 1, 2]})
        statistics = TaskStatistics(task_column="id").update(frame, [1.0, 2.0, 3.0])
        frame["id"] = ["a", "b", "b"]
        with pytest.raises(ValueError, match="Batch 1: .*ids are strings such as 'a'.*numbers"):
            statistics.update(frame, [1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="Batch 1: .*feature names"):
            statistics.update(frame.rename(columns={"x": "z"}), [1.0, 2.0, 3.0])

    def test_other_columns_of_y(self):
        case = make_case("shared")
        statistics = case.statistics()
        with pytest.raises(ValueError, match=r"columns of y must be \[0, 1, 2, 3\].*misses \[3\]"):
            statistics.update(case.X, case.y[:, :3])
        with pytest.raises(ValueError, match="single layout"):
            statistics.update(case.X, case.y[:, 0])

    def test_a_first_batch_that_is_refused_sets_no_columns(self):
        statistics = TaskStatistics()
        with pytest.raises(ValueError, match="Batch 0"):
            statistics.update(np.full((3, 2), np.nan), np.zeros(3))
        statistics.update(np.eye(3), np.zeros(3))
        assert statistics.n_features_in_ == 3

    def test_memory_is_bounded(self):
        case = make_case("stacked")
        statistics = TaskStatistics(task_column=-1, memory_limit=3 * 8 * 15)
        with pytest.raises(ValueError, match="4 Gram matrices of 5 features.*memory_limit"):
            statistics.update(*case.part(slice(None)))
        statistics.update(*case.part(case.X[:, -1] < 30))
        with pytest.raises(ValueError, match="Batch 1: 4 Gram matrices"):
            statistics.update(*case.part(slice(None)))

    def test_other_things_than_batches(self):
        with pytest.raises(TypeError, match="Batch 0 is a ndarray; pass tuples"):
            TaskStatistics.from_batches([np.eye(3)])
        with pytest.raises(ValueError, match="hold no labels"):
            TaskStatistics().tasks_  # noqa: B018
        with pytest.raises(ValueError, match="not among the tasks"):
            make_case("stacked").statistics().scatter(5)


class TestFiles:
    @every_layout
    def test_round_trip(self, layout, tmp_path):
        case = make_case(layout)
        statistics = case.statistics()
        statistics.save(tmp_path / "sums.npz")
        loaded = TaskStatistics.load(tmp_path / "sums.npz")
        assert_same(loaded, statistics, rtol=0)
        assert repr(loaded) == repr(statistics) and loaded.get_params() == statistics.get_params()
        loaded.update(*case.part(slice(None)))  # goes on where the other stopped
        assert loaded.n_batches_ == 4

    @pytest.mark.parametrize("kind", ["str", "datetime64[D]", "int"])
    def test_names_and_ids_are_kept(self, kind, tmp_path):
        pd = pytest.importorskip("pandas")
        ids = {"str": ["b", "a"], "datetime64[D]": ["2024-01-02", "2023-05-06"], "int": [7, 3]}
        column = np.array(ids[kind], dtype=kind)
        frame = pd.DataFrame({"x": [1.0, 2.0], "id": column})
        statistics = TaskStatistics(task_column="id").update(frame, [1.0, 2.0])
        statistics.save(tmp_path / "sums.npz")
        loaded = TaskStatistics.load(tmp_path / "sums.npz")
        assert loaded.tasks_.tolist() == statistics.tasks_.tolist()
        assert loaded.feature_names_in_.tolist() == ["x", "id"]
        loaded.update(frame, [1.0, 2.0])

    def test_damaged_foreign_and_newer_files(self, tmp_path):
        path = tmp_path / "sums.npz"
        make_case("stacked").statistics().save(path)
        with np.load(path) as stored:
            arrays = dict(stored)
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(ValueError, match=r"sums.npz' is damaged"):
            TaskStatistics.load(path)
        np.savez(path, x=np.eye(2))
        with pytest.raises(ValueError, match="not a file of TaskStatistics.save"):
            TaskStatistics.load(path)
        header = json.loads(str(arrays["header"]))
        np.savez(path, **arrays | {"header": np.array(json.dumps(header | {"version": 9}))})
        with pytest.raises(ValueError, match="version 9.*Update skmtl"):
            TaskStatistics.load(path)
        np.savez(path, **arrays | {"xy": arrays["xy"][:, :2]})
        with pytest.raises(ValueError, match="do not fit together"):
            TaskStatistics.load(path)
        with pytest.raises(FileNotFoundError):
            TaskStatistics.load(tmp_path / "none.npz")


def test_clones_are_empty_and_keep_the_columns():
    copied = clone(make_case("stacked").statistics())
    assert repr(copied) == "TaskStatistics(no labels)" and copied.task_column == -1


def test_an_empty_one_is_neutral():
    case = make_case("stacked")
    whole, none = case.statistics(), TaskStatistics(task_column=-1)
    assert_same(none + whole, whole)
    assert_same(whole + none, whole)
    assert_same(whole - none, whole)


def test_batches_without_labels_are_skipped():
    case = make_case("stacked")
    statistics = TaskStatistics(task_column=-1).update(case.X, case.y, np.zeros(len(case.y)))
    with pytest.raises(ValueError, match="hold no labels"):
        BlockSparseRegressor(task_column=-1).fit_statistics(statistics)
    statistics.update(*case.part(slice(None)))
    assert_sums(statistics, case)


class TestEmptiedTasks:
    @every_layout
    def test_no_rounding_error_remains(self, layout):
        case, rng = make_case(layout, offset=50.0), np.random.default_rng(2)
        case.weights = rng.uniform(0.01, 0.1, len(case.X))
        rest = case.statistics()
        for rows in np.array_split(rng.permutation(len(case.X)), 7):
            rest = rest - TaskStatistics(**case.params).update(*case.part(rows))
        later = make_case(layout, n=12, seed=3)
        later.weights = rng.uniform(0.01, 0.1, 12)
        added = later.statistics(1)
        assert not rest.weight_sums_.any() and not rest.x_means_.any()
        assert_same(rest + added, added)

    def test_nothing_is_left_to_fit(self):
        statistics = make_case("stacked").statistics()
        empty, model = statistics - statistics, BlockSparseRegressor(task_column=-1)
        for given in (empty, [statistics, empty]):
            with pytest.raises(ValueError, match="All labels of the statistics have been subtract"):
                model.fit_statistics(given)


class TestIdsOfDifferentTypes:
    @staticmethod
    def days(first, dtype):
        pd = pytest.importorskip("pandas")
        ids = (np.arange(12) % 3).astype(dtype) + dtype(first)
        frame = pd.DataFrame({"x": np.arange(12.0) ** 2, "task": ids})
        return TaskStatistics(task_column="task").update(frame, np.arange(12.0))

    @pytest.mark.parametrize("first", [4, 2**62])
    def test_integers_stay_integers(self, first):
        signed, unsigned = self.days(first, np.int64), self.days(first + 2, np.uint64)
        expected = list(range(first, first + 5))
        both = signed + unsigned
        assert both.tasks_.tolist() == expected
        assert both.label_counts_.tolist() == [4, 4, 8, 4, 4]
        fitted = BlockSparseRegressor(task_column="task").fit_statistics([signed, unsigned])
        assert fitted.tasks_.tolist() == expected
        whole = BlockSparseRegressor(task_column="task").fit_statistics(both)
        np.testing.assert_allclose(fitted.coef_, whole.coef_, atol=1e-9)

    def test_without_a_common_type(self):
        signed, unsigned = self.days(-3, np.int64), self.days(2**63 + 1, np.uint64)
        with pytest.raises(ValueError, match="would become equal. Convert the task column"):
            signed + unsigned
        with pytest.raises(ValueError, match="would become equal. Convert the task column"):
            BlockSparseRegressor(task_column="task").fit_statistics([signed, unsigned])


def test_a_sum_of_one_is_a_copy():
    statistics = make_case("shared").statistics()
    total = sum([statistics])
    total.update(*make_case("shared").part(slice(None)))
    assert statistics.label_counts_.tolist() == [120] * 4
    assert total.label_counts_.tolist() == [240] * 4


@pytest.mark.parametrize("other", [np.zeros(2), None, 1, "a"])
def test_only_statistics_add_up(other):
    with pytest.raises(TypeError, match="unsupported operand"):
        make_case("shared").statistics() + other


def test_arrays_are_no_statistics(tmp_path):
    np.save(tmp_path / "array.npy", np.eye(2))
    with pytest.raises(ValueError, match=r"not a file of TaskStatistics.save"):
        TaskStatistics.load(tmp_path / "array.npy")
