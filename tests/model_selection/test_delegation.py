"""Methods of estimators that predict with another one."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV

from skmtl import LowRankRegressor
from skmtl.inference import TaskConformalRegressor


def test_score_passes_weights_on_to_searches_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    Y = X @ rng.standard_normal((4, 3)) + rng.standard_normal((40, 3))
    weights = rng.uniform(0.5, 2, size=40)
    grid = {"alpha": [0.1, 1.0]}
    model = TaskConformalRegressor(GridSearchCV(LowRankRegressor(), grid, cv=2)).fit(X, Y)
    best = model.estimator_.best_estimator_
    assert model.score(X, Y) == best.score(X, Y)
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        model.score(X, Y, weights)
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = LowRankRegressor().set_score_request(sample_weight=True)
        weighted.set_fit_request(sample_weight=False)
        model = TaskConformalRegressor(GridSearchCV(weighted, grid, cv=2)).fit(X, Y)
        expected = model.estimator_.best_estimator_.score(X, Y, weights)
        assert model.score(X, Y, weights) == expected != model.score(X, Y)
