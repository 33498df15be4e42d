"""Solvers: each turns an objective and a start into a sequence of points."""

from typing import Any

from skmtl.solvers._admm import ADMM
from skmtl.solvers._block import Block
from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._driver import Solution, Solver, advance, is_spent, solve
from skmtl.solvers._fista import FISTA
from skmtl.solvers._newton import Newton
from skmtl.solvers._proximal_newton import ProximalNewton
from skmtl.solvers._splitting import Splitting
from skmtl.solvers._switch import Switch

SOLVERS: dict[str, type[Solver]] = {
    "admm": ADMM,
    "block": Block,
    "fista": FISTA,
    "newton": Newton,
    "splitting": Splitting,
}


def choose_solver(name: str, objective: Any) -> type[Solver]:
    """Return the solver called ``name``; "auto" takes the fastest that fits the objective.

    Raises
    ------
    ValueError
        If the solver does not fit the objective.
    """
    if objective.terms is not None:
        exact = objective.has_spectrum and objective.terms.takes_copies
        if name not in ("auto", "splitting", *(["admm"] if exact else [])):
            raise ValueError(
                f"solver={name!r} needs the prox of the penalty, and this sum of penalties has "
                f"none. Use solver='auto' or solver='splitting'."
            )
        if exact and name != "splitting":
            return ConsensusADMM
        return ProximalNewton if name == "auto" and objective.has_quadratic_models else Splitting
    if name == "splitting":
        raise ValueError(
            "solver='splitting' is for sums of penalties without a common prox. Use "
            "solver='auto' or solver='fista'."
        )
    if name == "auto":
        if objective.has_newton:
            return Newton
        if objective.has_row_models and objective.row_models_pay:
            return Block
        # A step for each feature beats exact steps in the loss where units are unequal.
        unscaled = objective.has_feature_metric and not objective.has_scaled_spectrum
        if unscaled or not objective.has_spectrum:
            return Switch if objective.has_quadratic_models else FISTA
        return Switch if objective.has_cheap_steps else ADMM
    if name == "newton" and not objective.has_newton:
        raise ValueError(
            "solver='newton' needs a smooth penalty (a ridge) and at most 2000 features. "
            "Use solver='auto' or solver='fista'."
        )
    if name == "block" and not objective.has_row_models:
        raise ValueError(
            "solver='block' needs a penalty on rows of the coefficients (the L2,1 norm) and free "
            "intercepts. Use solver='auto' or solver='fista'."
        )
    if name == "admm" and not objective.has_spectrum:
        raise ValueError(
            "solver='admm' needs the squared loss, far fewer features than rows and, where "
            "intercepts are shrunk, a penalty on the mean of the tasks. Use solver='auto' "
            "or solver='fista'."
        )
    return SOLVERS[name]


__all__ = [
    "ADMM",
    "FISTA",
    "SOLVERS",
    "Block",
    "ConsensusADMM",
    "Newton",
    "ProximalNewton",
    "Solution",
    "Solver",
    "Splitting",
    "Switch",
    "advance",
    "choose_solver",
    "is_spent",
    "solve",
]
