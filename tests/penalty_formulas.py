"""Shared by tests of penalties: shapes, random matrices, cvxpy's prox and dual norm."""

import functools
import inspect

import cvxpy as cp
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# A new penalty is a row: an instance for W of `shape`, and its value by definition.
SHAPE = (4, 3)
EACH = np.array([0.0, 0.5, 3.0])
TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
# Singular: the penalty of the vector (1, 2, 3) is zero.
COUPLING = np.array([[13.0, -2.0, -3.0], [-2.0, 10.0, -6.0], [-3.0, -6.0, 5.0]]) / 14


def stated(penalty, W):
    """The penalty for cvxpy: an expression and its constraints."""
    form = penalty.to_cvxpy(W)
    return form if isinstance(form, tuple) else (form, [])


numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-6 else x)
matrices = arrays(np.float64, SHAPE, elements=numbers)
steps = st.floats(1e-3, 1e3)


def of_each(name, cases):
    """Parametrise a property within its ``@given``: all cases share each drawn example.

    Drawing takes longer than most properties of penalties. ``cases`` are as in parametrize.
    """

    def decorate(test):
        signature = inspect.signature(test)
        others = [each for each in signature.parameters.values() if each.name != name]
        signature = signature.replace(parameters=others)

        def all_cases(*args, **kwargs):
            drawn = signature.bind(*args, **kwargs).arguments
            for case in cases:
                value, label = (case.values[0], case.id) if hasattr(case, "id") else (case, case)
                try:
                    test(**{name: value}, **drawn)
                except Exception as error:
                    error.add_note(f"{name}: {label}")
                    raise

        functools.update_wrapper(all_cases, test)
        del all_cases.__wrapped__
        all_cases.__signature__ = signature
        return all_cases

    return decorate


def prox_objective(penalty, W, V, step):
    """||W - V||^2 / (2 step) + value(W), with a step per row if step is a column."""
    return float((np.square(W - V) / (2 * step)).sum()) + penalty.value(W)


def check_prox_derivative(penalty, shape, step, size=2.0):
    """Assert the derivative of the prox at random points, where it exists almost surely."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        V = size * rng.standard_normal(shape)
        derivative = penalty.prox_derivative(V, step)
        directions = rng.standard_normal((2, *shape))
        h = 1e-6
        differences = [
            (penalty.prox(V + h * D, step) - penalty.prox(V - h * D, step)) / (2 * h)
            for D in directions
        ]
        np.testing.assert_allclose(derivative(directions), differences, rtol=0, atol=1e-7)
        alone = derivative(directions[0])
        np.testing.assert_allclose(derivative(directions)[0], alone, rtol=0, atol=1e-12)
        matrix = derivative(np.eye(V.size).reshape(-1, *shape)).reshape(V.size, V.size)
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
        eigenvalues = np.linalg.eigvalsh(matrix)
        assert eigenvalues[0] >= -1e-12
        assert eigenvalues[-1] <= 1 + 1e-12


def largest_product(penalty, G):
    """max <G, W> subject to penalty <= 1, by cvxpy."""
    W = cp.Variable(G.shape)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.multiply(G, W))), [penalty.to_cvxpy(W) <= 1])
    return problem.solve(solver="CLARABEL", **TIGHT)


def minimiser(penalty, V, step):
    """The prox by cvxpy."""
    W = cp.Variable(V.shape)
    objective = cp.sum_squares(W - V) / 2 + step * penalty.to_cvxpy(W)
    cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL", **TIGHT)
    return W.value
