"""Simulated tasks in clusters, correlated tasks, and similar tasks with a few outliers."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skmtl.datasets._generators import CONSTRAINTS, Rows, check_at_most, document
from skmtl.design import as_floats

_SPREAD = [Interval(Real, 0, None, closed="left")]
_CLUSTERED: dict[str, list[Any]] = {
    "n_clusters": [Interval(Integral, 1, None, closed="left")],
    "spread": _SPREAD,
}
_RELATED: dict[str, list[Any]] = {
    "covariance": [StrOptions({"ar1", "equal", "opposed"}), "array-like", None],
    "strength": [Interval(Real, -1, 1, closed="both")],
}
_OUTLIERS: dict[str, list[Any]] = {
    "n_outliers": [Interval(Integral, 0, None, closed="left")],
    "structure": [StrOptions({"features", "center"})],
    "n_informative": [Interval(Integral, 1, None, closed="left")],
    "spread": _SPREAD,
}
# A covariance drawn at random has few common directions, for strong correlations, and a small
# variance for each task, which keeps it regular.
_RANDOM_RANK, _OWN_VARIANCE = 2, 0.1


@document
def make_clustered_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 20,
    n_tasks: int = 12,
    *,
    n_clusters: int = 3,
    spread: float = 0.1,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks in clusters.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e , \qquad
        w_t = c_{k(t)} + \text{spread} \cdot v_t , \qquad c_k, v_t \sim N(0, I_d)

    with standard normal features x and e. Task t belongs to cluster k(t).

    Parameters
    ----------
    {n_samples}
    n_features : int, default=20
        Number of features d.
    n_tasks : int, default=12
        Number of tasks T.
    n_clusters : int, default=3
        Number of clusters, at most ``n_tasks``. Tasks are assigned to clusters at random, with
        cluster sizes that differ by at most one.
    spread : float, default=0.1
        Standard deviation of a task's coefficients around the centre of its cluster; those of the
        centres have standard deviation 1.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``labels`` (T,), the cluster of each task, and ``centers`` (n_clusters, d).

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_clusters`` exceeds ``n_tasks``, or ``missing`` or
        per-task ``n_samples`` are given for a layout that does not support them.

    See Also
    --------
    skmtl.ClusteredTaskRegressor : Estimates such clusters.

    References
    ----------
    L. Jacob, F. Bach, J.-P. Vert (2008). Clustered multi-task learning: a convex formulation.
    Advances in Neural Information Processing Systems 21. https://arxiv.org/abs/0809.2085

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.datasets import make_clustered_tasks
    >>> dataset = make_clustered_tasks(50, 8, 6, n_clusters=2, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.centers.shape
    ((50, 8), (50, 6), (2, 8))
    >>> np.bincount(dataset.labels)
    array([3, 3])
    >>> bool(np.abs(dataset.coef - dataset.centers[dataset.labels]).max() < 0.5)
    True
    """
    validate_parameter_constraints(
        CONSTRAINTS | _CLUSTERED, locals(), caller_name="make_clustered_tasks"
    )
    check_at_most("n_clusters", n_clusters, "n_tasks", n_tasks)
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    labels = rng.permutation(np.arange(n_tasks) % n_clusters)
    centers = rng.standard_normal((n_clusters, n_features))
    coef = centers[labels] + spread * rng.standard_normal((n_tasks, n_features))
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(data, coef, noise, classification, rng, labels=labels, centers=centers)


@document
def make_related_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 20,
    n_tasks: int = 10,
    *,
    covariance: ArrayLike | Literal["ar1", "equal", "opposed"] | None = None,
    strength: float = 0.9,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks whose coefficients are correlated across tasks.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e , \qquad
        (w_{1j}, \dots, w_{Tj}) \sim N(0, \Omega) \text{ for each feature } j

    with standard normal features x and e. The matrix of coefficients has a matrix normal
    distribution with independent features.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=20
        Number of features d.
    n_tasks : int, default=10
        Number of tasks T.
    covariance : array-like of shape (n_tasks, n_tasks), str or None, default=None
        :math:`\Omega`, symmetric and positive semi-definite. Named covariances have a unit
        diagonal, and these correlations, where s is ``strength``: "ar1": ``s ** |t - u|``, so that
        neighbours are similar; "equal": s for all pairs; "opposed": s within each half of the
        tasks and -s between the halves. None: drawn at random, from two common directions and a
        small variance for each task, with correlations of both signs and unequal variances.
    strength : float in [-1, 1], default=0.9
        The correlation s of a named covariance: at least -1 / (n_tasks - 1) for "equal",
        non-negative for "opposed".
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``covariance`` (T, T), from which the coefficients are drawn, ``normalised_covariance``
        (T, T), the covariance divided by its trace, and ``correlation`` (T, T), the covariance
        scaled to a unit diagonal (with correlations 0 for tasks of zero variance).

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``covariance`` is not a covariance of ``n_tasks``
        tasks, or ``missing`` or per-task ``n_samples`` are given for a layout that does not
        support them.

    See Also
    --------
    skmtl.TaskRelationRegressor : Learns the covariance of tasks.

    Notes
    -----
    ``task_covariance_`` of :class:`skmtl.TaskRelationRegressor` minimises
    :math:`\operatorname{tr}(W \Omega^{-1} W')`, and is therefore proportional to the square root of
    :math:`W'W`. With enough features it has the eigenvectors of this :math:`\Omega`, and
    eigenvalues proportional to the square roots of those of :math:`\Omega`.

    References
    ----------
    Y. Zhang, D.-Y. Yeung (2010). A convex formulation for learning task relationships in
    multi-task learning. UAI. https://doi.org/10.48550/arXiv.1203.3536

    Examples
    --------
    >>> from skmtl.datasets import make_related_tasks
    >>> dataset = make_related_tasks(50, 8, 4, covariance="opposed", strength=0.5, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.coef.shape
    ((50, 8), (50, 4), (4, 8))
    >>> dataset.correlation
    array([[ 1. ,  0.5, -0.5, -0.5],
           [ 0.5,  1. , -0.5, -0.5],
           [-0.5, -0.5,  1. ,  0.5],
           [-0.5, -0.5,  0.5,  1. ]])
    """
    validate_parameter_constraints(
        CONSTRAINTS | _RELATED, locals(), caller_name="make_related_tasks"
    )
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    if covariance is None:
        directions = rng.standard_normal((n_tasks, _RANDOM_RANK))
        omega = directions @ directions.T / _RANDOM_RANK + _OWN_VARIANCE * np.eye(n_tasks)
    elif isinstance(covariance, str):
        omega = _named_covariance(covariance, strength, n_tasks)
    else:
        omega = _read_covariance(covariance, n_tasks)
    variances, basis = np.linalg.eigh(omega)
    # The symmetric root, which does not depend on the basis that LAPACK takes for equal variances,
    # nor on its signs: both differ between processors.
    root = (basis * np.sqrt(np.maximum(variances, 0.0))) @ basis.T
    coef = root @ rng.standard_normal((n_tasks, n_features))
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(
        data,
        coef,
        noise,
        classification,
        rng,
        covariance=omega,
        normalised_covariance=omega / np.trace(omega),
        correlation=_to_correlation(omega),
    )


def _named_covariance(name: str, strength: float, n_tasks: int) -> NDArray[np.float64]:
    """The named covariance, with unit diagonal."""
    least = {"equal": -1 / max(n_tasks - 1, 1), "opposed": 0.0}.get(name, -1.0)
    if strength < least:
        raise ValueError(
            f"strength must be at least {least:.4g} for {n_tasks} tasks with "
            f"covariance={name!r}, got {strength}."
        )
    position = np.arange(n_tasks)
    if name == "ar1":
        distances = np.abs(np.subtract.outer(position, position)).astype(np.float64)
        return np.asarray(strength**distances)
    side = np.where(position < n_tasks / 2, 1.0, -1.0) if name == "opposed" else np.ones(n_tasks)
    omega: NDArray[np.float64] = strength * np.outer(side, side)
    np.fill_diagonal(omega, 1.0)
    return omega


def _read_covariance(covariance: ArrayLike, n_tasks: int) -> NDArray[np.float64]:
    """Validate a user's covariance."""
    omega = np.array(as_floats(covariance, "covariance"))
    if omega.shape != (n_tasks, n_tasks):
        raise ValueError(
            f"covariance must have the shape (n_tasks, n_tasks) = ({n_tasks}, {n_tasks}), got "
            f"{omega.shape}."
        )
    if not np.isfinite(omega).all():
        raise ValueError("covariance must be finite, but it holds NaN or infinity.")
    size = np.abs(omega).max()
    if np.abs(omega - omega.T).max() > 1e-8 * size:
        raise ValueError("covariance must be symmetric. Pass (covariance + covariance.T) / 2.")
    symmetric: NDArray[np.float64] = (omega + omega.T) / 2
    least = np.linalg.eigvalsh(symmetric)[0]
    if size == 0 or least < -1e-8 * size:
        raise ValueError(
            f"covariance must be positive semi-definite and not zero; its smallest eigenvalue is "
            f"{least:.4g}, its largest entry {size:.4g}."
        )
    return symmetric


def _to_correlation(omega: NDArray[np.float64]) -> NDArray[np.float64]:
    deviations = np.sqrt(np.diag(omega))
    outer = np.outer(deviations, deviations)
    correlation = np.zeros_like(omega)
    np.divide(omega, outer, out=correlation, where=outer > 0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


@document
def make_outlier_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 50,
    n_tasks: int = 10,
    *,
    n_outliers: int = 2,
    structure: Literal["features", "center"] = "features",
    n_informative: int = 5,
    spread: float = 0.1,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks that share a structure, except for a few outliers.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e

    with standard normal features x and e. Ordinary tasks have the same few informative features,
    or coefficients around the same centre. The coefficients of outliers are independent normal,
    with the same expected squared norm, so that outliers cannot be identified by their norm.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=50
        Number of features d.
    n_tasks : int, default=10
        Number of tasks T, including outliers.
    n_outliers : int, default=2
        Number of outliers, which are selected at random.
    structure : {"features", "center"}, default="features"
        The structure that ordinary tasks share. "features": the same ``n_informative`` features,
        with independent standard normal coefficients in each task. "center": a standard normal
        centre, around which coefficients have a standard deviation of ``spread``.
    n_informative : int, default=5
        Number of shared features, at most ``n_features``; only for ``structure="features"``.
    spread : float, default=0.1
        Standard deviation around the centre; only for ``structure="center"``.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``outliers`` (T,) bool, and for ordinary tasks: ``support`` (d,) bool, the informative
        features, and ``center`` (d,), zero with ``structure="features"``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_outliers`` exceeds ``n_tasks``, ``n_informative``
        exceeds ``n_features``, or ``missing`` or per-task ``n_samples`` are given for a layout
        that does not support them.

    References
    ----------
    P. Gong, J. Ye, C. Zhang (2012). Robust multi-task feature learning. Proceedings of KDD,
    895-903. https://doi.org/10.1145/2339530.2339672

    Examples
    --------
    >>> from skmtl.datasets import make_outlier_tasks
    >>> dataset = make_outlier_tasks(40, 12, 6, n_outliers=1, n_informative=3, random_state=0)
    >>> int(dataset.outliers.sum()), int(dataset.support.sum())
    (1, 3)
    >>> bool((dataset.coef[~dataset.outliers][:, ~dataset.support] == 0).all())
    True
    >>> int((dataset.coef[dataset.outliers] != 0).sum())
    12
    """
    validate_parameter_constraints(
        CONSTRAINTS | _OUTLIERS, locals(), caller_name="make_outlier_tasks"
    )
    check_at_most("n_outliers", n_outliers, "n_tasks", n_tasks)
    rows = Rows(n_samples, n_tasks, layout, bias, missing)
    by_features = structure == "features"
    if by_features:
        check_at_most("n_informative", n_informative, "n_features", n_features)

    rng = check_random_state(random_state)
    outliers = np.zeros(n_tasks, dtype=bool)
    outliers[rng.permutation(n_tasks)[:n_outliers]] = True
    draws = rng.standard_normal((n_tasks, n_features))
    if by_features:
        support = np.zeros(n_features, dtype=bool)
        support[rng.permutation(n_features)[:n_informative]] = True
        center = np.zeros(n_features)
        ordinary, scale = np.where(support, draws, 0.0), np.sqrt(n_informative / n_features)
    else:
        support = np.ones(n_features, dtype=bool)
        center = rng.standard_normal(n_features)
        ordinary, scale = center + spread * draws, np.hypot(1.0, spread)
    coef = np.where(outliers[:, None], scale * draws, ordinary)
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(
        data, coef, noise, classification, rng, outliers=outliers, support=support, center=center
    )
