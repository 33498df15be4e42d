"""Tasks that a fit did not see: their prior and their fit."""

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData, append_tasks, read_new_tasks
from skmtl.design import task_factors as read_factors
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._fit import Fit
from skmtl.estimators.base._known import around_prior
from skmtl.estimators.base._one_task import Certified, Spectrum, minimise
from skmtl.estimators.base._parameters import estimator, parameter
from skmtl.estimators.base._prior import KnownTasks, Prior
from skmtl.estimators.base._training import Learned, Training
from skmtl.estimators.base._variances import Variances, estimate

Array = NDArray[Any]

# New tasks are fitted at least as exactly as this; their problems are small.
_TOL = 1e-9
# Pickling computes the variances if they take at most this many multiplications, or if predictions
# of unknown tasks need them.
_AFFORDABLE = 10**9


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
    many labels as in the fit.

    With the squared loss the fit keeps a reference to its training data: X must not be changed
    later, and its memory is freed with the estimator. Pickles do not contain the data.
    """

    unknown_task: str = parameter(
        "error",
        [StrOptions({"error", "mean", "prior"})],
        '{"error", "mean", "prior"}',
        """
        What ``predict`` does with rows of tasks that ``fit`` did not see: raise an error, use the
        average of the tasks' coefficients and intercepts, or the mean of the prior for a new task,
        as ``fit_new_task`` does without labels. This is the average too, except with a ridge in
        ``GraphRegularized*``; with the squared loss a regressor then also predicts with
        ``return_std=True``.
        """,
    )

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        """The prior of a new task, given the tasks of the fit.

        ``near`` names the tasks that are similar to it, where ``fit_new_task`` takes them.
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
        """The estimator with new tasks; ``near`` names the tasks that are similar to them."""
        self._check_tasks()
        self._refuse_prior()
        data = read_new_tasks(self, X, y, sample_weight, name)
        self._check_labels(data)
        if data.offset is not None:
            data = around_prior(self, data, None)
        variances = self._variances()
        if near is None:
            prior = self._new_prior()
        else:
            prior = self._penalised()._prior(self._known_tasks(), near)
        found = [self._fit_one(prior, variances, data, t) for t in range(data.n_tasks)]
        return self._extended(data.tasks, found)

    def _fit_one(
        self, prior: Prior, variances: Variances, data: TaskData, task: int
    ) -> tuple[Learned, Certified]:
        """The fit of one new task, under the candidate prior with the lowest objective."""
        X, y, weights = data.labels_of(task)
        known = data.offset_of(task)
        scale = variances.scale(y, weights) if self._scales_labels else 1.0
        omega = variances.weight * variances.unit * weights
        best: tuple[Learned, Certified] | None = None
        for one in prior.candidates if len(y) and prior.candidates else (prior,):
            frame = variances.frame(one, self._own_pull())
            Z = frame.coordinates(X)
            found = minimise(
                self._get_loss(),
                Z,
                frame.offset(X) + known,
                y / scale,
                omega,
                max_iter=self.max_iter,
                tol=min(self.tol, _TOL),
            )
            if best is None or found.objective < best[1].objective:
                spectrum = Spectrum.of(Z, omega)
                best = Learned(frame, spectrum, variances.weight, scale), found
        assert best is not None
        return best

    def _extended(self, tasks: Array, found: list[tuple[Learned, Certified]]) -> Self:
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

    def _refuse_prior(self) -> None:
        """Raise if the tasks are deviations from coefficients that a new task does not have."""
        if self.prior_coef is not None:
            raise ValueError(
                f"New tasks are not available for {type(self).__name__} with prior_coef, which has "
                f"no coefficients for them. Fit it again with the new tasks, or use an "
                f"offset_column for the predictors of the known coefficients."
            )

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

    def _new_prior(self) -> Prior:
        """The prior of a new task of which nothing is known."""
        kept = self._training
        if kept.prior is None:
            kept.prior = self._penalised()._prior(self._known_tasks())
        return kept.prior

    def _own_priors(self) -> Callable[[int], Prior]:
        """The priors of the tasks of the fit, by their columns of W."""
        model, prior, known = self._penalised(), self._new_prior(), self._known_tasks()
        return lambda task: model._own_prior(prior, known, task)

    def _variances(self) -> Variances:
        """The spread of the tasks, computed from the training data at the first call."""
        kept = self._training
        if kept.variances is None:
            kept.variances = self._estimated(kept.read("The spread of the tasks"))
        return kept.variances

    def _estimated(self, data: TaskData) -> Variances:
        """The spread of the tasks, from the training data."""
        data = data.select(self._learned[: data.n_tasks])
        coef = self._learned_coefficients().T
        intercept = np.asarray(self.intercept_, dtype=np.float64)[self._learned]
        if data.scales is not None:
            intercept = self._get_loss().rescale(coef, intercept, 1 / data.scales)[1]
        return estimate(
            data,
            coef,
            intercept,
            self._own_priors() if self._get_loss().constant_curvature else None,
            self._get_loss(),
            read_factors(self.task_weight, data),
            fit_intercept=self.fit_intercept,
        )

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        self._added: dict[int, Learned] = {}
        self.new_task_gaps_: dict[Any, float] = {}
        has_tasks = data.has_rows and data.layout != "single" and bool(self._learned.any())
        self._training = Training(data if has_tasks else None)
        needs_rows = self._get_loss().has_gaussian_noise or self._beside is not None
        if has_tasks and not needs_rows and not self._training.is_small:
            # Without standard deviations, new tasks need a few sums only.
            self._training.variances = self._estimated(data)
            self._training.data = None
        return self

    # Copies share the training data; pickles have what was computed from them.

    def __copy__(self) -> Self:
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        kept = vars(self).get("_training")
        if kept is not None and kept.variances is None and kept.data is not None:
            n, d = kept.data.X.shape
            if n * d * min(n, d) <= _AFFORDABLE or self.unknown_task == "prior":
                self._compute_if_possible()
        state: dict[str, Any] = super().__getstate__()
        return state

    def _compute_if_possible(self) -> None:
        """Compute the variances for a pickle, if new tasks can be fitted at all."""
        try:
            self._check_tasks()
            self._variances()
        except (ValueError, np.linalg.LinAlgError):
            return

    def _unknown_task(self) -> tuple[Array, float]:
        if self.unknown_task != "prior":
            return super()._unknown_task()
        self._refuse_prior()
        known = self._unseen()
        w, b = known.frame.at_prior()
        scale = np.array([known.scale])
        coef, intercept = self._get_loss().rescale(w[None], np.array([b]), scale)
        return coef[0].astype(self.coef_.dtype), float(intercept[0])

    def _unseen(self) -> Learned:
        """What is known of a task without labels."""
        self._check_tasks()
        variances = self._variances()
        frame = variances.frame(self._new_prior(), self._own_pull())
        empty = np.zeros((0, self.coef_.shape[1]))
        spectrum = Spectrum.of(frame.coordinates(empty), np.zeros(0))
        return Learned(frame, spectrum, variances.weight, float(np.exp(variances.scales[0])))
