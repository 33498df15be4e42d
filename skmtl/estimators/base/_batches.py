"""Fits of batches that are read again in each pass, for data larger than memory."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.design import (
    BatchPasses,
    BatchReader,
    Parts,
    Passes,
    TaskData,
    TaskStatistics,
    TaskSummary,
)
from skmtl.estimators.base._fit import Fit
from skmtl.estimators.base._known import around_prior, read_prior
from skmtl.estimators.base._restored import Restored
from skmtl.losses import Loss, with_offset
from skmtl.objective import BatchRows, PassRequest, PassSums, StreamedObjective
from skmtl.solvers import NewtonPasses, PassedOver, Place

Array = NDArray[Any]

# The largest size in bytes of the matrices of all tasks, of which a fit holds about four copies.
_GRAM_BYTES = 2**31


class BatchFits:
    """Fits of batches, mixed into all estimators."""

    # Why an estimator cannot be fitted from batches, and the remedy; None if it can.
    _not_in_batches: ClassVar[str | None] = None

    _validate_params: Any
    _fit_parts: Any
    _is_convex: ClassVar[bool]
    _penalty_reads_labels: ClassVar[bool]
    _refits: ClassVar[bool]
    _own_loss: Any
    _learnable: Any
    _get_penalty: Any
    _get_loss: Any
    _task_factors: Any
    _with_all_tasks: Any
    _left_out_intercepts: Any
    _warn_of_data: Any
    _pooling: Any
    _shrinks_intercepts: Any
    _previous_fit: Any
    _set_fit: Any
    fit_intercept: bool
    task_column: Any
    offset_column: Any
    prior_coef: Any
    tol: float
    verbose: int

    def fit_batches(self, batches: Any, *, passes: int = 50) -> Self:
        r"""Fit all tasks together, from batches of rows that are read again in each pass.

        The fit is that of :meth:`fit` on all rows: it minimises the same objective, and
        ``dual_gap_`` bounds its suboptimality. Only one batch at a time is in memory, and one
        Gram matrix of the features for each task. ``n_iter_`` is the number of passes.

        Parameters
        ----------
        batches : callable or iterable
            A function without arguments that returns an iterable of (X, y) or (X, y,
            sample_weight), each as in ``fit``, such as ``lambda: read_batches(path)``. It is called
            once in each pass, and must return the same batches. An iterable that can be iterated
            over several times, such as a list, is also accepted. Tasks and classes may be absent
            from some of the batches. Sparse features are made dense one batch at a time.
        passes : int, default=50
            The maximum number of passes; beyond it a ConvergenceWarning reports the gap reached.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If ``batches`` can be read only once, or a batch is not such a tuple.
        ValueError
            If a batch is not valid, with the number of the batch and of the pass; if the batches
            differ between passes; if the Gram matrices would be too large; or if the estimator's
            objective cannot be minimised in passes: penalties that are not convex or depend on the
            labels, pooled tasks, shrunk intercepts, the multinomial and the quantile loss, and
            strengths that are to be selected.

        Notes
        -----
        The first pass counts labels and finds the tasks, the classes and the means of the
        features. Each further pass adds up the loss, its gradient and its curvature over the
        rows, followed by a proximal Newton step [1]_: the minimum of the quadratic model of the
        loss plus the penalty, at a cost that does not depend on the number of rows. The same pass
        evaluates shorter steps, in case the full one is rejected, and the dual points of the last
        model, so that the certificate needs no further passes. To reach ``tol=1e-4`` takes 4 to 9
        passes on data with tens of features, and about 10 for all 784 pixels of MNIST
        (``python -m benchmarks.batches``). With ``loss="squared"`` sums over the rows determine
        the fit, and one pass suffices (:class:`skmtl.design.TaskStatistics`).

        :class:`skmtl.dask.Distributed` shares the passes among the workers of Dask.

        With n rows, d features and T tasks a pass takes n d^2 T multiplications (n d T once only
        the certificate is missing), so that a fit of rows that are in memory is usually faster by
        ``fit``. Callbacks are not called, and ``max_iter`` and ``solver`` have no effect.

        References
        ----------
        .. [1] J. D. Lee, Y. Sun and M. A. Saunders, "Proximal Newton-type methods for minimizing
           composite functions", SIAM J. Optim. 24(3), 2014, https://doi.org/10.1137/130921428

        Examples
        --------
        >>> import numpy as np
        >>> from skmtl import BlockSparseClassifier
        >>> from skmtl.datasets import load_digits_tasks
        >>> digits = load_digits_tasks()
        >>> X, y = digits.data, digits.target
        >>> def read():
        ...     for rows in np.array_split(np.arange(len(y)), 4):
        ...         yield X[rows], y[rows]
        >>> model = BlockSparseClassifier(0.01).fit_batches(read)
        >>> bool(abs(model.coef_ - BlockSparseClassifier(0.01).fit(X, y).coef_).max() < 0.02)
        True
        """
        self._validate_params()
        if not isinstance(passes, Integral) or isinstance(passes, bool) or passes < 2:
            raise ValueError(
                f"passes must be an integer of at least 2, got {passes!r}: the first pass only "
                f"counts the labels."
            )
        with Restored(self):
            # Left by a fit together with other tasks, or of other rows; these are not fitted here.
            self.__dict__.pop("_beside", None)
            self.__dict__.pop("statistics_", None)
            return self._fit_passes(batches, int(passes))

    def _fit_passes(self, batches: Any, passes: int) -> Self:
        self._refuse_batches()
        source = batches if isinstance(batches, Passes) else BatchPasses(batches)
        if getattr(self, "loss", None) == "squared":
            return self._fit_sums(source)
        reader = self._batch_reader()
        summary = self._summary(reader, source)
        self._warn_of_data(summary)
        fitted: Self = self._set_fit(summary, self._fit_summary(summary, reader, source, passes))
        return fitted

    def _fit_sums(self, source: Passes) -> Self:
        """Fit statistics of the squared loss, from one pass."""
        statistics = source.total(_Statistics(self.task_column, self.offset_column))
        if statistics._is_empty:
            raise ValueError(
                "The batches hold no label with a positive weight: there is nothing to fit."
            )
        self._fit_parts(Parts(statistics))
        self.n_iter_ = source.n_passes
        return self

    def _batch_reader(self) -> BatchReader:
        """A reader of the labels of batches."""
        raise NotImplementedError

    def _summary(self, reader: BatchReader, source: Passes) -> TaskSummary:
        """What the first pass finds out, with the labels in the units of the fit."""
        return reader.count(source)

    def _before_batches(self, data: TaskSummary) -> None:
        """Set what the penalty needs to know of the tasks."""

    # What cannot be fitted

    def _refuse_batches(self) -> None:
        """Raise if the estimator cannot be fitted from batches, as far as its parameters tell."""
        name, loss = type(self).__name__, getattr(self, "loss", None)
        if self._not_in_batches is not None:
            raise ValueError(f"fit_batches does not fit {name}: {self._not_in_batches}.")
        alpha = getattr(self, "alpha", None)
        if isinstance(alpha, str):
            raise ValueError(
                f"fit_batches of {name} needs a number as alpha, got {alpha!r}. Select it by fit "
                f"on a sample of the rows, and set alpha to the alpha_ found."
            )
        if loss == "squared":
            return
        if isinstance(loss, str):  # the first pass finds out which tasks have which losses
            _refuse_loss(name, self._own_loss())
        if not self._is_convex:
            _refuse(
                name,
                "penalties that are not convex, except with loss='squared'. Use a convex estimator",
            )
        if self._penalty_reads_labels:
            _refuse(
                name,
                "a structure that is learned from the labels. Pass that of a fit on a sample",
            )
        if self._refits:
            _refuse(name, "refit_support=True. Set it to False")

    def _refuse_summary(self, data: TaskSummary) -> None:
        """Raise if the objective of the tasks cannot be minimised in passes."""
        name = type(self).__name__
        _refuse_loss(name, self._get_loss())
        if self._pooling(data) is not None:
            _refuse(name, "pooled tasks. Leave the tasks out of X and y, and use another estimator")
        if self._shrinks_intercepts(data):
            _refuse(name, "shrunk intercepts. Use intercept='free'")

    # The fit

    def _fit_summary(
        self, data: TaskSummary, reader: BatchReader, source: Passes, passes: int
    ) -> Fit:
        self._refuse_summary(data)
        learned = self._learnable(data)
        n_tasks, d = data.n_tasks, data.X.shape[1]
        if not learned.any():
            none = np.zeros((n_tasks, d))
            return Fit(none, self._left_out_intercepts(data), 0.0, 0.0, 1, learned)
        part = data.select(learned)
        _check_memory(part.n_tasks, d)
        self._before_batches(part)
        origin = reader.origin if self.fit_intercept else np.zeros(d)
        rows = _Rows(self, reader, data, part, learned, origin)
        objective = StreamedObjective(
            lambda request: source.total(_Pass(rows, request)),
            (d, part.n_tasks),
            self._get_penalty(part),
            part.label_counts.astype(np.float64),
            self._first_intercepts(part),
            fit_intercept=self.fit_intercept,
        )
        start = self._warm_place(data, learned, origin, objective) or objective.start()
        solver = NewtonPasses(objective, start, passes, done=source.n_passes)
        found = _fit_of(objective, solver.run(self.tol, self.verbose), origin)
        fit: Fit = self._with_all_tasks(found, data, learned)
        return fit

    def _first_intercepts(self, data: TaskSummary) -> Array:
        """The best intercepts with W = 0 if there are no offsets, and close to them otherwise."""
        if not self.fit_intercept:
            return np.zeros(data.n_tasks)
        loss = self._get_loss()
        columns = zip(map(loss.column, data.positions), data.label_means, strict=True)
        b = np.array([float(one.link_of(one.as_response(mean))) for one, mean in columns])
        return b if data.offset is None else b - data.offset[0]

    def _warm_place(
        self, data: TaskSummary, learned: Array, origin: Array, objective: StreamedObjective
    ) -> Place | None:
        """The previous fit, if ``warm_start`` and the shapes agree."""
        start = self._previous_fit(data)
        if start is None:
            return None
        W, b = start.coef[learned].T.astype(np.float64), start.intercept[learned]
        b = b + origin @ W
        parts = np.zeros((objective.n_parts, *W.shape))
        parts[0] = W
        if start.parts is not None and len(start.parts) == objective.n_parts:
            parts = start.parts[:, learned].transpose(0, 2, 1).astype(np.float64)
        return Place(parts.reshape(-1, W.shape[1]), b)


@dataclass(frozen=True)
class _Statistics:
    """Statistics of the squared loss, as :class:`skmtl.design.PassWork`."""

    task_column: Any
    offset_column: Any

    def start(self) -> TaskStatistics:
        return TaskStatistics(task_column=self.task_column, offset_column=self.offset_column)

    def add(self, sums: TaskStatistics, X: Any, y: Any, sample_weight: Any) -> None:
        sums._add(X, y, sample_weight)


@dataclass(frozen=True)
class _Pass:
    """What the objective asks of one pass, as :class:`skmtl.design.PassWork`."""

    rows: "_Rows"
    request: PassRequest

    def start(self) -> PassSums:
        return self.request.start()

    def add(self, sums: PassSums, X: Any, y: Any, sample_weight: Any) -> None:
        rows = self.rows.read(X, y, sample_weight)
        if rows is not None:
            self.request.add(sums, rows)


class _Rows:
    """The rows of the learnable tasks, one batch at a time."""

    def __init__(
        self,
        model: Any,
        reader: BatchReader,
        data: TaskSummary,
        part: TaskSummary,
        learned: Array,
        origin: Array,
    ) -> None:
        self.model, self.reader, self.data, self.learned = model, reader, data, learned
        self.origin, self.loss = origin, model._get_loss().columns(part.positions)
        factors = model._task_factors(part)
        self.scales = np.full(part.n_tasks, part.n_tasks / part.weights.sum())
        if factors is not None:
            self.scales = self.scales * factors

    def read(self, X: Any, y: Any, sample_weight: Any) -> BatchRows | None:
        """The rows of a batch; None if it has none with labels."""
        batch = self.reader.read(X, y, sample_weight, self.origin)
        if not len(batch.y):
            return None
        data = self._prepared(batch).select(self.learned)
        loss: Loss = self.loss
        if data.offset is not None:
            loss = with_offset(loss, data.y, data.offset)
        return BatchRows(data, loss, self.scales)

    def _prepared(self, batch: TaskData) -> TaskData:
        """The batch around ``prior_coef``, with the labels in the units of the fit."""
        prior, scales = self.data.prior, self.data.scales
        if prior is not None:
            # The predictors of the prior are those of features that are not centred.
            raw = replace(batch, X=batch.X + self.origin)
            moved = around_prior(self.model, raw, prior)
            batch = replace(moved, X=batch.X)
        if scales is not None:
            batch = replace(batch, y=batch.y / batch.spread(scales))
        return batch


def _fit_of(objective: StreamedObjective, found: PassedOver, origin: Array) -> Fit:
    """The fit of the learnable tasks, for features that are not centred."""
    visit = found.visit
    parts = visit.place.W.reshape(objective.n_parts, -1, visit.W.shape[1]).transpose(0, 2, 1)
    return Fit(
        np.ascontiguousarray(visit.W.T),
        visit.place.b - origin @ visit.W,
        visit.value,
        found.dual_gap,
        found.n_passes,
        np.ones(visit.W.shape[1], dtype=bool),
        parts if objective.n_parts > 1 else None,
    )


def _refuse_loss(name: str, loss: Loss) -> None:
    if not loss.has_gradient:
        _refuse(name, "loss='quantile', which has no gradient. Use loss='huber'")
    if loss.couples_tasks:
        _refuse(name, "loss='multinomial', which couples the classes. Use loss='logistic'")


def _refuse(name: str, what: str) -> None:
    raise ValueError(f"fit_batches of {name} does not support {what}, or fit on all rows.")


def _check_memory(n_tasks: int, n_features: int) -> None:
    """Raise if the Gram matrices would be too large."""
    size = 8 * n_tasks * n_features**2
    if size > _GRAM_BYTES:
        raise ValueError(
            f"{n_tasks} Gram matrices of {n_features} features take {size / 2**30:.3g} GiB, more "
            f"than the {_GRAM_BYTES / 2**30:.3g} GiB that fit_batches allows. Keep fewer features, "
            f"fit the tasks in groups, or fit a sample of the rows: fit needs no Gram matrices."
        )


def refuse_prior_with_scales(model: Any) -> None:
    """Raise if standard deviations are needed of labels that the first pass does not know."""
    if model.scale_tasks and model.prior_coef is not None:
        raise ValueError(
            f"fit_batches of {type(model).__name__} does not support scale_tasks=True with "
            f"prior_coef: the standard deviations are those of the labels less the prior's "
            f"predictions. Scale y before the fit, and set scale_tasks=False."
        )


def with_prior(model: Any, data: TaskSummary) -> TaskSummary:
    """The summary with ``prior_coef`` (n_tasks, n_features)."""
    return replace(data, prior=read_prior(model, data))
