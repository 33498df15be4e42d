"""The former place of what is now internal."""

import skmtl._numerics
from skmtl._warnings import forward

_NAMES = ("LinkedSpectrum", "PartsSpectrum", "Spectrum")
__getattr__ = forward(__name__, skmtl._numerics, _NAMES)
