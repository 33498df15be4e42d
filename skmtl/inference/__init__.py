"""How sure: prediction intervals for each task, and stable features."""

from skmtl.inference._conformal import TaskConformalRegressor
from skmtl.inference._stability import stability_selection
from skmtl.inference._stability_display import StabilitySelectionDisplay
from skmtl.inference._stability_result import StabilitySelection

__all__ = [
    "StabilitySelection",
    "StabilitySelectionDisplay",
    "TaskConformalRegressor",
    "stability_selection",
]
