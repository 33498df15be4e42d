"""An estimator that is fitted to Dask collections, in passes over their blocks."""

import copy
from numbers import Integral, Number
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval

from skmtl._site import DocumentedEstimator
from skmtl.dask._blocks import is_lazy, read_blocks
from skmtl.dask._passes import BlockPasses
from skmtl.dask._predict import predict_lazily
from skmtl.dask._statistics import StatisticsWork
from skmtl.dask._sums import sum_over
from skmtl.design import TaskStatistics, read_scored
from skmtl.model_selection import AlphaSearchCV, Delegation

_N_FOLDS = 5


class Distributed(Delegation, MetaEstimatorMixin, DocumentedEstimator):
    r"""An estimator of skmtl for Dask arrays and data frames.

    The worker that holds a block of rows reduces it to sums. These are added up in a tree, and the
    machine that calls ``fit`` needs only the total, whose size does not depend on the number of
    rows. The objective

    .. math:: \frac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t) + \Omega(W)

    of the tasks' coefficients :math:`w_t` (the columns of W, n_features x n_tasks) is that of all
    rows in memory, and so are its minimum and the certificate.

    With the squared loss the sums are :class:`~skmtl.design.TaskStatistics`, and one pass over the
    blocks suffices. With the other losses of
    :meth:`~skmtl.BlockSparseClassifier.fit_batches` (logistic, squared hinge, Huber, Poisson,
    gamma, Tweedie) they are the loss, its gradient and its curvature, and each pass is followed by
    a proximal Newton step.

    Parameters
    ----------
    estimator : estimator of skmtl
        One with ``loss="squared"``, which may cross-validate
        (:class:`~skmtl.BlockSparseRegressorCV`, :class:`~skmtl.model_selection.AlphaSearchCV`,
        ``alpha="cv"``) in folds whose statistics come from the same pass; or one that
        ``fit_batches`` can fit.
    client : distributed.Client or None, default=None
        None: the client in use, if there is one, otherwise dask's scheduler for local tasks.
        Clones share the client, and pickles do not contain it.
    memory_limit : int, default=4294967296
        Squared loss: the largest size of the Gram matrices in bytes, as in TaskStatistics, for
        each fold.
    passes : int, default=50
        Other losses: the maximum number of passes, as in ``fit_batches``.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator. Its fitted attributes (``coef_``, ``tasks_``, ``classes_``,
        ``dual_gap_``, ...) are also attributes of this one.
    statistics_ : TaskStatistics or list of TaskStatistics
        Squared loss: those of all rows, or of each fold. ``fit_statistics`` of other estimators
        takes them without another pass.

    Raises
    ------
    TypeError
        In ``fit``, if the estimator can be fitted neither from statistics nor in batches.
    ValueError
        In ``fit``, if the same holds for its parameters, or if a block is not valid or does not
        match the others; the message gives its number, from 0.

    Warns
    -----
    ConvergenceWarning
        If ``passes`` do not suffice to reach the estimator's ``tol``.

    See Also
    --------
    skmtl.design.TaskStatistics : Sums in batches, without Dask.
    skmtl.BlockSparseClassifier.fit_batches : Passes over batches, without Dask.

    Notes
    -----
    **Blocks** may have any sizes, also unknown ones, and may be empty; tasks and classes may be
    absent from some of them. Each is read once in a pass if X, y and ``sample_weight`` are all
    arrays, or all data frames and Series; a data frame beside an array may be read again for each
    of them. Data in memory are fitted without Dask.

    **Messages.** Only sums travel between workers and to the caller. With the squared loss, T
    tasks and d features they take about :math:`4 T d^2` bytes, or :math:`4 d^2` bytes in the shared
    layout without missing labels, and K times as much with K folds. With other losses they take
    :math:`8 T d^2` bytes in each pass, and :math:`8 T d` once only the certificate is missing; W
    and b are sent to the workers. Sums are in double precision, and are added in the same order
    whatever the number of workers. If a worker is lost, Dask computes its blocks again.

    **Passes.** The first pass of other losses counts labels and finds the tasks, the classes and
    the means of the features; few others follow (see ``fit_batches``). On a cluster, the workers
    keep the blocks in memory between the passes, from where Dask moves them to disk if they are
    too large. Without one they are read again in each pass, which takes no memory; if they fit,
    call ``persist()`` on X and y first.

    **Folds.** An estimator that cross-validates uses as many folds as its ``cv``, a number, or None
    for five. Within each block, the rows of each task (in the shared layout all rows) are assigned
    to the folds in turn, beginning at a fold that is a hash of the block's number and the task. The
    folds are thus the same in every run, but depend on the division into blocks. With ``groups``,
    the fold of a row is a hash of its group. Either way, folds need no further pass: five folds and
    fifty strengths cost one. If all rows of a task are in one fold, which may happen if they are
    few, they are predicted by the average of the other tasks there.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance:
    analysis and recommendations", The American Statistician 37, 1983 (sums that are merged),
    https://doi.org/10.1080/00031305.1983.10483115

    J. D. Lee, Y. Sun and M. A. Saunders, "Proximal Newton-type methods for minimizing composite
    functions", SIAM J. Optim. 24(3), 2014, https://doi.org/10.1137/130921428

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skmtl import BlockSparseClassifier, BlockSparseRegressor
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

    Classes need several passes, of which the first counts them:

    >>> model = Distributed(BlockSparseClassifier(0.02)).fit(X, y > 0)
    >>> model.predict_proba(X).chunks
    ((50, 50, 50, 50), (4,))
    >>> type(model.to_local()).__name__
    'BlockSparseClassifier'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "client": [HasMethods(["get"]), None],
        "memory_limit": [Interval(Integral, 1, None, closed="left")],
        "passes": [Interval(Integral, 2, None, closed="left")],
    }
    _fitted_as = "estimator_"

    def __init__(
        self,
        estimator: Any,
        *,
        client: Any = None,
        memory_limit: int = 2**32,
        passes: int = 50,
    ) -> None:
        self.estimator = estimator
        self.client = client
        self.memory_limit = memory_limit
        self.passes = passes

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the estimator to sums over all blocks.

        Parameters
        ----------
        X : Dask array or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : Dask array, data frame or Series
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,), in the same
            blocks of rows as X. Arrays are divided like X if the sizes of the blocks are known.
        sample_weight : Dask array, data frame or Series, or float, optional
            Non-negative, (n_samples,) or (n_samples, n_tasks); zero leaves the label out.
        groups : Dask array or Series of shape (n_samples,), optional
            If the estimator cross-validates: rows of one group, such as a patient's, are in the
            same fold, in whatever blocks they are. There should be several times as many groups as
            folds, because the sizes of the folds are those that a hash of the groups gives.

        Returns
        -------
        self
        """
        self._validate_params()
        n_folds = self._check_estimator()
        if groups is not None and n_folds == 1:
            raise ValueError(
                f"groups assigns rows to the folds of a cross-validation, but "
                f"{type(self.estimator).__name__} has none. Leave groups out."
            )
        if hasattr(self.estimator, "fit_statistics"):
            folds = self._folds(X, y, sample_weight, groups, n_folds)
            statistics = folds if n_folds > 1 else folds[0]
            self.estimator_ = clone(self.estimator).fit_statistics(statistics)
            self.statistics_ = statistics
            return self
        model = clone(self.estimator)
        if any(map(is_lazy, (X, y, sample_weight))):
            passes = BlockPasses(*_blocks(X, y, sample_weight), self.client)
            self.estimator_ = model.fit_batches(passes, passes=self.passes)
        else:
            self.estimator_ = model.fit(X, y, sample_weight)
        self.__dict__.pop("statistics_", None)
        return self

    def _check_estimator(self) -> int:
        """The number of folds, after checks that need no data."""
        estimator = self.estimator
        if hasattr(estimator, "fit_statistics"):
            estimator._validate_params()
            return self._n_folds()
        if not hasattr(estimator, "fit_batches"):
            raise TypeError(
                f"Distributed fits from sums over the blocks, by fit_statistics with the squared "
                f"loss and otherwise by fit_batches, which {estimator!r:.200} does not have. Fit "
                f"it to a sample that fits into memory: X.compute()."
            )
        estimator._validate_params()
        estimator._refuse_batches()
        return 1

    def _n_folds(self) -> int:
        """The number of folds of an estimator that is fitted from statistics."""
        estimator = self.estimator
        if not hasattr(estimator, "cv"):
            searches = any(
                isinstance(v, str) and v == "cv" for v in estimator.get_params().values()
            )
            return _N_FOLDS if searches else 1
        if not (estimator.cv is None or isinstance(estimator.cv, Integral)):
            raise ValueError(
                f"cv must be a number of folds or None within Distributed, which assigns rows to "
                f"folds block by block, got {estimator.cv!r:.200}. To keep rows together, pass "
                f"groups to fit."
            )
        if getattr(estimator, "scoring", None) is not None:
            raise ValueError(
                f"scoring={estimator.scoring!r} needs rows, which statistics do not keep. Use "
                f"scoring=None, the mean squared error."
            )
        return _N_FOLDS if estimator.cv is None else int(estimator.cv)

    def _folds(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, n_folds: int
    ) -> list[TaskStatistics]:
        """The statistics of all rows, one for each fold."""
        columns = self.estimator
        if isinstance(columns, AlphaSearchCV):
            columns = columns.estimator
        params = {
            "task_column": columns.task_column,
            "offset_column": columns.offset_column,
            "memory_limit": self.memory_limit,
        }
        work = StatisticsWork(params, n_folds)
        if any(map(is_lazy, (X, y, sample_weight, groups))):
            blocks, weight = _blocks(X, y, sample_weight, groups)
            found = self._compute(sum_over(blocks, work, weight))[0].value
        else:
            rows = {"X": X, "y": y, "sample_weight": sample_weight, "groups": groups}
            found = work.sums_of(0, rows)
        folds = list(found.folds)
        _check_folds(folds, "cv" if groups is None else "cv, or pass more groups")
        return folds

    def _compute(self, *lazy: Any) -> tuple[Any, ...]:
        """The values of Dask collections; others are returned unchanged."""
        import dask

        return tuple(dask.compute(*lazy, scheduler=self.client))

    def predict(self, X: Any) -> Any:
        """Predict the response, lazily if X is lazy.

        Parameters
        ----------
        X : Dask array or data frame, or as in the estimator's ``predict``
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        Dask array, data frame or Series, or ndarray
            Of shape (n_samples, n_tasks), or (n_samples,) if y was 1-D. For a Dask array, one with
            its blocks of rows; for a Dask data frame, a frame whose columns are the tasks, or a
            Series, with its partitions and its index; for data in memory what the estimator
            returns.
        """
        return self._apply("predict", X)

    def _apply(self, method: str, X: Any) -> Any:
        if is_lazy(X):
            return predict_lazily(self._plain(), method, X)
        return super()._apply(method, X)

    def _plain(self) -> Any:
        """The fitted estimator, or that of a search."""
        model = self._best()
        return model.best_estimator_ if isinstance(model, AlphaSearchCV) else model

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 or accuracy, as the estimator's ``score``.

        The labels and predictions, but not X, are collected in memory.

        Parameters
        ----------
        X, y, sample_weight : as in fit

        Returns
        -------
        float
        """
        model = self._plain()
        if not any(map(is_lazy, (X, y, sample_weight))):
            return float(model.score(X, y, sample_weight))
        y, predicted, sample_weight = self._compute(y, self.predict(X), sample_weight)
        labels, weights = read_scored(model, y, sample_weight)
        return float(model._score_of(labels, np.asarray(predicted), weights))

    def to_local(self) -> Any:
        """The fitted estimator, which knows nothing of Dask.

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


def _blocks(
    X: Any, y: Any, sample_weight: Any, groups: Any = None
) -> tuple[list[Any], float | None]:
    """The blocks of Dask collections, and a weight that all rows share."""
    if isinstance(sample_weight, Number):
        return read_blocks(X, y, groups=groups), sample_weight  # type: ignore[return-value]
    return read_blocks(X, y, sample_weight=sample_weight, groups=groups), None


def _check_folds(folds: list[TaskStatistics], remedy: str) -> None:
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
            f"The folds {empty} of {len(folds)} have no label, because there are few rows or "
            f"groups: n_samples={n_rows}. Lower {remedy}."
        )
