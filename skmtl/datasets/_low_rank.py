"""Simulated tasks of low rank, and tasks that combine a few latent tasks."""

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl.datasets._generators import CONSTRAINTS, Rows, check_at_most, document

_LOW_RANK: dict[str, list[Any]] = {
    "rank": [Interval(Integral, 1, None, closed="left")],
    "n_sparse": [Interval(Integral, 0, None, closed="left")],
    "sparse_size": [Interval(Real, 0, None, closed="neither")],
}
_OVERLAPPING: dict[str, list[Any]] = {
    "n_latent": [Interval(Integral, 1, None, closed="left")],
    "n_combined": [Interval(Integral, 1, None, closed="left")],
}


@document
def make_low_rank_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 20,
    n_tasks: int = 10,
    *,
    rank: int = 2,
    n_sparse: int = 0,
    sparse_size: float = 5.0,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks that depend on the same few directions of the features.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e , \qquad
        w_t = C' a_t + s_t , \qquad a_t \sim N(0, \tfrac{d}{r} I_r)

    with standard normal features x and e. The r orthonormal rows of C are drawn uniformly, and
    only ``n_sparse`` entries of all :math:`s_t` together are non-zero. The entries of the low-rank
    part have variance 1 on average.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=20
        Number of features d.
    n_tasks : int, default=10
        Number of tasks T.
    rank : int, default=2
        The rank r of the coefficients without the sparse part, at most ``n_tasks`` and
        ``n_features``.
    n_sparse : int, default=0
        Number of non-zero entries of the sparse part, at random positions.
    sparse_size : float, default=5.0
        Absolute value of the non-zero entries of the sparse part; their signs are random.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``rank``, ``components`` (r, d) with orthonormal rows, ``loadings`` (T, r), and the two
        parts whose sum is ``coef``: ``low_rank`` (T, d), ``loadings @ components``, and
        ``sparse`` (T, d).

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``rank`` exceeds ``n_tasks`` or ``n_features``,
        ``n_sparse`` exceeds the number of coefficients, or ``missing`` or per-task ``n_samples``
        are given for a layout that does not support them.

    See Also
    --------
    skmtl.LowRankRegressor : Estimates such directions.

    References
    ----------
    A. Argyriou, T. Evgeniou, M. Pontil (2008). Convex multi-task feature learning. Machine
    Learning 73, 243-272. https://doi.org/10.1007/s10994-007-5040-8

    J. Chen, J. Liu, J. Ye (2012). Learning incoherent sparse and low-rank patterns from multiple
    tasks. ACM Transactions on Knowledge Discovery from Data 5(4).
    https://doi.org/10.1145/2086737.2086742

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.datasets import make_low_rank_tasks
    >>> dataset = make_low_rank_tasks(50, 8, 6, rank=2, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.components.shape
    ((50, 8), (50, 6), (2, 8))
    >>> int(np.linalg.matrix_rank(dataset.coef))
    2
    >>> dataset = make_low_rank_tasks(50, 8, 6, n_sparse=3, random_state=0)
    >>> int((dataset.coef != dataset.low_rank).sum())
    3
    """
    validate_parameter_constraints(
        CONSTRAINTS | _LOW_RANK, locals(), caller_name="make_low_rank_tasks"
    )
    check_at_most("rank", rank, "n_tasks", n_tasks)
    check_at_most("rank", rank, "n_features", n_features)
    if n_sparse > n_tasks * n_features:
        raise ValueError(
            f"n_sparse={n_sparse} exceeds the n_tasks * n_features = {n_tasks * n_features} "
            f"coefficients. Lower n_sparse, or increase n_tasks or n_features."
        )
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    components = np.linalg.qr(rng.standard_normal((n_features, rank)))[0].T
    loadings = np.sqrt(n_features / rank) * rng.standard_normal((n_tasks, rank))
    low_rank = loadings @ components
    sparse = np.zeros((n_tasks, n_features))
    signs = rng.choice([-1.0, 1.0], n_sparse)
    sparse.flat[rng.permutation(sparse.size)[:n_sparse]] = sparse_size * signs
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(
        data,
        low_rank + sparse,
        noise,
        classification,
        rng,
        rank=rank,
        components=components,
        loadings=loadings,
        low_rank=low_rank,
        sparse=sparse,
    )


@document
def make_overlapping_tasks(
    n_samples: int | ArrayLike = 100,
    n_features: int = 20,
    n_tasks: int = 15,
    *,
    n_latent: int = 4,
    n_combined: int = 2,
    noise: float = 1.0,
    layout: Literal["shared", "stacked"] = "shared",
    classification: bool = False,
    bias: float | ArrayLike = 0.0,
    missing: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate linear tasks in overlapping groups: each combines a few common latent tasks.

    .. math::

        y = x \cdot w_t + b_t + \text{noise} \cdot e , \qquad
        w_t = \sum_k s_{tk} \, l_k , \qquad l_k \sim N(0, I_d)

    with standard normal features x and e. Each task has m non-zero coefficients :math:`s_{tk}`,
    which are independent normal with variance 1 / m.

    Parameters
    ----------
    {n_samples}
    n_features : int, default=20
        Number of features d.
    n_tasks : int, default=15
        Number of tasks T.
    n_latent : int, default=4
        Number of latent tasks. Each is used by some task if ``n_tasks`` >= ``n_latent``.
    n_combined : int, default=2
        Number m of latent tasks that each task combines, selected at random; at most
        ``n_latent``. With 1 the groups do not overlap.
    {common}

    Returns
    -------
    bunch : Bunch
        {returned}
        ``latent`` (n_latent, d) and ``assignments`` (T, n_latent), whose product is ``coef``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``n_combined`` exceeds ``n_latent``, or ``missing`` or
        per-task ``n_samples`` are given for a layout that does not support them.

    References
    ----------
    A. Kumar, H. Daume III (2012). Learning task grouping and overlap in multi-task learning.
    ICML. https://doi.org/10.48550/arXiv.1206.6417

    Examples
    --------
    >>> from skmtl.datasets import make_overlapping_tasks
    >>> dataset = make_overlapping_tasks(50, 8, 6, n_latent=3, random_state=0)
    >>> dataset.data.shape, dataset.target.shape, dataset.latent.shape
    ((50, 8), (50, 6), (3, 8))
    >>> (dataset.assignments != 0).sum(axis=1)
    array([2, 2, 2, 2, 2, 2])
    >>> bool((dataset.coef == dataset.assignments @ dataset.latent).all())
    True
    """
    validate_parameter_constraints(
        CONSTRAINTS | _OVERLAPPING, locals(), caller_name="make_overlapping_tasks"
    )
    check_at_most("n_combined", n_combined, "n_latent", n_latent)
    rows = Rows(n_samples, n_tasks, layout, bias, missing)

    rng = check_random_state(random_state)
    latent = rng.standard_normal((n_latent, n_features))
    firsts = rng.permutation(np.arange(n_tasks) % n_latent)
    assignments = np.zeros((n_tasks, n_latent))
    for task, first in enumerate(firsts):
        others = rng.permutation(np.delete(np.arange(n_latent), first))[: n_combined - 1]
        parts = np.append(first, others)
        assignments[task, parts] = rng.standard_normal(n_combined) / np.sqrt(n_combined)
    data = rng.standard_normal((rows.n_rows, n_features))
    return rows.observe(
        data,
        assignments @ latent,
        noise,
        classification,
        rng,
        latent=latent,
        assignments=assignments,
    )
