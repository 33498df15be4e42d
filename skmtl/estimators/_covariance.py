"""A learned covariance between tasks, as attributes of an estimator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.estimators.base import NewTasks, estimator

Array = NDArray[Any]


@estimator
class TaskCovariance(NewTasks):
    """An estimator whose penalty has a minimising covariance between tasks.

    Attributes
    ----------
    task_covariance_ : ndarray of shape (n_tasks, n_tasks)
        The learned covariance. NaN for tasks that were left out of the objective.
    task_correlation_ : ndarray of shape (n_tasks, n_tasks)
        ``task_covariance_`` scaled to a unit diagonal; 0 between a task without variance and the
        others.
    """

    def _covariance(self, W: Array) -> Array:
        """The covariance (T, T) that minimises the penalty at W (d, T)."""
        raise NotImplementedError

    def _form_covariance(self, W: Array) -> Array:
        """K (T, T), with which the penalty near W is tr(W K^-1 W') / 2 if it has such a form."""
        return np.asarray(self._covariance(W) / self.alpha)

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
