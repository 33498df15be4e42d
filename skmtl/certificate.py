"""The former import path of names that are now internal."""

import skmtl.objective
from skmtl._warnings import forward

_NAMES = ("Dual", "best_dual", "envelope")
__getattr__ = forward(__name__, skmtl.objective, _NAMES)
