"""The smallest estimator with a task column."""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.utils.validation import validate_data

from skmtl.design import encode_tasks, look_up_tasks, read_ids, split_task_column


class StackedRidge(RegressorMixin, BaseEstimator):
    """One ridge per task."""

    def __init__(self, task_column: str | int | None = None) -> None:
        self.task_column = task_column

    def fit(self, X: Any, y: Any) -> Self:
        validate_data(self, X, skip_check_array=True)
        features, ids = self._split(X)
        self.tasks_, codes = encode_tasks(ids)
        y = np.asarray(y)
        models = [
            Ridge(1e-3).fit(features[codes == k], y[codes == k]) for k in range(len(self.tasks_))
        ]
        self.coef_ = np.array([model.coef_ for model in models])
        self.intercept_ = np.array([model.intercept_ for model in models])
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        features, ids = self._split(X)
        codes = look_up_tasks(self.tasks_, ids)
        predictions = features @ self.coef_.T + self.intercept_
        return predictions[np.arange(len(codes)), codes]

    def _split(self, X: Any) -> tuple[Any, NDArray[Any]]:
        features, ids = split_task_column(X, self.task_column)
        if not sp.issparse(features):
            features = np.asarray(features, dtype=float)
        return features, read_ids(ids)
