"""Which algorithm for which objective."""

from typing import Any, Protocol

from skmtl.solvers._admm import ADMM
from skmtl.solvers._block import Block
from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._contract import Terms
from skmtl.solvers._driver import Algorithm
from skmtl.solvers._fista import FISTA
from skmtl.solvers._newton import Newton
from skmtl.solvers._proximal_newton import ProximalNewton
from skmtl.solvers._splitting import Splitting
from skmtl.solvers._switch import Switch

SOLVERS: dict[str, Algorithm[Any]] = {
    "admm": ADMM,
    "block": Block,
    "fista": FISTA,
    "newton": Newton,
    "splitting": Splitting,
}


class Offers(Protocol):
    """What an objective says of itself, from which the algorithm is chosen."""

    @property
    def terms(self) -> Terms | None:
        """The penalties, where they have a prox each but none together; else None."""

    @property
    def has_newton(self) -> bool:
        """Whether there is no penalty but a quadratic, and the Hessians fit into memory."""

    @property
    def has_row_models(self) -> bool:
        """Whether the penalty thresholds rows, and there are models in some of them."""

    @property
    def row_models_pay(self) -> bool:
        """Whether they cost less than gradient steps in all rows of W."""

    @property
    def has_spectrum(self) -> bool:
        """Whether the smooth part is a quadratic whose eigenbasis costs less than iterating."""

    @property
    def has_cheap_steps(self) -> bool:
        """Whether many gradients cost less than the eigenbasis."""

    @property
    def has_scaled_spectrum(self) -> bool:
        """Whether the eigenbasis is taken with each feature in its own scale."""

    @property
    def has_feature_metric(self) -> bool:
        """Whether a gradient step may take each feature in its own scale."""

    @property
    def has_quadratic_models(self) -> bool:
        """Whether the loss is not quadratic, and its models' matrices are small."""


def choose_solver(name: str, objective: Offers) -> Algorithm[Any]:
    """Return the solver called ``name``; "auto" takes the fastest that fits the objective.

    What it needs, the objective offers.

    Raises
    ------
    ValueError
        If the solver does not fit the objective.
    """
    if objective.terms is not None:
        return _choose_for_sum(name, objective, objective.terms)
    if name == "auto":
        return _fastest(objective)
    lacking = _lacking(name, objective)
    if lacking is not None:
        raise ValueError(f"solver={name!r} {lacking}. Use solver='auto' or solver='fista'.")
    return SOLVERS[name]


def _choose_for_sum(name: str, objective: Offers, terms: Terms) -> Algorithm[Any]:
    exact = objective.has_spectrum and terms.takes_copies
    if name not in ("auto", "splitting", *(["admm"] if exact else [])):
        raise ValueError(
            f"solver={name!r} needs the prox of the penalty, and this sum of penalties has "
            f"none. Use solver='auto' or solver='splitting'."
        )
    if exact and name != "splitting":
        return ConsensusADMM
    return ProximalNewton if name == "auto" and objective.has_quadratic_models else Splitting


def _fastest(objective: Offers) -> Algorithm[Any]:
    if objective.has_newton:
        return Newton
    if objective.has_row_models and objective.row_models_pay:
        return Block
    # A step for each feature beats exact steps in the loss where units are unequal.
    unscaled = objective.has_feature_metric and not objective.has_scaled_spectrum
    if unscaled or not objective.has_spectrum:
        return Switch if objective.has_quadratic_models else FISTA
    return Switch if objective.has_cheap_steps else ADMM


def _lacking(name: str, objective: Offers) -> str | None:
    """What the solver needs and the objective does not offer."""
    if name == "splitting":
        return "is for sums of penalties without a common prox"
    if name == "newton" and not objective.has_newton:
        return "needs a smooth penalty (a ridge) and at most 2000 features"
    if name == "block" and not objective.has_row_models:
        return "needs a penalty on rows of the coefficients (the L2,1 norm) and free intercepts"
    if name == "admm" and not objective.has_spectrum:
        return (
            "needs the squared loss, far fewer features than rows and, where intercepts are "
            "shrunk, a penalty on the mean of the tasks"
        )
    return None
