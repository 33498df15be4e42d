"""How sure: prediction intervals, intervals of coefficients, and tests of features."""

from skmtl.inference._coefficient_intervals import coefficient_intervals
from skmtl.inference._conformal import TaskConformalRegressor
from skmtl.inference._interval_result import CoefficientIntervals

__all__ = ["CoefficientIntervals", "TaskConformalRegressor", "coefficient_intervals"]
