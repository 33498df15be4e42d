"""Simulated tasks with known coefficients, and loaders for real data."""

from skmtl.datasets._chain_tree import make_chain_tasks, make_tree_tasks
from skmtl.datasets._funnel import make_funnel
from skmtl.datasets._generators import make_block_sparse
from skmtl.datasets._loaders import fetch_mnist, load_digits_tasks, load_npz
from skmtl.datasets._low_rank import make_low_rank_tasks, make_overlapping_tasks
from skmtl.datasets._school import load_school
from skmtl.datasets._structures import (
    make_clustered_tasks,
    make_outlier_tasks,
    make_related_tasks,
)

__all__ = [
    "fetch_mnist",
    "load_digits_tasks",
    "load_npz",
    "load_school",
    "make_block_sparse",
    "make_chain_tasks",
    "make_clustered_tasks",
    "make_funnel",
    "make_low_rank_tasks",
    "make_outlier_tasks",
    "make_overlapping_tasks",
    "make_related_tasks",
    "make_tree_tasks",
]
