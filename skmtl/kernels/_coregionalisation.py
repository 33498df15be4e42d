"""Coregionalisation: a learned covariance between tasks, of low rank plus a diagonal."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter
from sklearn.utils import check_random_state

from skmtl.design import in_task_order, index_of
from skmtl.kernels._base import Array, BaseTaskKernel


class TaskKernel(BaseTaskKernel):
    r"""A kernel on the features times a learned covariance between tasks (coregionalisation).

    .. math::

        K\bigl((x, s), (x', t)\bigr) = B_{st} \, k(x, x') , \qquad
        B = A A' + \operatorname{diag}(\kappa)

    with the base kernel k, ``loadings`` A (n_tasks, rank), of any sign, and non-negative
    ``variances`` :math:`\kappa` (n_tasks,). scikit-learn's GaussianProcessRegressor and
    GaussianProcessClassifier learn A, :math:`\kappa` and the parameters of k jointly, by
    maximising the marginal likelihood.

    Parameters
    ----------
    base_kernel : Kernel
        k, any kernel of :mod:`sklearn.gaussian_process.kernels`. It is called on the features
        without the task column. Omit a constant factor, which B already contains.
    task_column : str or int, default=-1
        Position of the column of X that holds the task ids; -1 is the last. May be a name if the
        kernel is called on data frames.
    tasks : int or array-like of shape (n_tasks,), default=None
        The number of tasks, with ids 0, 1, ..., or their ids in the order of B's rows. None: the
        number of rows of ``loadings`` or of ``variances``.
    rank : int, default=1
        Number of columns of A, from 0 to n_tasks. 0: B is diagonal, and the tasks are independent
        with different variances.
    loadings : array-like of shape (n_tasks, rank), default=None
        A, as the starting value for learning. None: drawn from a normal distribution with
        variance 1 / rank by ``random_state``; zeros would be a saddle point.
    loadings_bounds : pair of floats, array (n_tasks * rank, 2) or "fixed", default=(-100, 100)
        Bounds on all entries of A, or on each, row by row. "fixed": A is not learned.
    variances : float or array-like of shape (n_tasks,), default=1.0
        :math:`\kappa`, > 0, or >= 0 if fixed.
    variances_bounds : pair of floats > 0, array (n_tasks, 2) or "fixed", default=(1e-5, 1e5)
        Bounds on all entries of :math:`\kappa`, or on each. "fixed": :math:`\kappa` is not learned.
    random_state : int, default=0
        Seed for the starting value of ``loadings``.

    Attributes
    ----------
    task_covariance : ndarray of shape (n_tasks, n_tasks)
        B.
    n_tasks : int
        Number of tasks.
    theta : ndarray of shape (n_dims,)
        The free hyperparameters: those of the base kernel, the entries of A (not logarithms), row
        by row, and the logarithms of :math:`\kappa`. ``bounds`` and the gradient are on the same
        scale.

    Raises
    ------
    ValueError
        When the kernel is used, if the tasks are not given or a row has an unknown task, if
        ``loadings`` or ``variances`` have the wrong shape, or if a parameter is out of its range.

    See Also
    --------
    MeanRegularizedTaskKernel : One number controls how similar all tasks are.
    GraphTaskKernel : Tasks that are neighbours in a graph are similar.

    Notes
    -----
    The marginal likelihood is not concave: if the variance of the labels is far from 1, use
    ``normalize_y=True`` or ``n_restarts_optimizer`` in GaussianProcessRegressor, as with
    scikit-learn's own kernels. A is unique up to a rotation of its columns (up to its sign, for
    rank 1), on which B does not depend. scikit-learn's warning that an entry of ``variances`` is
    close to its lower bound is harmless: that task has no component of its own.

    The gradient holds n_samples ** 2 (n_tasks (rank + 1) + the base kernel's n_dims) numbers.

    Sums may be taken outside or inside: ``TaskKernel(k1, ...) + TaskKernel(k2, ...)`` is the linear
    model of coregionalisation, ``TaskKernel(k, ...) + WhiteKernel()`` adds noise with a common
    variance, and ``TaskKernel(k, ...) + TaskKernel(WhiteKernel(1, "fixed"), rank=0, ...)`` noise
    with a variance for each task. Any other kernel added to a task kernel treats the task column
    as a feature.

    SVC, SVR and KernelRidge take the kernel as ``kernel=``. They do not learn hyperparameters, so
    B is given by ``loadings`` and ``variances``. X must be dense with numeric task ids. For string
    ids or data frames call the kernel and use ``kernel="precomputed"``.

    References
    ----------
    E. V. Bonilla, K. M. A. Chai and C. K. I. Williams, "Multi-task Gaussian process prediction",
    Advances in Neural Information Processing Systems 20, 2007,
    https://papers.nips.cc/paper/3189-multi-task-gaussian-process-prediction

    M. A. Alvarez, L. Rosasco and N. D. Lawrence, "Kernels for vector-valued functions: a review",
    Foundations and Trends in Machine Learning 4(3), 2012, https://doi.org/10.1561/2200000036

    Examples
    --------
    Two tasks with opposite signs, the second with labels in the first half only:

    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    >>> from skmtl.kernels import TaskKernel
    >>> x = np.linspace(0, 6, 30)
    >>> X = np.column_stack([np.r_[x, x[:15]], np.repeat([0, 1], [30, 15])])
    >>> y = np.r_[np.sin(x), -np.sin(x[:15])] + 0.05 * np.cos(17 * np.arange(45))
    >>> kernel = TaskKernel(
    ...     RBF(), task_column=-1, tasks=2, rank=1, variances=1e-3, variances_bounds="fixed"
    ... )
    >>> gp = GaussianProcessRegressor(kernel + WhiteKernel(0.01)).fit(X, y)
    >>> B = gp.kernel_.k1.task_covariance
    >>> bool(B[0, 1] < -0.9 * np.sqrt(B[0, 0] * B[1, 1]))
    True
    >>> unseen = gp.predict(np.column_stack([x[15:], np.ones(15)]))
    >>> bool(np.abs(unseen + np.sin(x[15:])).max() < 0.2)
    True
    """

    _linear: ClassVar[frozenset[str]] = frozenset({"loadings"})

    def __init__(
        self,
        base_kernel: Any,
        task_column: str | int = -1,
        *,
        tasks: Any = None,
        rank: int = 1,
        loadings: Any = None,
        loadings_bounds: Any = (-100.0, 100.0),
        variances: Any = 1.0,
        variances_bounds: Any = (1e-5, 1e5),
        random_state: int = 0,
    ) -> None:
        self.base_kernel = base_kernel
        self.task_column = task_column
        self.tasks = tasks
        self.rank = rank
        self.loadings = loadings
        self.loadings_bounds = loadings_bounds
        self.variances = variances
        self.variances_bounds = variances_bounds
        self.random_state = random_state

    @property
    def hyperparameter_loadings(self) -> Hyperparameter:
        """A, row by row."""
        return self._hyperparameter("loadings", self._checked_loadings().size)

    @property
    def hyperparameter_variances(self) -> Hyperparameter:
        r""":math:`\kappa`."""
        return self._hyperparameter("variances", self.n_tasks)

    def _implied_ids(self) -> Array | None:
        given = self._numbers("variances" if self.loadings is None else "loadings")
        return np.arange(len(given)) if given.ndim else None

    def _values(self, name: str) -> Array:
        values = self._checked_loadings() if name == "loadings" else self._checked_variances()
        return values.ravel()

    def _assign(self, name: str, values: Array) -> None:
        setattr(self, name, values.reshape(-1, self.rank) if name == "loadings" else values)

    def _task_matrix(self) -> Array:
        A = self._checked_loadings()
        B = A @ A.T
        B[np.diag_indices_from(B)] += self._checked_variances()
        return B

    def _task_gradient(self) -> Array:
        n_tasks = self.n_tasks
        tasks = np.arange(n_tasks)
        parts = [np.empty((n_tasks, n_tasks, 0))]
        free = {parameter.name for parameter in self._free()}
        if "loadings" in free:
            A = self._checked_loadings()
            # The derivative by entry (s, r) of A is column r of A, in row and column s of B.
            gradient = np.zeros((n_tasks, n_tasks, *A.shape))
            gradient[tasks, :, tasks] += A
            gradient[:, tasks, tasks] += A[:, np.newaxis]
            parts.append(gradient.reshape(n_tasks, n_tasks, A.size))
        if "variances" in free:
            gradient = np.zeros((n_tasks, n_tasks, n_tasks))
            gradient[tasks, tasks, tasks] = self._checked_variances()
            parts.append(gradient)
        return np.concatenate(parts, axis=2)

    def _by_task(self, name: str) -> Array:
        """A numeric parameter, reordered to match the tasks if it has an index."""
        values, labels = self._numbers(name), index_of(getattr(self, name))
        if labels is None:
            return values
        places = in_task_order(
            dict(zip(labels, range(len(labels)), strict=True)), self._ids().tolist(), f"'{name}'"
        )
        return np.asarray(values[places])

    def _checked_loadings(self) -> Array:
        n_tasks = self.n_tasks
        is_integer = isinstance(self.rank, Integral) and not isinstance(self.rank, bool)
        if not is_integer or not 0 <= self.rank <= n_tasks:
            raise ValueError(
                f"The 'rank' parameter of TaskKernel must be an int from 0 to the number of tasks, "
                f"{n_tasks}, got {self.rank!r}. Pass rank={n_tasks} for any covariance, 0 for "
                f"independent tasks."
            )
        shape = (n_tasks, int(self.rank))
        if self.loadings is None:
            if not isinstance(self.random_state, Integral):
                raise ValueError(
                    f"The 'random_state' parameter of TaskKernel must be an int, so that loadings "
                    f"start from the same values every time, got {self.random_state!r}. Pass 0."
                )
            draws = check_random_state(self.random_state).standard_normal(shape)
            return np.asarray(draws / np.sqrt(max(1, shape[1])))
        A = self._by_task("loadings")
        if A.shape != shape or not np.isfinite(A).all():
            raise ValueError(
                f"The 'loadings' parameter of TaskKernel must be finite and of shape (n_tasks, "
                f"rank) = {shape}, got {self.loadings!r:.200} of shape {A.shape}. Leave "
                f"it out to start from random values."
            )
        return A

    def _checked_variances(self) -> Array:
        variances = self._by_task("variances")
        if variances.ndim and variances.shape != (self.n_tasks,):
            raise ValueError(
                f"The 'variances' parameter of TaskKernel must be a number or of shape "
                f"({self.n_tasks},), one per task, got the shape {variances.shape}. Pass one "
                f"number for all tasks."
            )
        fixed = isinstance(self.variances_bounds, str)
        valid = variances >= 0 if fixed else variances > 0
        if not (np.isfinite(variances).all() and valid.all()):
            raise ValueError(
                f"The 'variances' parameter of TaskKernel must be finite and > 0, or >= 0 with "
                f"variances_bounds='fixed', got {self.variances!r}. Use a small number such as "
                f"1e-3."
            )
        return np.array(np.broadcast_to(variances, (self.n_tasks,)))
