"""Sums for several tasks at once equal their definition, whatever the pattern of the weights."""

import tracemalloc

import numpy as np
import pytest

from skmtl import BlockSparseRegressor, MultiTaskRegressor
from skmtl.design import Moments, _moments, _patterns, _task_sums, _validation, read_regression

N_SAMPLES, N_FEATURES, N_TASKS = 700, 6, 5


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Use several tasks at once, several batches and several groups for few rows too."""
    monkeypatch.setattr(_moments, "_LARGE", 0)
    monkeypatch.setattr(_validation, "_LARGE", 0)
    monkeypatch.setattr(_task_sums, "_BATCH_ENTRIES", 0)
    monkeypatch.setattr(_task_sums, "_FEWEST_ROWS", 40)
    monkeypatch.setattr(_task_sums, "_N_MEANS", 5)
    monkeypatch.setattr(_task_sums, "_ROWS_PER_PATTERN", 50)
    monkeypatch.setattr(_task_sums, "_ENTRIES_PER_PATTERN", 0)


def masked(rng):
    """A third of the labels is missing: all patterns occur."""
    return 1.0 * (rng.random((N_SAMPLES, N_TASKS)) < 0.7)


def in_blocks(rng):
    """Some tasks lack the labels of consecutive rows: few patterns."""
    weights = np.ones((N_SAMPLES, N_TASKS))
    weights[100:300, 1], weights[200:500, 3] = 0, 0
    return weights


def with_rare_weights(rng):
    """Few distinct weights, one of which a look at some of the rows misses."""
    weights = rng.integers(0, 3, (N_SAMPLES, N_TASKS)) / 2
    weights[1, 2] = 7.0
    return weights


WEIGHTS = {
    "masked": masked,
    "in blocks": in_blocks,
    "by task": lambda rng: masked(rng) * rng.uniform(0.5, 2, N_TASKS),
    "by row": lambda rng: masked(rng) * rng.uniform(0.5, 2, (N_SAMPLES, 1)),
    "few values": with_rare_weights,
    "many values": lambda rng: masked(rng) * rng.uniform(0.5, 2, (N_SAMPLES, N_TASKS)),
    "mixed": lambda rng: np.hstack(
        [masked(rng)[:, :3], rng.uniform(0.5, 2, (N_SAMPLES, N_TASKS - 3))]
    ),
    "disjoint": lambda rng: np.eye(N_TASKS)[rng.integers(0, N_TASKS, N_SAMPLES)],
}


def make(kind, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)) * [1, 3, 0.2, 1, 1, 2] + offset
    Y = X @ rng.standard_normal((N_FEATURES, N_TASKS)) + rng.standard_normal((N_SAMPLES, N_TASKS))
    return X, Y, WEIGHTS[kind](rng)


def read(X, Y, weights):
    return BlockSparseRegressor()._read(X, Y, weights)


def assert_are_sums(moments, X, Y, weights, rtol=1e-12):
    """The moments are sums over all labels, up to rounding relative to the sizes of the factors."""
    X, Y = X.astype(np.float64), Y - moments.y_origin
    for t in range(Y.shape[1]):
        w, rows, labels = weights[:, t], X - moments.x_origin[t], Y[:, t]
        sizes, size = np.sqrt(w @ rows**2), np.sqrt(w @ labels**2)
        x, xx = np.einsum("i,ij->j", w, rows), np.einsum("i,ij,ik->jk", w, rows, rows)
        xy, root = np.einsum("i,ij,i->j", w, rows, labels), np.sqrt(w.sum())
        assert (np.abs(moments.x[t] - x) <= rtol * sizes * root).all()
        assert (np.abs(moments.xx[t] - xx) <= rtol * np.outer(sizes, sizes)).all()
        assert (np.abs(moments.xy[:, t] - xy) <= rtol * sizes * size).all()
        assert np.abs(moments.y[t] - w @ labels) <= rtol * size * root
        assert moments.yy[t] == pytest.approx(size**2, rel=rtol)
        assert moments.counts[t] == (w > 0).sum()
        assert moments.totals[t] == pytest.approx(w.sum(), rel=rtol)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("centre", [True, False])
def test_are_plain_sums(kind, offset, centre):
    X, Y, weights = make(kind, offset)
    data = read(X, Y, weights)
    moments = Moments.of(data, centre=centre)
    assert moments.xx.shape == (N_TASKS, N_FEATURES, N_FEATURES)
    assert_are_sums(moments, data.X, data.y, data.weights)
    if centre:
        means = (weights.T @ (X - offset)) / weights.sum(axis=0)[:, None]
        np.testing.assert_allclose(moments.x_origin - offset, means, atol=1e-12 * (1 + offset))
        spread = np.sqrt(moments.totals[:, None] * np.einsum("tjj->tj", moments.xx))
        assert (np.abs(moments.x) <= 1e-9 * (1 + 1e-3 * offset) * spread).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["rows", "columns", "strided"])
def test_take_any_array(dtype, order, monkeypatch):
    monkeypatch.setattr(_task_sums, "_COPIED_ENTRIES", 0)
    monkeypatch.setattr(_task_sums, "_MOST_ROWS", 300)
    X, Y, weights = make("masked", 3.0)
    X = X.astype(dtype)
    if order == "columns":
        X = np.asfortranarray(X)
    elif order == "strided":
        X = np.repeat(X, 2, axis=1)[:, ::2]
    data = read(X, Y, weights)
    assert_are_sums(Moments.of(data, centre=True), data.X, data.y, data.weights)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_given_origins_are_kept(kind):
    X, Y, weights = make(kind, 1e4)
    data = read(X, Y, weights)
    total = Moments.of(data, centre=True)
    rows = np.arange(len(data.y)) % 4 == 0
    part = data.take(np.flatnonzero(rows))
    moments = Moments.of(part, centre=True, origins=total)
    np.testing.assert_array_equal(moments.x_origin, total.x_origin)
    assert_are_sums(moments, part.X, part.y, part.weights)
    rest = (total - moments).centred()
    expected = Moments.of(data.take(np.flatnonzero(~rows)), centre=True).centred()
    np.testing.assert_allclose(rest.xx, expected.xx, atol=1e-8 * expected.xx.max())


def test_a_feature_that_is_constant_in_a_task_leaves_nothing():
    X, Y, weights = make("in blocks")
    X[:, 4] = np.where(weights[:, 1] > 0, 1 / 3, np.arange(N_SAMPLES) % 7)
    X[:, 5] = np.where(weights[:, 3] > 0, 0.0, 1.0)
    moments = Moments.of(read(X, Y, weights), centre=True).centred()
    for task, feature in [(1, 4), (3, 5)]:
        assert not moments.xx[task, feature].any() and not moments.xx[task, :, feature].any()
        assert moments.xy[feature, task] == 0
        others = np.delete(np.arange(N_TASKS), task)
        assert (moments.xx[others, feature, feature] > 1).all()


def test_a_task_without_labels_has_no_sums():
    X, Y, weights = make("masked")
    data = read(X, Y, weights)
    data.weights[:, 2] = 0
    moments = Moments.of(data, centre=True)
    for sums in (moments.x, moments.xx, moments.xy.T, moments.y, moments.yy, moments.counts):
        assert not sums[2].any()
    assert_are_sums(moments, data.X, data.y, data.weights)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("most", [2, 8, 1000])
def test_patterns_give_the_weights(kind, most):
    weights = make(kind)[2]
    found = _patterns.find_patterns(weights, most)
    rows = np.ones(N_SAMPLES) if found.rows is None else found.rows
    tasks = list(found.others)
    for group in found.groups:
        assert len(group.tasks) == 1 or len(group.patterns) <= most
        assert group.patterns[1:].any(axis=1).all()
        given = rows[:, None] * group.patterns[group.codes]
        np.testing.assert_array_equal(given, weights[:, group.tasks])
        tasks += group.tasks.tolist()
    assert sorted(tasks) == list(range(N_TASKS))
    if most == 1000:
        assert len(found.groups) == (kind != "many values")


class TestRowsWithoutLabels:
    def make(self):
        X, Y, weights = make("masked")
        Y[weights == 0] = np.nan
        X[::5], Y[::5] = 1e6, np.nan
        return X, Y, ~np.isnan(Y).all(axis=1)

    @pytest.mark.turns(2)
    @pytest.mark.parametrize("scale_tasks", [False, True])
    @pytest.mark.parametrize("loss", ["squared", "huber"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_do_not_change_the_fit(self, loss, scale_tasks, weighted):
        X, Y, used = self.make()
        weights = np.random.default_rng(1).uniform(0.5, 2, Y.shape) if weighted else None
        some = None if weights is None else weights[used]
        params = {"loss": loss, "scale_tasks": scale_tasks, "tol": 1e-12}
        model = MultiTaskRegressor(**params).fit(X, Y, weights)
        other = MultiTaskRegressor(**params).fit(X[used], Y[used], some)
        np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=1e-6, atol=1e-8)
        assert model.objective_ == pytest.approx(other.objective_, rel=1e-9)

    def test_remain_on_request_only(self):
        X, Y, used = self.make()
        estimator = BlockSparseRegressor()
        assert read_regression(estimator, X, Y, None, keep_rows=True).X is X
        data = read_regression(estimator, X, Y, None)
        np.testing.assert_array_equal(data.X, X[used])
        kept = read_regression(estimator, X, Y, None, keep_rows=True).labelled()
        np.testing.assert_array_equal(kept.X, data.X)
        np.testing.assert_array_equal(kept.y, data.y)

    def test_are_not_removed_by_a_copy(self):
        rng = np.random.default_rng(0)
        X, Y = rng.standard_normal((40_000, 30)), rng.standard_normal((40_000, 3))
        Y[rng.random(Y.shape) < 0.3] = np.nan
        BlockSparseRegressor(alpha=0.1).fit(X, Y)  # loads compiled code
        tracemalloc.start()
        BlockSparseRegressor(alpha=0.1).fit(X, Y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < X.nbytes
