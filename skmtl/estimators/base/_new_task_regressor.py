"""Standard deviations of predictions, from the learned structure as a Gaussian prior."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skmtl.design import UNKNOWN, read_prediction, rows_by_task
from skmtl.design import task_factors as read_factors
from skmtl.estimators.base._new_task import NewTasks
from skmtl.estimators.base._one_task import Spectrum
from skmtl.estimators.base._parameters import estimator
from skmtl.estimators.base._regressor import TaskRegressor
from skmtl.estimators.base._training import Learned
from skmtl.estimators.base._variances import label_weights

Array = NDArray[Any]


@estimator
class NewTaskRegressor(NewTasks, TaskRegressor):
    """A regressor that also predicts standard deviations, mixed into estimators of new tasks.

    Attributes
    ----------
    noise_variance_ : ndarray of shape (n_tasks,)
        The estimated variance of a label of average weight around its true mean, only with the
        squared loss, several tasks and alpha > 0. Computed at the first access.

    Notes
    -----
    With the squared loss ``predict(X, return_std=True)`` also returns the standard deviations of
    new labels of average weight around the predictions, given the structure and the coefficients
    of the other tasks. The variance of the noise and that of the tasks' true coefficients, as a
    multiple of C, are estimated by equating two sums over the tasks of the fit to their
    expectations: those of the squared residuals, and of the squared distances from the prior's
    mean. If the penalty is as strong as the two variances suggest, the standard deviation is that
    of the posterior; otherwise it accounts for too much or too little shrinkage.
    """

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predict the response.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.
        return_std : bool, default=False
            Also return the standard deviation of a new label around its prediction. Only with
            ``loss="squared"``.

        Returns
        -------
        predictions : ndarray of shape (n_samples, n_tasks), or (n_samples,) if y was 1-D
            In the stacked layout each row is predicted by its own task.
        std : ndarray of the same shape
            Only if ``return_std``.

        Raises
        ------
        ValueError
            If X holds a task that fit did not see, and ``unknown_task="error"``.
            If ``return_std`` and the loss is another, the variances are unknown for other reasons,
            or X holds an unknown task and ``unknown_task`` is not "prior".
        """
        predicted = super().predict(X)
        return (predicted, self._deviations(X)) if return_std else predicted

    @property
    def noise_variance_(self) -> Array:
        """The estimated variance of the noise of a label of average weight, by task."""
        try:
            self._check_noise()
            noise = self._variances().noise
        except ValueError as error:
            raise AttributeError(str(error)) from error
        scales = self._training.scales
        of_fit = np.ones(self._n_fitted) if scales is None else scales
        added = [known.scale for known in self._added.values()]
        return np.asarray(noise * np.append(of_fit, added) ** 2)

    def _check_noise(self) -> None:
        """Raise unless the variance of the noise is known."""
        check_is_fitted(self)
        if not self._own_loss().has_gaussian_noise:
            raise ValueError(
                f"Standard deviations need loss='squared', under which the noise has a constant "
                f"variance; got loss={self.loss!r}."
            )
        self._check_tasks()

    def _deviations(self, X: Any) -> Array:
        """The standard deviations of new labels in the shape of the predictions."""
        self._check_noise()
        X, codes, _ = read_prediction(self, X)
        if codes is None:
            tasks = range(len(self.tasks_))
            return np.column_stack([self._deviations_of(task, X) for task in tasks])
        out = np.empty(X.shape[0])
        for code, rows in rows_by_task(codes):
            out[rows] = self._deviations_of(code, X[rows])
        return out

    def _deviations_of(self, code: int, X: Any) -> Array:
        """The standard deviations (n,) of one task, by its position or UNKNOWN."""
        known, variances = self._known(code), self._variances()
        frame = known.frame
        Z = frame.coordinates(X)
        spread = variances.coordinates(frame, Z.shape[1], known.weight)
        noise = variances.noise
        errors = known.spectrum.variance(Z, spread, known.weight * noise)
        return np.asarray(known.scale * np.sqrt(errors + noise))

    def _known(self, code: int) -> Learned:
        """What is known of the task at a position, or of an unknown one."""
        if code == UNKNOWN:
            if self.unknown_task == "prior":
                return self._unseen()
            raise ValueError(
                f"Standard deviations of tasks that fit did not see need unknown_task='prior', got "
                f"{self.unknown_task!r}."
            )
        if code in self._added:
            return self._added[code]
        kept = self._training.tasks
        if code not in kept:
            kept[code] = self._learned_before(code)
        return kept[code]

    def _learned_before(self, task: int) -> Learned:
        """What is known of a task of the fit, from its training data.

        With the squared loss all tasks have labels, so that all are in the objective.
        """
        data = self._training.read("The standard deviation of a task of the fit")
        variances = self._variances()
        each, unit = label_weights(data, read_factors(self.task_weight, data))
        frame = variances.frame(self._own_priors()(task), self._own_pull(), float(each[task]))
        X, _, weights = data.labels_of(task)
        spectrum = Spectrum.of(frame.coordinates(X), each[task] * unit * weights)
        scale = 1.0 if data.scales is None else float(data.scales[task])
        return Learned(frame, spectrum, float(each[task]), scale)
