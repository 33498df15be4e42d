"""The base class of all estimators, and the fit that they share."""

import copy
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._warnings import gather_warnings, warn
from skmtl.design import UNKNOWN, TaskData, look_up_tasks, read_prediction, task_factors
from skmtl.estimators.base._batches import BatchFits
from skmtl.estimators.base._beside import Beside
from skmtl.estimators.base._callbacks import (
    SILENT,
    CallbackSupportMixin,
    FitTask,
    follow,
    is_followed,
)
from skmtl.estimators.base._fit import Fit
from skmtl.estimators.base._linear import linear_predictor
from skmtl.estimators.base._minimisation import Minimisation
from skmtl.estimators.base._objectives import Objectives
from skmtl.estimators.base._parameters import QuickValidation, estimator, parameter
from skmtl.estimators.base._restored import Restored
from skmtl.losses import Loss
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty
from skmtl.solvers import SOLVERS

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


@estimator
class TaskEstimator(CallbackSupportMixin, BatchFits, Minimisation, Objectives, QuickValidation):
    r"""The base of all estimators; a family adds parameters and a penalty.

    W (n_features, n_tasks) holds a column :math:`w_t` per task, b the intercepts, :math:`s_i` the
    weights (zero where a label is missing), S their sum, T the number of tasks and :math:`c_t` the
    factors of ``task_weight``.

    Attributes
    ----------
    coef_ : ndarray of shape (n_tasks, n_features), or (n_features,) for a 1-D regression target
        Coefficients; the task column has none.
    intercept_ : ndarray of shape (n_tasks,), or float for a 1-D regression target
    tasks_ : ndarray of shape (n_tasks,)
        The column names or positions of y, the task ids, or the classes of a 1-D y.
    objective_ : float
        The objective at the solution.
    dual_gap_ : float
        Upper bound on the suboptimality of ``objective_``.
    n_iter_ : int
    n_features_in_ : int
        Number of columns of X, the task column and offsets included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        If X has column names that are strings.

    Notes
    -----
    The algorithm depends on the problem. Smooth problems with at most 2000 features (with the
    multinomial loss, 2000 coefficients) are solved by damped Newton steps, with one Gram matrix per
    task and step. Penalties that threshold rows and entries of W are handled by block coordinate
    descent on working sets with gap-safe screening, with proximal Newton steps for losses other
    than the squared. With a penalty that couples the features, the squared loss with more rows than
    features is minimised by ADMM in the eigenbases of the Gram matrices. All other problems are
    solved by FISTA with adaptive restart, at one product with X and one with its transpose per
    iteration. If FISTA is slow, the fit switches to ADMM for the squared loss and, with at most 300
    features, to proximal Newton steps for other losses except the multinomial: one Gram matrix per
    task and step, and ADMM for the quadratic model. The quantile loss is minimised without
    smoothing, by ADMM with a separate variable for the predictors if least squares in its place are
    cheap to solve, otherwise by the method of multipliers. The fit stops when its duality gap is
    small enough.
    """

    fit_intercept: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether each task has an intercept; if not, ``intercept_`` is zero.",
        group="data",
    )
    intercept: str | float = parameter(
        "free",
        [StrOptions({"free", "shrunk"}), Interval(Real, 0, None, closed="left")],
        '{"free", "shrunk"} or float',
        r"""
        "free": the intercepts are not penalised. Otherwise they are shrunk towards their mean,
        which helps tasks with few labels: the penalty :math:`\tfrac{T}{S} \tfrac{m}{2} \min_\beta
        \sum_t c_t (b_t + \bar x w_t - \beta)^2` is added to F, where intercepts are compared at
        the features' mean :math:`\bar x` (over all labels, weighted by :math:`c_t s_i`). The mean
        counts as m >= 0 labels of the squared loss in each task; "shrunk" means m = 1. For the
        squared loss the best m is roughly the variance of the noise divided by that of the
        intercepts; select it by cross-validation, for example among "free", 1, 3, 10 and 30. It has
        no effect if ``fit_intercept=False``; with ``scale_tasks`` it applies to the intercepts of
        the scaled y. Not available for ``loss="multinomial"``, ``loss="quantile"`` or if tasks have
        different losses.
        """,
        group="data",
    )
    task_column: str | int | None = parameter(
        None,
        [str, Integral, None],
        "str, int or None",
        """
        None: the shared layout, one X for all tasks and a column of y per task, or a 1-D y. A
        column's name (data frames) or position (-1: the last): the stacked layout, where each row
        of X (n_samples, n_features + 1) belongs to one task, whose id is in that column.
        """,
        group="data",
    )
    offset_column: Any = parameter(
        None,
        [str, Integral, list, tuple, None],
        "str, int, list or None",
        """
        A column of X, by name or position, that is no feature but is added to the linear predictor
        of each row, in ``fit`` and in ``predict``: with ``loss="poisson"`` the logarithm of the
        exposure, otherwise for example the predictor of another model. It is not penalised. In the
        shared layout it may also be a list of columns, one for each task. Keep it out of scaling
        and other transformations of the features. The labels that ``scale_tasks`` standardises
        are those less the offset, except for counts.
        """,
        group="data",
    )
    prior_coef: Any = parameter(
        None,
        ["array-like", dict, None],
        "None, array-like of shape (n_tasks, n_features) or (n_features,), or dict",
        r"""
        Coefficients W0 from which the penalised deviations are measured, such as ``coef_`` of last
        year's model: :math:`\Omega(W - W_0)` replaces :math:`\Omega(W)`. One vector for all
        tasks, or one for each, also by task in a dict. Data frames and Series are matched by the
        names of tasks (rows) and features (columns). Not available if the coefficients must be
        positive. What an estimator learns about the structure of the coefficients (parts, factors,
        covariances) describes the deviations; ``intercept`` compares the predictors of these.
        """,
        group="data",
    )
    unknown_task: str = parameter(
        "error",
        [StrOptions({"error", "mean"})],
        '{"error", "mean"}',
        """
        What ``predict`` does with rows of tasks that ``fit`` did not see: raise an error, or use
        the average of the tasks' coefficients and intercepts.
        """,
        group="data",
    )
    task_weight: Any = parameter(
        None,
        [StrOptions({"balanced"}), "array-like", dict, None],
        'None, "balanced", array-like of shape (n_tasks,), dict or Series',
        """
        None: every label has the same weight. "balanced": every task has the same weight.
        Otherwise a positive factor per task, in the order of ``tasks_``, or by task in a dict or a
        pandas Series.
        """,
        group="data",
    )
    max_iter: int = parameter(
        10_000,
        [Interval(Integral, 1, None, closed="left")],
        "int",
        """
        Maximum number of iterations; beyond it a ConvergenceWarning reports the gap reached. An
        iteration of "fista", "admm" and "splitting" updates all coefficients once; of "newton" it
        is a Newton step. "block" stops after this many rounds on working sets, or ten times as
        many sweeps over them, whichever comes first; proximal Newton steps stop after this many
        iterations on their quadratic models in total.
        """,
        group="solving",
    )
    tol: float = parameter(
        1e-4,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        The fit stops when its duality gap is at most ``tol`` times the objective with zero
        coefficients and the best intercepts.
        """,
        group="solving",
    )
    warm_start: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Start from the previous fit's coefficients if the numbers of tasks and features agree.",
        group="solving",
    )
    solver: str = parameter(
        "auto",
        [StrOptions({"auto", *SOLVERS})],
        '{"auto", "admm", "block", "fista", "newton", "splitting"}',
        """
        "newton" is for quadratic penalties with at most 2000 features, "block" for penalties that
        threshold rows and entries, "admm" for the squared loss if Gram matrices cost less than
        iterating, "splitting" for sums of penalties without a common prox. "auto" selects the
        fastest that applies, and uses proximal Newton steps if gradient steps are slow; see Notes.
        The quantile loss, which has no gradient, is for "admm" and "splitting" only.
        """,
        group="solving",
    )
    verbose: int = parameter(
        0, ["verbose"], "int", "Print the objective and the gap at each check.", group="solving"
    )

    # Whether the objective is convex, so that the result does not depend on the start.
    _is_convex: ClassVar[bool] = True
    # Whether the penalty depends on the labels, and not only on the set of tasks.
    _penalty_reads_labels: ClassVar[bool] = False
    # Whether the coefficients are those of a second fit, and not a minimiser of the objective.
    _refits: ClassVar[bool] = False
    # Whether the labels of each task are divided by their standard deviation.
    _scales_labels: ClassVar[bool] = False
    # Whether the penalty, given a learned covariance between tasks, is a quadratic form.
    _has_form_given_covariance: ClassVar[bool] = False

    # Replaces the loss and the task weights if other tasks are fitted together with those of y.
    _beside: Beside | None = None

    # Why cvxpy cannot state the objective, and the remedy; None if it can.
    _not_stated: ClassVar[str | None] = None

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        """The penalty on the tasks of ``data``."""
        raise NotImplementedError

    def _pooling(self, data: TaskData) -> str | None:
        """What the tasks share: None, "coefficients", or "all" (intercepts too)."""
        return None

    def _own_loss(self) -> Loss:
        """The loss that the parameters determine."""
        raise NotImplementedError

    def _get_loss(self) -> Loss:
        """The loss of the tasks."""
        return self._own_loss() if self._beside is None else self._beside.loss

    def _task_factors(self, data: TaskData) -> Array | None:
        """The factors c_t (n_tasks,), or None if they are all 1."""
        if self._beside is None:
            return task_factors(self.task_weight, data)
        factors = self._beside.strengths.factors(data)
        return None if (abs(factors - 1.0) <= 1e-14).all() else factors

    def _check_labels(self, data: TaskData) -> None:
        """Raise if labels that have been read are outside the domain of the loss."""

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        """The validated training data; classifiers also set ``classes_``."""
        raise NotImplementedError

    def _read_to_fit(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        """The validated training data, in which rows without a label may remain."""
        return self._read(X, y, sample_weight)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all tasks together.

        After an error or an interruption the estimator is as before: unfitted, or with its last
        fit.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : array-like
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Non-negative; zero leaves the label out. One per label only with a matrix y.

        Returns
        -------
        self
        """
        self._validate_params()
        with Restored(self):
            # Left by a fit together with other tasks, or of other rows; these are not fitted here.
            self.__dict__.pop("_beside", None)
            self.__dict__.pop("statistics_", None)
            if is_followed(self):
                return follow(
                    self, lambda task: self._fit(X, y, sample_weight, task), X, y, sample_weight
                )
            return self._fit(X, y, sample_weight, SILENT)

    def _fit(self, X: Any, y: Any, sample_weight: Any, task: FitTask) -> Self:
        """Fit all tasks, as a task that callbacks may follow."""
        data = self._read_to_fit(X, y, sample_weight)
        self._warn_of_data(data)
        return self._set_fit(data, self._fit_followed(self, data, None, task))

    def _fit_followed(
        self, model: Any, data: TaskData, prepared: BaseObjective | None, task: FitTask
    ) -> Fit:
        """The fit of ``model``, whose result this estimator takes as its own."""
        start = self._previous_fit(data)
        report = task.iterations(lambda fit: self._attributes_of(data, fit))
        if report is None:
            fit: Fit = model._fit_data(data, start, prepared)
            return fit
        fit = model._fit_data(data, start, prepared, report)
        report.close()
        return fit

    def _attributes_of(self, data: TaskData, fit: Fit) -> dict[str, Any]:
        """The attributes that a fit sets."""
        fitted, before = copy.copy(self), vars(self)
        with gather_warnings():
            fitted._set_fit(data, fit)
        return {
            name: value
            for name, value in vars(fitted).items()
            if name not in before or value is not before[name]
        }

    def _learnable(self, data: TaskData) -> Array:
        """Mask of the tasks that have a finite minimiser and enter the objective."""
        labelled = data.label_counts > 0
        if not self.fit_intercept:
            return labelled
        loss = self._get_loss().columns(data.positions)
        if loss.constant_curvature:
            return labelled
        labels = data.constant_labels
        lacking = loss.lacks_minimiser(labels)
        if self._pooling(data) == "all" or self._shrinks_intercepts(data):
            # A task with one class is fine if another task has the other class.
            same = labels[labelled] == labels[labelled][:1]
            return np.asarray(labelled & ~(lacking[labelled] & same).all())
        return labelled & ~lacking

    def _left_out_intercepts(self, data: TaskData) -> Array:
        """The intercepts of tasks that do not enter the objective."""
        loss = self._get_loss().columns(data.positions)
        labels, counts = data.constant_labels, data.label_counts
        lacking = loss.lacks_minimiser(labels)
        constants = np.array(
            [
                loss.column(task).constant_intercept(label, count) if lacks else 0.0
                for task, (label, count, lacks) in enumerate(
                    zip(labels, counts, lacking, strict=True)
                )
            ]
        )
        if data.offset is None:
            return constants
        # The constant is the predictor of a label whose offset is the mean of its task's.
        means = data.per_task(data.weights * data.offset) / np.maximum(data.totals, _TINY)
        return np.where(lacking, constants - means, 0.0)

    def _warn_of_data(self, data: TaskData) -> None:
        """Warn of tasks that do not enter the objective."""
        left_out = ~self._learnable(data) & (data.label_counts > 0)
        if left_out.any():
            warn(
                f"All labels are the same in the tasks {data.tasks[left_out].tolist()}: these "
                f"tasks have no finite estimate, and a constant is fitted instead. Merge or drop "
                f"such tasks, collect other labels for them, or shrink their intercepts towards "
                f"the mean (intercept='shrunk')."
            )

    def _previous_fit(self, data: TaskData) -> Fit | None:
        """The fit to start from: the previous one if ``warm_start`` and the shapes agree."""
        continues = data.condensed is not None and data.condensed.continues
        if not ((self.warm_start or continues) and hasattr(self, "coef_")):
            return None
        coef, intercept = np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
        learned, parts = self._learned, self._parts
        if continues and len(coef) < data.n_tasks:
            coef, intercept, learned = self._with_zeros(data.tasks)
            parts = None
        if coef.shape != (data.n_tasks, data.X.shape[1]):
            return None
        if data.prior is not None:
            coef = (coef - data.prior).astype(coef.dtype)
        if data.scales is not None:
            parts = self._rescaled(parts, 1 / data.scales)
            coef, intercept = self._get_loss().rescale(coef, intercept, 1 / data.scales)
        return Fit(coef, intercept, 0.0, 0.0, 1, learned, parts)

    def _with_zeros(self, tasks: Array) -> tuple[Array, Array, Array]:
        """Coefficients, intercepts and whether they are learned, for known and for new tasks."""
        places = look_up_tasks(self.tasks_, tasks)
        known = places != UNKNOWN
        coef, intercept = self.coef_[places], self.intercept_[places]
        coef[~known], intercept[~known] = 0.0, 0.0
        return coef, intercept, known & self._learned[places]

    def _rescaled(self, parts: Array | None, scales: Array) -> Array | None:
        """The parts of the coefficients for labels multiplied by scales (n_tasks,)."""
        if parts is None:
            return None
        rescale, none = self._get_loss().rescale, np.zeros(len(scales))
        return np.stack([rescale(part, none, scales)[0] for part in parts])

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        """Set the fitted attributes."""
        self.tasks_ = data.tasks
        coef, intercept, self._parts = fit.coef, fit.intercept, fit.parts
        if data.scales is not None:
            self._parts = self._rescaled(fit.parts, data.scales)
            coef, intercept = self._get_loss().rescale(coef, intercept, data.scales)
        if data.prior is not None:
            coef = (data.prior + coef).astype(coef.dtype)
        self.coef_, self.intercept_ = coef, intercept.astype(coef.dtype)
        if data.layout == "single":
            self.coef_, self.intercept_ = self.coef_[0], self.intercept_[0]
        self.objective_, self.dual_gap_, self.n_iter_ = fit.objective, fit.dual_gap, fit.n_iter
        self._layout, self._learned = data.layout, fit.learned
        # What is learned about the tasks is in the units of the fit, and around the prior.
        same = data.scales is None and data.prior is None
        self._fit_coef = None if same else fit.coef
        return self

    def __sklearn_is_fitted__(self) -> bool:
        # A fit that was interrupted has set what was read from the data.
        return hasattr(self, "coef_")

    def _predictor(self, X: Any) -> Array:
        """Linear predictors: (n, T), or (n,) in the stacked and the single layout."""
        check_is_fitted(self)
        X, codes, offset = read_prediction(self, X)
        coef, intercept = self.coef_, self.intercept_
        if codes is not None and (codes == UNKNOWN).any():
            # Last, so that the code of unknown tasks (-1) selects it.
            w, b = self._unknown_task()
            coef, intercept = np.vstack([coef, w]), np.append(intercept, b)
        if offset is not None and self._layout == "single":
            offset = offset[:, 0]
        return linear_predictor(X, codes, coef, intercept, offset)

    def _unknown_task(self) -> tuple[Array, float]:
        """Coefficients (n_features,) and intercept for tasks that ``fit`` did not see."""
        known = self._learned if self._learned.any() else np.ones_like(self._learned)
        return self.coef_[known].mean(axis=0), self.intercept_[known].mean()

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = self.task_column is None
        return tags
