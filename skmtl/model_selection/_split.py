"""Cross-validation splitters that keep every task in every training set."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import type_of_target

from skmtl._folds import assign_shared, assign_stacked, label_strata
from skmtl.design._containers import fill_mask, from_arrow
from skmtl.design._tasks import encode_tasks, read_ids, split_task_column


class StratifiedTaskKFold(KFold):
    """K-fold cross-validation that spreads every task, and every class of a task, evenly.

    A plain K-fold may leave all rows of a task out of a training set, above all where the rows
    are sorted by task. Here every training set holds a label of every task that has two or
    more labels.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    task_column : str, int or None, default=None
        Stacked layout: the column of X that holds the task ids, by name (data frames) or
        position (-1 is the last). None: y holds one column per task, or there is one task.
    shuffle : bool, default=True
        Whether to shuffle the rows first. The folds are as even with as without.
    random_state : int, RandomState instance or None, default=None
        Makes the shuffling reproducible. Must be None if ``shuffle=False``.

    Raises
    ------
    ValueError
        If ``n_splits`` is less than 2, or more than the number of rows that can be tested; if
        a ``random_state`` is given with ``shuffle=False``; if ``task_column`` is not a column
        of X; if y is None without a ``task_column``.

    Notes
    -----
    What is spread evenly depends on the data:

    - Stacked layout: each task's rows, and each class within a task where y holds classes
      (integers count as classes; of integer scores each fold then gets the low ones and the
      high ones alike). A task's numbers of rows in any two folds differ by one at most, and so
      do those of a class within a task. y may be None: by task only.
    - A label matrix y (n, T) of 0, 1 and NaN: each task's zeros and ones, by iterative
      stratification [1]_.
    - Any other label matrix with NaN: each task's labels, likewise.
    - Any other label matrix without NaN: :class:`~sklearn.model_selection.KFold`.
    - A vector y: each class; where y does not hold classes,
      :class:`~sklearn.model_selection.KFold`.

    The only row of a task trains in every fold and is never tested; so does a row of a label
    matrix with a task's only label, and, rarely, one more row of a task whose labels could not
    be kept apart otherwise. The test sets are no partition of the rows then:
    :func:`~sklearn.model_selection.cross_val_predict` refuses such data, while
    :func:`~sklearn.model_selection.cross_validate` and the searches work.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas and I. Vlahavas. On the stratification of multi-label
       data. ECML PKDD 2011. https://doi.org/10.1007/978-3-642-23808-6_10

    See Also
    --------
    sklearn.model_selection.StratifiedKFold : The same for the classes of one task.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.model_selection import StratifiedTaskKFold
    >>> features = np.arange(8.0)
    >>> school = [1, 1, 1, 1, 2, 2, 3, 3]
    >>> X = np.column_stack([features, school])
    >>> cv = StratifiedTaskKFold(n_splits=2, task_column=-1, random_state=0)
    >>> for train, test in cv.split(X):
    ...     print(X[test, 1])
    [1. 1. 2. 3.]
    [1. 1. 2. 3.]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        task_column: str | int | None = None,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)
        self.task_column = task_column

    def _iter_test_masks(
        self, X: Any = None, y: Any = None, groups: Any = None
    ) -> Iterator[NDArray[np.bool_]]:
        """Yield one mask of test rows per fold; scikit-learn's ``split`` does the rest."""
        folds = self._assign(X, y)
        if folds is None:
            yield from super()._iter_test_masks(X, y, groups)
            return
        n_testable = np.count_nonzero(folds >= 0)
        if n_testable < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of rows that can be tested: "
                f"{n_testable} of {len(folds)}. The other rows hold the only label of a task "
                f"and always train. Lower n_splits, or check whether "
                f"task_column={self.task_column!r} is the column of the tasks."
            )
        for fold in range(self.n_splits):
            yield folds == fold

    def _assign(self, X: Any, y: Any) -> NDArray[np.intp] | None:
        """Return each row's fold, -1 = always trains, or None for scikit-learn's KFold."""
        rng = check_random_state(self.random_state) if self.shuffle else None
        y = fill_mask(from_arrow(y))
        if self.task_column is not None:
            ids = read_ids(split_task_column(X, self.task_column)[1], warn=False)
            classes = None if y is None else _read_classes(y)
            return assign_stacked(encode_tasks(ids)[1], classes, self.n_splits, rng)
        if y is None:
            raise ValueError(
                "StratifiedTaskKFold needs y, one column per task, or a task_column: got y=None "
                "and task_column=None."
            )
        if np.ndim(y) == 1:
            classes = _read_classes(y)
            if classes is None:
                return None
            return assign_stacked(np.zeros(len(classes), np.intp), classes, self.n_splits, rng)
        Y = check_array(y, dtype=np.float64, ensure_all_finite="allow-nan", input_name="y")
        by_class = bool(np.isin(Y[~np.isnan(Y)], (0, 1)).all())
        if not by_class and not np.isnan(Y).any():
            return None
        return assign_shared(*label_strata(Y, by_class), self.n_splits, rng)


def _read_classes(y: Any) -> NDArray[np.intp] | None:
    """Return the rank of each row's class in y, or None if y does not hold classes."""
    y = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="y")
    y = column_or_1d(y)
    with warnings.catch_warnings():
        # Many distinct integers: scikit-learn asks whether this is a regression. It may be one.
        warnings.simplefilter("ignore")
        kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        return None
    return np.unique(y, return_inverse=True)[1].reshape(-1)
