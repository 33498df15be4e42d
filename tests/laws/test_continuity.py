"""Laws of all penalties and losses: rounding errors in arguments cause only rounding errors.

A new penalty is a row of the table.
"""

import itertools

import numpy as np
import pytest

from skmtl.losses import HuberLoss, LogisticLoss, PoissonLoss, SquaredHingeLoss, SquaredLoss
from skmtl.penalties import (
    L1,
    L21,
    ClusterNorm,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    PairwiseFusion,
    Positive,
    RelaxedClusterNorm,
    Ridge,
    SparseGroup,
    SquaredTraceNorm,
    Superposition,
    TaskGroup,
    TaskQuadratic,
    TraceNorm,
    TreeGroup,
    WeightedRows,
    split,
)

SHAPE = (5, 4)
RING = np.array([[0.0, 1, 0, 2], [1, 0, 3, 0], [0, 3, 0, 1], [2, 0, 1, 0]])
LAPLACIAN = np.diag(RING.sum(axis=0)) - RING
GROUPS = [[0, 1, 2, 3], [0, 1], [2, 3], [3]]

# A new penalty is a row here.
PENALTIES = {
    "L1": L1(0.7),
    "L21": L21(1.3),
    "L1Inf": L1Inf(0.9),
    "SparseGroup": SparseGroup(0.8, 0.4),
    "SparseGroup-linf": SparseGroup(0.8, 0.4, "linf"),
    "TaskGroup": TaskGroup(0.6),
    "WeightedRows": WeightedRows(L21(0.6), np.array([1.0, 0.2, 3.0, 1.0, 0.5])),
    "Positive": Positive(SparseGroup(0.6, 0.3)),
    "Ridge": Ridge(0.8),
    "Ridge-each": Ridge(np.array([0.5, 0.1, 3.0, 1.0])),
    "TaskQuadratic": TaskQuadratic(LAPLACIAN, 0.8),
    "TraceNorm": TraceNorm(0.8),
    "SquaredTraceNorm": SquaredTraceNorm(0.8),
    **{
        f"ClusterNorm-{r}-{mean}": ClusterNorm(0.5, r, 0.3, mean)
        for r in (1, 2, 3, 4)
        for mean in (0.0, 0.2)
    },
    **{
        f"RelaxedClusterNorm-{k}-{eta}": RelaxedClusterNorm(0.5, k, eta)
        for k in (1, 2, 4)
        for eta in (0.1, 2.0)
    },
    "FusedTasks": FusedTasks(0.7, 1.5),
    "FusedTasks-all": FusedTasks(0.7, 1.0, 0.5, 0.8, [2, 0, 3, 1]),
    "PairwiseFusion": PairwiseFusion(0.7, 0.6),
    "PairwiseFusion-all": PairwiseFusion(0.7, 0.4, 0.5, 0.8),
    "TreeGroup": TreeGroup(0.6, GROUPS, [0.5, 2.0, 1.0, 0.4]),
    "GraphTotalVariation": split(GraphTotalVariation(RING, 0.7))[0],
    "Terms": split(L1(0.3) + TraceNorm(0.5))[0],
    "Superposition": Superposition(L21(0.6), L1(0.4)),
}


def _points():
    """Matrices at which a formula may branch: deficient ranks, ties, duplicates."""
    rng = np.random.default_rng(0)
    full = rng.standard_normal(SHAPE)
    zeros = np.zeros(SHAPE)
    diagonal = zeros.copy()
    diagonal[range(4), range(4)] = [10.75, 10.62, 0.76, 0.0]
    ties = zeros.copy()
    ties[range(4), range(4)] = [2.0, 2.0, 1.0, 1.0]
    twice = full.copy()
    twice[:, 1] = twice[:, 0]
    clusters = full[:, [0, 0, 2, 2]]
    without = full.copy()
    without[:, 2] = 0.0
    without[3] = 0.0
    yield from {
        "full": full,
        "zero": zeros,
        "rank-one": np.outer(full[:, 0], full[0, :4]),
        "rank-two": full[:, :2] @ full[:2, :4],
        "constant": np.ones(SHAPE),
        "same-tasks": np.repeat(full[:, :1], 4, axis=1),
        "duplicate-task": twice,
        "two-clusters": clusters,
        "zero-task-and-feature": without,
        "diagonal": diagonal,
        "ties": ties,
        "signs": np.sign(full),
        "one-entry": np.where(np.arange(20).reshape(SHAPE) == 7, 3.0, 0.0),
        "small": 1e-8 * full,
        "unequal": full * 10.0 ** -np.arange(0, 20, 5),
    }.items()


POINTS = dict(_points())
UNIT = np.eye(*SHAPE)


def _centred(G):
    for _ in range(2):  # the second pass removes the rounding error of the first
        G = G - G.mean(axis=1, keepdims=True)
    return G


def _value(penalty, W):
    if isinstance(penalty, Superposition):
        return penalty.value_of_parts(np.stack([W, W / 3]))
    return penalty.value(W)


def _perturbed(W):
    """The matrix with rounding errors in the entries, and relative to the largest entry."""
    rng = np.random.default_rng(1)
    for _ in range(3):
        noise = rng.standard_normal(W.shape)
        yield W * (1 + 1e-15 * noise)
        yield W + 1e-16 * np.abs(W).max() * noise


@pytest.mark.parametrize("name", PENALTIES)
class TestContinuity:
    """A rounding error in its argument changes a penalty only by rounding error."""

    @pytest.mark.turns(2)
    def test_value(self, name):
        penalty = PENALTIES[name]
        for at, W in POINTS.items():
            sign = np.abs if penalty.is_positive else np.asarray
            expected, size = _value(penalty, sign(W)), _value(penalty, np.abs(W).max() * UNIT)
            for other in _perturbed(W):
                value = _value(penalty, sign(other))
                assert value == pytest.approx(expected, rel=1e-12, abs=1e-12 * size), at

    @pytest.mark.turns(3)
    def test_prox(self, name):
        penalty = PENALTIES[name]
        if not penalty.has_prox:
            pytest.skip("only the prox of each part is known")
        for (at, V), step in itertools.product(POINTS.items(), [1e-3, 0.5, 3.0, 1e3]):
            expected, atol = penalty.prox(V, step), 1e-12 * np.abs(V).max()
            for other in _perturbed(V):
                moved = penalty.prox(other, step)
                np.testing.assert_allclose(moved, expected, atol=atol, err_msg=at)

    @pytest.mark.turns(2)
    def test_dual_norm_or_conjugate(self, name):
        penalty = PENALTIES[name]
        function = penalty.dual_norm if penalty.is_norm else penalty.conjugate
        # These are infinite unless the rows of the gradient sum to zero.
        centred = penalty.leaves_mean_free or isinstance(penalty, TaskQuadratic)
        for at, G in POINTS.items():
            project = _centred if centred else np.asarray
            expected, size = function(project(G)), function(np.abs(G).max() * _centred(UNIT))
            assert np.isfinite(expected), at
            for other in _perturbed(G):
                value = function(project(other))
                assert value == pytest.approx(expected, rel=1e-12, abs=1e-12 * size), at


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (SquaredLoss(), [-3.0, 0.0, 250.0]),
        (HuberLoss(0.7), [-3.0, 0.4]),
        (PoissonLoss(), [0.0, 1.0, 7.0]),
        (LogisticLoss(), [-1.0, 1.0]),
        (SquaredHingeLoss(), [-1.0, 1.0]),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_conjugates_of_losses_are_continuous_inside_their_domain(loss, labels):
    y, z = (part.copy() for part in np.meshgrid(labels, np.linspace(-40, 40, 161)))
    U = loss.gradient(y, z)
    expected = loss.conjugate(y, U)
    assert np.isfinite(expected).all()
    for shrink in (1e-15, 3e-16, 1e-14):
        # A smaller multiple of a feasible gradient is feasible.
        other = loss.conjugate(y, (1 - shrink) * U)
        np.testing.assert_allclose(other, expected, rtol=1e-12, atol=1e-12 * (1 + np.abs(U).max()))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spectral_values_do_not_jump_at_deficient_ranks(rank):
    """Against the sum over weights found by bisection, in extended precision."""
    rng = np.random.default_rng(rank)
    for _ in range(100):
        n_tasks, k = int(rng.integers(rank + 1, 9)), int(rng.integers(1, 4))
        sigma = np.append(rng.exponential(10, rank), rng.choice([0, 1e-17, 1e-16, 1e-14], 1))
        W = np.zeros((n_tasks, n_tasks))
        W[range(rank + 1), range(rank + 1)] = sigma
        penalty = RelaxedClusterNorm(1.0, min(k, n_tasks), 10.0 ** rng.uniform(-2, 1))
        low, high, total = penalty.box(n_tasks)
        expected = _box_by_bisection(np.diag(W), low, high, total) / 2
        assert penalty.value(W) == pytest.approx(expected, rel=1e-12)


def _box_by_bisection(sigma, low, high, total):
    """min sum sigma^2 / theta over theta in [low, high] with a sum, by its multiplier."""
    squares, bottom, top = np.asarray(sigma, dtype=np.longdouble), -60.0, 60.0
    for _ in range(200):
        middle = (bottom + top) / 2
        weights = np.clip(np.longdouble(10) ** middle * squares, low, high)
        bottom, top = (middle, top) if weights.sum() < total else (bottom, middle)
    seen = squares > 0
    return float((squares[seen] ** 2 / weights[seen]).sum())
