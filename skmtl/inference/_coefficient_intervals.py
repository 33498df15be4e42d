"""Intervals for coefficients, and tests of features."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skmtl.inference._bootstrap import resample_fits
from skmtl.inference._debiased import debias
from skmtl.inference._interval_result import CoefficientIntervals
from skmtl.inspection import FittedTasks, holm

Array = NDArray[Any]

_CONSTRAINTS: dict[str, list[Any]] = {
    "estimator": [HasMethods(["fit", "get_params"])],
    "method": [StrOptions({"debiased", "bootstrap"})],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "correction": [StrOptions({"holm", "bh"})],
    "inflation": [Interval(Real, 0, None, closed="both")],
    "n_bootstrap": [Interval(Integral, 2, None, closed="left")],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


def coefficient_intervals(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    method: str = "debiased",
    confidence_level: float = 0.95,
    correction: str = "holm",
    inflation: float = 0.25,
    n_bootstrap: int = 500,
    groups: Any = None,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> CoefficientIntervals:
    r"""Intervals for the coefficients of all tasks, and a test of each feature in all tasks.

    The penalty of a block-sparse estimate :math:`\hat W` shrinks it, so that intervals centred at
    it do not have their nominal coverage. ``method="debiased"`` corrects each coefficient along a
    direction :math:`z_j` that is almost orthogonal to all other features,

    .. math:: \hat w_{jt}^{\mathrm{deb}} = \hat w_{jt}
              + \frac{z_j' (y_t - X \hat w_t)}{z_j' x_j} ,
              \qquad
              \mathrm{se}_{jt} = \hat\sigma_{jt} \frac{\lVert z_j \rVert_2}{z_j' x_j} ,

    where X and :math:`y_t` are centred if the estimator has intercepts, and :math:`z_j`
    (n_samples,) is the residual of a lasso of feature j on the others. :math:`\hat\sigma_{jt}^2` is
    the sum of squares of the residuals :math:`y_t - X \hat w_t`, without their part along
    :math:`z_j`, divided by its degrees of freedom: the number of labels minus that of the task's
    non-zero coefficients [11]_, of its intercept, and of coefficient j if it is zero. With least
    squares in place of the lasso these are the estimates and standard errors of least squares.

    Parameters
    ----------
    estimator : estimator
        With "debiased" a regressor of skmtl for the squared loss with L1 and row norms, such as
        :class:`~skmtl.BlockSparseRegressor` or :class:`~skmtl.BlockSparseRegressorCV`. With
        "bootstrap" any estimator with ``coef_``, or a pipeline or search that ends in one. It is
        cloned.
    X, y : as in the estimator's fit
    sample_weight : as in the estimator's fit, optional
        "debiased" takes the weights as inversely proportional to the variances of the noise, as in
        weighted least squares. Numbers of repetitions must be repeated rows instead.
    method : {"debiased", "bootstrap"}, default="debiased"
        "debiased": as above. "bootstrap": quantiles of the coefficients of refits to resampled
        rows; they describe the penalised estimate, see Notes.
    confidence_level : float, default=0.95
        Of each interval by itself, in (0, 1).
    correction : {"holm", "bh"}, default="holm"
        The adjustment of the p-values for the number of features. "holm": rejecting adjusted
        p-values of at most 0.05 makes any false discovery with a probability of at most 0.05 [7]_.
        "bh": the expected share of false discoveries is at most 0.05 [8]_, provided that the
        p-values are independent or positively dependent (on each subset of the true nulls [9]_),
        which the p-values of correlated features need not be.
    inflation : float, default=0.25
        The largest relative increase of the standard errors accepted in order to reduce the bias
        that other features leave, >= 0. ``numpy.inf`` gives least squares wherever they are
        defined.
    n_bootstrap : int, default=500
        Number of bootstrap samples.
    groups : array-like of shape (n_samples,), optional
        With "bootstrap", rows of one group, such as a patient's, are drawn together.
    n_jobs : int or None, default=None
        Number of threads.
    random_state : int, RandomState or None, default=None
        Draws the bootstrap samples.

    Returns
    -------
    CoefficientIntervals
        ``to_frame()`` lists all intervals; ``plot(feature=...)`` and ``plot(task=...)`` draw them.

    Raises
    ------
    ValueError
        If the method is not valid for the estimator or the data, with the reason.
    TypeError
        If the estimator has no coefficients.

    Warns
    -----
    UserWarning
        Of features whose coefficients the data do not identify: their intervals are NaN, and they
        are not counted as tests. Of fits to bootstrap samples that warned, all together.

    See Also
    --------
    skmtl.inspection.CoefficientDisplay : Draws the intervals.
    TaskConformalRegressor : Intervals for predictions.

    Notes
    -----
    **In short.** With several times as many rows as features the intervals have their level; they
    are too short for strongly correlated features with an effect, and too long with fewer rows than
    features. The tests made no more errors than their level allows in all settings measured.

    **Directions.** The lasso of feature j has the strength with the smallest bound on the bias
    among those whose standard errors are at most 1 + ``inflation`` times as large as a bound of
    :math:`\sqrt{2 \log d}` requires, d being the number of features [1]_; least squares are
    preferred if they meet this. The bias that is left of an estimate, in standard errors, is at
    most :math:`\sqrt n` ``overlaps[j]`` / :math:`\sigma_t` times the L1 error of the initial
    estimate (for features with unit variance). It is negligible if W has few non-zero rows,
    compared with :math:`\sqrt n / \log d`, and no feature is almost a combination of others
    [1]_ [2]_ [3]_. Tasks with the same rows and weights share the directions; tasks with missing
    labels, and those of the stacked layout, have their own.

    **Tests.** In the shared layout the noise of the tasks in one row may be correlated. Its
    covariance :math:`\hat\Sigma` is estimated from the residuals, and feature j has the statistic
    [4]_ [5]_

    .. math:: Q_j = \frac{(z_j' x_j)^2}{\lVert z_j \rVert_2^2} \,
              \hat w_j^{\mathrm{deb}} \hat\Sigma^{-1} (\hat w_j^{\mathrm{deb}})' ,

    which is approximately chi-squared with T degrees of freedom. Because :math:`\hat\Sigma` has
    :math:`\nu` degrees of freedom, as :math:`\hat\sigma_{jt}`, :math:`Q_j (\nu - T + 1) / (\nu T)`
    is compared with F(T, :math:`\nu` - T + 1) instead (Hotelling's test [6]_). This requires
    :math:`\nu \geq T`, more labels than tasks. If labels are missing, the covariances of the
    estimates of two tasks are estimated over the rows that they share, and :math:`\nu` is that of
    the task with the fewest labels. In the stacked layout the noise of different rows is taken as
    independent: the squared normal scores of the tasks' t statistics are added up and compared with
    the chi-squared distribution. If the noise is normal and no label is missing, the tests are
    exact for least squares, and for a zero estimate if all coefficients are zero.

    **Assumptions.** Rows are independent, the model is linear, and the noise of a task has the same
    variance in all rows (divided by their weights). Alpha should select few features and predict
    well, as when it is selected by cross-validation. If it is much too large, the bias is no longer
    negligible; the noise is then overestimated, which compensates for this only in part.

    **Measured** by ``python -m benchmarks.intervals``, on simulated data with alpha selected by
    cross-validation: intervals of level 0.95 cover 95 to 96% of the coefficients if there are
    several times as many rows as features. With fewer rows than features they are too long, and
    cover 97 to 98%. They are too short for coefficients other than zero if neighbouring features
    have correlation 0.9: 120 rows and 40 features give 92 to 93%, and 96% with
    ``inflation=numpy.inf``, with much less power. Realised family-wise error and false discovery
    rates are at most nominal everywhere, with both corrections.

    **Bootstrap.** Rows are drawn with replacement within each task; in the shared layout whole
    rows, with the labels of all tasks. The intervals show the variability of the penalised
    estimate. They are not confidence intervals for the true coefficients, since shrinkage
    moves all of the samples towards zero [10]_, and they give no p-values. An estimator that
    selects its alpha does so again in each sample, where copies of a row are in training and test
    folds, so that it selects a smaller penalty strength than without copies; pass the selected
    alpha instead.

    References
    ----------
    .. [1] C.-H. Zhang and S. S. Zhang. Confidence intervals for low dimensional parameters in high
       dimensional linear models. JRSS B 76, 217-242, 2014. https://doi.org/10.1111/rssb.12026
    .. [2] S. van de Geer, P. Bühlmann, Y. Ritov and R. Dezeure. On asymptotically optimal
       confidence regions and tests for high-dimensional models. Annals of Statistics 42,
       1166-1202, 2014. https://doi.org/10.1214/14-AOS1221
    .. [3] A. Javanmard and A. Montanari. Confidence intervals and hypothesis testing for
       high-dimensional regression. JMLR 15, 2869-2909, 2014.
       https://jmlr.org/papers/v15/javanmard14a.html
    .. [4] R. Mitra and C.-H. Zhang. The benefit of group sparsity in group inference with
       de-biased scaled group lasso. Electronic Journal of Statistics 10, 1829-1873, 2016.
       https://doi.org/10.1214/16-EJS1120
    .. [5] J.-A. Chevalier, J. Salmon, A. Gramfort and B. Thirion. Statistical control for
       spatio-temporal MEG/EEG source imaging with desparsified multi-task lasso. NeurIPS 2020.
       https://doi.org/10.48550/arXiv.2009.14310
    .. [6] H. Hotelling. The generalization of Student's ratio. Annals of Mathematical Statistics 2,
       360-378, 1931. https://doi.org/10.1214/aoms/1177732979
    .. [7] S. Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal
       of Statistics 6, 65-70, 1979. https://www.jstor.org/stable/4615733
    .. [8] Y. Benjamini and Y. Hochberg. Controlling the false discovery rate. JRSS B 57, 289-300,
       1995. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    .. [9] Y. Benjamini and D. Yekutieli. The control of the false discovery rate in multiple
       testing under dependency. Annals of Statistics 29, 1165-1188, 2001.
       https://doi.org/10.1214/aos/1013699998
    .. [10] A. Chatterjee and S. N. Lahiri. Bootstrapping lasso estimators. JASA 106, 608-625, 2011.
       https://doi.org/10.1198/jasa.2011.tm10159

    .. [11] S. Reid, R. Tibshirani and J. Friedman. A study of error variance estimation in lasso
       regression. Statistica Sinica 26, 35-67, 2016. https://doi.org/10.5705/ss.2014.042

    Examples
    --------
    >>> from skmtl import BlockSparseRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inference import coefficient_intervals
    >>> dataset = make_block_sparse(150, 20, 4, n_informative=3, random_state=0)
    >>> result = coefficient_intervals(BlockSparseRegressorCV(), dataset.data, dataset.target)
    >>> result.intervals.shape
    (20, 4, 2)
    >>> found = result.adjusted_p_values <= 0.05
    >>> bool((found == dataset.support).all())
    True
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"coefficient_intervals takes an estimator, got the class {estimator.__name__}. Pass "
            f"an instance such as BlockSparseRegressor()."
        )
    given = {name: value for name, value in locals().items() if name in _CONSTRAINTS}
    validate_parameter_constraints(_CONSTRAINTS, given, caller_name="coefficient_intervals")
    if method == "bootstrap":
        return _bootstrapped(
            resample_fits(
                estimator, X, y, sample_weight, groups, n_bootstrap, n_jobs, random_state
            ),
            confidence_level,
            correction,
        )
    if groups is not None:
        raise ValueError(
            "method='debiased' takes the rows as independent and has no groups. Use "
            "method='bootstrap', which draws the rows of a group together."
        )
    found = debias(estimator, X, y, sample_weight, inflation, n_jobs)
    names = FittedTasks.read(found.fitted, "coefficient_intervals")
    half = stats.t.ppf((1 + confidence_level) / 2, found.df) * found.errors
    return CoefficientIntervals(
        coef=found.coef,
        standard_errors=found.errors,
        intervals=np.stack([found.coef - half, found.coef + half], axis=-1),
        statistic=found.statistic,
        p_values=found.p,
        adjusted_p_values=_adjusted(found.p, correction),
        overlaps=found.overlaps,
        test=found.test,
        df=found.df,
        features=names.features,
        tasks=names.tasks,
        method=method,
        correction=correction,
        estimator_name=names.name,
        confidence_level=confidence_level,
        n_draws=0,
    )


def _bootstrapped(
    fits: tuple[FittedTasks, Array], confidence_level: float, correction: str
) -> CoefficientIntervals:
    """The quantiles of the coefficients of refits."""
    fitted, draws = fits
    tail = (1 - confidence_level) / 2
    ends = np.quantile(draws, [tail, 1 - tail], axis=0)
    return CoefficientIntervals(
        coef=fitted.coef.T,
        standard_errors=draws.std(axis=0, ddof=1).T,
        intervals=np.ascontiguousarray(ends.transpose(2, 1, 0)),
        statistic=None,
        p_values=None,
        adjusted_p_values=None,
        overlaps=None,
        test=None,
        df=None,
        features=fitted.features,
        tasks=fitted.tasks,
        method="bootstrap",
        correction=correction,
        estimator_name=fitted.name,
        confidence_level=confidence_level,
        n_draws=len(draws),
    )


def _adjusted(p: Array, correction: str) -> Array:
    """Adjusted p-values; NaN stays NaN and is not counted as a test."""
    if correction == "holm":
        return holm(p)
    adjusted, known = np.full(len(p), np.nan), ~np.isnan(p)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known], method="bh")
    return adjusted
