"""Sufficient statistics of the squared loss: collected in batches, added, subtracted, stored."""

import copy
import os
from collections.abc import Hashable, Iterable
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._warnings import warn
from skmtl.design import _statistics_file
from skmtl.design._batch import read_batch
from skmtl.design._named_sums import COLUMNS, NamedSums
from skmtl.design._sums import Sums
from skmtl.design._tasks import UNKNOWN

Array = NDArray[Any]


class TaskStatistics(NamedSums):
    r"""Counts, means and Gram matrices of each task, which determine all squared-loss fits.

    For the rows x, labels y and weights s of each task it keeps the number of labels,
    :math:`w = \sum s`, the means :math:`\bar x` and :math:`\bar y`, and

    .. math:: \sum s (x - \bar x)(x - \bar x)', \quad \sum s (x - \bar x)(y - \bar y), \quad
              \sum s (y - \bar y)^2 .

    These add up: statistics of batches, days or machines can be merged in any order (``+``), and
    a fold, a day or a customer can be left out again (``-``). Fits from them, by
    ``fit_statistics`` of any estimator with ``loss="squared"``, equal those from all rows.

    Parameters
    ----------
    task_column : str, int or None, default=None
        As in the estimators: None for one X and a column of y per task, or a 1-D y; otherwise
        the column of X that holds each row's task.
    offset_column : str, int, list or None, default=None
        As in the estimators: known parts of the predictors, which are subtracted from y.
    memory_limit : int, default=4294967296
        The largest size of the Gram matrices in bytes.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        The column names or positions of y, or the sorted task ids.
    label_counts_ : int ndarray of shape (n_tasks,)
        Numbers of labels of positive weight.
    weight_sums_ : ndarray of shape (n_tasks,)
    x_means_ : ndarray of shape (n_tasks, n_features)
    y_means_ : ndarray of shape (n_tasks,)
        Of y less the offset.
    n_batches_ : int
        The number of batches that ``update`` has read.
    nbytes : int
        The size of the sums in memory.
    n_features_in_ : int
        The number of columns of X, the task column and offsets included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Notes
    -----
    With d features there are d (d + 1) / 2 numbers for each task; only one such triangle for all
    tasks while they share the rows of X and their weights, with no label missing. Merging follows
    Chan, Golub and LeVeque [1]_: all sums are around the means, so that large means cost no
    precision. Sums and fits are in double precision.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque. Algorithms for computing the sample variance:
       analysis and recommendations. The American Statistician 37, 242-247, 1983.
       https://doi.org/10.1080/00031305.1983.10483115

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.design import TaskStatistics
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(300, 5)), rng.normal(size=(300, 2))
    >>> batches = ((X[k : k + 100], Y[k : k + 100]) for k in (0, 100, 200))
    >>> statistics = TaskStatistics.from_batches(batches)
    >>> statistics
    TaskStatistics(2 tasks, 5 features, 600 labels in 3 batches; 1 Gram matrix, 360 bytes)
    >>> streamed = BlockSparseRegressor(0.05).fit_statistics(statistics)
    >>> bool(np.allclose(streamed.coef_, BlockSparseRegressor(0.05).fit(X, Y).coef_, atol=1e-6))
    True
    """

    n_features_in_: int
    feature_names_in_: Array
    _categories: list[Any] | None

    def __init__(
        self,
        *,
        task_column: str | int | None = None,
        offset_column: Any = None,
        memory_limit: int = 2**32,
    ) -> None:
        self.task_column, self.offset_column = task_column, offset_column
        self.memory_limit = memory_limit

    # Collecting

    @classmethod
    def from_batches(cls, batches: Iterable[Any], **params: Any) -> Self:
        """Collect the statistics of batches, one at a time.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            As in the estimators' fit.
        **params
            As in the constructor.

        Raises
        ------
        TypeError
            If a batch is not such a tuple.
        ValueError
            If a batch is not valid or does not match those before it; the message gives its
            number, from 0.
        """
        statistics = cls(**params)
        for batch in batches:
            if not (isinstance(batch, (tuple, list)) and len(batch) in (2, 3)):
                raise TypeError(
                    f"Batch {statistics.n_batches_} is a {type(batch).__name__}; pass tuples "
                    f"(X, y) or (X, y, sample_weight)."
                )
            statistics.update(*batch)
        return statistics

    def update(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Add rows.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : array-like
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Non-negative; zero leaves the label out. One per label only with a matrix y.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the batch is not valid or does not match those before it, or the Gram matrices
            would exceed ``memory_limit``. Nothing is added then.
        """
        try:
            return self._add(X, y, sample_weight)
        except ValueError as error:
            raise ValueError(f"Batch {self.n_batches_}: {error}") from error

    def _add(self, X: Any, y: Any, sample_weight: Any) -> Self:
        first = not hasattr(self, "n_features_in_")
        try:
            data, categories = read_batch(self, X, y, sample_weight, first=first)
            shared = data.codes is None and data.has_row_weights
            places = self._places(data.layout, data.tasks)
            self._check_memory(data.X.shape[1], places, shared)
        except BaseException:
            for name in COLUMNS if first else ():
                self.__dict__.pop(name, None)
            raise
        self._n_batches = self.n_batches_ + 1
        if len(data.y):
            first = self._is_empty
            self._categories = categories if first or self._categories == categories else None
            self._merge(data.layout, data.tasks, places, Sums.of(data))
        return self

    def __add__(self, other: Any) -> Self:
        """The statistics of the rows of both."""
        if isinstance(other, int) and other == 0:  # the start of sum()
            return copy.deepcopy(self)
        if not isinstance(other, TaskStatistics):
            return NotImplemented
        if other._is_empty:
            return copy.deepcopy(self)
        if self._is_empty:
            self._check_settings(other)
            return copy.deepcopy(other)
        self._check_columns(other)
        names, sums = other._sorted
        places = self._places(other._layout, names)
        self._check_memory(sums.n_features, places, other._is_shared)
        new = copy.deepcopy(self)
        new._merge(other._layout, names, places, sums)
        new._n_batches = self.n_batches_ + other.n_batches_
        new._categories = self._categories if self._categories == other._categories else None
        return new

    __radd__ = __add__

    def __sub__(self, part: Any) -> Self:
        """The statistics of the rows that are not in ``part``, which must be among these.

        Warns if rounding error dominates the difference, because ``part`` holds almost all of a
        task. Add up the statistics of the rest instead.
        """
        if not isinstance(part, TaskStatistics):
            return NotImplemented
        new = copy.deepcopy(self)
        if part._is_empty:
            return new
        self._check_columns(part)
        names, taken = part._sorted
        places = self._places(part._layout, names)
        known = places < len(self._names)
        whole = self._sums if self._is_shared and part._is_shared else self._sums.separate()
        if known.all():
            known = whole.take(places).counts >= taken.counts
        if not known.all():
            raise ValueError(
                f"The statistics to subtract hold more labels than these in the tasks "
                f"{names[~known].tolist()[:10]}. Subtract a part of what was added."
            )
        before = whole.take(places)
        rest = before.merged(taken if whole.n_grams == 1 else taken.separate(), -1.0)
        lost = rest.has_cancelled(before)
        if lost.any():
            warn(
                f"Rounding error dominates the difference of the statistics in the tasks "
                f"{names[lost].tolist()[:10]}, of which almost all labels are subtracted. Add up "
                f"the statistics of the other rows instead."
            )
        new._sums = copy.deepcopy(whole)
        new._sums.put(places, rest)
        return new

    # Reading

    @property
    def n_batches_(self) -> int:
        """Number of batches added."""
        return int(vars(self).get("_n_batches", 0))

    @property
    def tasks_(self) -> Array:
        """Names of the tasks."""
        order = self._order
        return self._names[order]

    @property
    def label_counts_(self) -> Array:
        """Number of labels of each task."""
        order = self._order
        return self._sums.counts[order].astype(np.intp)

    @property
    def weight_sums_(self) -> Array:
        """Sum of the weights of each task."""
        order = self._order
        return self._sums.totals[order]

    @property
    def x_means_(self) -> Array:
        """Weighted means of each task's features."""
        order = self._order
        means = self._sums.x_means
        return means[order] if self._sums.n_grams > 1 else np.repeat(means, len(order), axis=0)

    @property
    def y_means_(self) -> Array:
        """Weighted mean of each task's labels."""
        order = self._order
        return self._sums.y_means[order]

    @property
    def nbytes(self) -> int:
        """Size of the sums in bytes."""
        return 0 if self._is_empty else self._sums.nbytes

    def scatter(self, task: Any) -> tuple[Array, Array, float]:
        """The centred sums of products of one task.

        Parameters
        ----------
        task : object
            One of ``tasks_``.

        Returns
        -------
        xx : ndarray of shape (n_features, n_features)
        xy : ndarray of shape (n_features,)
        yy : float
        """
        self._check_not_empty()
        place = self._index.get(task, UNKNOWN) if isinstance(task, Hashable) else UNKNOWN
        sums = self._sums
        if place == UNKNOWN or sums.counts[place] == 0:
            raise ValueError(f"{task!r} is not among the tasks {self.tasks_.tolist()[:20]}.")
        gram = place if sums.n_grams > 1 else 0
        return sums.grams(slice(gram, gram + 1))[0], sums.xy[place].copy(), float(sums.yy[place])

    def __repr__(self) -> str:
        if self._is_empty:
            return "TaskStatistics(no labels)"
        labels = self.label_counts_
        counts = {
            "task": len(labels),
            "feature": self._sums.n_features,
            "label": int(labels.sum()),
            "batch": self.n_batches_,
            "Gram matrix": 1 if self._is_shared else len(labels),
        }
        tasks, features, n_labels, batches, grams = (
            f"{n:,} {_plural(what) if n != 1 else what}" for what, n in counts.items()
        )
        size = f"{self.nbytes / 2**20:,.1f} MiB" if self.nbytes >= 2**20 else f"{self.nbytes} bytes"
        return f"TaskStatistics({tasks}, {features}, {n_labels} in {batches}; {grams}, {size})"

    # Files

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the statistics to an npz file, which holds no pickles.

        Parameters
        ----------
        path : str, path or binary file object
            With an ``io.BytesIO`` the statistics become bytes, which other machines can send.
        """
        self._check_not_empty()
        names, sums = self._sorted
        _statistics_file.write(path, self, names, sums)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | BinaryIO) -> Self:
        """Read statistics that ``save`` has written.

        Parameters
        ----------
        path : str, path or binary file object

        Raises
        ------
        ValueError
            If the file is damaged, is none of these files, or was written by a newer version.
        """
        params, attributes, layout, names, sums = _statistics_file.read(path)
        new = cls(**params)
        for name, value in attributes.items():
            setattr(new, name, value)
        new._merge(layout, names, np.arange(len(names)), sums)
        return new

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # the sums are changed in place


def _plural(what: str) -> str:
    irregular = {"batch": "batches", "Gram matrix": "Gram matrices"}
    return irregular.get(what, f"{what}s")
