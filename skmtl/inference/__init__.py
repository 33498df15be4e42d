"""How sure: prediction intervals for each task, and standard errors of coefficients."""

from skmtl.inference._conformal import TaskConformalRegressor
from skmtl.inference._standard_errors import Effects, StandardErrors, standard_errors

__all__ = ["Effects", "StandardErrors", "TaskConformalRegressor", "standard_errors"]
