"""What estimators with a learned task covariance share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

Array = NDArray[Any]


class TaskCovariance:
    """Adds ``task_covariance_`` and ``task_correlation_``, computed when asked for.

    Hook: ``_covariance(W)``, the covariance (T, T) that minimises the penalty at W (d, T).
    """

    coef_: Array
    _fit_coef: Array | None
    _learned: Array

    def _covariance(self, W: Array) -> Array:
        raise NotImplementedError

    def _learned_coefficients(self) -> Array:
        """The coefficients (n_features, n_learned_tasks) that entered the objective."""
        check_is_fitted(self)
        coef = np.atleast_2d(self._fit_coef if self._fit_coef is not None else self.coef_)
        return np.asarray(coef[self._learned].T, dtype=np.float64)

    @property
    def task_covariance_(self) -> Array:
        """The learned covariance between tasks (n_tasks, n_tasks)."""
        covariance = np.full((len(self._learned), len(self._learned)), np.nan)
        if self._learned.any():
            covariance[np.ix_(self._learned, self._learned)] = self._covariance(
                self._learned_coefficients()
            )
        return covariance

    @property
    def task_correlation_(self) -> Array:
        """``task_covariance_`` scaled to a unit diagonal."""
        covariance = self.task_covariance_
        deviation = np.sqrt(np.diag(covariance))
        outer = np.outer(deviation, deviation)
        correlation = np.divide(covariance, outer, out=np.zeros_like(covariance), where=outer != 0)
        correlation[np.diag_indices_from(correlation)] = 1.0
        return correlation
