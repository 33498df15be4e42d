"""Lists of edges by the names of tasks."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def read_edges(edges: Any, names: list[Any]) -> tuple[Array, Array, Array]:
    """The positions of the two tasks of each edge of a list, and the edges' weights."""
    positions = {name: k for k, name in enumerate(names)}
    found: dict[tuple[int, int], float] = {}
    for edge in edges:
        if not isinstance(edge, (list, tuple)) or len(edge) not in (2, 3):
            raise ValueError(
                f"An edge of 'graph' must be a pair of task names or a triple with a weight, got "
                f"{edge!r}. Pass a matrix of weights as an array."
            )
        for name in edge[:2]:
            try:
                known = name in positions
            except TypeError:  # unhashable
                known = False
            if not known:
                raise ValueError(
                    f"The 'graph' names {name!r}, which is not a task; the tasks are {names[:20]}"
                    f"{', ...' if len(names) > 20 else ''}. A list must contain edges; pass a "
                    f"matrix of weights as an array."
                )
        s, t = positions[edge[0]], positions[edge[1]]
        weight = edge[2] if len(edge) == 3 else 1.0
        if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
            raise ValueError(
                f"The weight of an edge of 'graph' must be a finite number >= 0, got {edge!r}. "
                f"Leave out edges between unrelated tasks."
            )
        pair = (min(s, t), max(s, t))
        if s == t or pair in found:
            wrong = "joins a task to itself" if s == t else "is repeated"
            raise ValueError(
                f"The edge {edge!r} of 'graph' {wrong}. Name each pair of different tasks once."
            )
        found[pair] = float(weight)
    pairs = np.array(list(found), dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1], np.array(list(found.values()), dtype=np.float64)
