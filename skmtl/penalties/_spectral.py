"""The former file of the spectral penalties, which pickles of version 0.1.0 name."""

from skmtl.penalties._cluster import ClusterNorm
from skmtl.penalties._squared_trace import SquaredTraceNorm
from skmtl.penalties._trace import TraceNorm

__all__ = ["ClusterNorm", "SquaredTraceNorm", "TraceNorm"]
