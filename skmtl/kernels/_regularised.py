"""Task covariances that correspond to a regulariser: the inverse of a Laplacian plus a ridge."""

from abc import abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter

from skmtl._graphs import laplacian_of, names_of, read_graph, read_laplacian
from skmtl.kernels._base import Array, BaseTaskKernel


class _RegularisedTaskKernel(BaseTaskKernel):
    """B = c (L + ridge I)^-1 for a Laplacian L."""

    ridge: float
    ridge_bounds: Any
    normalize: bool

    @abstractmethod
    def _laplacian(self) -> Array:
        """Return L (n_tasks, n_tasks), positive semidefinite."""

    @property
    def hyperparameter_ridge(self) -> Hyperparameter:
        """The ridge."""
        return self._hyperparameter("ridge")

    def _values(self, name: str) -> Array:
        return np.array([self._checked_ridge()])

    def _task_matrix(self) -> Array:
        return self._inverse()[0]

    def _task_gradient(self) -> Array:
        B, gradient = self._inverse()
        return gradient[:, :, np.newaxis] if self._free() else np.empty((*B.shape, 0))

    def _checked_ridge(self) -> float:
        if not (isinstance(self.ridge, Real) and 0 < self.ridge < np.inf):
            raise ValueError(
                f"The 'ridge' parameter of {type(self).__name__} must be > 0 and finite (the "
                f"Laplacian alone has no inverse), got {self.ridge!r}. Use a small number such as "
                f"1e-3."
            )
        return float(self.ridge)

    def _inverse(self) -> tuple[Array, Array]:
        """Return B and its derivative with respect to the logarithm of the ridge."""
        ridge = self._checked_ridge()
        if not isinstance(self.normalize, (bool, np.bool_)):
            raise ValueError(
                f"The 'normalize' parameter of {type(self).__name__} must be True or False, got "
                f"{self.normalize!r}. Leave it out for True."
            )
        values, U = np.linalg.eigh(self._laplacian())
        # Zero eigenvalues are computed as rounding errors, which may exceed a small ridge.
        values[values < 1e-12 * values[-1]] = 0.0
        inverse = 1 / (values + ridge)
        slope = -ridge * inverse**2
        if self.normalize:
            scale = len(values) / inverse.sum()
            slope = scale * (slope - inverse * (slope.sum() / inverse.sum()))
            inverse = scale * inverse
        return (U * inverse) @ U.T, (U * slope) @ U.T


class MeanRegularizedTaskKernel(_RegularisedTaskKernel):
    r"""A kernel for similar tasks: each is the mean task plus a deviation of its own.

    .. math::

        K\bigl((x, s), (x', t)\bigr) = B_{st} \, k(x, x') , \qquad
        B = c \, (L + \rho I)^{-1} = \tfrac{c}{1 + \rho}
        \left( I + \tfrac{1}{\rho T} \mathbf{1}\mathbf{1}' \right) , \qquad
        L = I - \tfrac1T \mathbf{1}\mathbf{1}'

    for T tasks, the base kernel k and the ridge :math:`\rho`. A large :math:`\rho` gives
    independent tasks, a small one gives one model for all tasks.

    Parameters
    ----------
    base_kernel : Kernel
        k, any kernel of :mod:`sklearn.gaussian_process.kernels`. It is called on the features
        without the task column.
    task_column : str or int, default=-1
        Position of the column of X that holds the task ids; -1 is the last. May be a name if the
        kernel is called on data frames.
    tasks : int or array-like of shape (n_tasks,), default=None
        The number of tasks, with ids 0, 1, ..., or their ids. Required.
    ridge : float, default=1.0
        :math:`\rho`, > 0: the weight of the shared vector relative to that of the deviations
        (:math:`\lambda_2 / \lambda_1` of Evgeniou and Pontil).
    ridge_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
        Bounds on the ridge in a Gaussian process, which learns it. "fixed": the ridge is not
        learned.
    normalize : bool, default=True
        True: c is such that the diagonal of B has mean 1, so that the C of an SVM and the noise of
        a Gaussian process keep their meaning as the ridge changes. False: c = 1.

    Attributes
    ----------
    task_covariance : ndarray of shape (n_tasks, n_tasks)
        B.
    n_tasks : int
        Number of tasks.
    theta : ndarray of shape (n_dims,)
        Logarithms of the free hyperparameters: those of the base kernel and the ridge.

    Raises
    ------
    ValueError
        When the kernel is used, if the tasks are not given, a row has an unknown task, or the ridge
        is not > 0.

    See Also
    --------
    GraphTaskKernel : The same for any graph of tasks.
    TaskKernel : Learns the covariance between tasks.

    Notes
    -----
    With a linear base kernel, ``DotProduct(0, "fixed")``, predictions are :math:`x \cdot w_s`, and
    the squared norm in the reproducing kernel Hilbert space is

    .. math::

        \operatorname{tr}(W B^{-1} W') = \tfrac1c \Bigl( \sum_t \lVert w_t - \bar w \rVert_2^2
        + \rho \lVert W \rVert_F^2 \Bigr)

    for W (n_features, n_tasks) with mean column :math:`\bar w`. ``KernelRidge(alpha=lam)`` and
    ``GaussianProcessRegressor(alpha=lam, optimizer=None)`` minimise
    :math:`\sum_i (y_i - x_i \cdot w_{t(i)})^2` plus lam times this norm. For n labels this is mean
    regularisation,
    :math:`\tfrac{T}{2n} \sum_i (y_i - x_i \cdot w_{t(i)})^2 + \tfrac{\alpha}{2} \bigl( \sum_t
    \lVert w_t - \bar w \rVert_2^2 + \rho \lVert W \rVert_F^2 \bigr)`, without intercepts, for
    lam = c :math:`\alpha` n / T. In the notation of Evgeniou and Pontil, with
    :math:`w_t = w_0 + v_t` and the penalty :math:`\tfrac{\lambda_1}{T} \sum_t \lVert v_t
    \rVert_2^2 + \lambda_2 \lVert w_0 \rVert_2^2`, the ridge is :math:`\lambda_2 / \lambda_1`.

    No task has an unpenalised intercept of its own: SVC and SVR have a common intercept,
    KernelRidge and the Gaussian processes have none. Centre the labels of each task, or use
    ``DotProduct(sigma_0)``, whose intercepts are penalised like the coefficients.

    SVC, SVR and KernelRidge take the kernel as ``kernel=``; a grid search sets the ridge as
    ``kernel__ridge``. X must be dense with numeric task ids. For string ids or data frames call
    the kernel and use ``kernel="precomputed"``.

    References
    ----------
    T. Evgeniou and M. Pontil, "Regularized multi-task learning", KDD 2004,
    https://doi.org/10.1145/1014052.1014067

    T. Evgeniou, C. A. Micchelli and M. Pontil, "Learning multiple tasks with kernel methods",
    JMLR 6, 2005, https://jmlr.org/papers/v6/evgeniou05a.html

    Examples
    --------
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from sklearn.svm import SVC
    >>> from skmtl.datasets import make_clustered_tasks
    >>> from skmtl.kernels import MeanRegularizedTaskKernel
    >>> dataset = make_clustered_tasks(
    ...     15, 5, 8, n_clusters=1, layout="stacked", classification=True, random_state=0
    ... )
    >>> kernel = MeanRegularizedTaskKernel(RBF(3.0), task_column=-1, tasks=8, ridge=0.1)
    >>> kernel.task_covariance[:2, :2].round(2)
    array([[1.  , 0.56],
           [0.56, 1.  ]])
    >>> model = SVC(kernel=kernel).fit(dataset.data, dataset.target)
    >>> bool(model.score(dataset.data, dataset.target) > 0.8)
    True
    """

    def __init__(
        self,
        base_kernel: Any,
        task_column: str | int = -1,
        *,
        tasks: Any = None,
        ridge: float = 1.0,
        ridge_bounds: Any = (1e-5, 1e5),
        normalize: bool = True,
    ) -> None:
        self.base_kernel = base_kernel
        self.task_column = task_column
        self.tasks = tasks
        self.ridge = ridge
        self.ridge_bounds = ridge_bounds
        self.normalize = normalize

    def _laplacian(self) -> Array:
        return laplacian_of(read_graph("complete", np.arange(self.n_tasks)))


class GraphTaskKernel(_RegularisedTaskKernel):
    r"""A kernel for tasks on a graph: tasks joined by an edge are similar.

    .. math::

        K\bigl((x, s), (x', t)\bigr) = B_{st} \, k(x, x') , \qquad B = c \, (L + \rho I)^{-1}

    for the base kernel k, a Laplacian L (n_tasks, n_tasks) and the ridge :math:`\rho`.

    Parameters
    ----------
    base_kernel : Kernel
        k, any kernel of :mod:`sklearn.gaussian_process.kernels`. It is called on the features
        without the task column.
    task_column : str or int, default=-1
        Position of the column of X that holds the task ids; -1 is the last. May be a name if the
        kernel is called on data frames.
    graph : "complete", "chain", array, sparse matrix, data frame or list, default=None
        "complete": :math:`L = I - \mathbf{1}\mathbf{1}'/T`, the same as MeanRegularizedTaskKernel.
        "chain": each task is joined to the next in the order of ``tasks``. A matrix G (n_tasks,
        n_tasks): the symmetric weights of the edges, >= 0, with L = diag(G 1) - G; rows and columns
        of a data frame are matched to the tasks by id. A list: edges by task id, as pairs with
        weight 1 or triples with a weight.
    laplacian : array, sparse matrix or data frame of shape (n_tasks, n_tasks), default=None
        L itself, symmetric and positive semidefinite, instead of a graph.
    tasks : int or array-like of shape (n_tasks,), default=None
        The number of tasks, with ids 0, 1, ..., or their ids in the order of L's rows. None: the
        number of rows of L, or the row names of a data frame.
    ridge : float, default=1.0
        :math:`\rho`, > 0: a small one makes neighbours similar, a large one all tasks independent.
    ridge_bounds : pair of floats > 0 or "fixed", default=(1e-5, 1e5)
        Bounds on the ridge in a Gaussian process, which learns it. "fixed": the ridge is not
        learned.
    normalize : bool, default=True
        True: c is such that the diagonal of B has mean 1. False: c = 1.

    Attributes
    ----------
    task_covariance : ndarray of shape (n_tasks, n_tasks)
        B.
    n_tasks : int
        Number of tasks.
    theta : ndarray of shape (n_dims,)
        Logarithms of the free hyperparameters: those of the base kernel and the ridge.

    Raises
    ------
    ValueError
        When the kernel is used, if not exactly one of ``graph`` and ``laplacian`` is given, if it
        is not symmetric or has negative weights or a negative eigenvalue, if the tasks are not
        given or a row has an unknown task, or if the ridge is not > 0.

    See Also
    --------
    MeanRegularizedTaskKernel : All tasks are equally similar.
    TaskKernel : Learns the covariance between tasks.

    Notes
    -----
    With a linear base kernel, ``DotProduct(0, "fixed")``, the squared norm in the reproducing
    kernel Hilbert space is

    .. math::

        \operatorname{tr}(W B^{-1} W')
        = \tfrac1c \left( \operatorname{tr}(W L W') + \rho \lVert W \rVert_F^2 \right) , \qquad
        \operatorname{tr}(W L W') = \tfrac12 \sum_{s, t} G_{st} \lVert w_s - w_t \rVert_2^2

    for W (n_features, n_tasks). ``KernelRidge(alpha=lam)`` and
    ``GaussianProcessRegressor(alpha=lam, optimizer=None)`` minimise the sum of the squared errors
    of n labels plus lam times this norm: the graph-regularised linear model
    :math:`\tfrac{T}{2n} \sum_i (y_i - x_i \cdot w_{t(i)})^2 + \tfrac{\alpha}{2} \bigl(
    \operatorname{tr}(W L W') + \rho \lVert W \rVert_F^2 \bigr)`, without intercepts, for
    lam = c :math:`\alpha` n / T. With ``normalize``, c = T / tr((L + :math:`\rho` I)^-1).

    For intercepts, and for use in SVMs, see MeanRegularizedTaskKernel. Each evaluation computes
    one eigendecomposition of L.

    References
    ----------
    T. Evgeniou, C. A. Micchelli and M. Pontil, "Learning multiple tasks with kernel methods",
    JMLR 6, 2005, https://jmlr.org/papers/v6/evgeniou05a.html

    Examples
    --------
    Consecutive months, each similar to the months before and after it:

    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from skmtl.kernels import GraphTaskKernel
    >>> kernel = GraphTaskKernel(RBF(), task_column=-1, graph="chain", tasks=4, ridge=0.1)
    >>> kernel.task_covariance[0].round(2)
    array([1.07, 0.85, 0.71, 0.65])
    >>> kernel([[0.5, 0], [0.5, 3]]).round(2)
    array([[1.07, 0.65],
           [0.65, 1.07]])
    """

    def __init__(
        self,
        base_kernel: Any,
        task_column: str | int = -1,
        *,
        graph: Any = None,
        laplacian: Any = None,
        tasks: Any = None,
        ridge: float = 1.0,
        ridge_bounds: Any = (1e-5, 1e5),
        normalize: bool = True,
    ) -> None:
        self.base_kernel = base_kernel
        self.task_column = task_column
        self.graph = graph
        self.laplacian = laplacian
        self.tasks = tasks
        self.ridge = ridge
        self.ridge_bounds = ridge_bounds
        self.normalize = normalize

    def _implied_ids(self) -> Array | None:
        for matrix in (self.graph, self.laplacian):
            # A list of edges need not contain all tasks.
            if len(getattr(matrix, "shape", ())) == 2:
                names = names_of(matrix)
                return np.arange(matrix.shape[0]) if names is None else np.asarray(names)
        return None

    def _laplacian(self) -> Array:
        if (self.graph is None) == (self.laplacian is None):
            raise ValueError(
                "GraphTaskKernel needs one of 'graph' and 'laplacian', got "
                f"{'neither' if self.graph is None else 'both'}. Pass graph='chain', or a matrix."
            )
        if self.laplacian is not None:
            return read_laplacian(self.laplacian, self._ids())
        if isinstance(self.graph, str) and self.graph not in ("complete", "chain"):
            raise ValueError(
                f"The 'graph' parameter of GraphTaskKernel must be 'complete', 'chain' or a matrix "
                f"of weights, got {self.graph!r}. Pass a list of edges for other graphs."
            )
        return laplacian_of(read_graph(self.graph, self._ids()))
