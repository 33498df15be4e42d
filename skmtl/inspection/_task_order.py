"""The order of tasks in a heat map: similar tasks next to each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

Array = NDArray[Any]


def task_tree(similarity: Array) -> Array:
    """Average linkage of at least two tasks, with the optimal order of the leaves.

    Parameters
    ----------
    similarity : ndarray of shape (n_tasks, n_tasks)
        Symmetric, without NaN.

    Returns
    -------
    ndarray of shape (n_tasks - 1, 4)
        As returned by :func:`scipy.cluster.hierarchy.linkage`.
    """
    distance = similarity.max() - similarity
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return np.asarray(tree)


def order_tasks(matrix: Array, labels: Array) -> NDArray[np.intp]:
    """The tasks ordered by group, and within a group by average linkage; unknown groups last.

    Parameters
    ----------
    matrix : ndarray of shape (n_tasks, n_tasks)
    labels : ndarray of shape (n_tasks,)
        Each task's group; a negative one is unknown.
    """
    similarity = np.nan_to_num((matrix + matrix.T) / 2)
    groups = sorted(np.unique(labels), key=lambda group: (group < 0, group))
    parts = []
    for group in groups:
        members = np.flatnonzero(labels == group)
        if len(members) > 2:
            members = members[leaves_list(task_tree(similarity[np.ix_(members, members)]))]
        parts.append(members)
    return np.concatenate(parts).astype(np.intp)
