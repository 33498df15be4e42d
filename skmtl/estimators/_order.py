"""Orders of tasks: along a chain of their names, and along a graph that is one path."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import depth_first_order


def path_order(adjacency: NDArray[Any]) -> NDArray[np.intp] | None:
    """The tasks along a graph that is one path through all of them, else None."""
    degrees = np.count_nonzero(adjacency, axis=0)
    ends = np.flatnonzero(degrees == 1)
    if len(ends) != 2 or degrees.max() > 2:
        return None
    order = depth_first_order(adjacency, ends[0], directed=False, return_predecessors=False)
    return np.asarray(order) if len(order) == len(adjacency) else None


def read_order(order: Any, tasks: NDArray[Any]) -> NDArray[np.intp]:
    """The positions of the tasks along a chain of their names.

    Raises
    ------
    ValueError
        If ``order`` is not flat, or does not name every task once.
    """
    names = tasks.tolist()
    if order is None:
        return np.arange(len(names))
    given = order.tolist() if hasattr(order, "tolist") else list(order)
    if any(isinstance(name, (list, tuple)) for name in given):
        raise ValueError(
            f"The 'order' must be a flat list of the tasks' names, got {order!r}. The tasks are "
            f"{names}."
        )
    positions = {name: k for k, name in enumerate(names)}
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in positions]
    if missing or unknown or len(given) != len(names):
        raise ValueError(
            f"The 'order' must name every task once: it misses {missing}, has unknown {unknown} "
            f"and {len(given)} names for {len(names)} tasks. The tasks are {names}."
        )
    return np.array([positions[name] for name in given], dtype=np.intp)
