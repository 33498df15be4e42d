"""Penalties on the coefficients W (n_features, n_tasks): formula, prox, dual, cvxpy form."""

from skmtl.penalties._base import Penalty, PenaltySum, Quadratic
from skmtl.penalties._entries import L1
from skmtl.penalties._quadratic import Ridge
from skmtl.penalties._rows import L21

__all__ = ["L1", "L21", "Penalty", "PenaltySum", "Quadratic", "Ridge"]
