"""The methods the benchmarks compare, each with the way its strength is chosen."""

import time
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from benchmarks._tuning import (
    Problem,
    Rule,
    follow_path,
    one_for_all,
    one_for_all_or_each,
    one_standard_error,
    refit,
)
from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
)
from skmtl.design import TaskData
from skmtl.penalties import L1, Penalty

Array = NDArray[Any]

INDEPENDENT_RIDGE = "independent ridge"
INDEPENDENT_LASSO = "independent lasso"
INDEPENDENT_LASSO_1SE = "independent lasso, 1 s.e."
POOLED_RIDGE = "pooled ridge"
BLOCK_SPARSE = "block-sparse"
BLOCK_SPARSE_1SE = "block-sparse, 1 s.e."

# The order of the tables' rows.
METHODS = (
    INDEPENDENT_RIDGE,
    INDEPENDENT_LASSO,
    INDEPENDENT_LASSO_1SE,
    POOLED_RIDGE,
    BLOCK_SPARSE,
    BLOCK_SPARSE_1SE,
)
# Those that use every feature by construction.
RIDGES = (INDEPENDENT_RIDGE, POOLED_RIDGE)

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
    """One path of models, and the rows of the table it gives, each by its rule of choice."""

    name: str
    classifier: type
    regressor: type
    rules: dict[str, Rule]
    norm: bool


_FAMILIES = (
    Family(
        INDEPENDENT_RIDGE,
        IndependentTaskClassifier,
        IndependentTaskRegressor,
        {INDEPENDENT_RIDGE: one_for_all_or_each},
        norm=False,
    ),
    Family(
        INDEPENDENT_LASSO,
        LassoClassifier,
        LassoRegressor,
        {INDEPENDENT_LASSO: one_for_all, INDEPENDENT_LASSO_1SE: one_standard_error},
        norm=True,
    ),
    Family(
        POOLED_RIDGE,
        PooledTaskClassifier,
        PooledTaskRegressor,
        {POOLED_RIDGE: one_for_all},
        norm=False,
    ),
    Family(
        BLOCK_SPARSE,
        BlockSparseClassifier,
        BlockSparseRegressor,
        {BLOCK_SPARSE: one_for_all, BLOCK_SPARSE_1SE: one_standard_error},
        norm=True,
    ),
)
FAMILIES = {family.name: family for family in _FAMILIES}


@dataclass(frozen=True)
class Tuned:
    """A fitted row of the table: coefficients (n_tasks, n_features), strengths, seconds."""

    method: str
    coef: Array
    intercept: Array
    alpha: Array
    seconds: float

    @property
    def n_used(self) -> int:
        """How many features have a non-zero coefficient in some task."""
        return int(self.coef.any(axis=0).sum())


def tune(family: Family, problem: Problem) -> list[Tuned]:
    """Fit every row of a family, its strengths chosen on the problem's rows alone.

    The seconds are processor time, which a busy machine does not stretch, of the path and of the
    final fit. Choosing from the path takes none, but for one_for_all_or_each, which does for the
    baseline what nobody else needs to do.
    """
    start = time.process_time()
    held_out = follow_path(problem)
    shared = time.process_time() - start
    rows = []
    for method, rule in family.rules.items():
        alpha = rule(problem, held_out)
        start = time.process_time()
        coef, intercept = refit(problem, alpha)
        seconds = shared + time.process_time() - start
        rows.append(Tuned(method, coef, intercept, alpha, seconds))
    return rows
