"""Steps that couple the tasks against dense numpy solves."""

import numpy as np
import pytest

from skmtl._numerics import CoupledSpectrum

D, T = 4, 3


def make(n_hessians, n_rows=10):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_hessians, n_rows, D))
    K = np.array([[1.0, -1, 0], [0, 1, -1], [2, 0, -2]]).T
    hessians = X.transpose(0, 2, 1) @ X
    each = np.broadcast_to(hessians, (T, D, D))
    linear = np.stack([H @ rng.normal(size=D) for H in each], axis=1)
    return each, CoupledSpectrum(hessians, linear, K @ K.T, {}), rng.normal(size=(D, T)) @ K @ K.T


@pytest.mark.parametrize("own", [0.0, 0.3])
@pytest.mark.parametrize("n_hessians", [1, T])
def test_a_step_solves_the_linear_system(n_hessians, own):
    each, spectrum, A = make(n_hessians)
    metric = spectrum.metric + own * np.eye(T)
    spectrum = CoupledSpectrum(spectrum.hessians, spectrum.linear, metric, {})
    for rho in (0.01, 1.0, 50.0):
        whole = rho * np.kron(metric, np.eye(D))  # columns of W one after the other
        for t, H in enumerate(each):
            whole[t * D : (t + 1) * D, t * D : (t + 1) * D] += H
        expected = np.linalg.solve(whole, (spectrum.linear + rho * A).ravel(order="F"))
        np.testing.assert_allclose(spectrum.solve(A, rho).ravel(order="F"), expected, rtol=1e-9)
    W = np.arange(12.0).reshape(D, T)
    products = np.stack([H @ w for H, w in zip(each, W.T, strict=True)], axis=1)
    np.testing.assert_allclose(spectrum.residual(W), spectrum.linear - products)
    traces = np.trace(each, axis1=1, axis2=2)
    assert spectrum.mean_eigenvalue == pytest.approx(traces.mean() / D)


@pytest.mark.parametrize("n_hessians", [1, T])
def test_directions_that_nothing_bends_do_not_move(n_hessians):
    """With two rows, the mean task is determined in two directions (or six) of four."""
    each, spectrum, A = make(n_hessians, n_rows=1 if n_hessians > 1 else 2)
    W = spectrum.solve(A, 0.7)
    products = np.stack([H @ w for H, w in zip(each, W.T, strict=True)], axis=1)
    left = products + 0.7 * W @ spectrum.metric - spectrum.linear - 0.7 * A
    np.testing.assert_allclose(left, 0, atol=1e-9)
    assert np.linalg.norm(W) < 100
