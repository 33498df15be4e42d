"""The base class of regressors."""

from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl import metrics
from skmtl._warnings import warn
from skmtl.design import (
    BatchReader,
    Parts,
    Passes,
    TaskData,
    TaskSummary,
    read_regression,
    read_scored,
)
from skmtl.estimators.base._additive import AdditiveFits
from skmtl.estimators.base._batches import refuse_prior_with_scales, with_prior
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._known import apart_from_known, around_prior
from skmtl.estimators.base._parameters import estimator, parameter
from skmtl.losses import Loss, loss_by_name
from skmtl.penalties import split

Array = NDArray[Any]

# Standard deviations that differ by this factor suggest different units.
_UNLIKE = 100.0


@estimator
class TaskRegressor(RegressorMixin, AdditiveFits, TaskEstimator):
    """Regression tasks in the shared or the stacked layout, or a single target."""

    loss: str = parameter(
        "squared",
        [StrOptions({"squared", "huber", "quantile", "poisson", "gamma", "tweedie"})],
        '{"squared", "huber", "quantile", "poisson", "gamma", "tweedie"}',
        r"""
        :math:`\ell(y, z)`: :math:`(y - z)^2 / 2`; the same near zero and linear beyond
        ``huber_delta``; :math:`\max(q (y - z), (q - 1)(y - z))` with q = ``quantile``, where
        ``predict`` returns the q-quantile; half the Poisson deviance
        :math:`e^z - y z + y \log y - y` for counts;
        half the gamma deviance :math:`y e^{-z} + z - \log y - 1` for y > 0; half the Tweedie
        deviance with power ``tweedie_power`` for y >= 0. With the last three ``predict`` returns
        the mean :math:`e^z`.
        """,
        group="loss",
    )
    huber_delta: float = parameter(
        1.35,
        [Interval(Real, 0, None, closed="neither")],
        "float",
        """
        Residual beyond which the Huber loss is linear, > 0, in y's units (in standard deviations
        of y with ``scale_tasks``).
        """,
        group="loss",
    )
    quantile: float = parameter(
        0.5,
        [Interval(Real, 0, 1, closed="neither")],
        "float",
        'The quantile that ``loss="quantile"`` estimates, between 0 and 1. 0.5: the median.',
        group="loss",
    )
    tweedie_power: float = parameter(
        1.5,
        [Interval(Real, 1, 2, closed="both")],
        "float",
        r"""
        With ``loss="tweedie"``, the variance of y is proportional to this power p of its mean. For
        1 < p < 2 y is a sum of a random number of positive amounts, such as claims, and may be
        zero; the loss is :math:`\frac{y e^{(1-p) z}}{p-1} + \frac{e^{(2-p) z}}{2-p} -
        \frac{y^{2-p}}{(p-1)(2-p)}`. 1 means Poisson, 2 gamma.
        """,
        group="loss",
    )
    scale_tasks: bool = parameter(
        False,
        ["boolean"],
        "bool",
        """
        Divide each task's y by its standard deviation for the fit, so that no task dominates
        because of its units; with ``prior_coef``, its y less the prior's predictions.
        ``coef_`` and ``intercept_`` are still in y's units, ``objective_`` and ``dual_gap_`` in
        those of the fit. If False, a warning names tasks whose standard
        deviations differ by a factor of 100 or more.
        """,
        group="labels",
    )

    @property
    def _scales_labels(self) -> bool:  # type: ignore[override]
        return self.scale_tasks

    def _own_loss(self) -> Loss:
        return loss_by_name(self, self.loss)

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        return self._prepared(self._read_labels(X, y, sample_weight))

    def _read_to_fit(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        data = self._prepared(self._read_labels(X, y, sample_weight, keep_rows=True))
        # Moments of a large X are computed without a copy, whatever its rows.
        return data if data.codes is not None or self._takes_moments(data) else data.labelled()

    def _prepared(self, data: TaskData) -> TaskData:
        """The data in the units of the fit, without what is known, if the labels are valid."""
        self._check_labels(data)
        data = apart_from_known(self, data)
        return self._coded(self._standardised(data) if self.scale_tasks else data)

    def _coded(self, data: TaskData) -> TaskData:
        """The data with labels as the loss takes them."""
        return data

    def _batch_reader(self) -> BatchReader:
        refuse_prior_with_scales(self)
        return BatchReader(self, type(self)._prepared_batch)

    def _prepared_batch(self, batch: TaskData) -> TaskData:
        """A batch without its offset, where the loss depends on y - z, and with coded labels."""
        self._check_labels(batch)
        return self._coded(batch if batch.offset is None else around_prior(self, batch, None))

    def _summary(self, reader: BatchReader, source: Passes) -> TaskSummary:
        summary = with_prior(self, reader.count(source))
        if self.scale_tasks:
            scaled = self._standardised(summary)
            assert isinstance(scaled, TaskSummary)
            return scaled
        return summary

    def _check_labels(self, data: TaskData) -> None:
        """Raise if labels are outside the domain of the loss."""
        loss = self._get_loss()
        if loss.takes_all_numbers:
            return
        wrong = loss.refuses(data.y)
        if wrong.any():
            wrong &= data.weights > 0
        if wrong.any():
            # Of the smallest, whose sign says most.
            at = np.unravel_index(np.where(wrong, data.y, np.inf).argmin(), wrong.shape)
            raise ValueError(
                f"loss={self.loss!r} needs {loss.label_rule}; y holds {data.y[at]:.4g} in row "
                f"{at[0]}. {loss.label_remedy}"
            )

    def _standardised(self, data: TaskData) -> TaskData:
        """The data with each task's labels divided by their standard deviation."""
        return data.standardised()

    def _warn_of_data(self, data: TaskData) -> None:
        super()._warn_of_data(data)
        if data.scales is None and data.n_tasks > 1 and self._targets_compete(data):
            self._warn_unlike_scales(data)

    def _targets_compete(self, data: TaskData) -> bool:
        """Whether the fit of one task depends on the scale of the labels of another."""
        if self._pooling(data) is not None:
            return True
        penalty = self._get_penalty(data)
        if penalty is None:
            return False
        rough, quadratic = split(penalty)
        return rough is not None or (quadratic is not None and quadratic.couples_tasks)

    def _warn_unlike_scales(self, data: TaskData) -> None:
        """Warn if the labels of some tasks are far smaller or larger than those of others."""
        loss, scales = self._get_loss(), data.standard_deviations()
        if not loss.translates:
            # Constant labels, counts and classes have no scale.
            scales[[not loss.column(task).translates for task in data.positions]] = 0.0
        compared = scales[scales > 0]
        if len(compared) < 2 or compared.max() < _UNLIKE * compared.min():
            return
        low, high = (int(np.argmax(scales == end)) for end in (compared.min(), compared.max()))
        warn(
            f"The labels' standard deviations range from {scales[low]:.3g} (task "
            f"{data.tasks[low]!s}) to {scales[high]:.3g} (task {data.tasks[high]!s}): all "
            f"tasks share one penalty and one tolerance, so that tasks with small labels have "
            f"little influence, and the fit may be slow. Set scale_tasks=True, or convert y to "
            f"comparable units."
        )

    def _read_labels(
        self, X: Any, y: Any, sample_weight: Any, *, keep_rows: bool = False
    ) -> TaskData:
        """The training data with unscaled labels."""
        if isinstance(X, Parts):
            return X.data_of(self)
        return read_regression(self, X, y, sample_weight, keep_rows=keep_rows)

    def predict(self, X: Any) -> Array:
        """Predict the response.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray of shape (n_samples, n_tasks), or (n_samples,) if y was 1-D
            In the stacked layout each row is predicted by its own task.

        Raises
        ------
        ValueError
            If X holds a task that fit did not see, and ``unknown_task="error"``.
        """
        z = self._predictor(X)  # raises if the estimator is not fitted; the loss may be set by fit
        return self._get_loss().inverse_link(z)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2: the mean over tasks for a matrix y, or that of all rows together for a 1-D y.

        With ``loss="quantile"`` it is D2: 1 minus the mean quantile loss divided by that of the
        best constant, which is the quantile of y. Tasks with fewer than two labels in a matrix y
        are left out.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.
        y : array-like
            (n_samples, n_tasks), NaN where a label is missing, or (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Zero leaves the label out.

        Returns
        -------
        float
        """
        y, sample_weight = read_scored(self, y, sample_weight)
        return self._score_of(y, self.predict(X), sample_weight)

    def _score_of(self, y: Array, predicted: Array, sample_weight: Any) -> float:
        """The score of predictions."""
        average = "pooled" if predicted.ndim == 1 else "macro"
        if predicted.ndim == 1:
            y = y.reshape(-1)
        score = metrics.r2_score
        if self.loss == "quantile":
            score = partial(metrics.d2_pinball_score, alpha=self.quantile)
        return float(score(y, predicted, sample_weight=sample_weight, average=average))
