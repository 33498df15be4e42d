"""How sure: prediction intervals for each task."""

from skmtl.inference._conformal import TaskConformalRegressor

__all__ = ["TaskConformalRegressor"]
