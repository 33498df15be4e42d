"""Auxiliary tasks: targets that exist only in training."""

from skmtl.auxiliary._auxiliary_task import AuxiliaryTaskClassifier, AuxiliaryTaskRegressor

__all__ = ["AuxiliaryTaskClassifier", "AuxiliaryTaskRegressor"]
