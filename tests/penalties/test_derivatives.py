"""Derivatives of proxes, of penalties and shapes beyond the table of the laws."""

import numpy as np
import pytest
from penalty_formulas import check_prox_derivative

from skmtl.penalties import (
    L1,
    L21,
    ChosenEntries,
    ClusterNorm,
    FeatureGroups,
    FusedTasks,
    GraphTotalVariation,
    L1Inf,
    PairwiseFusion,
    Positive,
    RelaxedClusterNorm,
    SparseGroup,
    SquaredTraceNorm,
    TaskGroup,
    TraceNorm,
    TreeGroup,
    WeightedRows,
    split,
)

WEIGHTS = np.array([0.0, 0.5, 1.0, 2.0])
CHOSEN = np.arange(12).reshape(4, 3) % 5 > 0
TREE = [[0, 1, 2], [0, 1], [2], [0], [1]]


@pytest.mark.parametrize("step", [0.2, 1.0])
@pytest.mark.parametrize(
    "penalty",
    [
        SparseGroup(0.9, 0.4),
        SparseGroup(0.9, 0.4, "linf"),
        split(L1(0.3) + L21(0.5))[0],
        WeightedRows(L21(0.8), WEIGHTS),
        WeightedRows(L1Inf(0.8), WEIGHTS),
        Positive(L21(0.8)),
        Positive(L1Inf(0.8)),
        Positive(SparseGroup(0.8, 0.5)),
        Positive(TaskGroup(0.8)),
        Positive(TreeGroup(0.8, TREE, [1.0, 0.6, 0.3, 0.2, 0.1])),
        FeatureGroups(0.4, np.array([0, 1, 0, 1]), 0.3),
        FeatureGroups(0.4, np.array([0, 1, 0, 1]), 0.3, norm="linf"),
        FeatureGroups(0.4, np.array([0, 1, 1, 2]), 0.0, np.array([0.0, 1, 1, 2]), "linf"),
        FeatureGroups(0.4, np.array([0, 1, 1, 2]), 1.0, norm="linf"),
        ChosenEntries(CHOSEN),
        ChosenEntries(CHOSEN, positive=True),
        RelaxedClusterNorm(0.7, 1, 0.4),
        RelaxedClusterNorm(0.7, 2, 0.1),
        ClusterNorm(0.7, 2, 0.2, 0.0),
        FusedTasks(0.3, 2.0, 0.2, 0.3, np.array([2, 0, 1])),
    ],
    ids=repr,
)
def test_derivatives_by_differences(penalty, step):
    check_prox_derivative(penalty, (4, 3), step)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 6), (7, 4)])
@pytest.mark.parametrize(
    "penalty",
    [
        L21(0.8),
        L1Inf(0.8),
        TaskGroup(0.8),
        TraceNorm(0.9),
        SquaredTraceNorm(0.9),
        ClusterNorm(0.8, 1, 0.3, 0.1),
        RelaxedClusterNorm(0.8, 1, 0.3),
        FusedTasks(0.4, 1.0, 0.2, 0.1),
        PairwiseFusion(0.4, 1.0, 0.2, 0.1),
    ],
    ids=repr,
)
def test_derivatives_at_other_shapes(penalty, shape):
    check_prox_derivative(penalty, shape, 0.5)


def test_many_clusters_and_all_positions_of_the_weights():
    """Weights at the lower bound, inside, and at the upper bound."""
    for between in (0.05, 0.3, 0.9, 1.0):
        for n_clusters in (1, 3, 6):
            check_prox_derivative(ClusterNorm(1.0, n_clusters, between, 0.1), (8, 6), 0.5)
            check_prox_derivative(ClusterNorm(1.0, n_clusters, between, 0.1), (3, 6), 5.0)


def test_a_derivative_within_a_row_of_equal_values():
    penalty, V = FusedTasks(1.0, 1.0), np.array([[3.0, 3.1, 0.0]])
    averages = penalty.prox_derivative(V, 0.5)(np.array([[1.0, 0.0, 6.0]]))
    np.testing.assert_allclose(averages, [[0.5, 0.5, 6.0]])


def test_penalties_without_a_prox_have_no_derivative():
    with pytest.raises(NotImplementedError, match="GraphTotalVariation has no prox_derivative"):
        GraphTotalVariation(np.ones((3, 3))).prox_derivative(np.ones((2, 3)), 1.0)
