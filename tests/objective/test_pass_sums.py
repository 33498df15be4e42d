"""Sums of a pass over parts of the data add up to those over all of it."""

import pickle

import numpy as np
import pytest

from skmtl.design import TaskData
from skmtl.losses import LogisticLoss, PoissonLoss
from skmtl.objective import BatchRows, PassRequest
from skmtl.objective._pass_sums import DualStep, Way
from skmtl.solvers import Place

D, T, N = 4, 3, 60


def rows_of(kind, loss, rows, factor=1.0):
    """Rows of simulated data in one layout; tasks without weights are absent."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N, D)), rng.poisson(2.0, (N, T)).astype(float)
    if isinstance(loss, LogisticLoss):
        Y = np.where(Y > 1, 1.0, -1.0)
    weights = rng.uniform(0.5, 2, (N, T))
    if kind == "proportional":
        weights = weights[:, :1] * np.array([1.0, 2.0, 0.5]) * factor
    if kind == "missing":
        weights[rng.random((N, T)) < 0.3] = 0.0
        weights[: N // 2, 1] = 0.0
    tasks, codes = np.arange(T), None
    if kind == "stacked":
        codes = np.sort(rng.integers(T, size=N))[rows]
        Y, weights = Y[:, 0], weights[:, 0]
    layout = "stacked" if kind == "stacked" else "shared"
    data = TaskData(layout, X[rows], Y[rows], weights[rows], tasks, codes, tasks, tasks)
    return BatchRows(data, loss, np.array([0.1, 0.2, 0.3]))


def request(*, bend=True, null=True):
    rng = np.random.default_rng(1)
    places = [Place(0.1 * rng.normal(size=(D, T)), 0.1 * rng.normal(size=T)) for _ in range(4)]
    places[0] = Place(np.zeros((D, T)), np.zeros(T))
    duals = (DualStep(places[2], (1.0, 0.5)), DualStep(places[3], (0.9,)))
    way = Way(places[1], places[3], duals)
    return PassRequest(places[0], bend, places[1].b if null else None, True, way)


def total(asked, batches):
    sums = asked.start()
    for rows in batches:
        asked.add(sums, rows)
    return sums


def numbers(sums):
    """All sums as one vector."""
    grams = sums.bend.grams * sums.bend.ratios[:, None, None] if len(sums.bend.grams) else [0.0]
    parts = [sums.value, sums.gradient, sums.slope, sums.bend.cross, sums.bend.totals, grams]
    parts += [sums.null.values, sums.null.slope, sums.null.bend, [*sums.values.values()]]
    for dual in sums.duals:
        parts += [dual.reach, [*dual.conjugates.values()]]
    return np.concatenate([np.ravel(part) for part in parts])


@pytest.mark.parametrize("bend", [True, False])
@pytest.mark.parametrize("loss", [LogisticLoss(), PoissonLoss()], ids=["logistic", "poisson"])
@pytest.mark.parametrize("kind", ["weighted", "proportional", "missing", "stacked"])
def test_sums_over_parts_add_up(kind, loss, bend):
    asked = pickle.loads(pickle.dumps(request(bend=bend)))
    whole = total(asked, [rows_of(kind, loss, slice(None))])
    parts = [total(asked, [rows_of(kind, loss, slice(k, k + 20))]) for k in (0, 20, 40)]
    before = [numbers(part) for part in parts]
    added = asked.start() + parts[0] + (parts[1] + asked.start() + parts[2])
    np.testing.assert_allclose(numbers(added), numbers(whole), rtol=1e-12, atol=1e-13)
    assert added.bend.empty == whole.bend.empty == (not bend)
    for part, values in zip(parts, before, strict=True):
        np.testing.assert_array_equal(numbers(part), values)  # summands are not changed


def test_one_matrix_is_kept_while_the_tasks_have_proportional_weights():
    asked = request()
    one, other = (
        total(asked, [rows_of("proportional", LogisticLoss(), slice(k, k + 20))]) for k in (0, 20)
    )
    assert (one + other).bend.grams.shape == (1, D, D)
    tripled = [1.0, 3.0, 1.0]
    unlike = total(asked, [rows_of("proportional", LogisticLoss(), slice(20, 40), tripled)])
    both = one + unlike
    assert both.bend.grams.shape == (T, D, D)
    exact = total(
        asked,
        [
            rows_of("proportional", LogisticLoss(), slice(0, 20)),
            rows_of("proportional", LogisticLoss(), slice(20, 40), tripled),
        ],
    )
    np.testing.assert_allclose(numbers(both), numbers(exact), rtol=1e-12, atol=1e-13)
