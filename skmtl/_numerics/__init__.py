"""Numerical building blocks: numba kernels, linear algebra, threads."""

from skmtl._numerics import kernels, linalg
from skmtl._numerics.coupled_spectrum import CoupledSpectrum
from skmtl._numerics.coupled_system import CoupledSystem
from skmtl._numerics.coupling import Coupling
from skmtl._numerics.linalg import (
    lanczos,
    largest_singular_value,
    rescale_singular_values,
    rough_singular_values,
    singular_values,
)
from skmtl._numerics.sparse import diagonal_array
from skmtl._numerics.spectrum import (
    FactoredSpectrum,
    LinkedSpectrum,
    PartsSpectrum,
    Quadratics,
    Spectrum,
)
from skmtl._numerics.sylvester import solve_coupled, solve_shifted
from skmtl._numerics.threads import one_blas_thread

__all__ = [
    "CoupledSpectrum",
    "CoupledSystem",
    "Coupling",
    "FactoredSpectrum",
    "LinkedSpectrum",
    "PartsSpectrum",
    "Quadratics",
    "Spectrum",
    "diagonal_array",
    "kernels",
    "lanczos",
    "largest_singular_value",
    "linalg",
    "one_blas_thread",
    "rescale_singular_values",
    "rough_singular_values",
    "singular_values",
    "solve_coupled",
    "solve_shifted",
]
