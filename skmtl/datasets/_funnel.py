"""Simulated funnels."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import helmert
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl.design import as_floats

Array = NDArray[Any]

_POSITIVE = [Interval(Integral, 1, None, closed="left")]
_CONSTRAINTS: dict[str, list[Any]] = {
    "n_samples": _POSITIVE,
    "n_features": _POSITIVE,
    "n_informative": _POSITIVE,
    "rates": ["array-like"],
    "strength": [Interval(Real, 0, None, closed="left")],
    "similarity": [Interval(Real, -1, 1, closed="both")],
    "confounding": [Interval(Real, None, None, closed="neither")],
    "random_state": ["random_state"],
}
# Nodes of the Gauss-Hermite rule that integrates over the hidden feature.
_NODES = 40


def make_funnel(
    n_samples: int = 10_000,
    n_features: int = 20,
    *,
    n_informative: int = 5,
    rates: ArrayLike = (0.05, 0.1),
    strength: float = 1.0,
    similarity: float = 0.5,
    confounding: float = 0.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Simulate impressions, of which some lead to a click, of which some lead to a purchase.

    .. math::

        P(\text{stage } k \mid \text{stage } k - 1, x, u) = \sigma(x \cdot w_k + b_k + \gamma u)

    with standard normal features x and a hidden standard normal feature u. If :math:`\gamma \ne 0`,
    the distribution of u differs between the rows that reach a stage and the others. The
    probability of stage k given stage k - 1 is then not what it would be if all rows had reached
    stage k - 1, and no function of x corrects for the difference.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of rows, the impressions.
    n_features : int, default=20
    n_informative : int, default=5
        Number of features, the first ones, that the stages depend on; at most ``n_features``.
    rates : array-like of shape (n_stages,), default=(0.05, 0.1)
        The expected share of the rows that reach the first stage, and for each later stage the
        share of all rows that would reach it if they had reached the one before; in (0, 1).
    strength : float, default=1.0
        Standard deviation of :math:`x \cdot w_k`, >= 0.
    similarity : float, default=0.5
        Correlation between the coefficients of two stages, in [-1 / (n_stages - 1), 1].
    confounding : float, default=0.0
        The effect :math:`\gamma` of the hidden feature on the log-odds of every stage.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    Bunch
        With the attributes ``data`` of shape (n_samples, n_features); ``target``, the nested labels
        0 and 1, of shape (n_samples, n_stages); ``hidden``, the feature u, of shape (n_samples,);
        and ``coef`` (n_stages, n_features) and ``intercept`` (n_stages,). Three more, of shape
        (n_samples, n_stages), hold probabilities given x: ``joint_proba``, of reaching each stage;
        ``conditional_proba``, of doing so given that the row has reached the stage before, the
        purchase rate among those who click; and ``interventional_proba``, if the row had been made
        to reach the stage before, the purchase rate if everyone had clicked. Without confounding
        the last two are equal.

    Examples
    --------
    >>> from skmtl.datasets import make_funnel
    >>> dataset = make_funnel(1000, rates=(0.2, 0.3), random_state=0)
    >>> dataset.target.mean(axis=0).round(2)
    array([0.21, 0.05])
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="make_funnel")
    given = as_floats(rates, "rates")
    if given.ndim != 1 or not len(given) or not ((given > 0) & (given < 1)).all():
        raise ValueError(
            f"rates must be a list of numbers in (0, 1), one for each stage, got {rates!r}."
        )
    if n_informative > n_features:
        raise ValueError(
            f"n_informative must be at most n_features={n_features}, got {n_informative}. Add "
            f"features."
        )
    rng, n_stages = check_random_state(random_state), len(given)
    coef = np.zeros((n_stages, n_features))
    coef[:, :n_informative] = _coefficients(rng, n_stages, n_informative, similarity, strength)
    X, hidden = rng.standard_normal((n_samples, n_features)), rng.standard_normal(n_samples)
    spread = np.hypot(strength, confounding)
    intercept = np.array([_intercept(rate, spread) for rate in given])
    Z = X @ coef.T + intercept
    passed = rng.uniform(size=Z.shape) < expit(Z + confounding * hidden[:, None])
    target = np.logical_and.accumulate(passed, axis=1).astype(np.float64)
    joint, alone = _probabilities(Z, confounding)
    before = np.column_stack([np.ones(n_samples), joint[:, :-1]])
    return Bunch(
        data=X,
        target=target,
        hidden=hidden,
        coef=coef,
        intercept=intercept,
        joint_proba=joint,
        conditional_proba=joint / before,
        interventional_proba=alone,
    )


def _coefficients(
    rng: np.random.RandomState, n_stages: int, n_informative: int, similarity: float, size: float
) -> Array:
    """Correlated directions of the given length (n_stages, n_informative)."""
    common = 1 + (n_stages - 1) * similarity
    if common < -1e-12:
        raise ValueError(
            f"similarity must be at least {-1 / (n_stages - 1):.3g} for {n_stages} stages, got "
            f"{similarity}. Raise it."
        )
    # A root of the correlation matrix, in a basis of its own: that of LAPACK is arbitrary where
    # variances are equal, and differs between processors.
    contrasts = -helmert(n_stages).T * np.sqrt(1 - similarity)
    mean = np.full((n_stages, 1), np.sqrt(max(common, 0.0) / n_stages))
    root = np.hstack([contrasts, mean])
    coef: Array = root @ rng.standard_normal((n_stages, n_informative))
    coef *= size / np.linalg.norm(coef, axis=1, keepdims=True)
    return coef


def _intercept(rate: float, spread: float) -> float:
    """The intercept with which a normal predictor of that spread has that expected rate."""
    nodes, weights = _normal_rule()

    def excess(b: float) -> float:
        return float(weights @ expit(b + spread * nodes)) - rate

    return float(brentq(excess, -60.0 - 10 * spread, 60.0 + 10 * spread))


def _probabilities(Z: Array, confounding: float) -> tuple[Array, Array]:
    """The probabilities of reaching each stage, and of each stage by itself, given x."""
    nodes, weights = _normal_rule()
    joint, alone = np.zeros_like(Z), np.zeros_like(Z)
    for node, weight in zip(nodes, weights, strict=True):
        p = expit(Z + confounding * node)
        joint += weight * np.cumprod(p, axis=1)
        alone += weight * p
    return joint, alone


def _normal_rule() -> tuple[Array, Array]:
    """Nodes and weights that integrate over a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()
