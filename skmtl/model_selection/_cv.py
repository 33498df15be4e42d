"""Estimators that choose their own alpha: folds, paths, choice, and a fit to all rows."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed

from skmtl.base import TaskEstimator
from skmtl.design import TaskData
from skmtl.estimators._feature_weight import read_feature_weight
from skmtl.model_selection._alpha import make_grid, prepare, read_alphas, top_alpha
from skmtl.model_selection._cv_choice import choose, warn_at_edge
from skmtl.model_selection._cv_folds import make_folds
from skmtl.model_selection._cv_moments import MomentFolds
from skmtl.model_selection._cv_scores import (
    HeldOutLoss,
    HeldOutScore,
    Measure,
    RowFolds,
    Source,
    score_fold,
)
from skmtl.objective import BaseObjective
from skmtl.penalties import Penalty

Array = NDArray[Any]

CV_CONSTRAINTS: dict[str, list[Any]] = {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "cv": ["cv_object"],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "rule": [StrOptions({"best", "1se"})],
    "n_jobs": [Integral, None],
}


def constraints_without_alpha(plain: type[TaskEstimator]) -> dict[str, list[Any]]:
    """The parameter constraints of a plain estimator's CV."""
    kept = {name: rule for name, rule in plain._parameter_constraints.items() if name != "alpha"}
    return {**kept, **CV_CONSTRAINTS}


class TaskCV(TaskEstimator):
    """What all CV estimators share; mixed into the plain estimator, whose alpha it chooses.

    A subclass says which is its plain estimator, and which parameter, if any, may be a list.
    """

    _plain: ClassVar[type[TaskEstimator]]
    _varied: ClassVar[str | None] = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose alpha by cross-validation, and fit all tasks together.

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
        alphas = read_alphas(self.alphas)
        data = self._read(X, y, sample_weight)
        values = self._values()
        self._warn_left_out(data)
        folds, keep = make_folds(self, data, X, y, sample_weight)
        models = [self._model(1.0, value) for value in values]
        measure: Measure = HeldOutLoss(data)
        if self.scoring is not None:
            scorer = check_scoring(models[0], scoring=self.scoring)
            measure = HeldOutScore(scorer, self, X, y, sample_weight)
        source: Source
        if models[0]._takes_moments(data) and data.scales is None:
            source = MomentFolds(models[0], data, measure)
            prepared: BaseObjective | None = source.full(models[0])
        else:
            source = RowFolds(self._unbalanced(data, X, y, sample_weight), measure)
            prepared = prepare(models[0], data)
        grids = [self._grid(model, data, prepared, alphas) for model in models]
        if not keep:
            for model in models:
                model.set_params(unknown_task="mean")
        found = Parallel(n_jobs=self.n_jobs, prefer="threads")(
            delayed(score_fold)(source, models, grids, fold) for fold in folds
        )
        scores = np.stack(found, axis=-1)
        choice = choose(scores, self.rule)
        made, is_norm = isinstance(alphas, int), _starts_at_null(models[choice.row], data)
        warn_at_edge(choice, grids[choice.row], made=made, top_is_null=made and is_norm)
        self._keep(scores, grids, values)
        self.alpha_ = float(grids[choice.row][choice.column])
        self.best_score_ = choice.score
        self._chosen_value = values[choice.row]
        if self._varied is not None:
            setattr(self, f"{self._varied}_", self._chosen_value)
        chosen = self._chosen()
        return self._set_fit(data, chosen._fit_data(data, self._previous_fit(data), prepared))

    def _values(self) -> list[Any]:
        """The values of the parameter that may be a list."""
        if self._varied is None:
            return [None]
        given = getattr(self, self._varied)
        if np.ndim(given) == 0:
            self._model(1.0, given)._validate_params()
            return [given]
        values = list(given)
        if not values or np.ndim(given) > 1:
            raise ValueError(f"{self._varied} must be a number or a flat list; got {given!r}.")
        for value in values:
            self._model(1.0, value)._validate_params()
        return values

    def _model(self, alpha: float, value: Any) -> Any:
        """The plain estimator with these parameters."""
        names = set(self._plain._get_param_names()) - {"alpha", self._varied}
        params = {name: getattr(self, name) for name in names}
        if self._varied is not None:
            params[self._varied] = value
        if params.get("feature_weight") is not None:
            # What a fold learns from has no column names.
            n_features = self.n_features_in_ - (self.task_column is not None)
            params["feature_weight"] = read_feature_weight(self, n_features)
        return self._plain(alpha=alpha, **params)

    def _chosen(self) -> Any:
        """The plain estimator with the chosen parameters."""
        return self._model(self.alpha_, self._chosen_value)

    def _targets_compete(self, data: TaskData) -> bool:
        competing: bool = self._model(1.0, self._values()[0])._targets_compete(data)
        return competing

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        penalty: Penalty | None = self._chosen()._get_penalty(data)
        return penalty

    def _grid(
        self, model: Any, data: TaskData, prepared: BaseObjective | None, alphas: Array | int
    ) -> Array:
        if not isinstance(alphas, int):
            return alphas
        top = 0.0 if prepared is None else top_alpha(model, data, prepared)
        return make_grid(top, alphas, self.eps)

    def _unbalanced(self, data: TaskData, X: Any, y: Any, sample_weight: Any) -> TaskData:
        """The data without balanced class weights, which each training set has of its own."""
        if getattr(self, "class_weight", None) != "balanced":
            return data
        reader = self._model(1.0, self._values()[0]).set_params(class_weight=None)
        unbalanced: TaskData = reader._read(X, y, sample_weight)
        return unbalanced

    def _keep(self, scores: Array, grids: list[Array], values: list[Any]) -> None:
        """Set the attributes of the grid; the axis of one value is dropped."""
        for name in {"mse_path_", "scores_path_"} & vars(self).keys():
            delattr(self, name)
        one, given = len(values) == 1, not isinstance(read_alphas(self.alphas), int)
        self.alphas_ = grids[0] if one or given else np.stack(grids)
        kept = scores[0] if one else scores
        if self.scoring is None and not is_classifier(self):
            self.mse_path_ = -kept
        else:
            self.scores_path_ = kept


def _starts_at_null(model: Any, data: TaskData) -> bool:
    """Whether the model's grid begins where all coefficients are zero."""
    penalty = model.set_params(alpha=1.0)._get_penalty(data)
    rough = None if penalty is None else penalty.split()[0]
    return rough is not None and bool(rough.is_norm)
