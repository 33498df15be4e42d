"""An estimator that is fitted to dask collections, in one pass over their blocks."""

import copy
from numbers import Integral, Number
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval

from skmtl.dask._blocks import is_lazy, read_blocks, reduce_blocks
from skmtl.dask._predict import predict_lazily
from skmtl.dask._sums import Sums, add_sums, sum_block, sum_rows
from skmtl.design import TaskStatistics
from skmtl.metrics import r2_score
from skmtl.model_selection import Delegation

Array = NDArray[Any]

_N_FOLDS = 5
# Neighbours whose statistics are added in one step.
_SPLIT_EVERY = 8


class Distributed(Delegation, MetaEstimatorMixin, BaseEstimator):
    r"""An estimator of skmtl for dask arrays and data frames, fitted in one pass over the rows.

    The worker that holds a block of rows reduces it to :class:`~skmtl.design.TaskStatistics`. These
    are added up in a tree, and the machine that calls ``fit`` fits their sum, whose size does not
    depend on the number of rows. With the squared loss the sum determines the objective

    .. math:: \frac{T}{2 S} \sum_t c_t \sum_{i \in t} s_i (y_i - x_i w_t - b_t)^2 + \Omega(W)

    of the tasks' coefficients :math:`w_t` (the columns of W, n_features x n_tasks), so that the fit
    is that of all rows in memory, with the same certificate.

    Parameters
    ----------
    estimator : regressor of skmtl
        With ``loss="squared"``. It may cross-validate (:class:`~skmtl.BlockSparseRegressorCV`,
        ``alpha="cv"``), in folds whose statistics come from the same pass.
    client : distributed.Client or None, default=None
        None: the client in use, if there is one, otherwise dask's scheduler for local tasks.
        Clones share the client, and pickles do not contain it.
    memory_limit : int, default=4294967296
        The largest size of the Gram matrices in bytes, as in TaskStatistics, for each fold.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator. Its fitted attributes (``coef_``, ``tasks_``, ``dual_gap_``, ...) are
        also attributes of this one.
    statistics_ : TaskStatistics or list of TaskStatistics
        Those of all rows, or of each fold. ``fit_statistics`` of other estimators takes them
        without another pass.

    Raises
    ------
    TypeError
        In ``fit``, if the estimator cannot be fitted from statistics.
    ValueError
        In ``fit``, if a block is not valid or does not match the others; the message gives its
        number, from 0.

    See Also
    --------
    skmtl.design.TaskStatistics : Sums in batches, without dask.

    Notes
    -----
    Blocks may have any sizes, also unknown ones, and may be empty. Each is read once if X, y and
    ``sample_weight`` are all arrays, or all data frames and Series; a data frame beside an array
    may be read again for each of them. Only statistics travel between workers and to the caller:
    for T tasks and d features about :math:`4 T d^2` bytes, or :math:`4 d^2` bytes in the shared
    layout without missing labels, and K times as much with K folds. Sums are in double precision,
    and are added in the same order whatever the number of workers. If a worker is lost, dask
    computes its blocks again.

    An estimator that cross-validates uses as many folds as its ``cv``, a number, or None for five.
    Within each block, the rows of each task (in the shared layout all rows) are assigned to the
    folds in turn, beginning at a fold that is a hash of the block's number and the task. The folds
    are thus the same in every run, but depend on the division into blocks. They need no further
    pass: five folds and fifty strengths cost one. If all rows of a task are in one fold, which may
    happen if they are few, they are predicted by the average of the other tasks there.

    Data in memory are one block, and are fitted without dask.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance:
    analysis and recommendations", The American Statistician 37, 1983 (sums that are merged),
    https://doi.org/10.1080/00031305.1983.10483115

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.dask import Distributed
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(200, 10, 4, n_informative=3, random_state=0)
    >>> X = da.from_array(dataset.data, chunks=(50, -1))
    >>> y = da.from_array(dataset.target, chunks=(50, -1))
    >>> model = Distributed(BlockSparseRegressor(0.1)).fit(X, y)
    >>> local = BlockSparseRegressor(0.1).fit(dataset.data, dataset.target)
    >>> bool(np.allclose(model.coef_, local.coef_, atol=1e-3))
    True
    >>> model.predict(X).chunks
    ((50, 50, 50, 50), (4,))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "client": [HasMethods(["get"]), None],
        "memory_limit": [Interval(Integral, 1, None, closed="left")],
    }
    _fitted_as = "estimator_"

    def __init__(self, estimator: Any, *, client: Any = None, memory_limit: int = 2**32) -> None:
        self.estimator = estimator
        self.client = client
        self.memory_limit = memory_limit

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Collect the statistics of all blocks, and fit the estimator to their sum.

        Parameters
        ----------
        X : dask array or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : dask array, data frame or Series
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,), in the same
            blocks of rows as X. Arrays are divided like X if the sizes of the blocks are known.
        sample_weight : dask array, data frame or Series, or float, optional
            Non-negative, (n_samples,) or (n_samples, n_tasks); zero leaves the label out.

        Returns
        -------
        self
        """
        self._validate_params()
        n_folds = self._check_estimator()
        params = {
            "task_column": self.estimator.task_column,
            "offset_column": self.estimator.offset_column,
            "memory_limit": self.memory_limit,
        }
        if any(map(is_lazy, (X, y, sample_weight))):
            folds = self._sum_blocks(X, y, sample_weight, params, n_folds)
        else:
            folds = sum_rows(X, y, sample_weight, params, n_folds)
        _check_folds(folds)
        self.statistics_ = folds if n_folds > 1 else folds[0]
        self.estimator_ = clone(self.estimator).fit_statistics(self.statistics_)
        return self

    def _check_estimator(self) -> int:
        """The number of folds, after checks that need no data."""
        estimator = self.estimator
        name = type(estimator).__name__
        if not hasattr(estimator, "fit_statistics"):
            loss = getattr(estimator, "loss", None)
            what = name if loss in (None, "squared") else f"{name} with loss={loss!r}"
            raise TypeError(
                f"Distributed fits from sums over the blocks, which determine the fits of skmtl's "
                f"regressors with loss='squared', but not that of {what}. Fit it to a sample that "
                f"fits into memory: X.compute()."
            )
        estimator._validate_params()
        if not hasattr(estimator, "cv"):
            searches = any(
                isinstance(v, str) and v == "cv" for v in estimator.get_params().values()
            )
            return _N_FOLDS if searches else 1
        if not (estimator.cv is None or isinstance(estimator.cv, Integral)):
            raise ValueError(
                f"cv must be a number of folds or None within Distributed, which assigns rows to "
                f"folds block by block, got {estimator.cv!r:.200}."
            )
        if getattr(estimator, "scoring", None) is not None:
            raise ValueError(
                f"scoring={estimator.scoring!r} needs rows, which statistics do not keep. Use "
                f"scoring=None, the mean squared error."
            )
        return _N_FOLDS if estimator.cv is None else int(estimator.cv)

    def _sum_blocks(
        self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any], n_folds: int
    ) -> list[TaskStatistics]:
        """The statistics of all blocks, one for each fold."""
        import dask

        constant = isinstance(sample_weight, Number)
        blocks = read_blocks(X, y, None if constant else sample_weight)
        weight = sample_weight if constant else None
        read = dask.delayed(sum_block, pure=True)
        leaves = [
            read(number, block, params, n_folds, weight) for number, block in enumerate(blocks)
        ]
        total: Sums = self._compute(reduce_blocks(leaves, add_sums, _SPLIT_EVERY))[0]
        return total.folds

    def _compute(self, *lazy: Any) -> tuple[Any, ...]:
        """The values of dask collections; others are returned unchanged."""
        import dask

        return tuple(dask.compute(*lazy, scheduler=self.client))

    def predict(self, X: Any) -> Any:
        """Predict the response, lazily if X is lazy.

        Parameters
        ----------
        X : dask array or data frame, or as in the estimator's ``predict``
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        dask array, data frame or Series, or ndarray
            Of shape (n_samples, n_tasks), or (n_samples,) if y was 1-D. For a dask array, one with
            its blocks of rows; for a dask data frame, a frame whose columns are the tasks, or a
            Series, with its partitions and its index; for data in memory what the estimator
            returns.
        """
        model = self._best()
        return predict_lazily(model, X) if is_lazy(X) else model.predict(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2: the mean over tasks for a matrix y, or that of all rows together for a 1-D y.

        The labels and predictions, but not X, are collected in memory.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        model = self._best()
        if not any(map(is_lazy, (X, y, sample_weight))):
            return float(model.score(X, y, sample_weight))
        y, predicted, sample_weight = self._compute(y, self.predict(X), sample_weight)
        average = "pooled" if predicted.ndim == 1 else "macro"
        return float(r2_score(y, predicted, sample_weight=sample_weight, average=average))

    def to_local(self) -> Any:
        """The fitted estimator, which knows nothing of dask.

        Returns
        -------
        estimator
            ``estimator_``.
        """
        return self._best()

    def _unfitted(self) -> Any:
        return self.estimator

    def __sklearn_clone__(self) -> Self:
        bare = copy.copy(self)
        bare.client = None  # a connection cannot be copied
        cloned: Self = super(Distributed, bare).__sklearn_clone__()
        cloned.client = self.client
        return cloned

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {**state, "client": None}


def _check_folds(folds: list[TaskStatistics]) -> None:
    """Raise if a fold has no labels."""
    empty = [k for k, fold in enumerate(folds) if not fold.nbytes]
    if len(empty) == len(folds):
        raise ValueError(
            "There is no label to fit: X has no rows, or all sample weights are zero. Pass rows "
            "with a positive weight."
        )
    if empty:
        counts = [fold.label_counts_ for fold in folds if fold.nbytes]
        n_rows = sum(
            int(one.max() if folds[0].task_column is None else one.sum()) for one in counts
        )
        raise ValueError(
            f"The folds {empty} of {len(folds)} have no label, because there are few rows: "
            f"n_samples={n_rows}. Lower cv, or pass more rows."
        )
