"""Weights and shrunk singular values of four members of the spectral box family."""

import matplotlib.pyplot as plt
import numpy as np

from skmtl.penalties import ClusterNorm, RelaxedClusterNorm, Ridge, SquaredTraceNorm

sigma = np.array([8.0, 6.0, 4.0, 2.0, 1.5, 1.0, 0.6, 0.3])
size = len(sigma)
# A matrix whose columns have a mean of zero, so that all penalties see the same singular values.
basis = np.linalg.qr(np.eye(size + 1)[:, 1:] - 1 / (size + 1))[0]
V = np.diag(sigma) @ basis.T

# Strengths at which the fourth singular value is about halved by all of them.
penalties = {
    "ridge": (Ridge(1.0), "tab:gray", "s"),
    "cluster norm, 4 clusters": (ClusterNorm(2.0, 4, 0.1), "tab:orange", "o"),
    "relaxed k-means, 3 clusters": (RelaxedClusterNorm(1.0, 3, 0.3), "tab:purple", "^"),
    "relation": (SquaredTraceNorm(0.06), "tab:blue", "D"),
}
places = np.arange(1, size + 1)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2))
right.plot(places, sigma, color="0.7", label="before the prox")
for name, (penalty, colour, marker) in penalties.items():
    shrunk = np.linalg.svd(penalty.prox(V, 1.0), compute_uv=False)[:size]
    if isinstance(penalty, Ridge):
        theta = np.ones(size)
    else:
        theta = np.sort(penalty.weights(V)[0])[::-1][:size]
    style = {"color": colour, "marker": marker, "markersize": 4, "lw": 1}
    left.plot(places, theta / theta.mean(), **style)
    right.plot(places, shrunk, label=name, **style)
left.set(title="weights, divided by their mean", xlabel="singular value", ylabel=r"$\theta_i$")
right.set(title="singular values after the prox", xlabel="singular value", ylabel="value")
right.legend(fontsize=7, frameon=False)
