"""Select alpha of any estimator by cross-validation."""

from typing import Any, ClassVar, Self

from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if

from skmtl._site import DocumentedEstimator
from skmtl.design import Parts
from skmtl.estimators import CallbackSupportMixin, FitTask, Search, fit_as, follow
from skmtl.model_selection._alpha import check_estimator
from skmtl.model_selection._cv_search import CV_CONSTRAINTS, keep_search, search_alpha
from skmtl.model_selection._delegation import Delegation


def _has_statistics(search: Any) -> bool:
    """Raise unless the estimator is fitted from statistics; scikit-learn hides the method then."""
    return callable(search.estimator.fit_statistics)


class AlphaSearchCV(Delegation, CallbackSupportMixin, MetaEstimatorMixin, DocumentedEstimator):
    """Any estimator of skmtl, with ``alpha`` selected by cross-validation.

    With the same ``scoring`` the result is that of :class:`~sklearn.model_selection.GridSearchCV`
    over alpha, computed on warm-started paths: data are validated once, and the fits on a fold's
    training rows share all computations that do not depend on alpha. Without ``scoring`` the two
    can differ: this search uses the loss on held-out labels, GridSearchCV the estimator's
    ``score``. The estimator's other parameters are unchanged.

    Parameters
    ----------
    estimator : estimator of skmtl
        Any estimator with a parameter ``alpha``, whose own value is not used. Within a pipeline the
        search takes the place of the last step.
    alphas : int or array-like of shape (n_alphas,), default=100
        The number of strengths in a geometric grid, or the strengths themselves, finite and >= 0.
        For norms the grid starts at :func:`alpha_max`, where all coefficients are zero. For ridge
        penalties and squared norms it starts at a strength at which the objective is at most 1%
        below the loss with zero coefficients.
    eps : float or None, default=None
        The smallest strength of the grid divided by the largest, in (0, 1). None: 1e-3 for norms,
        1e-5 for ridge penalties and squared norms.
    cv : int, splitter, iterable of (train, test) or None, default=None
        An int: the number of folds; None: five. In the stacked layout, if labels are missing, for
        classifiers, and with ``groups``, the folds are those of
        :class:`~skmtl.model_selection.StratifiedTaskKFold` with ``random_state=0``, stratified by
        task (and by class for classifiers). Otherwise they are those of scikit-learn's KFold,
        without shuffling.
    scoring : str, callable or None, default=None
        None: for regressors the mean squared error of the held-out labels, or with
        ``loss="quantile"`` their mean quantile loss, weighted by ``sample_weight`` (with
        ``scale_tasks`` in each task's standard deviations); for classifiers the mean loss, weighted
        by ``sample_weight`` and ``class_weight``. Otherwise a scorer: the name of a scikit-learn
        scorer, a callable (estimator, X, y), or a scorer made by
        :func:`skmtl.metrics.make_task_scorer`, which accepts missing labels. ``sample_weight`` is
        passed to scorers that accept it.
    rule : {"best", "1se"}, default="best"
        "best": select the model with the best mean score over folds. "1se": keep its other
        parameters, and select the largest alpha whose mean score is within one standard error
        (over folds) of the best.
    n_jobs : int or None, default=None
        Number of threads, each of which processes one fold at a time.
    patience : int or None, default=None
        End the paths of all folds after this many consecutive strengths at which the mean score
        over folds is below the best of larger strengths; the scores of smaller ones are NaN. Small
        strengths take longest, and overfit. None: fit all strengths. The paths are followed side by
        side, so that all folds are in memory at the same time.

    Attributes
    ----------
    alpha_ : float
        The selected strength.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, largest first.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Regressors without ``scoring``: the mean squared error of each fold's held-out labels, or
        with ``loss="quantile"`` their mean quantile loss.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        Classifiers, and regressors with ``scoring``: the scores of each fold; without ``scoring``
        minus the mean loss.
    best_score_ : float
        The mean score over folds of the selected strength; the greater the better.
    best_estimator_ : estimator
        The estimator with that strength, refitted to all rows. Its fitted attributes (``coef_``,
        ``tasks_``, ``classes_``, ...) are also attributes of the search.

    See Also
    --------
    path : The fits over a grid, without cross-validation.
    skmtl.BlockSparseRegressorCV : Selects ``l1_ratio`` too.
    sklearn.model_selection.GridSearchCV : Any parameters, each fit from scratch.

    Notes
    -----
    In each fold the fits over the grid are warm-started, each from the previous one, and share all
    computations that do not depend on alpha. A warning is issued if the best alpha may lie outside
    the grid.

    The objectives of :class:`~skmtl.CappedBlockSparseRegressor`,
    :class:`~skmtl.GroupOverlapRegressor` and :class:`~skmtl.SparseTaskRelationRegressor` and of
    their classifiers are not convex, so that the result of a fit depends on its start. These fits
    are therefore not warm-started, and the scores are those of separate fits for each alpha. Set
    ``random_state`` of the GroupOverlap estimators to an integer.

    ``score`` is that of ``best_estimator_``, independent of ``scoring``. Call methods
    that the search does not have, such as ``transform``, on ``best_estimator_``.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression Trees", 1984,
    section 3.4.3 (the rule of one standard error), https://doi.org/10.1201/9781315139470

    T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2009, section
    7.10, https://doi.org/10.1007/978-0-387-84858-7

    Examples
    --------
    >>> from skmtl import LowRankRegressor
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> from skmtl.model_selection import AlphaSearchCV
    >>> dataset = make_low_rank_tasks(random_state=0)
    >>> search = AlphaSearchCV(LowRankRegressor(), alphas=20).fit(dataset.data, dataset.target)
    >>> search.mse_path_.shape
    (20, 5)
    >>> search.coef_.shape == search.best_estimator_.coef_.shape
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"])],
        **CV_CONSTRAINTS,
        "eps": [*CV_CONSTRAINTS["eps"], None],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        alphas: Any = 100,
        eps: float | None = None,
        cv: Any = None,
        scoring: Any = None,
        rule: str = "best",
        n_jobs: int | None = None,
        patience: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.rule = rule
        self.n_jobs = n_jobs
        self.patience = patience

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Select alpha by cross-validation, and fit the estimator to all rows.

        Parameters
        ----------
        X, y : as in the estimator's fit
        sample_weight : as in the estimator's fit, optional
        groups : array-like of shape (n_samples,), optional
            Rows of one group, such as a patient's, are never split between training and test set.
            Passed to ``cv``, or to :class:`~skmtl.model_selection.StratifiedTaskKFold` if ``cv`` is
            a number or None.

        Returns
        -------
        self
        """
        self._validate_params()
        return follow(
            self,
            lambda task: self._search(X, y, sample_weight, groups, task),
            X,
            y,
            sample_weight,
            size=2,
        )

    @available_if(_has_statistics)  # type: ignore[untyped-decorator]
    def fit_statistics(self, statistics: Any) -> Self:
        """Select alpha, and fit the estimator, from the statistics of folds instead of rows.

        The scores are the mean squared errors of the folds, and the fit is that of all rows from
        which the statistics were collected. Only if the estimator has ``loss="squared"``.

        Parameters
        ----------
        statistics : list of TaskStatistics
            Those of the folds, collected with the estimator's ``task_column`` and
            ``offset_column``. ``cv`` has no effect.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If they are something else.
        ValueError
            If they do not match the estimator or one another, if a single one is given, or if
            ``scoring`` is not None.
        """
        parts = Parts(statistics)
        return self.fit(parts, None)

    def _search(self, X: Any, y: Any, sample_weight: Any, groups: Any, task: FitTask) -> Self:
        check_estimator(self.estimator, "AlphaSearchCV")
        model = self._fold_model().set_params(alpha=1.0)
        model._validate_params()
        data = model._read(X, y, sample_weight)
        found = search_alpha(self, model, [model], data, X, y, sample_weight, groups, task)
        self._warn_at_edge(found)
        keep_search(self, found, found.scores[0])
        (self.alphas_,) = found.grids
        best = clone(self.estimator).set_params(alpha=self.alpha_)
        self.best_estimator_ = fit_as(task, best, X, y, sample_weight)
        return self

    def _fold_model(self) -> Any:
        """A hook for searches within other methods, which can compare strengths by faster fits."""
        return clone(self.estimator)

    def _warn_at_edge(self, found: Search) -> None:
        """A hook for searches within other methods, whose users do not control the grid."""
        found.warn_at_edge()

    def _unfitted(self) -> Any:
        return self.estimator
