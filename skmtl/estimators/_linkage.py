"""Ward's linkage of many points, without the distances of all pairs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Up to this many points the linkage is exact, from the distances of all pairs.
LARGEST_EXACT = 5000
# The mean number of points in the groups that are linked separately.
_GROUP_SIZE = 500


def ward_linkage(points: Array) -> Array:
    """Ward's linkage matrix of points (n_points, n_features), as SciPy returns it.

    With more than ``LARGEST_EXACT`` points it is that of the points within each of the groups that
    k-means finds, and Ward's linkage of the groups, weighted by their sizes, above. Heights never
    decrease towards the root: a group that is joined at less than its own height is raised to it.

    References
    ----------
    J. H. Ward, "Hierarchical grouping to optimize an objective function", J. Amer. Statist. Assoc.
    58, 1963, https://doi.org/10.1080/01621459.1963.10500845
    """
    # Imported here, since it takes long to import.
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    n_points = len(points)
    if n_points == 1:
        return np.zeros((0, 4))
    if n_points <= LARGEST_EXACT:
        return np.asarray(linkage(pdist(points), method="ward"))
    tree, roots = _Merges(n_points), []
    sizes, centres = [], []
    for members in _groups(points):
        roots.append(tree.add(ward_linkage(points[members]), members))
        sizes.append(len(members))
        centres.append(points[members].mean(axis=0))
    for left, right, height in _link(np.array(sizes, dtype=np.float64), np.array(centres)):
        roots[left] = tree.join(roots[left], roots[right], height)
    return tree.matrix()


class _Merges:
    """Merges of points and of earlier merges, in any order of their heights.

    Merge k has the number n_points + k.
    """

    def __init__(self, n_points: int) -> None:
        self.n_points = n_points
        self.pairs: list[tuple[int, int]] = []
        self.heights = [0.0] * n_points
        self.sizes = [1] * n_points

    def join(self, left: int, right: int, height: float) -> int:
        """Join two points or merges, at their own heights at least; return the merge's number."""
        self.pairs.append((left, right))
        self.heights.append(max(height, self.heights[left], self.heights[right]))
        self.sizes.append(self.sizes[left] + self.sizes[right])
        return len(self.heights) - 1

    def add(self, matrix: Array, members: Array) -> int:
        """Add the linkage of some points; return the number of its root."""
        numbers = members.tolist()
        for left, right, height, _ in matrix.tolist():
            numbers.append(self.join(numbers[int(left)], numbers[int(right)], height))
        return int(numbers[-1])

    def matrix(self) -> Array:
        """The linkage matrix (n_points - 1, 4), whose heights ascend."""
        heights = np.array(self.heights[self.n_points :])
        # Stable: merges of equal height stay behind those that they join.
        order = np.argsort(heights, kind="stable")
        places = np.arange(self.n_points + len(order))
        places[self.n_points + order] = self.n_points + np.arange(len(order))
        pairs = np.sort(places[np.array(self.pairs)[order]], axis=1)
        sizes = np.array(self.sizes[self.n_points :])[order]
        return np.column_stack([pairs, heights[order], sizes]).astype(np.float64)


def _groups(points: Array) -> list[Array]:
    """The positions of the points of each group, at least two groups."""
    from sklearn.cluster import KMeans

    count = -(-len(points) // _GROUP_SIZE)
    distinct = min(count, len(np.unique(points, axis=0)))
    if distinct == 1:
        return np.array_split(np.arange(len(points)), count)
    labels = KMeans(distinct, n_init=1, max_iter=20, random_state=0).fit_predict(points)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    # Nearly equal points are in one group, however many they are.
    return groups if len(groups) > 1 else np.array_split(order, count)


def _link(sizes: Array, centres: Array) -> list[tuple[int, int, float]]:
    """Ward's merges of groups of given sizes (n_groups,) and centres (n_groups, n_features).

    The merge of the groups s and t keeps the number s.
    """

    def squares(s: int) -> Array:
        """Squared distances of group s from all groups, as in SciPy's Ward linkage."""
        factors = 2 * sizes[s] * sizes / (sizes[s] + sizes)
        distances = factors * ((centres - centres[s]) ** 2).sum(axis=1)
        return np.where(alive & (np.arange(len(sizes)) != s), distances, np.inf)

    sizes, centres = sizes.copy(), centres.copy()
    alive = np.ones(len(sizes), dtype=bool)
    between, merges = np.array([squares(s) for s in range(len(sizes))]), []
    for _ in range(len(sizes) - 1):
        s, t = (int(k) for k in np.unravel_index(int(between.argmin()), between.shape))
        merges.append((s, t, float(np.sqrt(between[s, t]))))
        total = sizes[s] + sizes[t]
        centres[s] = (sizes[s] * centres[s] + sizes[t] * centres[t]) / total
        sizes[s], alive[t] = total, False
        between[t] = between[:, t] = np.inf
        between[s] = between[:, s] = squares(s)
    return merges
