"""Estimators that choose their own alpha: the plain estimator's parameters, and a search."""

from typing import Any, ClassVar, Self

import numpy as np

from skmtl.design import TaskData
from skmtl.estimators import Search, TaskEstimator, read_feature_weight
from skmtl.model_selection._alpha import read_alphas
from skmtl.model_selection._cv_docs import document_fit
from skmtl.model_selection._cv_search import CV_CONSTRAINTS, keep_search, search_alpha
from skmtl.penalties import Penalty


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
    _not_stated = (
        "it chooses alpha by cross-validation. Pass the estimator without CV in its name, with "
        "the alpha_ of the fit"
    )

    @document_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Choose alpha by cross-validation, and fit all tasks together.

        {fit}
        """
        self._validate_params()
        read_alphas(self.alphas)
        data = self._read(X, y, sample_weight)
        values = self._values()
        self._warn_of_data(data)
        models = [self._model(1.0, value) for value in values]
        found = search_alpha(self, self, models, data, X, y, sample_weight, groups)
        found.warn_at_edge()
        self._keep(found)
        self._chosen_value = values[found.choice.row]
        if self._varied is not None:
            setattr(self, f"{self._varied}_", self._chosen_value)
        fit = self._chosen()._fit_data(data, self._previous_fit(data), found.prepared)
        return self._set_fit(data, fit)

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

    def _keep(self, found: Search) -> None:
        """Set the attributes of the grid; the axis of one value is dropped."""
        one = len(found.grids) == 1
        self.alphas_ = np.stack(found.grids) if found.made and not one else found.grids[0]
        keep_search(self, found, found.scores[0] if one else found.scores)
