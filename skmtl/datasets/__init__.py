"""Made tasks with known truth, and readers for real ones."""

from skmtl.datasets._generators import make_block_sparse
from skmtl.datasets._loaders import fetch_mnist, load_digits_tasks, load_npz

__all__ = ["fetch_mnist", "load_digits_tasks", "load_npz", "make_block_sparse"]
