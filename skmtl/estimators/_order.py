"""Orders of tasks: along a chain of their names, and along a graph that is one path."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import depth_first_order

from skmtl._graphs import read_graph
from skmtl._warnings import warn
from skmtl.design import TaskData, describe_names, entries_by_name, in_task_order, refuse_mask


def path_order(adjacency: NDArray[Any]) -> NDArray[np.intp] | None:
    """The tasks along a graph that is one path through all of them, else None."""
    degrees = np.count_nonzero(adjacency, axis=0)
    ends = np.flatnonzero(degrees == 1)
    if len(ends) != 2 or degrees.max() > 2:
        return None
    order = depth_first_order(adjacency, ends[0], directed=False, return_predecessors=False)
    return np.asarray(order) if len(order) == len(adjacency) else None


def chain_of_tasks(data: TaskData) -> NDArray[np.intp]:
    """The positions of all tasks along the chain that their ids imply.

    That is the order of their categories where the ids are ordered, otherwise that of ``tasks_``.
    """
    return np.arange(len(data.all_tasks)) if data.chain is None else data.chain


def task_graph(graph: Any, data: TaskData) -> NDArray[Any]:
    """The weights of the edges between all tasks; a chain is in the order their ids imply."""
    if not (isinstance(graph, str) and graph == "chain"):
        return read_graph(graph, data.all_tasks)
    chain = chain_of_tasks(data)
    weights = np.zeros((len(chain), len(chain)))
    weights[np.ix_(chain, chain)] = read_graph("chain", data.all_tasks)
    return weights


def warn_of_alphabet(data: TaskData, graph: Any) -> None:
    """Warn where only the alphabet says which tasks are neighbours on a chain.

    ``graph`` is None where ``order`` could set the chain.
    """
    if not (graph is None or (isinstance(graph, str) and graph == "chain")):
        return
    sorted_here = data.layout in ("stacked", "classes") and data.chain is None
    names = data.all_tasks.tolist()
    if sorted_here and len(names) > 2 and isinstance(names[0], str):
        shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
        given = "their order as 'order'" if graph is None else "the chain's edges as 'graph'"
        warn(
            f"The tasks' names are strings, chained in alphabetical order: {shown}. Pass {given}, "
            f"or make the names an ordered categorical."
        )


def read_order(order: Any, data: TaskData) -> NDArray[np.intp]:
    """The positions of all tasks along a chain of their names.

    Parameters
    ----------
    order : None, array-like, dict or Series
        The names along the chain, or by name each task's place on it. None: what the ids imply.
    data : TaskData

    Raises
    ------
    ValueError
        If ``order`` is not flat, does not name every task once, or two tasks have one place.
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
        wrong = describe_names(missing, unknown) or "repeats some"
        raise ValueError(
            f"The 'order' must name every task once: it {wrong}, with {len(given)} names for "
            f"{len(names)} tasks. The tasks are {names}."
        )
    return np.array([positions[name] for name in given], dtype=np.intp)


def _places(order: Any, given: list[Any], names: list[Any]) -> NDArray[np.intp] | None:
    """The chain of tasks whose places on it are given by name, None if it lists their names."""
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
            f"The 'order' must give each task a different place on the chain, a number, where it "
            f"is a dict or a Series by task; got {dict(zip(names, places, strict=True))}. Pass a "
            f"list of the names along the chain."
        )
    chain = np.argsort(np.asarray(places, dtype=np.float64), kind="stable")
    if lists_names:
        listed = [names.index(name) for name in given]
        if chain.tolist() not in (listed, listed[::-1]):
            raise ValueError(
                f"The 'order' is a Series whose index and values are both names of tasks, got "
                f"{named}: it may list the names along the chain, or give each task's place. Pass "
                f"order.tolist() if it lists the names, else "
                f"order.sort_values().index.tolist()."
            )
    return chain
