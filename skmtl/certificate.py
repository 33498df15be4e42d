"""The former place of what is now internal."""

import skmtl.objective
from skmtl._warnings import forward

_NAMES = ("Dual", "best_dual", "envelope")
__getattr__ = forward(__name__, skmtl.objective, _NAMES)
