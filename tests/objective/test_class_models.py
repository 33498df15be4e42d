"""Models of coupled classes: the Hessian and sweeps over it."""

import numpy as np
import pytest

from skmtl._numerics.kernels import minimise_classes
from skmtl.objective._class_models import class_gram


class TestModel:
    def hessian(self, A, P, w, centre):
        s, n_classes = A.shape[1], P.shape[1]
        A = np.column_stack([A, np.ones(len(A))]) if centre else A
        H = np.zeros((A.shape[1], n_classes) * 2)
        for a, p, weight in zip(A, P, w, strict=True):
            H += weight * np.einsum("i,j,kl->ikjl", a, a, np.diag(p) - np.outer(p, p))
        H = H.reshape((A.shape[1] * n_classes,) * 2)
        if not centre:
            return H
        side = s * n_classes
        left, right = H[:side, side:], np.linalg.pinv(H[side:, side:], hermitian=True)
        return H[:side, :side] - left @ right @ left.T

    @pytest.mark.parametrize("centre", [False, True])
    @pytest.mark.parametrize("exact", [False, True])
    def test_matrix_is_the_hessian(self, centre, exact, monkeypatch):
        monkeypatch.setattr("skmtl.objective._class_models._CHUNK_SIZE", 150)
        if not exact:
            monkeypatch.setattr("skmtl.objective._class_models._EXACT_PRODUCTS", 0)
        rng = np.random.default_rng(0)
        A, w = 1 + rng.standard_normal((50, 5)) * [1, 1e-8, 1e8, 3, 1], rng.random(50)
        A -= w @ A / w.sum()
        A[:, 4] = 0.0
        P = rng.dirichlet(np.ones(3), 50)
        scale = np.array([1, 1e-8, 1e8, 1, 1])
        gram, bends = class_gram(A.__getitem__, scale, P, w, centre=centre, least=None)
        expected = self.hessian(A, P, w, centre)
        sizes = np.repeat(scale, 3)
        close = 1e-9 if exact else 1e-3
        np.testing.assert_allclose(
            gram / sizes[:, None] / sizes, expected / sizes[:, None] / sizes, atol=close
        )
        assert gram.flags.c_contiguous
        blocks = np.einsum("ikil->ikl", gram.reshape(5, 3, 5, 3))
        assert (bends >= np.linalg.eigvalsh(blocks.astype(float))[:, -1]).all()

    def test_diagonal_of_a_sample_is_no_less_than_that_of_all(self):
        rng = np.random.default_rng(0)
        A, P, w = np.zeros((50, 2)), rng.dirichlet(np.ones(3), 50), np.ones(50)
        A[:, 0], least = rng.standard_normal(50), np.full((2, 3), 0.7)
        gram, bends = class_gram(A.__getitem__, np.ones(2), P, w, centre=False, least=least)
        assert (np.diag(gram)[3:] >= 0.7 * (1 - 1e-6)).all()
        assert bends.min() >= 0.7

    @pytest.mark.parametrize("penalty", [(0.0, 0.3), (0.3, 0.0), (0.1, 0.2)])
    def test_sweeps_reach_the_minimum_and_bound_their_distance(self, penalty):
        rng = np.random.default_rng(0)
        s, n_classes = 6, 3
        A = rng.standard_normal((40, s * n_classes))
        r, gram = rng.standard_normal(40), A.T @ A
        blocks = np.einsum("ikil->ikl", gram.reshape(s, n_classes, s, n_classes))
        # Contiguous as in fits: for strided arrays numba would compile the kernel anew.
        bends = np.ascontiguousarray(np.linalg.eigvalsh(blocks)[:, -1])
        ridges = np.array([0.5, 0.0, 1.0])
        entry, group = (5 * t for t in penalty)
        strengths = ridges, np.full(s, entry), np.full(s, group), False

        def value(W):
            rows = np.linalg.norm(W, axis=1).sum()
            ridge = (ridges * W**2).sum() / 2
            square = ((r - A @ W.ravel()) ** 2).sum() / 2
            return square + ridge + entry * np.abs(W).sum() + group * rows

        def fitted(tol):
            W, H = np.zeros((s, n_classes)), (A.T @ r).reshape(s, n_classes).copy()
            minimise_classes(gram, bends, strengths, W, H, r @ r, tol, 10_000)
            np.testing.assert_allclose(H.ravel(), A.T @ (r - A @ W.ravel()), atol=1e-9)
            return value(W)

        best = fitted(1e-13)
        for tol in (1.0, 1e-2, 1e-5):
            assert best - 1e-12 <= fitted(tol) <= best + tol
        rough = [value(rng.standard_normal((s, n_classes)) / 10) for _ in range(20)]
        assert best < min(rough)
