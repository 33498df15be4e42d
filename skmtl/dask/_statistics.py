"""Statistics of the rows of blocks, one for each fold."""

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing, check_consistent_length

from skmtl.dask._blocks import Block
from skmtl.dask._folds import assign_folds
from skmtl.design import TaskStatistics


@dataclass(frozen=True)
class FoldStatistics:
    """The statistics of each fold, which add up."""

    folds: tuple[TaskStatistics, ...]

    def __add__(self, other: "FoldStatistics") -> "FoldStatistics":
        pairs = zip(self.folds, other.folds, strict=True)
        return FoldStatistics(tuple(one + more for one, more in pairs))


@dataclass(frozen=True)
class StatisticsWork:
    """Reduces blocks to statistics, as :class:`skmtl.dask._sums.BlockWork`.

    Attributes
    ----------
    params : dict
        Parameters of TaskStatistics.
    n_folds : int
        With 1, all rows are in one fold.
    """

    params: dict[str, Any]
    n_folds: int

    def start(self) -> FoldStatistics:
        return FoldStatistics(tuple(TaskStatistics(**self.params) for _ in range(self.n_folds)))

    def sums_of(self, number: int, block: Block) -> FoldStatistics:
        """The statistics of a block; its folds depend on its number, unless they are of groups."""
        if self.n_folds > 1:
            try:
                return self._by_fold(number, **block)
            except (TypeError, ValueError, IndexError):
                pass  # Read all rows at once below, so that the message describes them all.
        whole = TaskStatistics(**self.params)
        _update(whole, block["X"], block["y"], block.get("sample_weight"))
        if self.n_folds > 1:
            return self._by_fold(number, **block)
        return FoldStatistics((whole,))

    def _by_fold(
        self, number: int, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> FoldStatistics:
        X, y = _indexable(X), _indexable(y)
        check_consistent_length(X, y, groups)
        constant = sample_weight is None or isinstance(sample_weight, Number)
        if not constant:
            sample_weight = _indexable(sample_weight)
        column = self.params["task_column"]
        folds = assign_folds(number, X, y, sample_weight, column, self.n_folds, groups)
        found = self.start()
        for part, rows in zip(found.folds, _rows_of(folds, self.n_folds), strict=True):
            if len(rows):
                weights = sample_weight if constant else _safe_indexing(sample_weight, rows)
                _update(part, _safe_indexing(X, rows), _safe_indexing(y, rows), weights)
        return found


def _rows_of(folds: Any, n_folds: int) -> Iterator[Any]:
    """The rows of each fold."""
    return (np.flatnonzero(folds == fold) for fold in range(n_folds))


def _indexable(data: Any) -> Any:
    """The data, of which rows can be selected."""
    if sp.issparse(data):
        return data.tocsr()
    return data if hasattr(data, "shape") else np.asarray(data)


def _update(statistics: TaskStatistics, X: Any, y: Any, sample_weight: Any) -> None:
    """Add rows; messages do not call them a batch."""
    try:
        statistics.update(X, y, sample_weight)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("Batch 0: ")) from error
