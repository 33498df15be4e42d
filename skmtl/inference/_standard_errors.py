"""Standard errors of coefficients and intercepts, as those of a linear mixed model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from skmtl._warnings import gather_warnings
from skmtl.design import TaskData, task_factors
from skmtl.estimators import TaskEstimator, TaskRegressor
from skmtl.inference._mixed_model import MixedModel, Solution
from skmtl.penalties import Penalty, TaskPrecision

Array = NDArray[Any]

# The inverse of a matrix with more rows takes minutes and gigabytes.
_MOST_PARAMETERS = 8000


@dataclass(frozen=True, eq=False)
class Effects:
    """Coefficients and intercepts with their standard errors.

    Attributes
    ----------
    coef, coef_std : ndarrays of shape (n_tasks, n_features) or (n_features,)
    intercept, intercept_std : ndarrays of shape (n_tasks,), or float
        At x = 0.
    """

    coef: Array
    coef_std: Array
    intercept: Any
    intercept_std: Any

    def first(self) -> "Effects":
        """Return the first of several.

        Returns
        -------
        Effects
        """
        return Effects(
            self.coef[0], self.coef_std[0], float(self.intercept[0]), float(self.intercept_std[0])
        )


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """What :func:`standard_errors` returns.

    Attributes
    ----------
    estimator : estimator
        Fitted to the data.
    tasks : Effects
        Those of each task, in the shapes of ``coef_`` and ``intercept_`` (in lme4 ``coef``).
    fixed : Effects
        Those of the mean task, (n_features,) and a number (``fixef``; in statsmodels ``fe_params``
        and ``bse_fe``). If the intercepts are shrunk, they are a sample from the tasks that there
        could be, and the intercept is the mean of the latter.
    random : Effects
        The deviations of the tasks from the mean task (``ranef``), and the standard errors of
        their predictions, which include the error of the mean task.
    fixed_covariance : ndarray of shape (n_features + 1, n_features + 1)
        The covariance of the estimates in ``fixed``, those of the coefficients first. Without the
        last row and column if ``fit_intercept=False``.
    conditional_std : ndarray of shape (n_tasks,), or None
        If the intercepts are shrunk: the standard deviations of their deviations from their mean,
        given the coefficients and the mean. The roots of statsmodels' ``random_effects_cov`` and
        of lme4's ``condVar``.
    noise_variance : float
        The variance of a label of average weight (in statsmodels ``scale``).
    degrees_of_freedom : int
        The number of labels minus that of unpenalised parameters, by which the sum of squares is
        divided to estimate the noise.
    """

    estimator: Any
    tasks: Effects
    fixed: Effects
    random: Effects
    fixed_covariance: Array
    conditional_std: Array | None
    noise_variance: float
    degrees_of_freedom: int


def standard_errors(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> StandardErrors:
    r"""Standard errors of a fit as those of the equivalent linear mixed model.

    With the squared loss and a penalty that is quadratic, or that is the minimum of quadratics over
    a learned covariance, the fit is the best linear unbiased prediction in a Gaussian model

    .. math::

        y_i = x_i w_t + b_t + \varepsilon_i , \qquad
        \varepsilon_i \sim N(0, \sigma^2 / (c_t s_i)) , \qquad
        \operatorname{vec}(W) \sim N(0, \tfrac{T}{S} \sigma^2 \, M^{+} \otimes I) ,

    where the penalty is :math:`\tfrac12 \operatorname{tr}(W M W')`. Directions between tasks that
    are not penalised (M 1 = 0 leaves the mean task free) are fixed effects, the others random.
    With :class:`~skmtl.PooledTaskRegressor`, W is a fixed effect if ``alpha=0``. Intercepts that
    are shrunk with a strength of m labels are random around a fixed mean, with variance
    :math:`\sigma^2 / (m c_t)`, so that m is the ratio of the variance of the noise to that of the
    intercepts; with ``intercept="free"`` they are fixed effects.

    The covariance of the errors of all estimates together is :math:`\tfrac{T}{S} \sigma^2 H^{-1}`,
    where H, the Hessian of the objective, is the matrix of Henderson's mixed model equations
    [1]_, [2]_. For fixed effects this is the covariance of generalised least squares,
    :math:`(A' V^{-1} A)^{-1}`; for random effects that of the errors of prediction. The variance of
    the noise is estimated by restricted maximum likelihood, given the strengths:

    .. math:: \hat\sigma^2 = \tfrac{S}{T} \, \tfrac{2}{n - p} \, \min_{W, b} \, \bigl[
              F(W, b) + \tfrac12 \operatorname{tr}(W M W')
              + \tfrac{T}{S} \tfrac{m}{2} \min_\beta \sum_t c_t (b_t + \bar x w_t - \beta)^2
              \bigr]

    with n labels and p fixed effects.

    Parameters
    ----------
    estimator : regressor of skmtl
        With ``loss="squared"``, a given ``alpha`` and ``scale_tasks=False``:
        :class:`~skmtl.PooledTaskRegressor` and :class:`~skmtl.IndependentTaskRegressor`,
        :class:`~skmtl.GraphRegularizedRegressor` without norms,
        :class:`~skmtl.TaskRelationRegressor`, :class:`~skmtl.ClusteredTaskRegressor`,
        :class:`~skmtl.LowRankRegressor`, or :class:`~skmtl.MultiTaskRegressor` with such a penalty.
        It is cloned and fitted.
    X, y, sample_weight : as in fit

    Returns
    -------
    StandardErrors

    Raises
    ------
    TypeError
        If the estimator is not a regressor of skmtl, or selects its own parameters.
    ValueError
        If the fit is not that of such a model; if the labels do not determine the unpenalised
        parameters, or leave none for the noise; if there are more than 8000 parameters, since the
        cost is cubic in their number.

    Notes
    -----
    The strengths, and a covariance that the fit has learned, are treated as known: with few tasks,
    standard errors are too small. In statsmodels, ``bse_fe`` is the same if ``MixedLM.fit`` holds
    the ratio of the variances fixed (``free=``), and slightly larger if it estimates the ratio. A
    learned covariance of low rank restricts the tasks to their span, so that other directions have
    a standard error of zero.
    With a ridge on all coefficients (``alpha > 0``) the standard errors are posterior standard
    deviations under the prior, which include the bias that the prior expects.

    For new labels, see :class:`TaskConformalRegressor` and ``predict(X, return_std=True)``. The
    latter's variance of the noise and spread of the tasks are estimated from moments.

    References
    ----------
    .. [1] C. R. Henderson, "Best linear unbiased estimation and prediction under a selection
       model", Biometrics 31(2), 1975, https://doi.org/10.2307/2529430

    .. [2] G. K. Robinson, "That BLUP is a good thing: the estimation of random effects",
       Statistical Science 6(1), 1991, https://doi.org/10.1214/ss/1177011926

    Examples
    --------
    Patients of 20 hospitals, whose levels differ; the ratio of the variances is 4:

    >>> import numpy as np
    >>> from skmtl import PooledTaskRegressor
    >>> from skmtl.inference import standard_errors
    >>> rng = np.random.default_rng(0)
    >>> hospital = np.repeat(np.arange(20), 15)
    >>> levels = rng.normal(scale=0.5, size=20)
    >>> X = np.column_stack([rng.normal(size=(300, 2)), hospital])
    >>> y = X[:, 0] + levels[hospital] + rng.normal(size=300)
    >>> model = PooledTaskRegressor(0, intercept=4.0, task_column=-1)
    >>> errors = standard_errors(model, X, y)
    >>> bool((abs(errors.fixed.coef - [1, 0]) < 3 * errors.fixed.coef_std).all())
    True
    >>> errors.random.intercept_std.shape, bool(errors.noise_variance < 1.3)
    ((20,), True)
    """
    model, data = _fitted(estimator, X, y, sample_weight)
    mixed = _mixed_model(model, data)
    solution = mixed.solved()
    directions, shares = mixed.form.directions, mixed.shares[None]
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercept = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    coef_mean, mean = coef.mean(axis=0, keepdims=True), directions.mean(axis=0, keepdims=True)
    at_centre = intercept + coef @ mixed.centre
    intercept_mean = shares @ at_centre - coef_mean @ mixed.centre
    every = np.eye(data.n_tasks)
    tasks = _effects(solution, coef, intercept, directions, every)
    fixed = _effects(solution, coef_mean, intercept_mean, mean, shares, solution.apart)
    away = coef - coef_mean, intercept - intercept_mean
    random = _effects(solution, *away, directions - mean, every - shares, solution.apart)
    single = data.layout == "single"
    conditional = None
    if mixed.pulls.any():
        conditional = np.sqrt(solution.noise / (data.per_task(mixed.omega) + mixed.pulls))
    return StandardErrors(
        estimator=model,
        tasks=tasks.first() if single else tasks,
        fixed=fixed.first(),
        random=random.first() if single else random,
        fixed_covariance=solution.covariance_of_mean(),
        conditional_std=conditional,
        noise_variance=solution.noise * int(data.label_counts.sum()) / data.n_tasks,
        degrees_of_freedom=solution.degrees,
    )


def _effects(
    solution: Solution,
    coef: Array,
    intercept: Array,
    directions: Array,
    intercepts: Array,
    apart: float = 0.0,
) -> Effects:
    """Estimates (m, n_features) and (m,) with the standard errors of these combinations."""
    coef_variance, variance = solution.variances(directions, intercepts)
    deviations = np.sqrt(coef_variance), np.sqrt(variance + solution.noise * apart)
    return Effects(coef, deviations[0], intercept, deviations[1])


def _fitted(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, TaskData]:
    """A fitted copy of the estimator, and the data that it has read."""
    name = type(estimator).__name__
    if not isinstance(estimator, TaskRegressor) or type(estimator).fit is not TaskEstimator.fit:
        raise TypeError(
            f"standard_errors takes a regressor of skmtl with given parameters, such as "
            f"PooledTaskRegressor(0, intercept='shrunk'), not {name}."
        )
    if isinstance(getattr(estimator, "alpha", None), str):
        raise ValueError(
            f"standard_errors needs a number for alpha, got {estimator.alpha!r}: standard "
            f"errors do not account for the selection of alpha. Pass the value that was selected."
        )
    if estimator.scale_tasks:
        raise ValueError(
            "standard_errors needs scale_tasks=False: the scales of the labels are estimates too. "
            "Divide y by known units instead."
        )
    if estimator.prior_coef is not None:
        raise ValueError(
            "standard_errors needs prior_coef=None: the tasks must vary around a mean that is "
            "estimated. Pass the predictors of the known coefficients as an offset_column."
        )
    model: Any = clone(estimator).fit(X, y, sample_weight)
    if not model._own_loss().has_gaussian_noise:
        raise ValueError(
            f"standard_errors needs loss='squared', under which the model is Gaussian; got "
            f"loss={model.loss!r}."
        )
    with gather_warnings():  # those that the fit has given
        return model, model._read(X, y, sample_weight)


def _mixed_model(model: Any, data: TaskData) -> MixedModel:
    """The model of which a fit to the data is the prediction."""
    form, n_tasks = _form(model, data), data.n_tasks
    pooled_intercept = model._pooling(data) == "all"
    factors = task_factors(model.task_weight, data)
    c = np.ones(n_tasks) if factors is None else factors
    scale = n_tasks / float(data.weights.sum())
    omega = scale * data.weights * data.spread(c)
    pulls, centre = np.zeros(n_tasks), np.zeros(data.X.shape[1])
    intercepts = np.zeros((n_tasks, 0))
    if model.fit_intercept:
        intercepts = np.ones((n_tasks, 1)) if pooled_intercept else np.eye(n_tasks)
        rows = omega if omega.ndim == 1 else omega.sum(axis=1)
        centre = np.asarray(data.X.T @ rows / rows.sum(), dtype=np.float64)
        if model._shrinks_intercepts(data) and n_tasks > 1 and not pooled_intercept:
            pulls = scale * model._pull * c
    mixed = MixedModel(data, omega, form, intercepts, pulls, centre)
    if mixed.size > _MOST_PARAMETERS:
        raise ValueError(
            f"standard_errors takes at most {_MOST_PARAMETERS} parameters, got {mixed.size}: "
            f"the coefficients of {form.directions.shape[1]} directions between tasks, and the "
            f"intercepts. Use fewer features or tasks."
        )
    return mixed


def _form(model: Any, data: TaskData) -> TaskPrecision:
    """The quadratic penalty of the fit, given what it has learned."""
    W = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64)).T
    pooled = model._pooling(data) is not None
    W = W[:, :1] if pooled else W
    penalty: Penalty | None = model._get_penalty(data)
    n_tasks = W.shape[1]
    if penalty is None:
        form: TaskPrecision | None = TaskPrecision(np.eye(n_tasks), np.zeros((n_tasks, n_tasks)))
    else:
        form = penalty.task_precision(W) if model._is_convex else None
    if form is None:
        raise ValueError(
            f"{type(model).__name__} with these parameters has no standard errors of this kind: "
            f"its penalty does not correspond to a Gaussian prior between tasks. Use a penalty "
            f"without other norms, such as TaskRelationRegressor's."
        )
    directions = np.ones((data.n_tasks, 1)) if pooled else form.directions
    return form._replace(directions=directions)
