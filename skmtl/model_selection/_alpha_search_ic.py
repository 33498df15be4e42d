"""Select alpha of any regressor by an information criterion."""

from numbers import Real
from typing import Any, ClassVar, Self

from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skmtl._site import DocumentedEstimator
from skmtl.estimators import CallbackSupportMixin, FitTask, fit_as, follow, grid_ratio
from skmtl.model_selection._alpha import check_estimator, read_alphas
from skmtl.model_selection._criterion import KINDS, CriterionOf
from skmtl.model_selection._cv_search import CV_CONSTRAINTS
from skmtl.model_selection._delegation import Delegation
from skmtl.model_selection._path import follow_grid


class AlphaSearchIC(Delegation, CallbackSupportMixin, MetaEstimatorMixin, DocumentedEstimator):
    r"""Any regressor of skmtl, with ``alpha`` selected by an information criterion.

    The fits of one path are compared without held-out rows, by the criterion

    .. math:: -2 \log L + c \, \mathrm{df} + 2 \gamma \log N ,

    where L is the likelihood of independent normal labels, c = 2 for "aic" and the logarithm of the
    number n of labels for "bic" and "ebic". The last term is that of "ebic" only: N is the number
    of supports of the same size.

    Parameters
    ----------
    estimator : regressor of skmtl
        With a parameter ``alpha``, whose own value is not used, and the squared loss.
    criterion : {"aic", "bic", "ebic"}, default="ebic"
        "aic" is for prediction, if there are many more labels than coefficients. "bic" and "ebic"
        are for the selection of features; "ebic" if these are many.
    ebic_gamma : float, default=1.0
        :math:`\gamma` in [0, 1]. If the number of features grows like :math:`n^\kappa`, the
        extended BIC is consistent for :math:`\gamma > 1 - 1 / (2 \kappa)`.
    noise_variance : float or None, default=None
        The variance of the noise, in y's units (with ``scale_tasks`` in those of the fit), for
        labels of average weight. None: estimated from the residuals of each fit.
    alphas : int or array-like of shape (n_alphas,), default=100
        The number of strengths in a geometric grid, or the strengths themselves, finite and >= 0.
    eps : float or None, default=None
        The smallest strength of the grid divided by the largest, in (0, 1). None: 1e-3 for norms,
        1e-5 for ridge penalties and squared norms.

    Attributes
    ----------
    alpha_ : float
        The selected strength.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, largest first.
    criterion_ : ndarray of shape (n_alphas,)
        The values of the criterion, the smaller the better.
    degrees_of_freedom_ : ndarray of shape (n_alphas,)
        Intercepts included.
    degrees_of_freedom_error_ : ndarray of shape (n_alphas,)
        Their standard errors; 0 where they are exact.
    noise_variance_ : float
        As given, or the weighted mean squared residual of the selected fit.
    best_estimator_ : estimator
        The estimator with that strength, fitted to all rows. Its fitted attributes (``coef_``,
        ``tasks_``, ...) are also attributes of the search.

    Raises
    ------
    ValueError
        In ``fit``, if the degrees of freedom of the estimator are not known: for losses other than
        the squared, objectives that are not convex, ``refit_support=True``, shrunk intercepts,
        penalties that are learned from the labels, and sums of penalties without a common prox.
        Use :class:`AlphaSearchCV`. Also if no fit has fewer degrees of freedom than half the
        labels, unless ``noise_variance`` is given.

    Warns
    -----
    UserWarning
        If the selected alpha is the smallest that was compared.

    See Also
    --------
    AlphaSearchCV : By cross-validation, for any loss and objective.
    path : The fits, with the values of a criterion.
    sklearn.linear_model.LassoLarsIC : AIC and BIC of the lasso, for one task.

    Notes
    -----
    **Why a class of its own.** There are no folds, so that ``scoring``, ``rule`` and ``n_jobs`` of
    :class:`AlphaSearchCV` have no meaning, and the criterion is minimised, whereas scores are
    maximised. The names are those of :class:`~sklearn.linear_model.LassoLarsIC`, which stands next
    to ``LassoLarsCV`` for the same reason.

    **Likelihood.** The labels of all tasks are independent, of variance :math:`\sigma^2 / v`, where
    v is the weight of a label in F (``task_weight`` times ``sample_weight``) relative to the mean;
    weights are thus precisions, not numbers of repetitions. n counts the labels of positive weight
    of all tasks, in the shared layout up to ``n_samples * n_tasks``. Without ``noise_variance`` the
    likelihood is maximised over :math:`\sigma^2` at each alpha: up to a constant the first term is
    :math:`n \log R`, with the weighted sum of squared residuals R. As it tends to minus infinity
    where the fit approaches the labels, fits with more degrees of freedom than n / 2 are not
    selected; their criterion is NaN. With ``noise_variance`` the first term is
    :math:`R / \sigma^2` up to a constant, and all fits are compared. ``LassoLarsIC`` uses the
    latter, with an estimate from least squares that needs more rows than features.

    Noise that is correlated between the tasks of a row, or of different variance by task, violates
    the assumptions: then use cross-validation, or ``scale_tasks`` for the latter.

    **Degrees of freedom.** The divergence of the fit with respect to the labels (Stein), intercepts
    included. For ridge penalties it is the trace of the hat matrix. For norms of rows it has a
    closed form in the non-zero rows: for the L2,1 norm that of Vaiter et al. For spectral and
    other penalties the fixed point of the proximal gradient step is differentiated. Of more than
    600 coefficients (1500 in non-zero rows; any number for the L2,1 norm with one X and complete
    labels) the trace is estimated from 64 random sign vectors, with a standard error of at most
    :math:`\sqrt{\mathrm{df} / 32}`. Strengths, and for ``scale_tasks`` the scales, count as fixed.
    The values are those of the solver's results; a lower ``tol`` of the estimator makes them more
    precise.

    **Supports.** The extended BIC adds the logarithm of the number of choices of as many non-zero
    rows of W among the penalised features, and for penalties that also select entries that of as
    many non-zero entries in each of these rows. It is zero for penalties that do not select.

    The norms also shrink the coefficients of the relevant features. An alpha that removes all
    others may therefore fit badly, and each criterion then prefers a smaller alpha with a few
    irrelevant features; ``python -m benchmarks.criteria`` measures how many.

    ``score`` is that of ``best_estimator_``.

    References
    ----------
    J. Chen and Z. Chen, "Extended Bayesian information criteria for model selection with large
    model spaces", Biometrika 95(3), 2008, https://doi.org/10.1093/biomet/asn034

    H. Zou, T. Hastie and R. Tibshirani, "On the degrees of freedom of the lasso", Ann. Statist.
    35(5), 2007, https://doi.org/10.1214/009053607000000127

    S. Vaiter, C. Deledalle, J. Fadili, G. Peyre and C. Dossal, "The degrees of freedom of partly
    smooth regularizers", Ann. Inst. Stat. Math. 69, 2017,
    https://doi.org/10.1007/s10463-016-0563-z

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.model_selection import AlphaSearchIC
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> search = AlphaSearchIC(BlockSparseRegressor(), alphas=50)
    >>> search = search.fit(dataset.data, dataset.target)
    >>> bool(search.support_[dataset.support].all())
    True
    >>> search.criterion_.shape
    (50,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"])],
        "criterion": [StrOptions(set(KINDS))],
        "ebic_gamma": [Interval(Real, 0, 1, closed="both")],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), None],
        "alphas": CV_CONSTRAINTS["alphas"],
        "eps": [*CV_CONSTRAINTS["eps"], None],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        criterion: str = "ebic",
        ebic_gamma: float = 1.0,
        noise_variance: float | None = None,
        alphas: Any = 100,
        eps: float | None = None,
    ) -> None:
        self.estimator = estimator
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.eps = eps

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Select alpha by the criterion, and fit the estimator with it.

        Parameters
        ----------
        X, y : as in the estimator's fit
        sample_weight : as in the estimator's fit, optional

        Returns
        -------
        self
        """
        self._validate_params()
        return follow(
            self,
            lambda task: self._search(X, y, sample_weight, task),
            X,
            y,
            sample_weight,
            size=2,
        )

    def _search(self, X: Any, y: Any, sample_weight: Any, task: FitTask) -> Self:
        check_estimator(self.estimator, "AlphaSearchIC")
        grid = read_alphas(self.alphas)
        model = clone(self.estimator).set_params(alpha=1.0)
        model._validate_params()
        data = model._read(X, y, sample_weight)
        measure = CriterionOf(model, data, self.criterion, self.ebic_gamma, self.noise_variance)
        eps = grid_ratio(model, data) if self.eps is None else self.eps
        n_alphas = grid if isinstance(grid, int) else len(grid)
        steps = task.subtask("path", n_alphas, all_rows=True)
        criteria = follow_grid(model, data, grid, eps, steps, measure).criteria
        steps.end()
        assert criteria is not None
        criteria.warn_at_edge()
        self.alphas_, self.criterion_ = criteria.alphas, criteria.values
        self.degrees_of_freedom_ = criteria.degrees_of_freedom
        self.degrees_of_freedom_error_ = criteria.errors
        self.alpha_, given = criteria.alpha, self.noise_variance
        estimated = criteria.mean_squares[criteria.best]
        self.noise_variance_ = float(estimated if given is None else given)
        best = clone(self.estimator).set_params(alpha=self.alpha_)
        self.best_estimator_ = fit_as(task, best, X, y, sample_weight)
        return self

    def _unfitted(self) -> Any:
        return self.estimator
