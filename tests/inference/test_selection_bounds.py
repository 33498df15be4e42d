"""The bounds on false selections against published values, linear programs and optimisation."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, minimize

from skmtl.inference._selection_bounds import (
    ASSUMPTIONS,
    bound_false,
    largest_selection,
    least_threshold,
    tail,
)

# Printed by the R package stabs 0.6-4 for 100 features, threshold 0.6 and 50 pairs.
STABS = {
    1: (0.02631579, 0.006971364),
    2: (0.1052632, 0.03342845),
    3: (0.2368421, 0.08691176),
    5: (0.6578947, 0.2605329),
    8: (1.684211, 0.7042719),
    10: (2.631579, 1.141338),
}


@pytest.mark.parametrize("q", STABS)
def test_bounds_of_the_r_package_stabs(q):
    unimodal, r_concave = STABS[q]
    assert bound_false(q, 100, 0.6, 50, "unimodal") == pytest.approx(unimodal, rel=1e-6)
    own = bound_false(q, 100, 0.6, 50, "r-concave")
    # stabs maximises to a tolerance of 1e-4 in a, and so finds slightly less.
    assert own == pytest.approx(r_concave, rel=4e-3) and own >= r_concave * (1 - 1e-6)


def test_thresholds_and_sizes_of_stabs():
    assert largest_selection(200, 0.6, 0.2, 50, "r-concave") == 6
    assert largest_selection(200, 0.6, 0.2, 50, "unimodal") == 3
    assert least_threshold(7, 200, 0.2, 50, "r-concave") == 0.62
    assert least_threshold(7, 200, 0.2, 50, "unimodal") == 0.81
    assert bound_false(6, 200, 0.6, 50, "r-concave") == pytest.approx(0.174, abs=5e-4)
    assert bound_false(7, 200, 0.6, 50, "r-concave") == pytest.approx(0.248, abs=5e-4)


def test_threshold_of_meinshausen_and_buehlmann():
    """Without assumptions q^2 = 0.8 p gives one false selection at threshold 0.9."""
    assert least_threshold(np.sqrt(0.8 * 500), 500, 1 + 1e-12, 50, "none") == 0.9


def largest_unimodal_tail(mean, count, size):
    """The largest P(X >= count) of a unimodal X on 0, ..., size with at most this mean, by LP."""
    best = 0.0
    steps = np.diff(np.eye(size + 1), axis=0)
    for mode in range(size + 1):
        signs = np.where(np.arange(size) < mode, -1.0, 1.0)
        found = linprog(
            -(np.arange(size + 1) >= count).astype(float),
            A_ub=np.vstack([signs[:, None] * steps, np.arange(size + 1.0)]),
            b_ub=np.append(np.zeros(size), mean),
            A_eq=np.ones((1, size + 1)),
            b_eq=[1.0],
        )
        if found.success:  # high modes have too high a mean
            best = max(best, -found.fun)
    return best


@pytest.mark.turns(2)
@pytest.mark.parametrize("threshold", [0.62, 0.7, 0.75, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("theta", [0.05, 0.2])
def test_unimodal_bound_is_the_largest_tail(threshold, theta):
    """P(both halves of a share 2 tau - 1 of the pairs select) for a mean of theta^2."""
    pairs = 25
    count = int(np.ceil(2 * pairs * threshold - 1e-9)) - pairs
    exact = largest_unimodal_tail(theta**2 * pairs, count, pairs)
    bound = bound_false(100 * theta, 100, threshold, pairs, "unimodal") / 100
    assert bound == pytest.approx(exact, rel=1e-6)


def largest_concave_tail(mean, count, size, r, seeds=6):
    """The largest P(X >= count) of an r-concave X, by optimisation from random points.

    The variables are f^r, a convex sequence, where f is proportional to the probabilities.
    """
    support = np.arange(size + 1.0)
    second = np.diff(np.eye(size + 1), n=2, axis=0)

    def probabilities(g):
        f = np.maximum(g, 1e-9) ** (1 / r)
        return f / f.sum()

    best = 0.0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        slopes = np.sort(rng.exponential(size=size)) * rng.choice([0.3, 1.0, 3.0])
        start = 1 + np.append(0.0, np.cumsum(slopes))
        found = minimize(
            lambda g: -probabilities(g)[count:].sum(),
            start,
            method="SLSQP",
            bounds=[(1e-3, 1e6)] * (size + 1),
            constraints=[
                LinearConstraint(second, 0, np.inf),
                LinearConstraint(np.eye(size + 1)[:1], 1, 1),
                {"type": "ineq", "fun": lambda g: mean - probabilities(g) @ support},
            ],
            options={"maxiter": 500, "ftol": 1e-12},
        )
        f = probabilities(found.x)
        if f @ support <= mean + 1e-7 and (second @ found.x >= -1e-7).all():
            best = max(best, f[count:].sum())
    return best


@pytest.mark.turns(2)
@pytest.mark.parametrize(
    ("mean", "count", "size", "r"),
    [(0.05, 3, 6, -0.5), (0.1, 4, 8, -0.25), (0.2, 6, 7, -0.25), (0.02, 3, 5, -0.5)],
)
def test_concave_tail_is_the_largest(mean, count, size, r):
    found = largest_concave_tail(mean * size, count, size, r)
    assert found <= tail(mean, count, size, r) + 1e-5
    assert found >= 0.98 * tail(mean, count, size, r)


def test_concave_tail_at_its_ends():
    assert tail(0.1, 2, 10, -0.5) == 1.0  # at most twice the mean
    assert tail(0.1, 11, 10, -0.5) == 0.0
    assert tail(0.6, 10, 10, -0.5) == 1.0
    values = [tail(0.1, count, 10, -0.5) for count in range(11)]
    assert (np.diff(values) <= 1e-12).all() and 0 < values[-1] < 0.05


def test_stronger_assumptions_never_give_a_larger_bound():
    for q in (1, 4, 10, 19):
        for threshold in (0.51, 0.6, 0.76, 0.9, 1.0):
            bounds = [bound_false(q, 40, threshold, 20, each) for each in ASSUMPTIONS]
            assert bounds == sorted(bounds, reverse=True)
            assert bounds[0] == pytest.approx(
                min(40, q**2 / 40 / (2 * np.ceil(40 * threshold) / 40 - 1))
            )
        for each in ASSUMPTIONS:
            rising = [bound_false(q, 40, level / 40, 20, each) for level in range(21, 41)]
            assert (np.diff(rising) <= 1e-12).all()


def test_no_threshold_or_size():
    assert least_threshold(30, 40, 1.0, 20, "none") is None
    assert largest_selection(40, 0.6, 0.01, 20, "none") == 0
    assert bound_false(40, 40, 0.9, 20, "r-concave") == 40
