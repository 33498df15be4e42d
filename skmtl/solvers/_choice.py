"""The choice of an algorithm for an objective."""

from typing import Any, Protocol

from skmtl.solvers._admm import ADMM
from skmtl.solvers._block import Block
from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._contract import ExactSteps, Kinked, Terms
from skmtl.solvers._driver import Algorithm
from skmtl.solvers._fista import FISTA
from skmtl.solvers._guided import Guided
from skmtl.solvers._loss_admm import LossADMM
from skmtl.solvers._multipliers import Multipliers
from skmtl.solvers._newton import Newton
from skmtl.solvers._point import Point
from skmtl.solvers._proximal_newton import ProximalNewton
from skmtl.solvers._splitting import Splitting
from skmtl.solvers._sum_switch import fastest_for_terms
from skmtl.solvers._switch import Switch
from skmtl.solvers._working_groups import WorkingGroups

SOLVERS: dict[str, Algorithm[Any]] = {
    "admm": ADMM,
    "block": Block,
    "fista": FISTA,
    "newton": Newton,
    "splitting": Splitting,
}


class Offers(ExactSteps, Protocol):
    """The properties of an objective that determine which algorithms apply to it."""

    @property
    def terms(self) -> Terms | None:
        """The terms of a sum of penalties whose prox is known only term by term; else None."""

    @property
    def has_gradient(self) -> bool:
        """Whether the loss is differentiable."""

    @property
    def has_loss_splitting(self) -> bool:
        """Whether the loss has a prox, and least squares in its place a known eigenbasis."""

    @property
    def has_newton(self) -> bool:
        """Whether the penalty is at most quadratic and the Hessians fit into memory."""

    @property
    def has_row_models(self) -> bool:
        """Whether the penalty thresholds rows, and models of the loss in some rows exist."""

    @property
    def row_models_pay(self) -> bool:
        """Whether such models cost less than gradient steps in all rows of W."""

    @property
    def has_expansion(self) -> bool:
        """Whether curvature in some rows is known from the fit of a similar objective."""

    @property
    def has_working_groups(self) -> bool:
        """Whether the penalty is on groups of rows, and the problem can be restricted to some."""

    @property
    def has_cheap_steps(self) -> bool:
        """Whether many gradient steps cost less than the eigenbasis or the factors."""

    @property
    def has_scaled_spectrum(self) -> bool:
        """Whether the eigenbasis is computed for scaled features."""

    @property
    def has_feature_metric(self) -> bool:
        """Whether gradient steps may use a step size for each feature."""

    @property
    def has_quadratic_models(self) -> bool:
        """Whether the loss is not quadratic but has quadratic models with small matrices."""


def choose_solver(name: str, objective: Offers) -> Algorithm[Any]:
    """Return the solver called ``name``; "auto" chooses the fastest that applies.

    Raises
    ------
    ValueError
        If the solver does not apply to the objective.
    """
    if not objective.has_gradient:
        return _choose_without_gradient(name, objective)
    if objective.terms is not None:
        return _choose_for_sum(name, objective, objective.terms)
    if name == "auto":
        return _fastest(objective)
    lacking = _lacking(name, objective)
    if lacking is not None:
        raise ValueError(f"solver={name!r} {lacking}. Use solver='auto' or solver='fista'.")
    return SOLVERS[name]


def _choose_without_gradient(name: str, objective: Offers) -> Algorithm[Any]:
    if name == "splitting" or (name == "auto" and not objective.has_loss_splitting):
        return _multipliers
    if name == "auto" or (name == "admm" and objective.has_loss_splitting):
        return LossADMM
    raise ValueError(
        f"solver={name!r} does not apply to this problem, whose loss (quantile) has no gradient. "
        f"Use solver='auto'."
    )


def _multipliers(objective: Kinked, start: Point) -> Multipliers:
    return Multipliers(objective, start, lambda smooth: choose_solver("auto", smooth))


def _choose_for_sum(name: str, objective: Offers, terms: Terms) -> Algorithm[Any]:
    fastest = fastest_for_terms(objective, terms)
    if name not in ("auto", "splitting", *(["admm"] if fastest is not Splitting else [])):
        raise ValueError(
            f"solver={name!r} needs the prox of the penalty, and this sum of penalties has "
            f"none. Use solver='auto' or solver='splitting'."
        )
    if name != "auto":
        return ConsensusADMM if name == "admm" else Splitting
    if objective.has_quadratic_models:
        return ProximalNewton
    return fastest


def _fastest(objective: Offers) -> Algorithm[Any]:
    if objective.has_newton:
        return Newton
    if objective.has_row_models and objective.row_models_pay:
        return Guided if objective.has_expansion else Block
    # With unequal units, a step size per feature beats steps that are exact in the loss.
    unscaled = objective.has_feature_metric and not objective.has_scaled_spectrum
    if unscaled or not objective.has_spectrum:
        if objective.has_quadratic_models:
            return Switch
        return WorkingGroups if objective.has_working_groups else FISTA
    return Switch if objective.has_cheap_steps else ADMM


def _lacking(name: str, objective: Offers) -> str | None:
    """What the solver requires and the objective lacks."""
    if name == "splitting":
        return "is for sums of penalties without a common prox"
    if name == "newton" and not objective.has_newton:
        return "needs a smooth penalty (a ridge) and at most 2000 features"
    if name == "block" and not objective.has_row_models:
        return "needs a penalty on rows of the coefficients (the L2,1 norm) and free intercepts"
    if name == "admm" and not objective.has_spectrum:
        return (
            "needs the squared loss, no quadratic penalty that couples the tasks, far fewer "
            "features than rows and, where intercepts are shrunk, a penalty on the mean task"
        )
    return None
