"""Directions that isolate the effect of each feature: the relaxed inverse of a Gram matrix."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path

from skmtl._parallel import run_parallel

Array = NDArray[Any]

# The strengths of each lasso, relative to the largest useful one, in batches: most features need
# only the first batches.
_STRENGTHS = np.geomspace(1.0, 0.01, 25).reshape(5, 5)
# Smaller eigenvalues of the correlations between features have no accurate inverse.
_SINGULAR = 1e-10
# The number of jobs into which the features are divided.
_N_JOBS = 32


@dataclass(frozen=True)
class Directions:
    r"""For each feature j a vector :math:`z_j = X c_j` almost orthogonal to the other features.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_features)
        Column j is :math:`c_j`, where :math:`c_{jj} = 1`.
    norms : ndarray of shape (n_features,)
        :math:`\lVert z_j \rVert`.
    slopes : ndarray of shape (n_features,)
        :math:`z_j' x_j`; zero for features that are zero.
    overlaps : ndarray of shape (n_features,)
        :math:`\max_{k \neq j} |z_j' x_k| / (\lVert z_j \rVert \lVert x_k \rVert)`, in [0, 1].
    """

    coef: Array
    norms: Array
    slopes: Array
    overlaps: Array


def find_directions(X: Array, inflation: float, n_jobs: int | None) -> Directions:
    r"""Residuals of each feature's lasso on the others, or of its least squares.

    An estimate along :math:`z_j` has a standard error proportional to :math:`\tau_j = \lVert z_j
    \rVert / z_j' x_j` and a bias, relative to it, of at most :math:`\eta_j = \max_{k \neq j} |z_j'
    x_k| / \lVert z_j \rVert` times the L1 error of the initial estimate. For each feature the
    lasso's strength minimises :math:`\eta_j` among those for which :math:`\tau_j` is at most
    (1 + ``inflation``) times as large as necessary for :math:`\eta_j \leq \sqrt{2 \log d}`, with
    features of norm :math:`\sqrt n`. Least squares, for which :math:`\eta_j = 0`, are one of the
    candidates if the Gram matrix has an inverse.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Centred; constant features are zero.
    inflation : float
        Not negative.
    n_jobs : int or None
        Number of threads.

    References
    ----------
    C.-H. Zhang and S. S. Zhang, "Confidence intervals for low dimensional parameters in high
    dimensional linear models", JRSS B 76(1), 2014, https://doi.org/10.1111/rssb.12026
    """
    n, n_features = X.shape
    scales = np.sqrt(np.einsum("ij,ij->j", X, X))
    used = np.flatnonzero(scales > 0)
    S, d = X[:, used] / scales[used], len(used)
    # Lassos depend on the rows only by their products.
    R = np.linalg.qr(S, mode="r") if n > d else S
    search = _Search(np.asfortranarray(R), n, inflation)
    parts = [part for part in np.array_split(np.arange(d), _N_JOBS) if len(part)]
    # The checks of the arguments would take as long as the lassos.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with unchecked, warnings.catch_warnings():
        # Every direction is valid, and its overlap is computed, however accurate the lasso.
        warnings.simplefilter("ignore", ConvergenceWarning)
        done = run_parallel(search, ((part,) for part in parts), n_jobs, prefer="threads")
    coef = np.concatenate([*done, np.empty((0, d))]).T
    projected = search.gram @ coef
    norms = np.sqrt(np.maximum(np.einsum("kj,kj->j", coef, projected), 0.0))
    slopes = projected.diagonal().copy()
    np.fill_diagonal(projected, 0.0)
    found = Directions(np.eye(n_features), *(np.zeros(n_features) for _ in range(3)))
    found.coef[np.ix_(used, used)] = coef * scales[used] / scales[used, None]
    found.norms[used] = norms * scales[used]
    found.slopes[used] = slopes * scales[used] ** 2
    found.overlaps[used] = np.abs(projected).max(axis=0, initial=0.0) / norms
    return found


class _Search:
    """The directions of some of the features, which have norm 1.

    Parameters
    ----------
    R : ndarray of shape (n_rows, n_features)
        Fortran-ordered, with the same products as the features.
    n : int
        Their number of rows.
    inflation : float
    """

    def __init__(self, R: Array, n: int, inflation: float) -> None:
        self.R, self.inflation = R, inflation
        self.gram = R.T @ R
        d = len(self.gram)
        self.limit = np.sqrt(2 * np.log(max(d, 1)) / n)
        self.inverse: Array | None = None
        if d <= len(R) and np.linalg.eigvalsh(self.gram)[:1].min(initial=1.0) > _SINGULAR:
            self.inverse = np.linalg.inv(self.gram)

    def __call__(self, features: Array) -> Array:
        """The coefficients of the directions, a row for each of the features."""
        return np.stack([self._best(int(j)) for j in features])

    def _best(self, j: int) -> Array:
        """The coefficients (n_features,) of the best direction of a feature."""
        others = np.delete(np.arange(len(self.gram)), j)
        target = self.gram[others, j]
        top = float(np.abs(target).max(initial=0.0))
        if top == 0:
            # Orthogonal to all other features.
            return np.asarray(np.eye(len(self.gram))[j])
        exact = self._least_squares(j)
        n_exact = len(exact)
        bias, noise = self._factors(j, exact)
        if n_exact and noise[0] <= 1 + self.inflation:
            # The noise of no direction is below 1.
            return np.asarray(exact[0])
        path = self._lassos(j, others, target, top)
        coef, allowed = exact, np.zeros(0, dtype=np.intp)
        for batch in path:
            found = self._factors(j, batch)
            coef = np.concatenate([coef, batch])
            bias, noise = np.append(bias, found[0]), np.append(noise, found[1])
            cap = (1 + self.inflation) * noise[bias <= max(self.limit, bias.min())].min()
            allowed = np.flatnonzero(noise <= cap)
            is_exact = n_exact > 0 and noise[0] <= cap
            if bias[n_exact:].min() <= self.limit and (is_exact or noise[-1] > cap):
                break  # weaker lassos are noisier still
        return np.asarray(coef[allowed[np.argmin(bias[allowed])]])

    def _least_squares(self, j: int) -> Array:
        """The coefficients (1, n_features) without a penalty, or none (0, n_features)."""
        if self.inverse is None:
            return np.empty((0, len(self.gram)))
        return np.asarray(self.inverse[[j]] / self.inverse[j, j])

    def _lassos(self, j: int, others: Array, target: Array, top: float) -> Iterator[Array]:
        """The coefficients (5, n_features) of lassos on the others, in batches."""
        R, start = np.asfortranarray(self.R[:, others]), None
        tall = len(R) >= len(self.gram)
        products = np.ascontiguousarray(self.gram[np.ix_(others, others)]) if tall else False
        for strengths in _STRENGTHS:
            _, found, _ = lasso_path(
                R,
                self.R[:, j],
                alphas=top * strengths / len(R),
                precompute=products,
                Xy=target if tall else None,
                coef_init=start,
                tol=1e-3,
                check_input=False,
            )
            start = found[:, -1]
            coef = np.zeros((len(strengths), len(self.gram)))
            coef[:, j], coef[:, others] = 1.0, -found.T
            yield coef

    def _factors(self, j: int, coef: Array) -> tuple[Array, Array]:
        """The factors of bias and noise of candidates (n_candidates, n_features)."""
        projected = coef @ self.gram
        norms = np.sqrt(np.maximum(np.einsum("ck,ck->c", coef, projected), 0.0))
        slopes = projected[:, j].copy()
        projected[:, j] = 0.0
        good = (slopes > 0) & (norms > 0)
        bias, noise = np.full(len(coef), np.inf), np.full(len(coef), np.inf)
        bias[good] = np.abs(projected[good]).max(axis=1, initial=0.0) / norms[good]
        noise[good] = norms[good] / slopes[good]
        return bias, noise
