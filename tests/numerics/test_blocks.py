"""The matrices of many tasks: solutions where rounding leaves no factor, and what has none."""

import numpy as np
import pytest

from skmtl._numerics.blocks import FullBlocks


def test_singular_matrices_have_solutions():
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((3, 4, 2))
    grams = factor @ factor.transpose(0, 2, 1)  # of rank 2
    blocks = FullBlocks(grams, np.array([1.0, 2.0, 0.5]))
    rows = blocks.times(rng.standard_normal((3, 4)))
    solution = blocks.inverse(np.zeros(3))(rows)
    np.testing.assert_allclose(blocks.times(solution), rows, atol=1e-2)
    cholesky, _ = blocks.parallel(grams[0].copy(), 0.0)
    np.testing.assert_allclose(grams[0] @ cholesky.solve(rows[0]), rows[0], atol=1e-2)


def test_matrices_without_factor_are_refused():
    grams = np.array([[[1.0, np.nan], [np.nan, 1.0]]])
    for broken in (grams, -np.eye(2)[None]):
        blocks = FullBlocks(broken, np.ones(1))
        with pytest.raises(np.linalg.LinAlgError, match="positive semidefinite"):
            blocks.inverse(np.zeros(1))
        with pytest.raises(np.linalg.LinAlgError, match="positive semidefinite"):
            blocks.parallel(broken[0], 0.0)
