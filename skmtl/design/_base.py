"""The linear map from coefficients to linear predictors, for each layout, with the weights.

Designs are centred: each task's weighted mean is subtracted from its features, which decouples the
intercept from W for the squared loss. Dense data are centred once, in a copy; for sparse data the
means enter the products instead.

Objectives work with designs only through the methods of :class:`Design`; sparsity, layout and
precision are handled here alone. Products are computed in the precision of the coefficients:
float32 data with float64 coefficients give float64 results.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl._numerics import linalg

Array = NDArray[Any]


class Design:
    """A linear map from W (n_features, n_columns) to predictors in the labels' shape.

    Attributes
    ----------
    weights : ndarray
        The weight omega of each label in the objective; 0 where a label is missing.
    n_features, n_columns, n_intercepts : int
        Shapes of W and b. ``n_intercepts`` is 0 without intercepts.
    dtype : numpy dtype
        Precision of the data.
    products, gram_products : int
        Multiplications in one ``forward``, and in one ``centred_gram`` of the weights.
    n_grams : int
        The number of matrices that ``centred_gram`` returns.
    has_common_columns : bool
        Whether all tasks have the same columns of X, up to a factor per task: then
        ``task_factors``, ``row_weights``, ``sparse_columns`` and ``weighted_columns`` exist.
    """

    weights: Array
    n_features: int
    n_columns: int
    n_intercepts: int
    dtype: Any
    products: int
    gram_products: int
    n_grams: int
    has_common_columns: bool = False

    @property
    def n_tasks(self) -> int:
        """The number of tasks, which may share a column of W."""
        return self.n_columns

    def forward(self, W: Array) -> Array:
        """The predictors of centred features, without intercepts."""
        raise NotImplementedError

    def adjoint(self, U: Array) -> Array:
        """The transpose of ``forward``: (n_features, n_columns)."""
        raise NotImplementedError

    def spread(self, b: Array) -> Array:
        """Intercepts b as an array that broadcasts against the labels."""
        raise NotImplementedError

    def gather(self, U: Array) -> Array:
        """The transpose of ``spread``: sums over the labels of each intercept."""
        raise NotImplementedError

    def forward_common(self, w: Array) -> Array:
        """``forward`` with the same column w (n_features,) for every task."""
        return self.forward(np.repeat(w[:, None], self.n_columns, axis=1))

    def adjoint_common(self, U: Array) -> Array:
        """The transpose of ``forward_common``: (n_features,)."""
        return np.asarray(self.adjoint(U).sum(axis=1))

    def centred_gram(self, H: Array) -> Array:
        """Each task's Gram matrix with label weights H, centred around the H-weighted mean.

        The shape is (n_columns, n_features, n_features), or (1, ...) if all tasks share the matrix.
        Without intercepts nothing is centred. This is the Hessian in W with b minimised out.
        """
        raise NotImplementedError

    def rough_grams(self, H: Array, count: int, *, fast: bool = False) -> Array:
        """``centred_gram``, approximated from about ``count`` rows, for a model of the loss.

        Small matrices are exact, unless ``fast``.
        """
        return self.centred_gram(H)

    def columns(self, features: Array) -> "Design":
        """The design restricted to some features, in the given order."""
        raise NotImplementedError

    @property
    def task_factors(self) -> Array:
        """Each task's Gram matrix as a multiple (n_columns,) of the first task's."""
        raise NotImplementedError

    @property
    def row_weights(self) -> Array:
        """The weights of the first task's labels; those of other tasks are multiples."""
        raise NotImplementedError

    @property
    def is_sparse(self) -> bool:
        """Whether the features are a sparse matrix."""
        return False

    def sparse_columns(self, features: Array) -> tuple[Any, Array]:
        """Some columns (n_samples, s) in CSC, float64, and their weighted means (s,) or 0."""
        raise NotImplementedError

    def weighted_columns(self, features: Array) -> Array:
        """Some columns (s, n_samples), centred, times root ``row_weights``; float64."""
        raise NotImplementedError

    def pooled_gram(self, H: Array) -> Array:
        """The sum of the tasks' ``centred_gram``, (n_features, n_features)."""
        grams = self.centred_gram(H)
        return np.asarray(grams.sum(axis=0) * (self.n_columns // len(grams)))

    def dense_rows(self, rows: Any) -> Array:
        """Some rows (m, n_features), centred; only for designs with a single X."""
        raise NotImplementedError

    def squares_by(self, weights: Array) -> Array:
        """The diagonals (n_features, m) of centred Gram matrices with weights (n_samples, m)."""
        raise NotImplementedError

    def feature_curvature(self) -> Array:
        """The diagonals (n_columns, n_features) of the weighted, centred Gram matrices."""
        raise NotImplementedError

    def squared_norm(self, scale: Array) -> float:
        """Largest eigenvalue of the weighted Gram operator, possibly underestimated.

        The features are multiplied by ``scale`` (n_features,) first.
        """
        raise NotImplementedError

    def uncentre(self, W: Array, b: Array) -> Array:
        """The intercepts (n_tasks,) for uncentred features, from W and b."""
        raise NotImplementedError

    def recentre(self, W: Array, intercepts: Array) -> Array:
        """The inverse of ``uncentre``: b (n_intercepts,) from W and these intercepts."""
        raise NotImplementedError


def operator_squared_norm(design: Design, scale: Array) -> float:
    """``Design.squared_norm`` by Lanczos on the whole operator."""
    shape = (design.n_features, design.n_columns)

    def apply(v: Array) -> Array:
        Z = design.forward(v.reshape(shape) * scale[:, None])
        return np.asarray(scale[:, None] * design.adjoint(design.weights * Z)).ravel()

    return linalg.lanczos(apply, shape[0] * shape[1])


def difference(raw: Array, moved: Array, n: int) -> Array:
    """raw - moved, set to 0 where it is only the rounding error of sums over n rows."""
    left = raw - moved
    return np.where(left <= n * np.finfo(np.float64).eps * raw, 0.0, left)


def stored(X: Any) -> int:
    """Number of stored entries."""
    return int(X.nnz) if sp.issparse(X) else int(X.size)


def subtract(X: Array, mean: Array) -> Array:
    """X - mean in X's precision, without a converted copy of X."""
    out = np.empty_like(X)
    np.subtract(X, mean, out=out, casting="same_kind")
    # Remove the rounding error that would remain of a constant feature.
    near = np.flatnonzero(np.abs(X[0] - mean) <= 1e-12 * np.abs(mean))
    out[:, near[(X[:, near] == X[0, near]).all(axis=0)]] = 0.0
    return out
