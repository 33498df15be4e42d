"""Cross-validation splitters that keep every task in every training set."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold
from sklearn.model_selection._split import GroupsConsumerMixin, _RepeatedSplits
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import type_of_target

from skmtl._folds import assign_groups, assign_shared, assign_stacked, label_strata
from skmtl.design import (
    as_label_array,
    encode_tasks,
    read_ids,
    refuse_mask,
    refuse_missing,
    split_task_column,
)


class StratifiedTaskKFold(StratifiedGroupKFold):
    """K-fold cross-validation that spreads every task, and every class of a task, evenly.

    Plain K-fold cross-validation may leave all rows of a task out of a training set, in particular
    if the rows are sorted by task. Here every training set holds a label of every task that has two
    or more labels.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    task_column : str, int or None, default=None
        Stacked layout: the column of X that holds the task ids, by name (data frames) or
        position (-1 is the last). None: y has one column per task, or there is a single task.
    shuffle : bool, default=True
        Whether to shuffle the rows first. The folds are equally balanced with and without.
    random_state : int, RandomState instance or None, default=None
        Makes the shuffling reproducible. Must be None if ``shuffle=False``.

    Raises
    ------
    ValueError
        If ``n_splits`` is less than 2 or more than the number of rows (or groups) that can be in a
        test set; if a ``random_state`` is given with ``shuffle=False``; if ``task_column`` is not a
        column of X; if y is None without a ``task_column``.

    See Also
    --------
    RepeatedStratifiedTaskKFold : Repeats it with different folds.
    sklearn.model_selection.StratifiedKFold : For the classes of a single task.
    sklearn.model_selection.StratifiedGroupKFold : For a single task with groups.

    Notes
    -----
    The stratification depends on the data:

    - Stacked layout: by task, and by class within a task if y holds classes. Integers count as
      classes, so that low and high integer scores are spread evenly too. The numbers of rows of a
      task in any two folds differ by at most one, and so do those of a class within a task. If y is
      None, by task only.
    - A label matrix y (n, T) of 0, 1 and NaN: by the zeros and ones of each task, with iterative
      stratification [1]_.
    - Any other label matrix with NaN: by the observed labels of each task, in the same way.
    - Any other label matrix without NaN: not stratified, as
      :class:`~sklearn.model_selection.KFold`.
    - A vector y: by class; if y does not hold classes, as
      :class:`~sklearn.model_selection.KFold`.

    With ``split(X, y, groups)`` all rows of a group, such as a patient's, are in the same test
    set, and tasks and classes are spread as evenly as whole groups allow. The groups that hold the
    largest parts of a task or class are placed first, each into the fold that has the least of the
    group's tasks and classes. Every training set holds a label of every task whose labels are in
    two or more groups. A group that holds all labels of a task is in every training set, like the
    only row of a task. scikit-learn's tools pass ``groups`` on, and ``fit`` of our CV estimators
    accepts them.

    The only row of a task is in every training set and in no test set. The same holds for a row of
    a label matrix with the only label of a task and, rarely, for one more row of a task whose
    labels would otherwise all be in one fold. In these cases the test sets do not partition the
    rows: :func:`~sklearn.model_selection.cross_val_predict` raises an error, while
    :func:`~sklearn.model_selection.cross_validate` and the searches work.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas and I. Vlahavas. On the stratification of multi-label
       data. ECML PKDD 2011. https://doi.org/10.1007/978-3-642-23808-6_10

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

    With groups: the two rows of each pupil are never split.

    >>> X, pupil = np.repeat(X, 2, axis=0), np.repeat(np.arange(8), 2)
    >>> for train, test in cv.split(X, groups=pupil):
    ...     print(len(test), set(pupil[train]) & set(pupil[test]))
    8 set()
    8 set()
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
        """Yield a mask of test rows per fold, as scikit-learn's ``split`` expects."""
        if groups is None:
            folds = self._assign(X, y)
        else:
            folds = self._assign_groups(X, y, _read_groups(groups))
        if folds is None:
            plain = KFold(self.n_splits, shuffle=self.shuffle, random_state=self.random_state)
            for train, test in plain.split(X):
                yield np.isin(np.arange(len(train) + len(test)), test)
            return
        for fold in range(self.n_splits):
            yield folds == fold

    def _check_testable(self, n_testable: int, n: int, what: str, hold: str) -> None:
        """Raise if there are more folds than rows or groups that can be in a test set."""
        if n_testable >= self.n_splits:
            return
        others = (
            f" The other {what} hold {hold} of a task and are always in training sets."
            if n_testable < n
            else ""
        )
        checks = []
        if self.task_column is not None:
            checks.append(f"task_column={self.task_column!r} is the column of the tasks")
        if what == "groups":
            checks.append("the groups are fine enough")
        check = f", or check whether {' and '.join(checks)}" if checks else ""
        raise ValueError(
            f"n_splits={self.n_splits} is more than the number of {what} that can be tested: "
            f"{n_testable} of {n}.{others} Lower n_splits{check}."
        )

    def _rng(self) -> np.random.RandomState | None:
        """The random generator, or None without shuffling."""
        return check_random_state(self.random_state) if self.shuffle else None

    def _assign(self, X: Any, y: Any) -> NDArray[np.intp] | None:
        """The fold of each row (-1: always in training), or None for scikit-learn's KFold."""
        rows, rng = _read_rows(X, y, self.task_column), self._rng()
        if rows.labels is not None:
            if not rows.by_class and not np.isnan(rows.labels).any():
                return None
            folds = assign_shared(*label_strata(rows.labels, rows.by_class), self.n_splits, rng)
        elif rows.codes is not None:
            folds = assign_stacked(rows.codes, rows.classes, self.n_splits, rng)
        elif rows.classes is not None:
            codes = np.zeros_like(rows.classes)
            folds = assign_stacked(codes, rows.classes, self.n_splits, rng)
        else:
            return None
        n_testable = int(np.count_nonzero(folds >= 0))
        self._check_testable(n_testable, len(folds), "rows", "the only label")
        return folds

    def _assign_groups(self, X: Any, y: Any, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """The fold of each row (-1: always in training), the same for all rows of a group."""
        rows = _read_rows(X, y, self.task_column)
        if rows.labels is not None:
            labelled = sp.csr_array(~np.isnan(rows.labels), dtype=np.float64)
            strata = sp.csr_array(label_strata(rows.labels, rows.by_class)[0], dtype=np.float64)
        else:
            codes = np.zeros_like(groups) if rows.codes is None else rows.codes
            labelled = strata = _indicators(codes)
            if rows.classes is not None:
                strata = _indicators(codes * (rows.classes.max() + 1) + rows.classes)
        folds = assign_groups(groups, labelled, strata, self.n_splits, self._rng())
        n_testable = len(np.unique(groups[folds >= 0]))
        self._check_testable(n_testable, len(np.unique(groups)), "groups", "all labels")
        return folds


class RepeatedStratifiedTaskKFold(GroupsConsumerMixin, _RepeatedSplits):
    """:class:`StratifiedTaskKFold`, repeated with different folds.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    n_repeats : int, default=10
        Number of repetitions.
    task_column : str, int or None, default=None
        As in :class:`StratifiedTaskKFold`.
    random_state : int, RandomState instance or None, default=None
        Determines the folds of all repetitions; pass an int for reproducible folds.

    See Also
    --------
    StratifiedTaskKFold : A single repetition, with details of the stratification.
    sklearn.model_selection.RepeatedStratifiedKFold : For the classes of a single task.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.model_selection import RepeatedStratifiedTaskKFold
    >>> X = np.column_stack([np.arange(6.0), [1, 1, 1, 1, 2, 2]])
    >>> cv = RepeatedStratifiedTaskKFold(n_splits=2, n_repeats=3, task_column=-1, random_state=0)
    >>> cv.get_n_splits()
    6
    >>> [sorted(X[test, 1].tolist()) for _, test in cv.split(X)] == 6 * [[1.0, 1.0, 2.0]]
    True
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        n_repeats: int = 10,
        task_column: str | int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            StratifiedTaskKFold,
            n_repeats=n_repeats,
            random_state=random_state,
            n_splits=n_splits,
            task_column=task_column,
        )


@dataclass(frozen=True)
class _Rows:
    """The tasks and classes of the rows as codes, or a matrix of labels."""

    codes: NDArray[np.intp] | None = None
    classes: NDArray[np.intp] | None = None
    labels: NDArray[np.float64] | None = None

    @property
    def by_class(self) -> bool:
        """Whether ``labels`` is a matrix of classes, 0 and 1."""
        labels = self.labels
        return labels is not None and bool(np.isin(labels[~np.isnan(labels)], (0, 1)).all())


def _read_rows(X: Any, y: Any, task_column: str | int | None) -> _Rows:
    """Validate X and y, as far as the folds depend on them."""
    labels = None if y is None else as_label_array(y, "StratifiedTaskKFold")
    if task_column is not None:
        ids = read_ids(split_task_column(X, task_column)[1], warn=False)
        return _Rows(encode_tasks(ids)[1], None if labels is None else _read_classes(labels))
    if labels is None:
        raise ValueError(
            "StratifiedTaskKFold needs y with one column per task, or a task_column; got y=None "
            "and task_column=None. Pass one of them."
        )
    if labels.ndim == 1:
        return _Rows(classes=_read_classes(labels))
    labels = check_array(labels, dtype=np.float64, ensure_all_finite="allow-nan", input_name="y")
    return _Rows(labels=labels)


def _read_groups(groups: Any) -> NDArray[np.intp]:
    """The group of each row as a code, from 0."""
    refuse_mask(groups, "groups", "Give each row a group.")
    groups = column_or_1d(check_array(groups, ensure_2d=False, dtype=None, input_name="groups"))
    try:
        return np.unique(groups, return_inverse=True)[1].reshape(-1)
    except TypeError as error:
        raise ValueError(
            f"groups must hold values of one kind, none missing, got {groups[:3].tolist()!r:.200} "
            f"({error}). Make all of them strings or all numbers."
        ) from error


def _indicators(codes: NDArray[np.intp]) -> Any:
    """A sparse indicator matrix with a row for each entry and a column for each distinct code."""
    ranks = np.unique(codes, return_inverse=True)[1].reshape(-1)
    return sp.csr_array((np.ones(len(ranks)), (np.arange(len(ranks)), ranks)))


def _read_classes(y: Any) -> NDArray[np.intp] | None:
    """The class of each row as a code, or None if y does not hold classes."""
    y = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="y")
    y = column_or_1d(y)
    if y.dtype.kind == "f":
        refuse_missing(y)
    with warnings.catch_warnings():
        # scikit-learn warns of many distinct integers, which may be regression labels.
        warnings.simplefilter("ignore")
        kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        return None
    return np.unique(y, return_inverse=True)[1].reshape(-1)
