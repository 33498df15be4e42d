"""Objectives: data, a loss and a penalty, with gradients, models and certificates."""

from skmtl.objective._base import BaseObjective
from skmtl.objective._batch_rows import BatchRows
from skmtl.objective._certificate import Dual, best_dual, envelope
from skmtl.objective._coupled import CoupledObjective
from skmtl.objective._factored import FactoredObjective
from skmtl.objective._freedom import Freedom, FreedomOf
from skmtl.objective._gram import GramObjective, Quadratics
from skmtl.objective._known import KnownGrams
from skmtl.objective._pass_sums import PassRequest, PassSums
from skmtl.objective._rows import Objective
from skmtl.objective._shrunk import ShrunkObjective
from skmtl.objective._streamed import StreamedObjective
from skmtl.objective._superposed import SuperposedObjective

__all__ = [
    "BaseObjective",
    "BatchRows",
    "CoupledObjective",
    "Dual",
    "FactoredObjective",
    "Freedom",
    "FreedomOf",
    "GramObjective",
    "KnownGrams",
    "Objective",
    "PassRequest",
    "PassSums",
    "Quadratics",
    "ShrunkObjective",
    "StreamedObjective",
    "SuperposedObjective",
    "best_dual",
    "envelope",
]
