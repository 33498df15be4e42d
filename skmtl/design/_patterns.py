"""Groups of tasks in which few combinations of weights occur, the patterns of the rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# A task with more distinct weights has no patterns. Codes of patterns have 16 bits.
_MOST_LEVELS, _MOST_PATTERNS = 32, 2**11
# The number of rows from which the weights are judged before all are read.
_SAMPLE = 1024


class TaskGroup(NamedTuple):
    """Tasks whose weights in a row are given by the row's pattern.

    Attributes
    ----------
    tasks : int array of shape (n_group,)
    patterns : ndarray of shape (n_patterns, n_group)
        The weights of each pattern, to be multiplied by those of the rows. If one has no positive
        weight, it is the first.
    codes : uint16 array of shape (n_samples,)
        The pattern of each row.
    """

    tasks: Array
    patterns: Array
    codes: Array


class PatternedWeights(NamedTuple):
    """Weights (n_samples, n_tasks) as products of those of rows and of patterns.

    Attributes
    ----------
    rows : ndarray of shape (n_samples,) or None
        None if all are 1.
    groups : list of TaskGroup
    others : list of int
        The tasks without patterns, whose weights differ in most rows.
    """

    rows: Array | None
    groups: list[TaskGroup]
    others: list[int]


def find_patterns(weights: Array, most: int) -> PatternedWeights:
    """Group consecutive tasks, with at most so many patterns in a group of several tasks."""
    most = min(most, _MOST_PATTERNS)
    rows = _row_weights(weights)
    groups: list[TaskGroup] = []
    others: list[int] = []
    for task, column in enumerate(weights.T):
        one = _one_task(task, np.ascontiguousarray(column if rows is None else column > 0))
        if one is None:
            others.append(task)
            continue
        both = _joined(groups[-1], one, most) if groups else None
        if both is None:
            groups.append(one)
        else:
            groups[-1] = both
    return PatternedWeights(rows, groups, others)


def _row_weights(weights: Array) -> Array | None:
    """The rows' weights (n_samples,) if a row's positive weights are equal, but rows differ."""
    for part in (weights[:: max(1, len(weights) // _SAMPLE)], weights):
        largest = part.max(axis=1, keepdims=True)
        positive = largest[largest > 0]
        if (positive == positive[:1]).all() or not ((part == largest) | (part == 0)).all():
            return None
    return np.asarray(largest[:, 0])


def _one_task(task: int, weights: Array) -> TaskGroup | None:
    """The group of a single task, whose patterns are its weights; None if these are many."""
    levels = np.unique(weights[:: max(1, len(weights) // _SAMPLE)])
    if len(levels) <= _MOST_LEVELS:
        levels = np.unique(np.append(levels, weights[~_is_in(levels, weights)]))
    if len(levels) > _MOST_LEVELS:
        return None
    codes = np.zeros(len(weights), dtype=np.uint16)
    for level in levels[1:]:
        codes += weights >= level
    return TaskGroup(np.array([task]), levels[:, None].astype(np.float64), codes)


def _is_in(levels: Array, weights: Array) -> Array:
    found = np.zeros(len(weights), dtype=bool)
    for level in levels:
        found |= weights == level
    return found


def _joined(group: TaskGroup, one: TaskGroup, most: int) -> TaskGroup | None:
    """The group with another task, or None if this makes too many patterns."""
    n_levels = len(one.patterns)
    codes = group.codes * np.uint16(n_levels) + one.codes
    present = np.flatnonzero(np.bincount(codes))
    if len(present) > most:
        return None
    patterns = np.hstack([group.patterns[present // n_levels], one.patterns[present % n_levels]])
    numbers = np.zeros(present[-1] + 1, dtype=np.uint16)
    numbers[present] = np.arange(len(present))
    return TaskGroup(np.append(group.tasks, one.tasks), patterns, numbers[codes])
