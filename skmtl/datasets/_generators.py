"""Simulated tasks with common features, and what all simulations share."""

import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

# Constraints on the parameters that all functions share.
CONSTRAINTS: dict[str, list[Any]] = {
    "n_samples": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "n_features": [Interval(Integral, 1, None, closed="left")],
    "n_tasks": [Interval(Integral, 1, None, closed="left")],
    "noise": [Interval(Real, 0, None, closed="left")],
    "layout": [StrOptions({"shared", "stacked"})],
    "classification": ["boolean"],
    "bias": [Real, "array-like"],
    "missing": [Interval(Real, 0, 1, closed="left")],
    "random_state": ["random_state"],
}

_PARTS = {
    "n_samples": """
n_samples : int or array-like of shape (n_tasks,), default=100
    Number of rows; with ``layout="stacked"`` the number of rows of each task.
""",
    "common": """
noise : float, default=1.0
    Standard deviation of the noise.
layout : {"shared", "stacked"}, default="shared"
    "shared": all tasks have the same rows. "stacked": each task has its own rows.
classification : bool, default=False
    Whether labels are 1 where the noisy score is positive and 0 elsewhere. With few rows or a
    large bias, a task may have labels of one class only.
bias : float or array-like of shape (n_tasks,), default=0.0
    The intercepts.
missing : float in [0, 1), default=0.0
    Proportion of labels that are NaN, at random; shared layout only. At least two labels per
    task are kept, so that the proportion may be smaller if there are few rows.
random_state : int, RandomState instance or None, default=None
    Pass an int for the same data in every call.
""",
    "returned": """
With ``data`` (n, d), or (sum of n_samples, d + 1) with the task ids 0 to T - 1 last;
``target`` (n, T) or (sum of n_samples,), integers for complete 0/1 labels, floats
otherwise; and the truth: ``tasks`` (T,), ``coef`` (T, d), ``intercept`` (T,),
""",
}

Simulation = TypeVar("Simulation", bound=Callable[..., Bunch])


def document(simulation: Simulation) -> Simulation:
    """Replace placeholders such as ``{common}`` in a docstring, keeping the indentation."""
    if simulation.__doc__ is None:  # python -OO
        return simulation
    lines = []
    for line in inspect.cleandoc(simulation.__doc__).split("\n"):
        part = _PARTS.get(line.strip().strip("{}"))
        indent = line[: len(line) - len(line.lstrip())]
        lines += [line] if part is None else [indent + text for text in part.strip().split("\n")]
    simulation.__doc__ = "\n".join(lines) + "\n"
    return simulation


_BLOCK_SPARSE: dict[str, list[Any]] = {
    "n_informative": [Interval(Integral, 0, None, closed="left")],
    "correlation": [Interval(Real, -1, 1, closed="neither")],
}


@document
def make_block_sparse(
    n_samples: int | ArrayLike = 100,
    n_features: int = 50,
    n_tasks: int = 10,
    *,
    n_informative: int = 5,
    correlation: float = 0.0,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Simulate linear tasks that share their informative features.

    The scores of task t are ``x . coef[t] + intercept[t] + noise * e`` with standard normal e.
    Features are standard normal; features i and j have correlation ``correlation ** |i - j|``.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=50
        Number of features d.
    n_tasks : int, default=10
        Number of tasks T.
    n_informative : int, default=5
        Number of informative features, the same for all tasks. Their coefficients are independent
        standard normal in each task; all others are zero.
    correlation : float in (-1, 1), default=0.0
        Correlation of neighbouring features.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``support`` (d,) bool, the informative features.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_informative`` exceeds ``n_features``, or
        ``missing`` or per-task ``n_samples`` are given for a layout that does not support them.

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Statistics and Computing 20, 231-252.
    https://doi.org/10.1007/s11222-008-9111-x

    Examples
    --------
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(20, 8, 3, n_informative=2, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.coef.shape
    ((20, 8), (20, 3), (3, 8))
    >>> int(dataset.support.sum())
    2
    >>> make_block_sparse([4, 6, 5], 8, 3, layout="stacked").data.shape
    (15, 9)
    """
    validate_parameter_constraints(
        CONSTRAINTS | _BLOCK_SPARSE, locals(), caller_name="make_block_sparse"
    )
    check_at_most("n_informative", n_informative, "n_features", n_features)
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    support = np.zeros(n_features, dtype=bool)
    support[rng.permutation(n_features)[:n_informative]] = True
    coef = np.zeros((n_tasks, n_features))
    coef[:, support] = rng.standard_normal((n_tasks, n_informative))
    data = _correlated_features(rows.n_rows, n_features, correlation, rng)
    return rows.observe(data, coef, noise, classification, rng, support=support)


def check_at_most(name: str, value: int, of: str, most: int) -> None:
    """Raise if a number of selected items is larger than the number of candidates."""
    if value > most:
        raise ValueError(f"{name}={value} exceeds {of}={most}. Lower {name}, or increase {of}.")


class Rows:
    """The rows of simulated tasks: validated sizes, intercepts and the proportion missing.

    Parameters
    ----------
    n_samples, n_tasks, layout, bias, missing : as in :func:`make_block_sparse`
    """

    def __init__(
        self, n_samples: int | ArrayLike, n_tasks: int, layout: str, bias: Any, missing: float
    ) -> None:
        if missing and layout == "stacked":
            raise ValueError(
                "missing needs layout='shared', since the stacked layout has one label per row. "
                "Lower n_samples instead."
            )
        if layout == "shared" and np.ndim(n_samples) > 0:
            raise ValueError(
                "n_samples must be one number with layout='shared', where all tasks have the same "
                "rows. Use layout='stacked', or missing > 0, for tasks of different sizes."
            )
        sizes = _per_task(n_samples, n_tasks, "n_samples")
        if sizes.dtype.kind not in "iu" or sizes.min() < 1:
            raise ValueError(f"n_samples must hold integers of at least 1, got {sizes.tolist()}.")
        self.shared, self.missing = layout == "shared", missing
        self.intercept = _per_task(bias, n_tasks, "bias").astype(np.float64)
        self.tasks = np.arange(n_tasks)
        self.n_rows = int(sizes[0] if self.shared else sizes.sum())
        self._row_tasks = None if self.shared else np.repeat(self.tasks, sizes)

    def observe(
        self,
        data: NDArray[np.float64],
        coef: NDArray[np.float64],
        noise: float,
        classification: bool,
        rng: np.random.RandomState,
        **truth: Any,
    ) -> Bunch:
        """Draw labels for features (n_rows, d) and coefficients (T, d); return data and truth."""
        if self._row_tasks is None:
            target = data @ coef.T + self.intercept
        else:
            row_tasks = self._row_tasks
            target = np.einsum("ij,ij->i", data, coef[row_tasks]) + self.intercept[row_tasks]
            data = np.column_stack([data, row_tasks])
        target = target + noise * rng.standard_normal(target.shape)
        if classification:
            target = (target > 0).astype(np.float64 if self.missing else np.int64)
        if self.missing:
            _hide_labels(target, self.missing, rng)
        return Bunch(
            data=data,
            target=target,
            coef=coef,
            intercept=self.intercept,
            **truth,
            tasks=self.tasks,
        )


def _per_task(value: Any, n_tasks: int, name: str) -> NDArray[Any]:
    """Return one value per task, from a number or from one value for each task."""
    values = np.asarray(value)
    if values.dtype.kind not in "iufb":
        raise ValueError(f"{name} must be one number or one per task, got {value!r:.200}.")
    if values.ndim == 0:
        return np.full(n_tasks, values)
    if values.shape != (n_tasks,):
        raise ValueError(
            f"{name} must be one number or one per task, (n_tasks,) = ({n_tasks},), got the shape "
            f"{values.shape}."
        )
    return values


def _correlated_features(
    n_rows: int, n_features: int, correlation: float, rng: np.random.RandomState
) -> NDArray[np.float64]:
    """Draw rows of features from a stationary AR(1) process."""
    X = rng.standard_normal((n_rows, n_features))
    if correlation:
        scale = np.sqrt(1.0 - correlation**2)
        for j in range(1, n_features):
            X[:, j] = correlation * X[:, j - 1] + scale * X[:, j]
    return X


def _hide_labels(Y: NDArray[np.float64], missing: float, rng: np.random.RandomState) -> None:
    """Set a proportion of the labels to NaN in place, keeping at least two per task."""
    n_rows, n_tasks = Y.shape
    removable = np.ones(Y.shape, dtype=bool)
    for task in range(n_tasks):
        removable[rng.permutation(n_rows)[:2], task] = False
    candidates = np.flatnonzero(removable)
    n_missing = min(round(missing * Y.size), len(candidates))
    Y.flat[rng.permutation(candidates)[:n_missing]] = np.nan
