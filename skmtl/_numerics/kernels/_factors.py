"""Triangular factors of the Gram matrices of features and labels."""

import math
from typing import Any

from numpy.typing import NDArray

from skmtl._numerics.kernels._compile import kernel

Array = NDArray[Any]


@kernel
def factor_products(products: Array, rounding: float) -> None:
    """Replace [C, B; B', D] by R = [S, V; 0, E], where S is triangular and R' R has these blocks.

    ``products`` (n, d + 1, d + n_labels) holds for each task the positive semidefinite matrix C
    (d, d) with ones on its diagonal, or zeros in the rows of features that do not count, beside B,
    and in the last row the diagonal of D. E (n_labels,) is what V leaves of it. Pivots of at most
    ``rounding`` are taken as zero.
    """
    n, d = len(products), products.shape[1] - 1
    width = products.shape[2]
    for task in range(n):
        R = products[task]
        for k in range(d):
            pivot = R[k, k]
            root = math.sqrt(pivot) if pivot > rounding else math.inf
            for j in range(k):
                R[k, j] = 0.0
            for j in range(k, width):
                R[k, j] /= root
            for i in range(k + 1, d):
                factor = R[k, i]
                if factor != 0.0:
                    for j in range(i, width):
                        R[i, j] -= factor * R[k, j]
        for j in range(d):
            R[d, j] = 0.0
        for j in range(d, width):
            left = R[d, j]
            for k in range(d):
                left -= R[k, j] * R[k, j]
            R[d, j] = math.sqrt(max(left, 0.0))
