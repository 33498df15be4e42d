"""Henderson's mixed model equations for the coefficients of several tasks."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from skmtl.design import TaskData
from skmtl.penalties import TaskPrecision

Array = NDArray[Any]

# Below this reciprocal condition number the labels do not determine all parameters.
_SINGULAR = 1e-13
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class MixedModel:
    r"""A squared loss plus a quadratic penalty: the model of which the fit is the prediction.

    .. math:: \min_{U, a} \; \tfrac12 \sum_i \omega_i (y_i - (x_i - \bar x) U r_t - a_t)^2
              + \tfrac12 \operatorname{tr}(U P U')
              + \tfrac12 \min_\beta \sum_t \kappa_t (a_t - \beta)^2

    Attributes
    ----------
    data : TaskData
        Of T tasks.
    omega : ndarray in the shape of the labels
        The weights of the labels.
    form : TaskPrecision
        The directions :math:`r_t` (T, r), and P.
    intercepts : ndarray of shape (T, q)
        The intercept of each task from the parameters: the identity, a column of ones if all tasks
        share one, or no column.
    pulls : ndarray of shape (T,)
        The :math:`\kappa_t`, all positive or all zero.
    centre : ndarray of shape (n_features,)
        :math:`\bar x`; zero without intercepts.
    """

    data: TaskData
    omega: Array
    form: TaskPrecision
    intercepts: Array
    pulls: Array
    centre: Array

    @property
    def n_features(self) -> int:
        return len(self.centre)

    @property
    def n_coefficients(self) -> int:
        """The number of entries of U."""
        return self.n_features * int(self.form.directions.shape[1])

    @property
    def size(self) -> int:
        """The number of unknowns."""
        return self.n_coefficients + int(self.intercepts.shape[1])

    @property
    def n_free(self) -> int:
        """The number of unknowns without a prior: the fixed effects."""
        strengths = np.linalg.eigvalsh(self.form.matrix)
        flat = int((strengths <= _ROUNDING * max(strengths.max(initial=0.0), 0.0)).sum())
        return flat * self.n_features + (1 if self.pulls.any() else self.intercepts.shape[1])

    @property
    def shares(self) -> Array:
        """The share (T,) of each task's intercept in their mean."""
        pulls = self.pulls if self.pulls.any() else np.ones(len(self.pulls))
        return np.asarray(pulls / pulls.sum())

    def equations(self) -> tuple[Array, Array, float]:
        """The Hessian, the right-hand side, and the weighted sum of the squared labels.

        The unknowns are the columns of U, one after the other, and the intercepts. Labels are
        centred, which the intercepts absorb, against cancellation.
        """
        d, n_coef, data = self.n_features, self.n_coefficients, self.data
        H, rhs, squares = np.zeros((self.size, self.size)), np.zeros(self.size), 0.0
        H[:n_coef, :n_coef] = np.kron(self.form.matrix, np.eye(d))
        mean = float((self.omega * data.y).sum() / self.omega.sum()) if self.centred else 0.0
        weighed = replace(data, weights=self.omega)
        for t in range(data.n_tasks):
            X, y, weights = weighed.labels_of(t)
            X = (X.toarray() if sp.issparse(X) else np.asarray(X, dtype=np.float64)) - self.centre
            y = y - mean
            # The row of a task's predictor has the blocks r_k (x - centre), and its intercept.
            used = np.flatnonzero(self.form.directions[t])
            r, e = self.form.directions[t, used], self.intercepts[t]
            at = (used[:, None] * d + np.arange(d)).ravel()
            at = np.append(at, n_coef + np.flatnonzero(e))
            Z = np.hstack([np.kron(r, X), np.ones((len(X), int(e.sum())))])
            H[np.ix_(at, at)] += Z.T @ (weights[:, None] * Z)
            rhs[at] += Z.T @ (weights * y)
            squares += float(weights @ y**2)
        if self.pulls.any():
            coupled = np.diag(self.pulls) - np.outer(self.pulls, self.shares)
            H[n_coef:, n_coef:] += coupled
        return H, rhs, squares

    @property
    def centred(self) -> bool:
        """Whether there are intercepts."""
        return bool(self.intercepts.shape[1] > 0)

    def solved(self) -> "Solution":
        """The solution.

        Raises
        ------
        ValueError
            If it is not unique, or the labels are too few to estimate the noise.
        """
        H, rhs, squares = self.equations()
        n_labels, n_free = int(self.data.label_counts.sum()), self.n_free
        inverse = _inverse(H)
        if n_labels <= n_free:
            raise ValueError(
                f"Standard errors need more labels than unpenalised parameters, got {n_labels} "
                f"labels and {n_free} parameters. Use alpha > 0 or intercept='shrunk', or collect "
                f"more labels."
            )
        left = max(squares - float(rhs @ (inverse @ rhs)), 0.0)
        return Solution(self, inverse, left / (n_labels - n_free), n_labels - n_free)


@dataclass(frozen=True, eq=False)
class Solution:
    """The covariance of the errors of the estimates.

    Attributes
    ----------
    model : MixedModel
    inverse : ndarray
        The inverse of the Hessian.
    noise : float
        The variance of a label times its weight in the objective.
    degrees : int
    """

    model: MixedModel
    inverse: Array
    noise: float
    degrees: int

    def variances(self, directions: Array, intercepts: Array) -> tuple[Array, Array]:
        """The variances of coefficients (m, n_features) and intercepts (m,) at x = 0.

        Parameters
        ----------
        directions : ndarray of shape (m, r)
            Combinations of the columns of U.
        intercepts : ndarray of shape (m, T)
            Combinations of the tasks' intercepts at the centre.
        """
        d, n_coef = self.model.n_features, self.model.n_coefficients
        r = directions.shape[1]
        blocks = self.inverse[:n_coef, :n_coef].reshape(r, d, r, d)
        coef = np.einsum("mk,kjlj,ml->mj", directions, blocks, directions, optimize=True)
        rows = self.intercept_rows(directions, intercepts)
        intercept = np.einsum("mn,mn->m", rows @ self.inverse, rows)
        return self.noise * np.maximum(coef, 0.0), self.noise * np.maximum(intercept, 0.0)

    def intercept_rows(self, directions: Array, intercepts: Array) -> Array:
        """Intercepts at x = 0 as combinations (m, n_unknowns) of the unknowns."""
        model = self.model
        if not model.centred:
            return np.zeros((len(directions), model.size))
        moved = -np.einsum("mk,j->mkj", directions, model.centre)
        return np.hstack([moved.reshape(len(moved), -1), intercepts @ model.intercepts])

    def covariance_of_mean(self) -> Array:
        """The covariance of the mean task's coefficients and, if there are any, its intercept."""
        model = self.model
        mean = model.form.directions.mean(axis=0)[None]
        rows = np.zeros((model.n_features, model.size))
        rows[:, : model.n_coefficients] = np.kron(mean, np.eye(model.n_features))
        if model.centred:
            rows = np.vstack([rows, self.intercept_rows(mean, model.shares[None])])
        covariance = rows @ self.inverse @ rows.T
        covariance[-1, -1] += self.apart
        return np.asarray(self.noise * covariance)

    @property
    def apart(self) -> float:
        """The variance, over the noise, of the mean of intercepts that are a sample of tasks."""
        return 1 / float(self.model.pulls.sum()) if self.model.pulls.any() else 0.0


def _inverse(H: Array) -> Array:
    """The inverse of a positive definite matrix.

    Raises
    ------
    ValueError
        If it is singular.
    """
    if not len(H):
        return H
    scales = np.sqrt(np.diag(H))
    regular = bool((scales > 0).all())
    if regular:
        scaled = H / np.outer(scales, scales)
        factor, info = lapack.dpotrf(scaled, lower=1)
        norm = float(np.abs(scaled).sum(axis=0).max())
        regular = info == 0 and lapack.dpocon(factor, norm, uplo="L")[0] > _SINGULAR
    if not regular:
        raise ValueError(
            "The labels do not determine the unpenalised parameters: features are constant or "
            "collinear. Remove such features, or use alpha > 0."
        )
    half, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(half) + np.tril(half, -1).T
    return np.asarray(inverse / np.outer(scales, scales))
