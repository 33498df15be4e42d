"""Statistics of blocks, and their sums: what runs on the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing, check_consistent_length

from skmtl.dask._folds import assign_folds
from skmtl.design import TaskStatistics


@dataclass(frozen=True)
class Sums:
    """The statistics of successive blocks, one for each fold.

    Attributes
    ----------
    first, last : int
        The numbers of the blocks.
    folds : list of TaskStatistics
    """

    first: int
    last: int
    folds: list[TaskStatistics]


def sum_rows(
    X: Any, y: Any, sample_weight: Any, params: dict[str, Any], n_folds: int, number: int = 0
) -> list[TaskStatistics]:
    """The statistics of some rows, one for each fold.

    Parameters
    ----------
    X, y, sample_weight : as in the estimators' fit
    params : dict
        Parameters of TaskStatistics.
    n_folds : int
        With 1, all rows are in one fold.
    number : int
        That of the block, on which the assignment to folds depends.
    """
    if n_folds > 1:
        try:
            return _sum_folds(X, y, sample_weight, params, n_folds, number)
        except (TypeError, ValueError, IndexError):
            pass  # Read all rows at once below, so that the message describes them and not a fold.
    whole = TaskStatistics(**params)
    _update(whole, X, y, sample_weight)
    if n_folds > 1:
        return _sum_folds(X, y, sample_weight, params, n_folds, number)
    return [whole]


def _sum_folds(
    X: Any, y: Any, sample_weight: Any, params: dict[str, Any], n_folds: int, number: int
) -> list[TaskStatistics]:
    X, y = _indexable(X), _indexable(y)
    check_consistent_length(X, y)
    constant = sample_weight is None or isinstance(sample_weight, Number)
    if not constant:
        sample_weight = _indexable(sample_weight)
    parts = [TaskStatistics(**params) for _ in range(n_folds)]
    folds = assign_folds(number, X, y, sample_weight, params["task_column"], n_folds)
    for fold, part in enumerate(parts):
        rows = np.flatnonzero(folds == fold)
        if len(rows):
            weights = sample_weight if constant else _safe_indexing(sample_weight, rows)
            _update(part, _safe_indexing(X, rows), _safe_indexing(y, rows), weights)
    return parts


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


def sum_block(
    number: int,
    block: tuple[Any, Any, Any],
    params: dict[str, Any],
    n_folds: int,
    weight: float | None = None,
) -> Sums:
    """The statistics of a block (X, y, sample_weight), which may have no rows.

    Parameters
    ----------
    number : int
    block : tuple
    params, n_folds : as in ``sum_rows``
    weight : float, optional
        That of all rows, if the block has none.

    Raises
    ------
    TypeError, ValueError
        If the block is not valid; the message gives its number.
    """
    X, y, sample_weight = block
    lengths = [_n_rows(part) for part in block if part is not None]
    if sample_weight is None:
        sample_weight = weight
    try:
        if len(set(lengths)) > 1:
            raise ValueError(
                f"X, y and sample_weight have {lengths} rows. Take all of them from one "
                f"collection, or divide them into the same blocks."
            )
        if not lengths[0]:
            return Sums(number, number, [TaskStatistics(**params) for _ in range(n_folds)])
        return Sums(number, number, sum_rows(X, y, sample_weight, params, n_folds, number))
    except (TypeError, ValueError) as error:
        raise type(error)(f"Block {number}: {error}") from error


def _n_rows(part: Any) -> int:
    return int(part.shape[0]) if hasattr(part, "shape") else len(part)


def add_sums(summands: Sequence[Sums]) -> Sums:
    """The sum of the statistics of successive blocks.

    Raises
    ------
    ValueError
        If they do not match, for example in their columns; the message gives the blocks' numbers.
    """
    total = summands[0]
    for more in summands[1:]:
        try:
            folds = [a + b for a, b in zip(total.folds, more.folds, strict=True)]
        except ValueError as error:
            raise ValueError(
                f"{_blocks(total).capitalize()} and {_blocks(more)}: {error}"
            ) from error
        total = Sums(total.first, more.last, folds)
    return total


def _blocks(part: Sums) -> str:
    one = part.first == part.last
    return f"block {part.first}" if one else f"blocks {part.first} to {part.last}"
