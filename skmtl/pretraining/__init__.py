"""Pretraining: a pooled fit from which the fit of each task starts"""

from skmtl.pretraining._pretrained import PretrainedTaskClassifier, PretrainedTaskRegressor

__all__ = ["PretrainedTaskClassifier", "PretrainedTaskRegressor"]
