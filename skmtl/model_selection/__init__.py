"""Splitters and regularisation paths that know about tasks."""

from skmtl.model_selection._alpha import alpha_max
from skmtl.model_selection._split import StratifiedTaskKFold

__all__ = ["StratifiedTaskKFold", "alpha_max"]
