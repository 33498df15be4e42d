"""Made tasks whose coefficients are known."""

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

# What all makers take.
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
    Number of rows; with ``layout="stacked"`` the rows of each task.
""",
    "common": """
noise : float, default=1.0
    Standard deviation of the noise.
layout : {"shared", "stacked"}, default="shared"
    One set of rows for all tasks, or rows of their own for each.
classification : bool, default=False
    Make labels 1 where the noisy score is positive and 0 elsewhere. Nothing guarantees that
    both occur in every task; few rows or a large bias may leave one out.
bias : float or array-like of shape (n_tasks,), default=0.0
    The intercepts.
missing : float in [0, 1), default=0.0
    Share of the labels that are NaN, at random; shared layout only. Two labels per task are
    always kept, so that the share may be smaller where there are few rows.
random_state : int, RandomState instance or None, default=None
    Pass an int for the same data in every call.
""",
    "returned": """
With ``data``: (n, d), or (sum of n_samples, d + 1) with the task ids 0 to T - 1 last;
``target``: (n, T) or (sum of n_samples,), integers for complete 0/1 labels, floats
otherwise; and the truth: ``tasks`` (T,), ``coef`` (T, d), ``intercept`` (T,),
""",
}

Maker = TypeVar("Maker", bound=Callable[..., Bunch])


def document(maker: Maker) -> Maker:
    """Fill ``{common}`` and the like in a maker's docstring, keeping its indentation."""
    if maker.__doc__ is None:  # python -OO
        return maker
    lines = []
    for line in inspect.cleandoc(maker.__doc__).split("\n"):
        part = _PARTS.get(line.strip().strip("{}"))
        indent = line[: len(line) - len(line.lstrip())]
        lines += [line] if part is None else [indent + text for text in part.strip().split("\n")]
    maker.__doc__ = "\n".join(lines) + "\n"
    return maker


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
    """Make linear tasks that share their informative features.

    The scores of task t are ``x . coef[t] + intercept[t] + noise * e`` with standard normal e.
    Features are standard normal, those i and j apart correlated by ``correlation ** |i - j|``.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=50
        Number of features d.
    n_tasks : int, default=10
        Number of tasks T.
    n_informative : int, default=5
        Number of features that matter, the same for all tasks. Their coefficients are
        independent standard normal in each task, all others zero.
    correlation : float in (-1, 1), default=0.0
        Correlation of neighbouring features.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``support`` (d,) bool.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_informative`` exceeds ``n_features``, or
        ``missing`` or per-task ``n_samples`` are asked of the layout that has none.

    References
    ----------
    G. Obozinski, B. Taskar, M. I. Jordan (2010). Joint covariate selection and joint subspace
    selection for multiple classification problems. Statistics and Computing 20, 231-252.
    https://doi.org/10.1007/s11222-008-9111-x

    Examples
    --------
    >>> from skmtl.datasets import make_block_sparse
    >>> bunch = make_block_sparse(20, 8, 3, n_informative=2, random_state=0)
    >>> bunch.data.shape, bunch.target.shape, bunch.coef.shape
    ((20, 8), (20, 3), (3, 8))
    >>> int(bunch.support.sum())
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
    """Refuse a number of things that is larger than the number of all things."""
    if value > most:
        what = of.removeprefix("n_")
        raise ValueError(f"{name}={value} exceeds {of}={most}. Lower it, or make more {what}.")


class Rows:
    """The rows of made tasks, checked: how many there are, whose they are, what hides labels.

    Parameters
    ----------
    n_samples, n_tasks, layout, bias, missing : as in :func:`make_block_sparse`
    """

    def __init__(
        self, n_samples: int | ArrayLike, n_tasks: int, layout: str, bias: Any, missing: float
    ) -> None:
        if missing and layout == "stacked":
            raise ValueError(
                "missing needs layout='shared': the stacked layout has one label per row. Pass "
                "fewer n_samples instead."
            )
        if layout == "shared" and np.ndim(n_samples) > 0:
            raise ValueError(
                "n_samples must be one number with layout='shared', where all tasks have the same "
                "rows. Use layout='stacked' for tasks of different sizes, or missing > 0."
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
        """Draw labels of features (n_rows, d) from coefficients (T, d); return all there is."""
        if self._row_tasks is None:
            target = data @ coef.T + self.intercept
        else:
            owners = self._row_tasks
            target = np.einsum("ij,ij->i", data, coef[owners]) + self.intercept[owners]
            data = np.column_stack([data, owners])
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
    """Return one value per task from one for all or from one for each."""
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
    """Draw rows of a stationary AR(1) process."""
    X = rng.standard_normal((n_rows, n_features))
    if correlation:
        fresh = np.sqrt(1.0 - correlation**2)
        for j in range(1, n_features):
            X[:, j] = correlation * X[:, j - 1] + fresh * X[:, j]
    return X


def _hide_labels(Y: NDArray[np.float64], missing: float, rng: np.random.RandomState) -> None:
    """Set a share of the labels to NaN in place, but never a task's last two."""
    n_rows, n_tasks = Y.shape
    may_go = np.ones(Y.shape, dtype=bool)
    for task in range(n_tasks):
        may_go[rng.permutation(n_rows)[:2], task] = False
    candidates = np.flatnonzero(may_go)
    n_missing = min(round(missing * Y.size), len(candidates))
    Y.flat[rng.permutation(candidates)[:n_missing]] = np.nan
