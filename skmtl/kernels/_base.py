"""The base class of task kernels: a kernel on the features times a covariance between tasks."""

import inspect
from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from skmtl._graphs import labels_of
from skmtl.design import UNKNOWN, look_up_tasks, read_ids, split_task_column

Array = NDArray[Any]


class BaseTaskKernel(Kernel):
    """The product of a base kernel and a task matrix B (n_tasks, n_tasks).

    Subclasses define B, its gradient, and a ``hyperparameter_*`` property for each parameter of B
    that can be learned.
    """

    # Hyperparameters that may be negative: theta holds their values instead of logarithms.
    _linear: ClassVar[frozenset[str]] = frozenset()

    base_kernel: Any
    task_column: str | int
    tasks: Any

    @abstractmethod
    def _task_matrix(self) -> Array:
        """Return B (n_tasks, n_tasks)."""

    @abstractmethod
    def _task_gradient(self) -> Array:
        """Return dB / dtheta (n_tasks, n_tasks, n_free) for the free hyperparameters of B."""

    def _values(self, name: str) -> Array:
        """Return the current value of a hyperparameter of B as a flat array."""
        return np.ravel(np.asarray(getattr(self, name), dtype=np.float64))

    def _assign(self, name: str, values: Array) -> None:
        """Set a hyperparameter of B from a flat array."""
        setattr(self, name, float(values[0]))

    def _implied_ids(self) -> Array | None:
        """Return the task ids implied by parameters other than ``tasks``, or None."""
        return None

    @property
    def _base(self) -> Kernel:
        """The base kernel, validated."""
        base, name = self.base_kernel, type(self).__name__
        if isinstance(base, Kernel):
            return base
        got, remedy = repr(base), "RBF()"
        if isinstance(base, type) and issubclass(base, Kernel):
            got, remedy = f"the class {base.__name__}", f"{base.__name__}()"
        elif isinstance(base, str):
            remedy = "RBF(), or PairwiseKernel(metric='rbf') for a kernel given by name"
        raise ValueError(
            f"The 'base_kernel' parameter of {name} must be a kernel of "
            f"sklearn.gaussian_process.kernels, got {got:.200}. Pass {remedy}."
        )

    def _numbers(self, name: str) -> Array:
        """Return a numeric parameter as an array."""
        try:
            return np.asarray(getattr(self, name), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The '{name}' parameter of {type(self).__name__} must hold numbers ({error}), got "
                f"{getattr(self, name)!r:.200}. Pass numbers, or omit the parameter."
            ) from error

    def _hyperparameter(self, name: str, n_elements: int = 1) -> Hyperparameter:
        """Return scikit-learn's description of a hyperparameter, with validated bounds."""
        bounds = getattr(self, f"{name}_bounds")
        if not (isinstance(bounds, str) and bounds == "fixed"):
            try:
                pairs = np.atleast_2d(np.asarray(bounds, dtype=np.float64))
            except (TypeError, ValueError):
                pairs = np.empty((0, 0))
            lowest = -np.inf if name in self._linear else 0.0
            shaped = pairs.ndim == 2 and pairs.shape in ((1, 2), (n_elements, 2))
            if not (shaped and (pairs[:, 0] <= pairs[:, 1]).all() and (pairs >= lowest).all()):
                raise ValueError(
                    f"The '{name}_bounds' parameter of {type(self).__name__} must be 'fixed', a "
                    f"pair (low, high) or one pair for each of {n_elements} entries"
                    f"{'' if name in self._linear else ', >= 0'}, got {bounds!r:.200}. Omit it, "
                    f"or pass 'fixed' to keep '{name}' as it is."
                )
        return Hyperparameter(name, "numeric", bounds, n_elements)

    @property
    def n_tasks(self) -> int:
        """Number of tasks."""
        return len(self._ids())

    @property
    def task_covariance(self) -> Array:
        """B, the covariance between tasks, (n_tasks, n_tasks), in the order of ``tasks``."""
        return self._task_matrix()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with ``deep`` also those of the base kernel.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``base_kernel__<parameter>``.

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and isinstance(self.base_kernel, Kernel):
            inner = self.base_kernel.get_params().items()
            params.update((f"base_kernel__{name}", value) for name, value in inner)
        return params

    @property
    def hyperparameters(self) -> list[Any]:
        """The base kernel's hyperparameters, then those of the task matrix."""
        inner = [h._replace(name=f"base_kernel__{h.name}") for h in self._base.hyperparameters]
        return inner + self._own_hyperparameters()

    @property
    def theta(self) -> Array:
        """The free hyperparameters as a flat array: logarithms, except for ``loadings``."""
        parts = [self._base.theta]
        for parameter in self._free():
            values = self._values(parameter.name)
            parts.append(values if parameter.name in self._linear else np.log(values))
        return np.concatenate(parts)

    @theta.setter
    def theta(self, theta: Array) -> None:
        free = self._free()
        n_base = self._base.n_dims
        n_all = n_base + sum(parameter.n_elements for parameter in free)
        if len(theta) != n_all:
            raise ValueError(
                f"theta must have {n_all} entries, one per free hyperparameter of {self!r}, got "
                f"{len(theta)}."
            )
        theta = np.asarray(theta, dtype=np.float64)
        self._base.theta = theta[:n_base]
        start = n_base
        for parameter in free:
            values = theta[start : start + parameter.n_elements]
            start += parameter.n_elements
            # Copy, since optimisers may write to their theta later.
            linear = parameter.name in self._linear
            self._assign(parameter.name, values.copy() if linear else np.exp(values))

    @property
    def bounds(self) -> Array:
        """The bounds (n_dims, 2) of ``theta``, on the same scale."""
        parts = [self._base.bounds] if self._base.n_dims else []
        for parameter in self._free():
            linear = parameter.name in self._linear
            parts.append(parameter.bounds if linear else np.log(parameter.bounds))
        return np.vstack(parts) if parts else np.array([])

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Return the kernel between the rows of X and those of Y, and optionally its gradient.

        Parameters
        ----------
        X : array or data frame of shape (n_samples_X, n_features + 1)
            Features and the task column.
        Y : array or data frame of shape (n_samples_Y, n_features + 1), default=None
            The other rows. None: those of X.
        eval_gradient : bool, default=False
            Whether to return also the gradient with respect to ``theta``. Only with ``Y=None``.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Only with ``eval_gradient=True``.

        Raises
        ------
        ValueError
            If a row has a task that is not in ``tasks``, or ``eval_gradient`` is combined with Y.
        """
        if eval_gradient and Y is not None:
            raise ValueError(
                "The gradient of a kernel can only be evaluated with Y=None: leave Y out, or set "
                "eval_gradient=False."
            )
        B = self._task_matrix()
        features, codes = self._split(X)
        if Y is not None:
            features_y, codes_y = self._split(Y)
            return self._base(features, features_y) * B[np.ix_(codes, codes_y)]
        between = B[np.ix_(codes, codes)]
        if not eval_gradient:
            return self._base(features) * between
        K, base_gradient = self._base(features, eval_gradient=True)
        n_base, task_gradient = base_gradient.shape[2], self._task_gradient()
        gradient = np.empty((*K.shape, n_base + task_gradient.shape[2]))
        np.multiply(base_gradient, between[:, :, np.newaxis], out=gradient[:, :, :n_base])
        # Row by row, since allocating temporaries of the gradient's size would dominate the time.
        for i, code in enumerate(codes):
            by_row = task_gradient[code][codes]
            np.multiply(by_row, K[i][:, np.newaxis], out=gradient[i, :, n_base:])
        return K * between, gradient

    def diag(self, X: Any) -> Array:
        """Return the diagonal of the kernel matrix of the rows of X.

        Parameters
        ----------
        X : array or data frame of shape (n_samples, n_features + 1)
            Features and the task column.

        Returns
        -------
        K_diag : ndarray of shape (n_samples,)
        """
        variances = np.diag(self._task_matrix())
        features, codes = self._split(X)
        return np.asarray(self._base.diag(features) * variances[codes])

    def is_stationary(self) -> bool:
        """Return False: the kernel does not depend on differences between rows alone.

        Returns
        -------
        bool
        """
        return False

    def __eq__(self, other: object) -> bool:
        # scikit-learn compares parameters by np.any(a != b), which fails if shapes differ.
        if type(self) is not type(other):
            return False
        mine, theirs = self.get_params(deep=False), other.get_params(deep=False)
        return all(_same(mine[name], theirs[name]) for name in mine)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__).parameters
        shown = [repr(self.base_kernel)]
        for name in list(signature)[2:]:
            value = getattr(self, name)
            if not _same(value, signature[name].default):
                shown.append(f"{name}={_brief(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _own_hyperparameters(self) -> list[Any]:
        return [h for h in super().hyperparameters if h.n_elements > 0]

    def _free(self) -> list[Any]:
        """Return the hyperparameters of B that are learned."""
        return [parameter for parameter in self._own_hyperparameters() if not parameter.fixed]

    def _ids(self) -> Array:
        """Return the task ids in the order of B's rows."""
        implied, name = self._implied_ids(), type(self).__name__
        if self.tasks is None:
            if implied is None:
                raise ValueError(
                    f"{name} has to know the tasks before it is called on data, but tasks=None. "
                    f"Set tasks to their number (ids 0, 1, ...) or to the list of their ids."
                )
            return implied
        if isinstance(self.tasks, Integral) and not isinstance(self.tasks, bool):
            if self.tasks < 1:
                raise ValueError(
                    f"The 'tasks' parameter of {name} must be >= 1, got {self.tasks}. Set it to "
                    f"the number of tasks in X."
                )
            ids: Array = np.arange(int(self.tasks))
        else:
            try:
                ids = np.asarray(self.tasks)
                ids = ids if ids.ndim != 1 else read_ids(ids, warn=False)
            except ValueError:  # missing ids, nested lists of unequal lengths, or mixed types
                ids = np.empty(0)
            if ids.ndim != 1 or len(ids) == 0 or len(np.unique(ids)) < len(ids):
                raise ValueError(
                    f"The 'tasks' parameter of {name} must be a number of tasks or a list of "
                    f"distinct ids, got {self.tasks!r:.200}. Pass np.unique of the task column."
                )
        if implied is not None and len(implied) != len(ids):
            raise ValueError(
                f"{name} has {len(ids)} tasks, but its parameters describe {len(implied)}. Pass "
                f"arrays with one row for each of 'tasks'."
            )
        return ids

    def _split(self, X: Any) -> tuple[Array, NDArray[np.intp]]:
        """Return the features, and each row's position in ``tasks``."""
        if sp.issparse(X):
            raise ValueError(
                f"{type(self).__name__} needs a dense X, as scikit-learn's Gaussian process "
                f"kernels do, got a sparse matrix. Pass X.toarray()."
            )
        features, ids = split_task_column(X, self.task_column)
        features = np.asarray(features)
        if features.dtype.kind not in "fiub":
            try:
                features = features.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"The features in X must be numbers ({error}). Encode them, or, if that "
                    f"column holds the tasks, set task_column of {type(self).__name__} to it; now "
                    f"it is {self.task_column!r}."
                ) from error
        ids = read_ids(ids, warn=False)
        tasks = self._ids()
        codes = look_up_tasks(tasks, ids)
        if (codes == UNKNOWN).any():
            unknown = np.unique(ids[codes == UNKNOWN]).tolist()
            scaled = "; was it scaled?" if ids.dtype.kind == "f" else "."
            raise ValueError(
                f"X holds tasks {_brief(unknown)} that {type(self).__name__} does not know; its "
                f"tasks are {_brief(tasks.tolist())}. Add them to 'tasks', leave those rows out, "
                f"or check task_column={self.task_column!r}{scaled}"
            )
        return features, codes


def _same(a: Any, b: Any) -> bool:
    """Whether two parameter values are equal."""
    if isinstance(a, Kernel) or isinstance(b, Kernel):
        return bool(a == b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        # Edges may be pairs and triples, which do not form an array.
        return len(a) == len(b) and all(map(_same, a, b))
    if labels_of(a) != labels_of(b):
        return False
    a, b = (value.toarray() if sp.issparse(value) else value for value in (a, b))
    try:
        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    except ValueError:  # one of them has nested lists of unequal lengths
        return False


def _brief(value: Any) -> str:
    """Return a parameter as text: arrays by their shape, long lists by their first entries."""
    if hasattr(value, "shape") and np.ndim(value) > 0:
        return f"<{'x'.join(str(size) for size in value.shape)}>"
    if isinstance(value, (list, tuple)) and len(value) > 10:
        return f"[{', '.join(repr(v) for v in value[:10])}, ...] ({len(value)} in all)"
    return f"{value:.3g}" if isinstance(value, float) else repr(value)
