"""Fits from sufficient statistics, and from batches one after another."""

from functools import partial
from typing import Any, Self

from sklearn.utils.metaestimators import available_if

from skmtl.design import Parts, TaskStatistics, check_statistics
from skmtl.estimators.base._callbacks import follow
from skmtl.estimators.base._restored import Restored


def _is_squared(estimator: Any) -> bool:
    """Raise unless sums over rows determine the fit; scikit-learn hides the method then."""
    loss = getattr(estimator, "loss", None)
    if loss != "squared":
        raise AttributeError(
            f"Only fits with loss='squared' are determined by sums over rows, got loss={loss!r}. "
            f"Use fit_batches, which reads the rows several times, or fit."
        )
    return True


def _is_plain(estimator: Any) -> bool:
    """Raise unless one set of statistics determines the fit."""
    if hasattr(estimator, "cv"):
        raise AttributeError(
            f"{type(estimator).__name__} cross-validates, for which the statistics of the folds "
            f"must be kept apart: use fit_statistics with a list of TaskStatistics."
        )
    alpha = getattr(estimator, "alpha", None)
    if isinstance(alpha, str):
        raise AttributeError(
            f"alpha={alpha!r} is selected by cross-validation, for which the statistics of the "
            f"folds must be kept apart: use fit_statistics with a list of TaskStatistics."
        )
    return _is_squared(estimator)


class AdditiveFits:
    """Fits with the squared loss, whose data are sums: mixed into regressors."""

    _validate_params: Any
    _fit: Any
    task_column: Any
    offset_column: Any

    @available_if(_is_squared)  # type: ignore[untyped-decorator]
    def fit_statistics(self, statistics: Any) -> Self:
        """Fit all tasks together, from statistics instead of rows.

        The fit is that of all rows from which the statistics were collected. Only with
        ``loss="squared"``.

        Parameters
        ----------
        statistics : TaskStatistics or list of TaskStatistics
            Collected with the same ``task_column`` and ``offset_column``. Several are fitted
            together; where strengths are cross-validated, they are the folds, so that no further
            pass over the data is needed.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If they are something else.
        ValueError
            If they do not match the estimator or one another, or if a single one is given where
            strengths are cross-validated.
        """
        parts = Parts(statistics)
        with Restored(self):
            self.__dict__.pop("statistics_", None)
            return self._fit_parts(parts)

    @available_if(_is_plain)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, *, solve: bool = True) -> Self:
        """Add rows to those fitted before, and fit all of them together.

        The fit is that of all rows so far, whatever the order and the sizes of the batches. Tasks
        may be new. The statistics of the rows are kept in ``statistics_``; all other fits discard
        them. Only with ``loss="squared"``.

        Parameters
        ----------
        X, y, sample_weight : as in fit
        solve : bool, default=True
            Whether to solve for the coefficients, starting from those before. False only adds the
            rows, for a later call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the rows do not match those before, or ``task_column`` or ``offset_column`` has
            changed. Nothing is added then. If the solve fails, for example because a column of y
            has no label yet, or is interrupted, the rows have been added, and the coefficients are
            those before.
        """
        self._validate_params()
        statistics = vars(self).get("statistics_")
        if statistics is None:
            statistics = TaskStatistics(
                task_column=self.task_column, offset_column=self.offset_column
            )
        check_statistics(self, statistics)
        self.statistics_ = statistics.update(X, y, sample_weight)
        return self._fit_parts(Parts(self.statistics_, continues=True)) if solve else self

    def _fit_parts(self, parts: Parts) -> Self:
        """Fit rows with the same sums."""
        self._validate_params()
        self.__dict__.pop("_beside", None)
        fit = partial(self._fit, parts, None, None)
        with Restored(self):
            fitted: Self = follow(self, fit, parts, None, None)
        return fitted
