"""How sure: prediction intervals and sets for each task."""

from skmtl.inference._classifier import TaskConformalClassifier
from skmtl.inference._regressor import TaskConformalRegressor

__all__ = ["TaskConformalClassifier", "TaskConformalRegressor"]
