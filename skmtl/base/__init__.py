"""The shared fit: validate -> design -> objective -> solve -> attributes."""

from skmtl.base._classifier import TaskClassifier
from skmtl.base._estimator import Fit, TaskEstimator, linear_predictor
from skmtl.base._regressor import TaskRegressor

__all__ = ["Fit", "TaskClassifier", "TaskEstimator", "TaskRegressor", "linear_predictor"]
