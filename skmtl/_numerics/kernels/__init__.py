"""All numba kernels: functions of arrays.

They are compiled on first use and, if a folder is writable, cached on disk. Kernels take
C-contiguous arrays of one dtype that belong to a design or a solver, so that each has one
specialisation per dtype. A kernel calls only kernels of its own file, because the cache does not
detect changes in other files.
"""

from skmtl._numerics.kernels._box import box_multiplier
from skmtl._numerics.kernels._classes import minimise_classes
from skmtl._numerics.kernels._factors import factor_products
from skmtl._numerics.kernels._forest import eliminate_tasks, pass_to_leaves, pass_to_roots
from skmtl._numerics.kernels._fused import exceed_chains, shrink_chains
from skmtl._numerics.kernels._laplacian import measure_edges, multiply_laplacian
from skmtl._numerics.kernels._pairwise import exceed_pairs, shrink_pairs
from skmtl._numerics.kernels._precision import sweep_covariance
from skmtl._numerics.kernels._rows import (
    dense_gap,
    minimise_rows,
    minimise_rows_dense,
    minimise_rows_sparse,
)
from skmtl._numerics.kernels._scans import find_rows, measure_rows
from skmtl._numerics.kernels._tasks import (
    factorise_grams,
    move_task_rows,
    multiply_gram_rows,
    multiply_grams,
    multiply_tasks,
    multiply_tasks_transposed,
    solve_factored,
    sum_products,
    sum_row_grams,
    sweep_task_rows,
    take_grams,
    task_rows_gap,
    turn_grams,
)
from skmtl._numerics.kernels._tree import exceed_trees, measure_trees, shrink_trees

__all__ = [
    "box_multiplier",
    "dense_gap",
    "eliminate_tasks",
    "exceed_chains",
    "exceed_pairs",
    "exceed_trees",
    "factor_products",
    "factorise_grams",
    "find_rows",
    "measure_edges",
    "measure_rows",
    "measure_trees",
    "minimise_classes",
    "minimise_rows",
    "minimise_rows_dense",
    "minimise_rows_sparse",
    "move_task_rows",
    "multiply_gram_rows",
    "multiply_grams",
    "multiply_laplacian",
    "multiply_tasks",
    "multiply_tasks_transposed",
    "pass_to_leaves",
    "pass_to_roots",
    "shrink_chains",
    "shrink_pairs",
    "shrink_trees",
    "solve_factored",
    "sum_products",
    "sum_row_grams",
    "sweep_covariance",
    "sweep_task_rows",
    "take_grams",
    "task_rows_gap",
    "turn_grams",
]
