"""Task clusters: their penalty, and labels, centres and subspace after a fit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.utils.extmath import svd_flip

from skmtl._warnings import warn
from skmtl.design import TaskData, in_task_order, refuse_mask
from skmtl.estimators._covariance import TaskCovariance
from skmtl.estimators._priors import spectral_prior
from skmtl.estimators.base import KnownTasks, Prior, estimator
from skmtl.penalties import ClusterNorm, Penalty, RelaxedClusterNorm, TaskQuadratic

# Clusters are not separated if theta falls by less than this share of its range.
_SEPARATION = 0.1


@estimator
class TaskClusters(TaskCovariance):
    """The penalty for known or unknown clusters, and the attributes computed from it on access."""

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        n_tasks = len(data.all_tasks)
        if self.clusters is not None:
            labels = read_clusters(self.clusters, data.all_tasks)
            count = len(np.unique(labels))
            if self.n_clusters not in (None, count):
                raise ValueError(
                    f"n_clusters={self.n_clusters}, but 'clusters' holds {count} clusters. Leave "
                    f"n_clusters=None if the clusters are known."
                )
            if self.alpha == 0:
                return None
            return TaskQuadratic(self._matrix(labels[data.positions]), self.alpha)
        # With one task the penalty is a ridge for any number of clusters.
        if self.n_clusters is not None and self.n_clusters > n_tasks > 1:
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the {n_tasks} tasks. Use at most one "
                f"cluster per task, or n_clusters=None."
            )
        return self._cluster_norm(data.n_tasks) if self.alpha > 0 else None

    def _cluster_norm(self, n_tasks: int) -> ClusterNorm | RelaxedClusterNorm:
        """The penalty for unknown clusters."""
        r = self.n_clusters
        if r is None:
            r = max(2, round(np.sqrt(n_tasks / 2)))
        r = min(r, n_tasks)
        if self.form == "relaxed":
            return RelaxedClusterNorm(self.alpha, r, self.eta)
        return ClusterNorm(self.alpha, r, self.between, self.mean)

    def _matrix(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The quadratic form (n_tasks, n_tasks) of the penalty for known clusters."""
        _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        n_tasks = len(labels)
        centre = (codes[:, None] == codes) / counts[codes]
        within, between, mean = 1.0, self.between, self.mean
        if self.form == "relaxed":
            within, between, mean = 1.0 + self.eta, self.eta, self.eta
        # Weights of three projections: within clusters, between their centres, on the mean.
        form = within * (np.eye(n_tasks) - centre) + between * (centre - 1 / n_tasks)
        return np.asarray(form + mean / n_tasks)

    def _prior(self, known: KnownTasks, near: Any = None) -> Prior:
        W = known.coef
        if self.clusters is None:
            weights = self._cluster_norm(W.shape[1]).feature_weights(W)
            return spectral_prior(weights, known, self.alpha)
        labels = read_clusters(self.clusters, known.names)[known.learned]
        within, between = 1.0, self.between
        if self.form == "relaxed":
            within, between = 1.0 + self.eta, self.eta
        every, clusters = np.full(len(W), self.alpha), []
        for name in np.unique(labels):
            members = labels == name
            # In the relaxed form the centre is shrunk to zero.
            centre, count = W[:, members].mean(axis=1) / within, int(members.sum())
            clusters.append(
                Prior.of_precisions(centre, within * every, n_averaged=count, label=name)
            )
        return Prior.of_precisions(
            known.mean, between * every, n_averaged=W.shape[1], candidates=tuple(clusters)
        )

    def _own_prior(self, prior: Prior, known: KnownTasks, task: int) -> Prior:
        if self.clusters is None:
            return prior
        label = read_clusters(self.clusters, known.names)[known.learned][task]
        return next(one for one in prior.candidates if one.label == label)

    def _known_labels(self) -> NDArray[Any]:
        """The clusters of all tasks if those of the fit are known; None for new ones of their own.

        New tasks are in the cluster in which their objective is lowest.
        """
        labels = read_clusters(self.clusters, self.tasks_[: self._n_fitted])
        added = [known.frame.prior.label for known in self._added.values()]
        if not added:
            return labels
        joined = [*labels.tolist(), *added]
        return np.array(joined, dtype=object if None in added else None)

    def _covariance(self, W: NDArray[Any]) -> NDArray[Any]:
        if self.clusters is None:
            return self._cluster_norm(W.shape[1]).covariance(W)
        form = self._matrix(self._known_labels()[self._learned])
        # If the mean is not penalised, it is left out, as with unknown clusters.
        return np.linalg.pinv(form, rcond=1e-12, hermitian=True)

    @property
    def _has_form_given_covariance(self) -> bool:  # type: ignore[override]
        # Without a penalty on the mean task, its variance is unbounded.
        return self.clusters is None and (self.form == "relaxed" or self.mean > 0)

    @property
    def labels_(self) -> NDArray[Any]:
        """Each task's cluster (n_tasks,)."""
        W = self._learned_coefficients()
        if self.clusters is not None:
            return self._known_labels()
        labels = np.full(len(self._learned), -1, dtype=np.intp)
        if self._learned.any():
            labels[self._learned] = _cluster(self._cluster_norm(W.shape[1]), W)
        return labels

    @property
    def cluster_centers_(self) -> NDArray[Any]:
        """Mean coefficients (n_clusters, n_features) of each cluster's tasks."""
        W, labels = self._learned_coefficients(), self.labels_
        if self.clusters is None:
            names = np.arange(self._cluster_norm(W.shape[1]).n_clusters)
        else:
            names = np.unique(labels[self._learned])
        centres = np.full((len(names), W.shape[0]), np.nan)
        labels = labels[self._learned]
        for k, name in enumerate(names):
            if (labels == name).any():
                centres[k] = W[:, labels == name].mean(axis=1)
        return centres

    @property
    def feature_subspace_(self) -> NDArray[Any]:
        """Orthonormal rows that span the features' directions, only with ``form="relaxed"``."""
        if self.form != "relaxed" or self.clusters is not None:
            raise AttributeError(
                f"{type(self).__name__} has 'feature_subspace_' only with form='relaxed' and "
                f"unknown clusters (clusters=None)."
            )
        W = self._learned_coefficients()
        if not W.shape[1]:
            return np.zeros((0, W.shape[0]))
        left, _, right = np.linalg.svd(W, full_matrices=False)
        left, _ = svd_flip(left, right)
        return np.asarray(left[:, : self._cluster_norm(W.shape[1]).n_clusters].T)


def read_clusters(clusters: Any, tasks: NDArray[Any]) -> NDArray[Any]:
    """The cluster of each task (n_tasks,), from any form that users may pass.

    Parameters
    ----------
    clusters : array-like, dict, Series or list of lists
        The clusters in the order of the tasks or by task name; or one list of task names per
        cluster, the clusters being numbered from 0.
    tasks : array of shape (n_tasks,)

    Raises
    ------
    ValueError
        If an array has the wrong length, if a task is missing, unknown or in two clusters, or if
        its cluster is missing.
    """
    names = tasks.tolist()
    refuse_mask(clusters, "'clusters'", "Give each task a cluster.")
    if _are_lists(clusters):
        clusters = _from_lists(clusters, names)
    clusters = in_task_order(clusters, names, "'clusters'")
    labels = np.asarray(clusters)
    if labels.shape != (len(names),):
        raise ValueError(
            f"'clusters' has shape {labels.shape}; there are {len(names)} tasks. Pass one cluster "
            f"per task in the order {names}, a dict or Series by task, or one list of task "
            f"names per cluster."
        )
    pairs = zip(names, labels.tolist(), strict=True)
    unassigned = [name for name, label in pairs if label is None or label != label]
    if unassigned:
        raise ValueError(f"'clusters' gives the tasks {unassigned} no cluster. Give each task one.")
    return labels


def _are_lists(clusters: Any) -> bool:
    """Whether clusters are given as lists of their tasks."""
    return (
        isinstance(clusters, (list, tuple))
        and len(clusters) > 0
        and all(isinstance(cluster, (list, tuple, set, frozenset)) for cluster in clusters)
    )


def _from_lists(clusters: Any, names: list[Any]) -> dict[Any, int]:
    """Each task's cluster, from one list of task names per cluster."""
    members = [(name, k) for k, cluster in enumerate(clusters) for name in cluster]
    nested = [name for name, _ in members if isinstance(name, (list, dict, set))]
    listed = [] if nested else [name for name, _ in members]
    repeated = sorted({str(name) for name in listed if listed.count(name) > 1})
    if nested or repeated:
        wrong = f"{nested} are not task names" if nested else f"{repeated} appear more than once"
        raise ValueError(
            f"Lists in 'clusters' must hold the names of each cluster's tasks, each task once, but "
            f"{wrong}. The tasks are {names}."
        )
    return dict(members)


def _cluster(norm: ClusterNorm | RelaxedClusterNorm, W: NDArray[Any]) -> NDArray[np.intp]:
    """k-means on the leading directions between the tasks, which are the columns of W."""
    n_tasks, r = W.shape[1], norm.n_clusters
    if r == 1:
        return np.zeros(n_tasks, dtype=np.intp)
    if r == n_tasks:
        return np.arange(n_tasks)
    theta, directions = norm.weights(W)
    low, high, _ = norm.box(n_tasks)
    # Directions beyond the number of rows of W are arbitrary.
    count = min(norm.n_directions, len(W))
    step = theta[count - 1] - theta[count]
    if step <= _SEPARATION * (high - low):
        warn(
            f"The tasks do not separate into {r} clusters: the weights of the directions between "
            f"them fall only from {theta[count - 1]:.3g} to {theta[count]:.3g} after the first "
            f"{count}. labels_ is arbitrary; try another n_clusters, or a smaller alpha."
        )
    embedding = directions[:, :count]
    return np.asarray(KMeans(r, n_init=10, random_state=0).fit(embedding).labels_, dtype=np.intp)
