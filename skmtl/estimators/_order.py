"""Orders of the tasks: along a chain given by the user, and along a graph that is a path."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import depth_first_order

from skmtl._graphs import read_graph, read_sparse_graph, symmetric_edges
from skmtl._warnings import warn
from skmtl.design import TaskData, describe_names, entries_by_name, in_task_order, refuse_mask


def path_order(adjacency: NDArray[Any]) -> NDArray[np.intp] | None:
    """The tasks along a graph that is a single path through all of them, otherwise None."""
    degrees = np.count_nonzero(adjacency, axis=0)
    ends = np.flatnonzero(degrees == 1)
    if len(ends) != 2 or degrees.max() > 2:
        return None
    order = depth_first_order(adjacency, ends[0], directed=False, return_predecessors=False)
    return np.asarray(order) if len(order) == len(adjacency) else None


def chain_of_tasks(data: TaskData) -> NDArray[np.intp]:
    """The positions of all tasks along the chain that their ids imply.

    The order of the categories if the ids are an ordered categorical, otherwise that of ``tasks_``.
    """
    return np.arange(len(data.all_tasks)) if data.chain is None else data.chain


def task_graph(graph: Any, data: TaskData) -> NDArray[Any]:
    """The weights of the edges between all tasks; a chain is in the order that the ids imply."""
    if not (isinstance(graph, str) and graph == "chain"):
        return read_graph(graph, data.all_tasks)
    chain = chain_of_tasks(data)
    weights = np.zeros((len(chain), len(chain)))
    weights[np.ix_(chain, chain)] = read_graph("chain", data.all_tasks)
    return weights


def sparse_task_graph(graph: Any, data: TaskData) -> Any:
    """The weights of the edges between all tasks as a CSR array, if ``graph`` is sparse."""
    if not (isinstance(graph, str) and graph == "chain"):
        return read_sparse_graph(graph, data.all_tasks)
    chain = chain_of_tasks(data)
    return symmetric_edges(chain[:-1], chain[1:], np.ones(len(chain) - 1), len(chain))


def warn_of_alphabet(data: TaskData, graph: Any) -> None:
    """Warn if alphabetical order alone determines which tasks are neighbours on a chain.

    ``graph`` is None for a chain that could be set by ``order``.
    """
    if not (graph is None or (isinstance(graph, str) and graph == "chain")):
        return
    sorted_here = data.layout in ("stacked", "classes") and data.chain is None
    names = data.all_tasks.tolist()
    if sorted_here and len(names) > 2 and isinstance(names[0], str):
        shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
        given = "their order as 'order'" if graph is None else "the chain's edges as 'graph'"
        warn(
            f"The names of the tasks are strings, and the chain is in alphabetical order: {shown}. "
            f"Pass {given}, or make the names an ordered categorical."
        )


def read_order(order: Any, data: TaskData) -> NDArray[np.intp]:
    """The positions of all tasks along a chain of their names.

    Parameters
    ----------
    order : None, array-like, dict or Series
        The names along the chain, or each task's place on it by name. None: the chain that the
        ids imply.
    data : TaskData

    Raises
    ------
    ValueError
        If ``order`` is nested, does not name every task once, or gives two tasks the same place.
    """
    names = data.all_tasks.tolist()
    if order is None:
        return chain_of_tasks(data)
    refuse_mask(order, "The 'order'", "Name every task once.")
    given = order.tolist() if hasattr(order, "tolist") else list(order)
    placed = _places(order, given, names)
    if placed is not None:
        return placed
    if any(isinstance(name, (list, tuple)) and name not in names for name in given):
        raise ValueError(
            f"The 'order' must be a flat list of the tasks' names, got {order!r}. The tasks are "
            f"{names}."
        )
    positions = {name: k for k, name in enumerate(names)}
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in positions]
    if missing or unknown or len(given) != len(names):
        wrong = describe_names(missing, unknown) or "repeats a name"
        raise ValueError(
            f"The 'order' must name every task once: it {wrong}, with {len(given)} names for "
            f"{len(names)} tasks. The tasks are {names}."
        )
    return np.array([positions[name] for name in given], dtype=np.intp)


def _places(order: Any, given: list[Any], names: list[Any]) -> NDArray[np.intp] | None:
    """The chain, if its places are given by task name; None if ``order`` lists the names."""
    named = entries_by_name(order, names, "The 'order'")
    if named is None:
        return None
    lists_names = not isinstance(order, dict) and set(given) == set(names)
    if lists_names and set(named) != set(names):
        return None  # a Series of names, such as a sorted column of a data frame
    places = in_task_order(order, names, "The 'order'")
    numbers = all(isinstance(place, Real) for place in places)
    if not numbers or len(set(places)) < len(places) or any(place != place for place in places):
        raise ValueError(
            f"The 'order', if it is a dict or a Series by task, must give each task a different "
            f"place on the chain, as a number; got {dict(zip(names, places, strict=True))}. Change "
            f"the places, or pass a list of the names along the chain."
        )
    chain = np.argsort(np.asarray(places, dtype=np.float64), kind="stable")
    if lists_names:
        listed = [names.index(name) for name in given]
        if chain.tolist() not in (listed, listed[::-1]):
            raise ValueError(
                f"The 'order' is a Series whose index and values are both names of tasks, got "
                f"{named}: it could list the names along the chain or give each task's place. Pass "
                f"order.tolist() if it lists the names, otherwise "
                f"order.sort_values().index.tolist()."
            )
    return chain
