"""The methods the benchmarks compare, each with the way its strength is chosen."""

import time
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from benchmarks import _tuning
from benchmarks._tuning import (
    Path,
    Problem,
    Rule,
    one_for_all,
    one_for_all_or_each,
    one_standard_error,
    refit,
    search,
)
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
)
from skmtl.design import TaskData
from skmtl.penalties import L1, Penalty

Array = NDArray[Any]

INDEPENDENT_RIDGE = "independent ridge"
INDEPENDENT_LASSO = "independent lasso"
POOLED_RIDGE = "pooled ridge"
BLOCK_SPARSE = "block-sparse"
BLOCK_SPARSE_1SE = "block-sparse, 1 s.e."
CLUSTERED = "clustered"
RELATION = "relation"

# The order of the tables' rows.
METHODS = (
    INDEPENDENT_RIDGE,
    INDEPENDENT_LASSO,
    POOLED_RIDGE,
    BLOCK_SPARSE,
    BLOCK_SPARSE_1SE,
    CLUSTERED,
    RELATION,
)
# Those that use every feature by construction.
DENSE = (INDEPENDENT_RIDGE, POOLED_RIDGE, CLUSTERED, RELATION)

CLUSTERS: dict[str, tuple[Any, ...]] = {"n_clusters": (3, 5), "between": (0.1, 0.3)}

# The block norm of a single task is the absolute sum. Both classes below fit BlockSparse* to
# each task alone, but all tasks in one call: same coefficients, a fifth of the time.


class LassoClassifier(BlockSparseClassifier):
    """Classification tasks fitted each on its own (L1 norm)."""

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return L1(self.alpha)


class LassoRegressor(BlockSparseRegressor):
    """Regression tasks fitted each on its own (L1 norm)."""

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        return L1(self.alpha)


@dataclass(frozen=True)
class Family:
    """Models along alpha and a grid of other parameters; rows of the table by rule of choice."""

    name: str
    classifier: type
    regressor: type
    rules: dict[str, Rule]
    path: Path
    grid: dict[str, tuple[Any, ...]] = field(default_factory=dict)


_FAMILIES = (
    Family(
        INDEPENDENT_RIDGE,
        IndependentTaskClassifier,
        IndependentTaskRegressor,
        {INDEPENDENT_RIDGE: one_for_all_or_each},
        path=_tuning.RIDGE,
    ),
    Family(
        INDEPENDENT_LASSO,
        LassoClassifier,
        LassoRegressor,
        {INDEPENDENT_LASSO: one_for_all},
        path=_tuning.NORM,
    ),
    Family(
        POOLED_RIDGE,
        PooledTaskClassifier,
        PooledTaskRegressor,
        {POOLED_RIDGE: one_for_all},
        path=_tuning.RIDGE,
    ),
    Family(
        BLOCK_SPARSE,
        BlockSparseClassifier,
        BlockSparseRegressor,
        {BLOCK_SPARSE: one_for_all, BLOCK_SPARSE_1SE: one_standard_error},
        path=_tuning.NORM,
    ),
    Family(
        CLUSTERED,
        ClusteredTaskClassifier,
        ClusteredTaskRegressor,
        {CLUSTERED: one_for_all},
        path=_tuning.CLUSTER,
        grid=CLUSTERS,
    ),
    Family(
        RELATION,
        TaskRelationClassifier,
        TaskRelationRegressor,
        {RELATION: one_for_all},
        path=_tuning.RELATION,
    ),
)
FAMILIES = {family.name: family for family in _FAMILIES}


@dataclass(frozen=True)
class Tuned:
    """A fitted row of the table: coefficients (n_tasks, n_features), how chosen, seconds."""

    method: str
    coef: Array
    intercept: Array
    alpha: Array
    setting: dict[str, Any]
    seconds: float

    @property
    def n_used(self) -> int:
        """How many features have a non-zero coefficient in some task."""
        return int(self.coef.any(axis=0).sum())

    @property
    def strength(self) -> float | list[float]:
        """Alpha, one number where it is the same for all tasks."""
        alpha = self.alpha.tolist()
        return alpha[0] if len(set(alpha)) == 1 else alpha


def tune(rules: dict[str, Rule], problem: Problem, grid: dict[str, tuple[Any, ...]]) -> list[Tuned]:
    """Fit a row by each rule, strengths and parameters chosen on the problem's rows alone.

    The seconds are processor time, which a busy machine does not stretch, of the paths and of the
    final fit. Choosing from the path takes none, but for one_for_all_or_each, which does for the
    baseline what nobody else needs to do.
    """
    start = time.process_time()
    problem, held_out = search(problem, grid)
    shared = time.process_time() - start
    setting = {name: getattr(problem.estimator, name) for name in grid}
    rows = []
    for method, rule in rules.items():
        alpha = rule(problem, held_out)
        start = time.process_time()
        coef, intercept = refit(problem, alpha)
        seconds = shared + time.process_time() - start
        rows.append(Tuned(method, coef, intercept, alpha, setting, seconds))
    return rows
