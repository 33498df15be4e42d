"""The former import path of names that are now internal."""

import skmtl._numerics
from skmtl._warnings import forward

_NAMES = ("LinkedSpectrum", "PartsSpectrum", "Spectrum")
__getattr__ = forward(__name__, skmtl._numerics, _NAMES)
