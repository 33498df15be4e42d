"""How sure: intervals and sets for each task, standard errors, and features that are real."""

from skmtl.inference._classifier import TaskConformalClassifier
from skmtl.inference._regressor import TaskConformalRegressor
from skmtl.inference._stability import stability_selection
from skmtl.inference._stability_display import StabilitySelectionDisplay
from skmtl.inference._stability_result import StabilitySelection
from skmtl.inference._standard_errors import Effects, StandardErrors, standard_errors

__all__ = [
    "Effects",
    "StabilitySelection",
    "StabilitySelectionDisplay",
    "StandardErrors",
    "TaskConformalClassifier",
    "TaskConformalRegressor",
    "stability_selection",
    "standard_errors",
]
