r"""Degrees of freedom of penalised least squares.

The degrees of freedom of a fit are the divergence of the predictors with respect to the labels,
:math:`\sum_i \partial \hat y_i / \partial y_i`. For independent normal labels, whatever their
variances, its expectation is the sum of the covariances of :math:`\hat y_i` and :math:`y_i` divided
by the variances (Stein's lemma), the definition of Efron.

At the solution :math:`W = \operatorname{prox}(V)`, V being W minus s times the smooth gradient, for
any step s > 0. Let D be the derivative of the prox at V, H the Hessian of the loss with the
intercepts minimised out, and K that of the loss and the quadratic penalty. Differentiating the
fixed point gives

.. math:: \mathrm{df} = \mathrm{df}(b) +
          \operatorname{tr} \bigl[ (s^{-1} (D^{+} - I) + K)^{-1} H \bigr]

on the range of D, where :math:`s^{-1} (D^+ - I)` is the Hessian of the penalty along the manifold
on which it is smooth. For the L2,1 norm the range is that of the non-zero rows, and the Hessian is
:math:`\alpha (I - u_j u_j') / \lVert w_j \rVert` in row j of direction :math:`u_j`: this is the
closed form of Vaiter et al. Each intercept adds 1.

References
----------
S. Vaiter, C. Deledalle, J. Fadili, G. Peyre and C. Dossal, "The degrees of freedom of partly smooth
regularizers", Ann. Inst. Stat. Math. 69, 2017, https://doi.org/10.1007/s10463-016-0563-z

S. Vaiter, C. Deledalle, G. Peyre, J. Fadili and C. Dossal, "The degrees of freedom of the group
lasso", 2012, https://arxiv.org/abs/1205.1481

B. Efron, "The estimation of prediction error", JASA 99, 2004,
https://doi.org/10.1198/016214504000000692

M. F. Hutchinson, "A stochastic estimator of the trace of the influence matrix", Commun. Stat.
Simul. Comput. 18, 1989, https://doi.org/10.1080/03610918908812806
"""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skmtl._numerics import Coupling
from skmtl._warnings import warn
from skmtl.design import Design
from skmtl.objective._base import MOST_FEATURES, Array, parts_of
from skmtl.penalties import Penalty, Quadratic

# The largest systems that are solved exactly: in a basis of the range of D known row by row, and
# by the eigenvectors of D, which take several times as long.
_LARGEST_BY_ROW, _LARGEST_DENSE = 1500, 600
_MOST_BYTES = 2e8
_N_PROBES, _MAX_STEPS, _TOL = 64, 1000, 1e-5
# Eigenvalues of D below this are zero: D is known to about the precision of the solver.
_ZERO = 1e-9
_ROUNDING = 1e-11
# Directions of the coefficients in which the system has at most this share of its largest
# eigenvalue are not determined by the data, for example if features are equal.
_SINGULAR = 1e-9

Map = Callable[[Array], Array]


class Freedom(NamedTuple):
    """Degrees of freedom, and the standard error of the estimate; 0 if it is exact."""

    value: float
    error: float


class FreedomOf:
    r"""The degrees of freedom of fits by the squared loss that differ only in their penalty.

    Small systems are solved exactly. Otherwise the trace is estimated from 64 random sign vectors
    (Hutchinson), always the same ones, each with one system solved by conjugate gradients. The
    matrix of the trace is symmetric in the labels with eigenvalues in [0, 1], so that the standard
    error is at most :math:`\sqrt{2 \, \mathrm{df} / 64}`.

    Parameters
    ----------
    design : Design
    """

    def __init__(self, design: Design) -> None:
        self.design = design

    def at(self, penalty: Penalty | None, parts: Array, residual: Array) -> Freedom:
        """The degrees of freedom at a solution.

        Parameters
        ----------
        penalty : Penalty or None
        parts : ndarray of shape (n_parts, n_features, n_columns)
            The coefficients of the centred features; several summands for a superposition.
        residual : ndarray in the shape of the labels

        Raises
        ------
        NotImplementedError
            If the derivative of the penalty's prox is not known.
        """
        rough, quadratic = parts_of(penalty)
        free = self.design.n_intercepts
        if rough is None:
            value, error = self._of_quadratic(quadratic)
        elif rough.has_prox or rough.n_superposed > 1:
            value, error = self._of_prox(rough, quadratic, parts, residual)
        else:
            raise NotImplementedError(f"{penalty!r} has no prox")
        return Freedom(free + value, error)

    @cached_property
    def _grams(self) -> Array | None:
        """The Hessians (n_columns or 1, n_features, n_features) of the loss; None if large."""
        design, d = self.design, self.design.n_features
        if d > MOST_FEATURES or 8 * d * d * design.n_grams > _MOST_BYTES:
            return None
        return design.centred_gram(design.weights)

    @cached_property
    def _eigenvalues(self) -> Array:
        """The eigenvalues of the Hessians; those at the level of rounding error are 0."""
        assert self._grams is not None
        eigenvalues = np.linalg.eigvalsh(self._grams)
        least = _ROUNDING * eigenvalues.max(initial=0.0)
        return np.where(eigenvalues > least, eigenvalues, 0.0)

    @cached_property
    def _norm(self) -> float:
        return self.design.squared_norm(np.ones(self.design.n_features))

    # Quadratic penalties: the trace of the hat matrix

    def _of_quadratic(self, quadratic: Quadratic | None) -> Freedom:
        design, n_columns = self.design, self.design.n_columns
        shape = 1, design.n_features, n_columns
        couples = quadratic is not None and quadratic.couples_tasks
        if self._grams is None:
            return self._by_probes([lambda D: D], quadratic, shape)
        if not couples:
            ridges = (
                np.zeros(n_columns) if quadratic is None else quadratic.task_curvature(n_columns)
            )
            return Freedom(_shares(self._eigenvalues, ridges[:, None]), 0.0)
        assert quadratic is not None
        hessian = quadratic.coupling_of(n_columns)
        if isinstance(hessian, Coupling):
            return self._by_probes([lambda D: D], quadratic, shape)
        if len(self._grams) == 1:
            strengths = np.maximum(np.linalg.eigvalsh(hessian), 0.0)
            strengths[strengths <= _ROUNDING * strengths[-1]] = 0.0
            return Freedom(_shares(self._eigenvalues, strengths[:, None]), 0.0)
        if design.n_features * n_columns > _LARGEST_BY_ROW:
            return self._by_probes([lambda D: D], quadratic, shape)
        identity = np.broadcast_to(np.eye(n_columns), (design.n_features, n_columns, n_columns))
        ones = np.ones((design.n_features, n_columns))
        return self._by_rows(identity, ones, 1.0, quadratic, self._grams)

    # Penalties with a prox

    def _of_prox(
        self, penalty: Penalty, quadratic: Quadratic | None, parts: Array, residual: Array
    ) -> Freedom:
        design, n_parts = self.design, len(parts)
        gradient = -design.adjoint(design.weights * residual)
        bound = self._norm
        if quadratic is not None:
            gradient = gradient + quadratic.gradient(parts.sum(axis=0))
            bound += quadratic.lipschitz()
        step = 1 / (n_parts * bound) if bound > 0 else 1.0
        V = parts - step * gradient
        if n_parts == 1 and penalty.separates_over_rows:
            # Whether a row at the threshold is zero in the prox is up to rounding errors.
            rows = np.flatnonzero(parts[0].any(axis=1))
            if not len(rows):
                return Freedom(0.0, 0.0)
            return self._of_rows(penalty, quadratic, V[0], step, rows)
        if not parts.any() and penalty.is_norm and not penalty.leaves_mean_free:
            return Freedom(0.0, 0.0)
        pieces = penalty.named_parts.values() if n_parts > 1 else [penalty]
        maps = [piece.prox_derivative(v, step) for piece, v in zip(pieces, V, strict=True)]
        if V.size <= _LARGEST_DENSE and self._grams is not None:
            return self._by_eigenvectors(maps, quadratic, V.shape, step)
        return self._by_probes(maps, quadratic, V.shape, step)

    def _of_rows(
        self, penalty: Penalty, quadratic: Quadratic | None, V: Array, step: float, rows: Array
    ) -> Freedom:
        """The degrees of freedom for a penalty that separates over rows: of the non-zero ones."""
        n_columns, root = V.shape[1], None
        derivative = penalty.of_rows(rows).prox_derivative(V[rows], step)
        if 8 * n_columns * V[rows].size <= _MOST_BYTES:
            # The derivative of each row, (n_rows, n_columns, n_columns).
            units = np.eye(n_columns)[:, None, :] * np.ones((len(rows), 1))
            values, vectors = np.linalg.eigh(derivative(units).transpose(1, 0, 2))
            # Rows that the next step would make zero are due to the solver's tolerance.
            stay = values[:, -1] > _ZERO
            values, vectors, rows = values[stay], vectors[stay], rows[stay]
            if not len(rows):
                return Freedom(0.0, 0.0)
            grams = self._grams_of(rows)
            if len(grams) == 1 and _is_radial(values, quadratic):
                found = _by_lengths(vectors, values, step, quadratic, grams[0])
                if found is not None:
                    return found
            if np.count_nonzero(values > _ZERO) <= _LARGEST_BY_ROW:
                return self._by_rows(vectors, values, step, quadratic, grams)
            roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None]
            root = partial(_times_rows, roots @ vectors.transpose(0, 2, 1))
            derivative = penalty.of_rows(rows).prox_derivative(V[rows], step)
        part = FreedomOf(self.design.columns(rows))
        return part._by_probes([derivative], quadratic, (1, *V[rows].shape), step, root)

    def _grams_of(self, rows: Array) -> Array:
        """The Hessians in some rows of W."""
        if self._grams is not None:
            return np.asarray(self._grams[:, rows[:, None], rows])
        return self.design.columns(rows).centred_gram(self.design.weights)

    def _by_rows(
        self,
        vectors: Array,
        values: Array,
        step: float,
        quadratic: Quadratic | None,
        grams: Array,
    ) -> Freedom:
        """The trace in the eigenvectors of D, each of which is one row of W.

        Parameters
        ----------
        vectors : ndarray of shape (n_rows, n_columns, n_columns)
        values : ndarray of shape (n_rows, n_columns)
        step : float
        quadratic : Quadratic or None
        grams : ndarray of shape (n_columns or 1, n_rows, n_rows)
        """
        of, place = np.nonzero(values > _ZERO)
        U = vectors.transpose(0, 2, 1)[of, place]
        H = np.zeros((len(of), len(of)))
        if len(grams) == 1:
            H += (U @ U.T) * grams[0][np.ix_(of, of)]
        else:
            for gram, column in zip(grams, U.T, strict=True):
                H += np.outer(column, column) * gram[np.ix_(of, of)]
        A = H + np.diag((1 / values[of, place] - 1) / step)
        if quadratic is not None:
            coupled = U @ quadratic.hessian(U.shape[1]) @ U.T
            A += np.where(of[:, None] == of, coupled, 0.0)
        return Freedom(_trace(A, H), 0.0)

    def _by_eigenvectors(
        self,
        maps: Sequence[Map],
        quadratic: Quadratic | None,
        shape: tuple[int, ...],
        step: float,
    ) -> Freedom:
        """The trace in the eigenvectors of D as a matrix."""
        size = int(np.prod(shape))
        matrix = _together(maps, np.eye(size).reshape(size, *shape)).reshape(size, size)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        kept = values > _ZERO
        if not kept.any():
            return Freedom(0.0, 0.0)
        U = vectors[:, kept].T.reshape(-1, *shape)
        flat = U.reshape(len(U), -1)
        H = flat @ _summed(self._hessian, U).reshape(flat.shape).T
        A = H + np.diag((1 / values[kept] - 1) / step)
        if quadratic is not None:
            A += flat @ _summed(quadratic.gradient, U).reshape(flat.shape).T
        return Freedom(_trace(A, H), 0.0)

    # Larger systems

    def _by_probes(
        self,
        maps: Sequence[Map],
        quadratic: Quadratic | None,
        shape: tuple[int, ...],
        step: float | None = None,
        root: Map | None = None,
    ) -> Freedom:
        """The trace estimated from random sign vectors; ``root`` is that of D, if it is known."""
        if step is None:
            bound = self._norm + (0.0 if quadratic is None else quadratic.lipschitz())
            step = 1 / bound if bound > 0 else 1.0
        design, rng = self.design, np.random.default_rng(0)
        roots = np.sqrt(design.weights)
        signs = (rng.choice([-1.0, 1.0], design.weights.shape) for _ in range(_N_PROBES))
        right = np.stack([design.adjoint(roots * sign) for sign in signs])
        right = np.broadcast_to(right[:, None], (_N_PROBES, *shape))

        def curvature(U: Array) -> Array:
            images = _summed(self._hessian, U)
            return images if quadratic is None else images + _summed(quadratic.gradient, U)

        if root is None:
            responses = _solve(lambda U: _together(maps, U), curvature, right, step)
        else:
            responses = _solve_by_root(root, curvature, right, step)
        samples = np.einsum("mkjt,mkjt->m", right, responses)
        return Freedom(float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(_N_PROBES)))

    def _hessian(self, U: Array) -> Array:
        """The Hessian of the loss times matrices (..., n_features, n_columns)."""
        if self._grams is None:
            design = self.design
            shape = design.n_features, design.n_columns
            images = [
                design.adjoint(design.weights * design.forward(u)) for u in U.reshape(-1, *shape)
            ]
            return np.reshape(images, U.shape)
        if len(self._grams) == 1:
            return np.asarray(self._grams[0] @ U)
        return np.asarray(np.einsum("tij,...jt->...it", self._grams, U, optimize=True))


def _together(maps: Sequence[Map], U: Array) -> Array:
    """Apply the map of each part to that part of U (..., n_parts, n_features, n_columns)."""
    pairs = zip(maps, np.moveaxis(U, -3, 0), strict=True)
    return np.stack([apply(part) for apply, part in pairs], axis=-3)


def _summed(apply: Map, U: Array) -> Array:
    """Apply a map to the sum of the parts; all parts have the same image."""
    return np.broadcast_to(apply(U.sum(axis=-3))[..., None, :, :], U.shape)


def _shares(eigenvalues: Array, strengths: Array) -> float:
    """The sum of eigenvalue / (eigenvalue + strength), 0 / 0 being 0."""
    total = eigenvalues + strengths
    ones = np.zeros_like(total)
    return float(np.divide(eigenvalues, total, out=ones, where=total > 0).sum())


def _trace(A: Array, H: Array) -> float:
    """tr(A^+ H) for positive semidefinite H <= A."""
    if not len(A):
        return 0.0
    try:
        factor = cho_factor(A, lower=True, check_finite=False)
        roots = np.abs(np.diag(factor[0]))
        if roots.min() > 1e-6 * roots.max():
            return float(np.trace(cho_solve(factor, H, check_finite=False)))
    except LinAlgError:
        pass
    # Rescaled: directions in which the penalty hardly bends have small entries.
    scale = 1 / np.sqrt(np.maximum(np.diag(A), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(A * np.outer(scale, scale))
    kept = values > _SINGULAR * values[-1]
    rotated = vectors[:, kept] * scale[:, None]
    return float((np.einsum("ip,ip->p", rotated, H @ rotated) / values[kept]).sum())


def _is_radial(values: Array, quadratic: Quadratic | None) -> bool:
    """Whether D has one eigenvalue in each row, besides that of the row's direction.

    The quadratic must also be the same for all columns.
    """
    if quadratic is not None:
        ridges = None if quadratic.couples_tasks else quadratic.task_curvature(values.shape[1])
        if ridges is None or (ridges != ridges[0]).any():
            return False
    across = values[:, :-1]
    spread = across.max(axis=1, initial=0.0) - across.min(axis=1, initial=1.0)
    return bool((spread <= _ZERO).all() and (values > _ZERO).all())


def _by_lengths(
    vectors: Array, values: Array, step: float, quadratic: Quadratic | None, gram: Array
) -> Freedom | None:
    r"""The trace if all columns have the Hessian G, and D is that of norms of rows.

    The system is :math:`(G + C) \otimes I` minus a matrix of rank one for each row, in the row's
    direction u_j, so that systems of as many equations as non-zero rows suffice (Woodbury). C is
    the diagonal of the strengths across the directions. None if a system is almost singular.
    """
    n_columns, u = values.shape[1], vectors[:, :, -1]
    strengths = (1 / values - 1) / step
    across, along = strengths[:, 0], strengths[:, -1]
    system = gram + np.diag(across + _ridge(quadratic, n_columns))
    eigenvalues = np.linalg.eigvalsh(system)
    if eigenvalues[0] <= _ROUNDING * len(gram) * eigenvalues[-1]:
        return None
    S = np.linalg.inv(system)
    roots = np.sqrt(np.maximum(across - along, 0.0))
    scales = (u @ u.T) * np.outer(roots, roots)
    middle = np.eye(len(u)) - S * scales
    if np.linalg.eigvalsh(middle)[0] <= _SINGULAR:
        return None
    gained = np.linalg.solve(middle, (S @ gram @ S) * scales)
    return Freedom(float(n_columns * np.vdot(S, gram) + np.trace(gained)), 0.0)


def _ridge(quadratic: Quadratic | None, n_columns: int) -> float:
    return 0.0 if quadratic is None else float(quadratic.task_curvature(n_columns)[0])


def _times_rows(matrices: Array, U: Array) -> Array:
    """A matrix (n_columns, n_columns) for each row, times the rows of U."""
    return np.asarray(np.einsum("jst,...jt->...js", matrices, U, optimize=True))


def _solve_by_root(root: Map, curvature: Map, right: Array, step: float) -> Array:
    """Like :func:`_solve`, for X = root(Y) and the better conditioned system in Y."""
    return root(
        _conjugate_gradients(
            lambda P: P + root(step * curvature(root(P)) - root(P)), step * root(right)
        )
    )


def _solve(derivative: Map, curvature: Map, right: Array, step: float) -> Array:
    """Solve ((D^+ - I) / s + K) X = right on the range of D, for each right-hand side.

    Conjugate gradients for U with X = D U: (D - D^2 + s D K D) U = s D right. All iterates stay in
    the range of D.
    """

    def apply(P: Array) -> Array:
        V = derivative(P)
        return V + derivative(step * curvature(V) - V)

    return derivative(_conjugate_gradients(apply, step * derivative(right)))


def _conjugate_gradients(apply: Map, right: Array) -> Array:
    """Solve a positive semidefinite system for each right-hand side; warn if too slow."""
    U, R = np.zeros_like(right), right.copy()
    P, square = R.copy(), _dots(R, R)
    target = _TOL**2 * square
    for _ in range(_MAX_STEPS):
        if (square <= target).all():
            break
        image = apply(P)
        bends = _dots(P, image)
        sizes = np.divide(square, bends, out=np.zeros_like(square), where=bends > 0)
        U += _by(sizes, P)
        R -= _by(sizes, image)
        last, square = square, _dots(R, R)
        ratio = np.divide(square, last, out=np.zeros_like(square), where=last > 0)
        P = R + _by(ratio, P)
    if (square > 1e4 * target).any():
        warn(
            f"Degrees of freedom are underestimated: {_MAX_STEPS} steps of conjugate gradients did "
            f"not solve their linear systems. Standardise the features, or use cross-validation."
        )
    return U


def _dots(A: Array, B: Array) -> Array:
    return np.asarray(np.einsum("mkjt,mkjt->m", A, B))


def _by(sizes: Array, A: Array) -> Array:
    return np.asarray(sizes[:, None, None, None] * A)
