"""Kernels between rows of tasks, for scikit-learn's Gaussian processes and SVMs."""

from skmtl.kernels._coregionalisation import TaskKernel
from skmtl.kernels._regularised import GraphTaskKernel, MeanRegularizedTaskKernel

__all__ = ["GraphTaskKernel", "MeanRegularizedTaskKernel", "TaskKernel"]
