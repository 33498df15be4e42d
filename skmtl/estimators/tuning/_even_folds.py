"""Folds that estimators make on their own, without a splitter."""

import numpy as np

from skmtl._folds import Rng, assign_shared, assign_stacked, label_strata
from skmtl.design import TaskData
from skmtl.estimators.tuning._fold import Fold

N_FOLDS = 5


def even_folds(data: TaskData, by_class: bool, rng: Rng, n_folds: int = N_FOLDS) -> list[Fold]:
    """Folds that spread the labels of every task, and every class of a task, evenly.

    Parameters
    ----------
    data : TaskData
    by_class : bool
        Whether the labels are classes, -1 and +1.
    rng : RandomState, Generator or None
    n_folds : int

    Returns
    -------
    list of Fold
        Some have no held-out rows if there are few. Rows with the only label of a task are in every
        training set.
    """
    if data.codes is not None:
        numbers = assign_stacked(data.codes, data.y if by_class else None, n_folds, rng)
    else:
        labels = (data.y + 1) / 2 if by_class else data.y
        observed = np.where(data.weights > 0, labels, np.nan)
        numbers = assign_shared(*label_strata(observed, by_class), n_folds, rng)
    tests = [np.flatnonzero(numbers == number) for number in range(n_folds)]
    return [
        Fold(number, np.flatnonzero(numbers != number), test, held_out=test)
        for number, test in enumerate(tests)
    ]
