"""How sure: prediction intervals and sets for each task, and standard errors of coefficients."""

from skmtl.inference._classifier import TaskConformalClassifier
from skmtl.inference._regressor import TaskConformalRegressor
from skmtl.inference._standard_errors import Effects, StandardErrors, standard_errors

__all__ = [
    "Effects",
    "StandardErrors",
    "TaskConformalClassifier",
    "TaskConformalRegressor",
    "standard_errors",
]
