"""The base classes of the CV estimators, which select alpha by cross-validation."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from skmtl.design import TaskData, feature_positions
from skmtl.estimators import (
    FitTask,
    Restored,
    Search,
    TaskEstimator,
    absent,
    estimator,
    follow,
    parameter,
    read_feature_groups,
    read_feature_weight,
    read_positive,
    strength,
)
from skmtl.model_selection._alpha import read_alphas
from skmtl.model_selection._cv_search import CV_CONSTRAINTS, CV_TEXTS, keep_search, search_alpha
from skmtl.penalties import Penalty

# How parameters that hold a value for each feature are read.
_BY_FEATURE: dict[str, Callable[[Any, int], Any]] = {
    "feature_weight": read_feature_weight,
    "feature_groups": read_feature_groups,
    "positive": read_positive,
}


@estimator
class TaskCV(TaskEstimator):
    """The base of all CV estimators, mixed into the estimator whose alpha is selected.

    Attributes
    ----------
    alpha_ : float
        The selected strength.
    alphas_ : ndarray of shape (n_alphas,)
        The grid, largest first. If another parameter is given as a list, the grid and the scores
        have an additional first axis for its values.
    best_score_ : float
        The mean score over folds of the selected model; the greater the better.

    Notes
    -----
    In each fold the fits over the grid are warm-started, each from the previous one, and share all
    computations that do not depend on alpha. With the same ``scoring`` the scores equal those of
    scikit-learn's GridSearchCV over the same grid and folds. The selected model is refitted to all
    rows. A warning is issued if the best alpha may lie outside the grid.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression Trees", 1984,
    section 3.4.3 (the rule of one standard error), https://doi.org/10.1201/9781315139470

    T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2009, section
    7.10, https://doi.org/10.1007/978-0-387-84858-7
    """

    alpha: Any = absent()
    alphas: Any = strength(
        30,
        CV_CONSTRAINTS["alphas"],
        "int or array-like of shape (n_alphas,)",
        """
        The number of strengths in a geometric grid, or the strengths themselves, finite and >= 0.
        The grid starts at a strength at which the objective is at most 1% below the loss with zero
        coefficients.
        """,
    )
    eps: float = parameter(
        1e-5,
        CV_CONSTRAINTS["eps"],
        "float",
        "The smallest strength of the grid divided by the largest, in (0, 1).",
        group="grid",
    )
    cv: Any = parameter(None, *CV_TEXTS["cv"], group="search")
    scoring: Any = parameter(None, *CV_TEXTS["scoring"], group="search")
    rule: str = parameter("best", *CV_TEXTS["rule"], group="search")
    n_jobs: int | None = parameter(None, *CV_TEXTS["n_jobs"], group="search")
    patience: int | None = parameter(None, *CV_TEXTS["patience"], group="search")

    _plain: ClassVar[type[TaskEstimator]]
    _varied: ClassVar[str | None] = None
    _not_stated = (
        "it selects alpha by cross-validation. Pass the estimator without CV in its name, with "
        "the alpha_ of the fit"
    )
    _not_in_batches = (
        "it cross-validates. Select alpha by fit on a sample of the rows, and pass alpha_ to the "
        "estimator without CV in its name; for loss='squared' use fit_statistics"
    )

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Select alpha by cross-validation, and fit all tasks together.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            (n_samples, n_features), or with a task column (n_samples, n_features + 1).
        y : array-like
            (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Non-negative; zero leaves the label out. One per label only with a matrix y.
        groups : array-like of shape (n_samples,), optional
            Rows of one group, such as a patient's, are never split between training and test set.
            Passed to ``cv``, or to :class:`~skmtl.model_selection.StratifiedTaskKFold` if ``cv`` is
            a number or None.

        Returns
        -------
        self
        """
        self._validate_params()
        read_alphas(self.alphas)
        with Restored(self):
            return follow(
                self,
                lambda task: self._fit(X, y, sample_weight, task, groups),
                X,
                y,
                sample_weight,
                size=2,
            )

    def _fit(self, X: Any, y: Any, sample_weight: Any, task: FitTask, groups: Any = None) -> Self:
        data = self._read(X, y, sample_weight)
        values = self._values()
        self._warn_of_data(data)
        models = [self._model(1.0, value) for value in values]
        found = search_alpha(self, self, models, data, X, y, sample_weight, groups, task)
        found.warn_at_edge()
        self._keep(found)
        self._selected_value = values[found.choice.row]
        if self._varied is not None:
            setattr(self, f"{self._varied}_", self._selected_value)
        refit = task.subtask("refit", None, all_rows=True)
        fit = self._fit_followed(self._selected(), data, found.prepared, refit)
        refit.end(lambda: self._attributes_of(data, fit))
        return self._set_fit(data, fit)

    def _values(self) -> list[Any]:
        """The values of the parameter that may be a list; [None] if there is no such parameter."""
        if self._varied is None:
            return [None]
        given = getattr(self, self._varied)
        if np.ndim(given) == 0:
            self._model(1.0, given)._validate_params()
            return [given]
        values = list(given)
        if not values or np.ndim(given) > 1:
            raise ValueError(
                f"{self._varied} must be a number or a flat list; got {given!r}. Pass at least one "
                f"number."
            )
        for value in values:
            self._model(1.0, value)._validate_params()
        return values

    def _model(self, alpha: float, value: Any) -> Any:
        """The estimator without CV, with this alpha and this value of the listed parameter."""
        names = set(self._plain._get_param_names()) - {"alpha", self._varied}
        params = {name: getattr(self, name) for name in names}
        if self._varied is not None:
            params[self._varied] = value
        # By position, because the data of a fold have no column names.
        n_features = len(feature_positions(self, self.n_features_in_))
        for name, read in _BY_FEATURE.items():
            if params.get(name) is not None:
                params[name] = read(self, n_features)
        return self._plain(alpha=alpha, **params)

    def _selected(self) -> Any:
        """The estimator without CV, with the selected parameters."""
        return self._model(self.alpha_, self._selected_value)

    def _penalised(self) -> Any:
        return self._selected()

    def _targets_compete(self, data: TaskData) -> bool:
        competing: bool = self._model(1.0, self._values()[0])._targets_compete(data)
        return competing

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        penalty: Penalty | None = self._selected()._get_penalty(data)
        return penalty

    def _keep(self, found: Search) -> None:
        """Set the grid and scores, without an axis for the listed parameter if it has one value."""
        one = len(found.grids) == 1
        self.alphas_ = np.stack(found.grids) if found.computed and not one else found.grids[0]
        keep_search(self, found, found.scores[0] if one else found.scores)


@estimator
class TaskRegressorCV(TaskCV):
    """The base of the CV estimators that are regressors.

    Attributes
    ----------
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Without ``scoring``: the mean squared error (with ``loss="quantile"``, the mean quantile
        loss) of each fold's held-out labels.
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        With ``scoring``: the scores of each fold.
    """


@estimator
class TaskClassifierCV(TaskCV):
    """The base of the CV estimators that are classifiers.

    Attributes
    ----------
    scores_path_ : ndarray of shape (n_alphas, n_folds)
        The scores of each fold; without ``scoring`` minus the mean loss.
    """
