"""The folds of data that were condensed from several parts: the parts themselves."""

import numpy as np

from skmtl.design import TaskData
from skmtl.estimators.tuning._fold import Fold


def part_folds(data: TaskData, name: str) -> tuple[list[Fold], bool]:
    """The folds, and whether every task has labels in every training set.

    Parameters
    ----------
    data : TaskData
        ``data.condensed`` is set.
    name : str
        That of the estimator.

    Raises
    ------
    ValueError
        If there is only one part.
    """
    assert data.condensed is not None
    parts = data.condensed.parts
    numbers = np.unique(parts)
    if len(numbers) < 2:
        raise ValueError(
            f"{name} cross-validates and needs the statistics of several folds, got one. Collect "
            f"TaskStatistics for each fold, and pass the list of them to fit_statistics."
        )
    folds, keep = [], True
    for number, part in enumerate(numbers):
        test, train = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
        folds.append(Fold(number, train, test, test))
        keep = keep and bool((data.take(train).label_counts > 0).all())
    return folds, keep
