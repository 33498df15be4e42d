"""Algorithms that minimise an objective from a starting point."""

from skmtl.solvers._admm import ADMM
from skmtl.solvers._block import Block
from skmtl.solvers._choice import SOLVERS, Offers, choose_solver
from skmtl.solvers._consensus import ConsensusADMM
from skmtl.solvers._contract import (
    Certified,
    CurvedRowModels,
    ExpandedRowModels,
    GroupedRows,
    Kinked,
    LossSplitting,
    Model,
    NewtonSteps,
    QuadraticModels,
    RowModel,
    RowModels,
    Smooth,
    Spectral,
    Sum,
    Switchable,
    Terms,
)
from skmtl.solvers._driver import Algorithm, Progress, Solution, Solver, certified, solve
from skmtl.solvers._fista import FISTA
from skmtl.solvers._guided import Guided
from skmtl.solvers._loss_admm import LossADMM
from skmtl.solvers._multipliers import Multipliers
from skmtl.solvers._newton import Newton
from skmtl.solvers._passes import NewtonPasses, PassedOver, Place, Streamed, Visit
from skmtl.solvers._point import Point
from skmtl.solvers._proximal_newton import ProximalNewton
from skmtl.solvers._splitting import Splitting
from skmtl.solvers._switch import Switch
from skmtl.solvers._thresholds import Thresholds
from skmtl.solvers._working_groups import WorkingGroups

__all__ = [
    "ADMM",
    "FISTA",
    "GroupedRows",
    "SOLVERS",
    "Algorithm",
    "Block",
    "Certified",
    "ConsensusADMM",
    "CurvedRowModels",
    "ExpandedRowModels",
    "Guided",
    "Kinked",
    "LossADMM",
    "LossSplitting",
    "Model",
    "Multipliers",
    "Newton",
    "NewtonPasses",
    "NewtonSteps",
    "Offers",
    "PassedOver",
    "Place",
    "Point",
    "Progress",
    "ProximalNewton",
    "QuadraticModels",
    "RowModel",
    "RowModels",
    "Smooth",
    "Solution",
    "Solver",
    "Spectral",
    "Splitting",
    "Streamed",
    "Sum",
    "Switch",
    "Switchable",
    "Terms",
    "Thresholds",
    "Visit",
    "WorkingGroups",
    "certified",
    "choose_solver",
    "solve",
]
