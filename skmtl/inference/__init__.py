"""Prediction intervals and sets, intervals for coefficients, and stability selection."""

from skmtl.inference._classifier import TaskConformalClassifier
from skmtl.inference._coefficient_intervals import coefficient_intervals
from skmtl.inference._interval_result import CoefficientIntervals
from skmtl.inference._regressor import TaskConformalRegressor
from skmtl.inference._stability import stability_selection
from skmtl.inference._stability_display import StabilitySelectionDisplay
from skmtl.inference._stability_result import StabilitySelection
from skmtl.inference._standard_errors import Effects, StandardErrors, standard_errors

__all__ = [
    "CoefficientIntervals",
    "Effects",
    "StabilitySelection",
    "StabilitySelectionDisplay",
    "StandardErrors",
    "TaskConformalClassifier",
    "TaskConformalRegressor",
    "coefficient_intervals",
    "stability_selection",
    "standard_errors",
]
