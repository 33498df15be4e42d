"""Funnels: stages that follow each other, and amounts that may be zero."""

from skmtl.funnel._entire_space import EntireSpaceClassifier
from skmtl.funnel._hurdle import HurdleRegressor
from skmtl.funnel._scorer import make_stage_scorer

__all__ = ["EntireSpaceClassifier", "HurdleRegressor", "make_stage_scorer"]
