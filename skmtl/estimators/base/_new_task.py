"""Tasks that a fit did not see: their prior, their fit, and the uncertainty of predictions."""

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.design import UNKNOWN, TaskData, append_tasks, read_new_tasks, read_prediction
from skmtl.design import task_factors as read_factors
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._fit import Fit
from skmtl.estimators.base._parameters import estimator, parameter
from skmtl.estimators.base._prior import (
    Certified,
    Frame,
    KnownTasks,
    Prior,
    Spectrum,
    minimise,
)
from skmtl.estimators.base._regressor import TaskRegressor
from skmtl.estimators.base._variances import Variances, estimate, has_noise, label_weights

Array = NDArray[Any]

# New tasks are fitted at least as exactly as this; their problems are small.
_TOL = 1e-9
# Pickling computes the variances if they take at most this many multiplications.
_AFFORDABLE = 10**9


@dataclass(frozen=True, eq=False)
class _Learned:
    """What is known of a task: its coordinates, its data's spectrum, and its label's scale."""

    frame: Frame
    spectrum: Spectrum
    weight: float
    scale: float


class _Training:
    """The training data of a fit, and what was computed from them on demand.

    Pickles do not contain the data.
    """

    def __init__(self, data: TaskData) -> None:
        self.data: TaskData | None = data
        self.variances: Variances | None = None
        self.tasks: dict[int, _Learned] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "data": None}

    def read(self, what: str) -> TaskData:
        """The data.

        Raises
        ------
        ValueError
            If they were lost in a pickle.
        """
        if self.data is None:
            raise ValueError(
                f"{what} is computed from the training data, which pickles do not contain. Compute "
                f"it once before pickling, or fit the estimator again."
            )
        return self.data


@estimator
class NewTasks(TaskEstimator):
    r"""An estimator whose learned structure is a Gaussian prior for a task like the others.

    Attributes
    ----------
    new_task_gaps_ : dict
        Upper bounds on the suboptimality of the tasks that ``fit_new_task`` added, by task.

    Notes
    -----
    The structure that a fit has learned is a Gaussian prior for the coefficients of a further task:
    ``fit_new_task`` fits such a task, from 0, 1, 2 or more labels, with those of the others fixed,
    and ``unknown_task="prior"`` predicts by the prior's mean. It minimises

    .. math::

        \tfrac{T}{S} \bar c \sum_i s_i \, \ell(y_i, x_i w + b)
        + \tfrac12 (w - m)' C^{-1} (w - m) + \tfrac{\kappa}{2} (b + \bar x w - \beta)^2 ,

    where a label of the task counts as one in the fit did on average (:math:`\bar c` is the mean of
    :math:`c_t` over the labels). The prior's mean m and covariance C are described below. The
    intercept at the mean :math:`\bar x` of the features is shrunk towards the mean :math:`\beta` of
    those of the tasks, because one label would otherwise be explained by the intercept alone: with
    ``intercept="free"`` the labels of the fit determine the strength, from
    the variance of their intercepts relative to that of the noise; otherwise the mean counts as
    many labels as in the fit. The fit keeps a reference to its training data, which pickles do not
    contain.
    """

    unknown_task: str = parameter(
        "error",
        [StrOptions({"error", "mean", "prior"})],
        '{"error", "mean", "prior"}',
        """
        What ``predict`` does with rows of tasks that ``fit`` did not see: raise an error, use the
        average of the tasks' coefficients and intercepts, or the mean of the prior for a new task,
        as ``fit_new_task`` does without labels.
        """,
    )

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        """The prior of a new task, given the tasks of the fit.

        ``near`` is what the caller of ``fit_new_task`` says of the similar ones.
        """
        raise NotImplementedError

    def _own_prior(self, prior: Prior, known: KnownTasks, task: int) -> Prior:
        """The prior of a task of the fit (its column of W), given that of a new one."""
        if not prior.candidates:
            return prior
        return min(prior.candidates, key=lambda one: one.distance(known.coef[:, task]))

    def _penalised(self) -> "NewTasks":
        """The estimator with the parameters of the penalty that was used."""
        return self

    def fit_new_task(self, X: Any, y: Any, sample_weight: Any = None, *, name: Any = None) -> Self:
        """Fit further tasks under the prior that the fit has learned, all others fixed.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            Rows of the new tasks, as in fit, with the task column in the stacked layout. It may
            have no rows.
        y : array-like
            In the shared layout (n_samples,), or (n_samples, n_new_tasks) with a column for each
            new task, NaN where a label is missing; in the stacked layout (n_samples,).
        sample_weight : array-like, optional
            As in fit, and relative to the weights there.
        name : object or list, optional
            In the shared layout, the names of the new tasks; by default those of the columns of y,
            or the next numbers. In the stacked layout, the ids of new tasks without rows.

        Returns
        -------
        estimator
            A copy to which the new tasks have been added; the estimator itself stays the same. Its
            ``tasks_``, ``coef_`` and ``intercept_`` end with the new tasks, which ``predict``
            knows. In the attributes that describe the structure, they are like tasks left out of
            the objective.

        Raises
        ------
        ValueError
            If a task is known already, if X does not match the data of the fit, or if there are no
            tasks like the new one (a 1-D y without a task column) or no penalty.

        Examples
        --------
        >>> import numpy as np
        >>> from skmtl import TaskRelationRegressor
        >>> rng = np.random.default_rng(0)
        >>> w = np.array([1.0, 2.0, 0.0, -1.0])
        >>> X = np.column_stack([rng.normal(size=(200, 4)), np.repeat(np.arange(10), 20)])
        >>> y = X[:, :4] @ w + rng.normal(size=200)
        >>> model = TaskRelationRegressor(0.1, task_column=-1).fit(X, y)
        >>> rows = np.column_stack([rng.normal(size=(3, 4)), [10, 10, 10]])
        >>> new = model.fit_new_task(rows, rows[:, :4] @ w)
        >>> predicted, std = new.predict(rows, return_std=True)
        >>> new.tasks_.tolist()[-2:], std.shape
        ([9, 10], (3,))
        """
        return self._with_new_tasks(X, y, sample_weight, name, None)

    def _with_new_tasks(self, X: Any, y: Any, sample_weight: Any, name: Any, near: Any) -> Self:
        """The estimator with new tasks, of which ``near`` says which tasks are similar."""
        self._check_tasks()
        data = read_new_tasks(self, X, y, sample_weight, name)
        if isinstance(self, TaskRegressor):
            self._check_labels(data)
        variances = self._variances()
        prior = self._new_prior(near)
        found = [self._fit_one(prior, variances, data, t) for t in range(data.n_tasks)]
        return self._extended(data.tasks, found)

    def _fit_one(
        self, prior: Prior, variances: Variances, data: TaskData, task: int
    ) -> tuple[_Learned, Certified]:
        """The fit of one new task, under the candidate prior with the lowest objective."""
        X, y, weights = data.labels_of(task)
        scale = 1.0
        if getattr(self, "scale_tasks", False):
            scale = variances.scale(y, weights)
        omega = variances.weight * variances.unit * weights
        best: tuple[_Learned, Certified] | None = None
        for one in prior.candidates if len(y) and prior.candidates else (prior,):
            frame = variances.frame(one, self._own_pull())
            Z = frame.coordinates(X)
            found = minimise(
                self._get_loss(),
                Z,
                frame.offset(X),
                y / scale,
                omega,
                max_iter=self.max_iter,
                tol=min(self.tol, _TOL),
            )
            if best is None or found.objective < best[1].objective:
                spectrum = Spectrum.of(Z, omega)
                best = _Learned(frame, spectrum, variances.weight, scale), found
        assert best is not None
        return best

    def _extended(self, tasks: Array, found: list[tuple[_Learned, Certified]]) -> Self:
        """A copy with the fitted new tasks."""
        new = copy.copy(self)
        points = [learned.frame.coefficients(one.v) for learned, one in found]
        coef = np.array([w for w, _ in points], dtype=self.coef_.dtype)
        intercept = np.array([b for _, b in points])
        scales = np.array([learned.scale for learned, _ in found])
        if self._fit_coef is not None:
            new._fit_coef = np.vstack([self._fit_coef, coef])
        coef, intercept = self._get_loss().rescale(coef, intercept, scales)
        new.coef_ = np.vstack([self.coef_, coef])
        new.intercept_ = np.append(self.intercept_, intercept).astype(self.intercept_.dtype)
        new.tasks_ = append_tasks(self.tasks_, tasks)
        new._learned = np.append(self._learned, np.zeros(len(tasks), dtype=bool))
        if self._layout == "shared" and hasattr(self, "classes_"):
            new.classes_ = np.arange(len(new.tasks_))  # the positions of the columns of y
        start = len(self.tasks_)
        new._added = self._added | {start + k: learned for k, (learned, _) in enumerate(found)}
        gaps = zip(tasks.tolist(), (one.dual_gap for _, one in found), strict=True)
        new.new_task_gaps_ = self.new_task_gaps_ | dict(gaps)
        return new

    # What the prior needs

    def _check_tasks(self) -> None:
        """Raise unless the estimator is fitted to several tasks with a penalty."""
        check_is_fitted(self)
        name = type(self).__name__
        if self._beside is not None:
            raise ValueError(
                f"New tasks and standard deviations are not available for a {name} that was fitted "
                f"together with auxiliary tasks: these have other losses and weights than a new "
                f"task. Fit {name} to the main tasks alone."
            )
        if self._layout not in ("shared", "stacked"):
            raise ValueError(
                f"{name} was fitted to one 1-D y, so that there are no tasks like a new one. Fit "
                f"it to a matrix y with a column for each task, or set task_column."
            )
        if getattr(self._penalised(), "alpha", 1.0) == 0:
            raise ValueError(
                f"alpha must be > 0 for new tasks in {name}, got 0: without a penalty the tasks "
                f"share nothing."
            )
        if not self._learned.any():
            raise ValueError(f"{name} has learned no task. Fit it to tasks of several labels.")

    def _own_pull(self) -> float | None:
        """The number of labels for which the mean intercept counts; None without intercepts."""
        return self._pull if self.fit_intercept else None

    def _learned_coefficients(self) -> Array:
        """The coefficients (n_features, n_learned_tasks) of the tasks in the objective."""
        check_is_fitted(self)
        coef = np.atleast_2d(self._fit_coef if self._fit_coef is not None else self.coef_)
        return np.asarray(coef[self._learned].T, dtype=np.float64)

    @property
    def _n_fitted(self) -> int:
        """The number of tasks of the fit, without those added later."""
        return len(self._learned) - len(self._added)

    def _known_tasks(self) -> KnownTasks:
        """The tasks of the fit."""
        n = self._n_fitted
        return KnownTasks(self._learned_coefficients(), self.tasks_[:n], self._learned[:n])

    def _new_prior(self, near: Any = None) -> Prior:
        """The prior of a new task."""
        return self._penalised()._prior(self._known_tasks(), near)

    def _variances(self) -> Variances:
        """The spread of the tasks, computed from the training data at the first call."""
        kept = self._training
        if kept.variances is None:
            data = kept.read("The spread of the tasks")
            data = data.select(self._learned[: data.n_tasks])
            model, known, prior = self._penalised(), self._known_tasks(), self._new_prior()
            intercept = np.asarray(self.intercept_, dtype=np.float64)[self._learned]
            if data.scales is not None:
                intercept = self._get_loss().rescale(known.coef.T, intercept, 1 / data.scales)[1]
            kept.variances = estimate(
                data,
                known.coef.T,
                intercept,
                lambda task: model._own_prior(prior, known, task),
                self._get_loss(),
                read_factors(self.task_weight, data),
                fit_intercept=self.fit_intercept,
            )
        return kept.variances

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self._training = _Training(data)
        self._added: dict[int, _Learned] = {}
        self.new_task_gaps_: dict[Any, float] = {}
        return self

    def __getstate__(self) -> dict[str, Any]:
        kept = vars(self).get("_training")
        if kept is not None and kept.variances is None and kept.data is not None:
            n, d = kept.data.X.shape
            if n * d * min(n, d) <= _AFFORDABLE:
                self._compute_if_possible()
        state: dict[str, Any] = super().__getstate__()
        return state

    def _compute_if_possible(self) -> None:
        """Compute the variances for a pickle, if new tasks can be fitted at all."""
        try:
            self._check_tasks()
            self._variances()
        except (ValueError, AttributeError, np.linalg.LinAlgError):
            return

    def _unknown_task(self) -> tuple[Array, float]:
        if self.unknown_task != "prior":
            return super()._unknown_task()
        known = self._unseen()
        w, b = known.frame.at_prior()
        scale = np.array([known.scale])
        coef, intercept = self._get_loss().rescale(w[None], np.array([b]), scale)
        return coef[0].astype(self.coef_.dtype), float(intercept[0])

    def _unseen(self) -> _Learned:
        """What is known of a task without labels."""
        self._check_tasks()
        variances = self._variances()
        frame = variances.frame(self._new_prior(), self._own_pull())
        empty = np.zeros((0, self.coef_.shape[1]))
        spectrum = Spectrum.of(frame.coordinates(empty), np.zeros(0))
        return _Learned(frame, spectrum, variances.weight, float(np.exp(variances.scales[0])))


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
            If X holds a task that fit did not see, unless ``unknown_task`` is "mean" or "prior".
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
            scales = [self._known(t).scale for t in range(len(self.tasks_))]
        except ValueError as error:
            raise AttributeError(str(error)) from error
        return noise * np.array(scales) ** 2

    def _check_noise(self) -> None:
        """Raise unless the variance of the noise is known."""
        check_is_fitted(self)
        if not has_noise(self._own_loss()):
            raise ValueError(
                f"Standard deviations need loss='squared', under which the noise has a constant "
                f"variance; got loss={self.loss!r}."
            )
        self._check_tasks()

    def _deviations(self, X: Any) -> Array:
        """The standard deviations of new labels in the shape of the predictions."""
        self._check_noise()
        X, codes = read_prediction(self, X)
        if codes is None:
            tasks = range(len(self.tasks_))
            return np.column_stack([self._deviations_of(self._known(t), X) for t in tasks])
        out = np.empty(X.shape[0])
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            out[rows] = self._deviations_of(self._known(int(code)), X[rows])
        return out

    def _deviations_of(self, known: _Learned, X: Any) -> Array:
        variances, frame = self._variances(), known.frame
        Z = frame.coordinates(X)
        spread = variances.coordinates(frame, Z.shape[1], known.weight)
        noise = variances.noise
        errors = known.spectrum.variance(Z, spread, known.weight * noise)
        return np.asarray(known.scale * np.sqrt(errors + noise))

    def _known(self, code: int) -> _Learned:
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

    def _learned_before(self, task: int) -> _Learned:
        """What is known of a task of the fit, from its training data."""
        data = self._training.read("The standard deviation of a task of the fit")
        variances = self._variances()
        prior = self._penalised()._own_prior(self._new_prior(), self._known_tasks(), task)
        each, unit = label_weights(data, read_factors(self.task_weight, data))
        frame = variances.frame(prior, self._own_pull(), float(each[task]))
        X, _, weights = data.labels_of(task)
        spectrum = Spectrum.of(frame.coordinates(X), each[task] * unit * weights)
        scale = 1.0 if data.scales is None else float(data.scales[task])
        return _Learned(frame, spectrum, float(each[task]), scale)
