"""Fits on Dask arrays and data frames, from sums over their blocks (optional)."""

from skmtl.dask._distributed import Distributed

__all__ = ["Distributed"]
