"""Groups of tasks with similar coefficients, and their number."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.cluster import SpectralClustering
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl._parallel import run_parallel
from skmtl.design import Moments
from skmtl.estimators import (
    Fold,
    PooledTaskClassifier,
    PooledTaskRegressor,
    follow_path,
    prepare_objective,
    ridge_grid,
)
from skmtl.inspection._affinity import check_learns_relations
from skmtl.inspection._affinity_result import TaskAffinity
from skmtl.inspection._fitted import count_of
from skmtl.inspection._task_problem import TaskProblem

Array = NDArray[Any]

# The numbers of groups that are compared, up to half the number of tasks.
_CANDIDATES = (*range(1, 11), 12, 15, 20, 25, 30)
# Strengths of the groups' ridge, relative to the largest eigenvalue of a task's mean Gram matrix.
_STRENGTHS = np.logspace(1, -4, 6)
# Similarity of tasks with negative correlation, so that the graph of tasks is connected.
_LEAST_SIMILARITY = 1e-6

_CONSTRAINTS: dict[str, list[Any]] = {
    "n_groups": [Interval(Integral, 1, None, closed="left"), "array-like", None],
    "tune": ["boolean"],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


@dataclass(frozen=True, eq=False, repr=False)
class TaskGroups:
    """The result of :func:`group_tasks`.

    Attributes
    ----------
    tasks, n_labels : ndarrays of shape (n_tasks,)
        The tasks' names and numbers of labels.
    labels : int ndarray of shape (n_tasks,)
        Each task's group, the largest group being 0; -1 for tasks without coefficients.
    n_groups : int
    candidates : int ndarray of shape (n_candidates,)
        The numbers of groups that were compared.
    losses, errors : ndarrays of shape (n_candidates,)
        The mean loss of held-out labels if the tasks of a group share their coefficients, and the
        standard error of its difference from the smallest loss. NaN if ``n_groups`` was given.
    affinity : TaskAffinity
        The correlation from which the groups were made.
    """

    tasks: Array
    n_labels: Array
    labels: Array
    n_groups: int
    candidates: Array
    losses: Array
    errors: Array
    affinity: TaskAffinity

    @property
    def groups(self) -> list[list[Any]]:
        """The names of each group's tasks."""
        return [self.tasks[self.labels == k].tolist() for k in range(self.n_groups)]

    def to_frame(self) -> Any:
        """Return a pandas data frame with the columns task, n_labels and group.

        Returns
        -------
        pandas.DataFrame
            One row per task.
        """
        import pandas as pd

        columns = {"task": self.tasks, "n_labels": self.n_labels, "group": self.labels}
        return pd.DataFrame(columns)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the correlation with the tasks ordered by group.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **options : dict
            Other parameters of :meth:`TaskAffinityDisplay.from_result`.

        Returns
        -------
        TaskAffinityDisplay
        """
        return self.affinity.plot(ax, labels=self.labels, **options)

    def __repr__(self) -> str:
        sizes = np.bincount(self.labels[self.labels >= 0], minlength=self.n_groups)
        groups = count_of(self.n_groups, "group")
        lines = [f"{groups} of {count_of(len(self.tasks), 'task')}"]
        for k, names in enumerate(self.groups):
            shown = ", ".join(str(name) for name in names[:8])
            size = count_of(int(sizes[k]), "task")
            lines.append(f"  {k} ({size}): {shown}" + (", ..." if sizes[k] > 8 else ""))
        return "\n".join(lines)


def group_tasks(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    n_groups: Any = None,
    sample_weight: Any = None,
    tune: bool = True,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> TaskGroups:
    """Group tasks with similar coefficients; the number of groups is selected.

    The groups are those of spectral clustering on the correlation that the estimator learns. No
    number of groups is needed: it is the smallest whose cross-validated loss is within one standard
    error of the best, for models in which the tasks of a group share their coefficients.

    Parameters
    ----------
    estimator : estimator of skmtl with ``task_correlation_``
        For example :class:`~skmtl.TaskRelationRegressor`, which itself needs no number of groups.
    X, y : as in the estimator's fit
        At least two tasks.
    n_groups : int, array-like of int or None, default=None
        The number of groups, or those to select from. None: 1 to 10, 12, 15, 20, 25 and 30, up to
        half the number of tasks.
    sample_weight : as in the estimator's fit, optional
    tune : bool, default=True
        Whether to select ``alpha`` by cross-validation, ignoring the given value. It is selected
        once, on all rows.
    n_jobs : int or None, default=None
        Number of processes for the folds.
    random_state : int, RandomState instance or None, default=None
        Makes the folds and the clustering reproducible.

    Returns
    -------
    TaskGroups
        Its ``labels`` may be passed to :class:`~skmtl.ClusteredTaskRegressor` as ``clusters``.

    Raises
    ------
    TypeError
        If the estimator is not one of skmtl, selects its own strength, or learns no correlation.
    ValueError
        If there are fewer than two tasks, or fewer tasks than groups, or no task has coefficients.

    See Also
    --------
    task_affinity : The correlation alone.
    TaskAffinityDisplay : Draws the correlation, ordered by group.

    Notes
    -----
    The similarity of two tasks is the square of their correlation, or almost zero if the
    correlation is negative: tasks with opposite coefficients do not belong together.

    In each of five folds the correlation is learned, and the tasks are grouped, from the training
    rows. A ridge regression per group, with an intercept for each task, then predicts the held-out
    labels; its strength is the best of six for each number of groups. The standard error is that
    of the difference of two losses, over the folds.

    Groups whose coefficients differ little, compared with the noise of their estimates, are
    merged: a single group means that no grouping predicts better. Large groups next to small ones
    may be split, so that more groups than planted are selected (``python -m benchmarks.affinity``).

    References
    ----------
    U. von Luxburg. A tutorial on spectral clustering. Statistics and Computing 17, 395-416, 2007.
    https://doi.org/10.1007/s11222-007-9033-z

    L. Breiman, J. Friedman, R. Olshen and C. Stone. Classification and Regression Trees, 1984,
    section 3.4.3 (the rule of one standard error). https://doi.org/10.1201/9781315139470

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.inspection import group_tasks
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(60, 5))
    >>> Y = X @ W + rng.normal(size=(60, 6))
    >>> group_tasks(TaskRelationRegressor(), X, Y, random_state=0)
    2 groups of 6 tasks
      0 (3 tasks): 0, 1, 2
      1 (3 tasks): 3, 4, 5
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="group_tasks")
    check_learns_relations(estimator)
    rng = check_random_state(random_state)
    problem = TaskProblem.read(estimator, X, y, sample_weight, "group_tasks")
    candidates = _read_candidates(n_groups, problem.data.n_tasks)
    if tune:
        problem = problem.tuned(rng, n_jobs)
    matrix = problem.correlation()
    if np.isnan(matrix).all():
        raise ValueError(
            "group_tasks needs tasks with different labels, but in each task all labels are the "
            "same, so that no coefficients are learned. Pass tasks whose labels vary."
        )
    seed = int(rng.randint(np.iinfo(np.int32).max))
    losses = errors = np.full(len(candidates), np.nan)
    chosen = 0
    if len(candidates) > 1:
        pooled = TaskProblem.read(_pooled(estimator), X, y, sample_weight, "group_tasks")
        jobs = ((problem, pooled, fold, candidates, seed) for fold in problem.folds(rng))
        by_fold = np.array(run_parallel(_fold_losses, jobs, n_jobs))
        losses, errors, chosen = _select(by_fold, float(problem.data.weights.sum()))
    labels = cluster_tasks(matrix, int(candidates[chosen]), seed)
    data = problem.data
    affinity = TaskAffinity.of(problem, estimator, matrix, "learned")
    n_found = int(labels.max(initial=-1)) + 1
    return TaskGroups(
        data.tasks, data.label_counts, labels, n_found, candidates, losses, errors, affinity
    )


def _read_candidates(n_groups: Any, n_tasks: int) -> NDArray[np.intp]:
    """The numbers of groups to compare, in ascending order."""
    if n_groups is None:
        return np.array([k for k in _CANDIDATES if k <= max(2, n_tasks // 2)])
    candidates = np.unique(np.atleast_1d(n_groups))
    whole = candidates.dtype.kind in "iu" and len(candidates) > 0
    if not whole or candidates[0] < 1 or candidates[-1] > n_tasks:
        raise ValueError(
            f"n_groups must be between 1 and the number of tasks, {n_tasks}, or a list of such "
            f"numbers, got {n_groups!r}. Pass n_groups=None to have it selected."
        )
    return candidates.astype(np.intp)


def cluster_tasks(correlation: Array, n_groups: int, seed: int) -> NDArray[np.intp]:
    """Spectral clustering of tasks; -1 for those without a correlation.

    Parameters
    ----------
    correlation : ndarray of shape (n_tasks, n_tasks)
    n_groups : int
    seed : int

    Returns
    -------
    ndarray of shape (n_tasks,)
        The largest group is 0; of equal groups the one with the first task comes first.
    """
    labels = np.full(len(correlation), -1, dtype=np.intp)
    known = np.flatnonzero(~np.isnan(np.diag(correlation)))
    if n_groups == 1:
        found = np.zeros(len(known), dtype=np.intp)
    elif n_groups >= len(known):
        found = np.arange(len(known))
    else:
        positive = np.clip(correlation[np.ix_(known, known)], 0.0, None)
        similarity = np.maximum(positive**2, _LEAST_SIMILARITY)
        clustering = SpectralClustering(n_groups, affinity="precomputed", random_state=seed)
        found = clustering.fit(similarity).labels_
    _, first, codes, sizes = np.unique(
        found, return_index=True, return_inverse=True, return_counts=True
    )
    labels[known] = np.argsort(np.lexsort((first, -sizes)))[codes]
    return labels


def _select(by_fold: Array, total: float) -> tuple[Array, Array, int]:
    """Mean losses, standard errors, and the fewest groups within one error of the best.

    Parameters
    ----------
    by_fold : ndarray of shape (n_folds, n_candidates, n_strengths)
        Sums of losses.
    total : float
        The sum of the labels' weights.
    """
    strengths = by_fold.sum(axis=0).argmin(axis=1)
    sums = np.take_along_axis(by_fold, strengths[None, :, None], axis=2)[:, :, 0]
    losses = sums.sum(axis=0) / total
    apart = sums - sums[:, [losses.argmin()]]
    errors = apart.std(axis=0, ddof=1) * np.sqrt(len(sums)) / total
    within = losses <= losses.min() + errors
    return losses, errors, int(within.argmax())


def _fold_losses(
    problem: TaskProblem, pooled: TaskProblem, fold: Fold, candidates: Array, seed: int
) -> Array:
    """The losses (n_candidates, n_strengths) of a fold's held-out labels."""
    correlation = problem.taken(fold.train).correlation()
    train, test = pooled.taken(fold.train), pooled.taken(fold.test)
    known = ~np.isnan(np.diag(correlation))
    train, test = train.select(known), test.select(known)
    fits = _GramGroups if _fits_by_grams(train) else _PooledGroups
    model = fits(train)
    losses = []
    for k in candidates:
        labels = cluster_tasks(correlation, int(k), seed)[known]
        losses.append(test.losses(*model.fit(labels)).sum(axis=-1))
    return np.array(losses)


def _pooled(estimator: Any) -> Any:
    """A ridge with one coefficient vector for all tasks, with the estimator's options."""
    kind = PooledTaskClassifier if is_classifier(estimator) else PooledTaskRegressor
    own = clone(estimator).get_params(deep=False)
    left = {"alpha", "solver", "verbose", "warm_start", "intercept"}
    common = (set(kind._get_param_names()) & own.keys()) - left
    return kind(alpha=1.0, **{name: own[name] for name in common})


def _fits_by_grams(problem: TaskProblem) -> bool:
    squared = problem.model._get_loss().constant_curvature
    return bool(squared and isinstance(problem.data.X, np.ndarray))


class _GramGroups:
    """Ridge regressions with one coefficient vector per group, from the tasks' Gram matrices."""

    def __init__(self, problem: TaskProblem) -> None:
        centre = problem.model.fit_intercept
        moments = Moments.of(problem.data, centre=centre)
        moments = moments.centred() if centre else moments
        self.centre, n_tasks = centre, moments.n_tasks
        shape = (n_tasks, moments.n_features)
        self.grams = np.broadcast_to(moments.xx, (n_tasks, *moments.xx.shape[1:]))
        self.linear, self.y_means = moments.xy.T, moments.y_origin
        self.x_means = np.broadcast_to(moments.x_origin, shape)
        top = float(np.linalg.eigvalsh(self.grams.mean(axis=0))[-1])
        self.strengths = max(top, np.finfo(np.float64).tiny) * _STRENGTHS

    def fit(self, labels: Array) -> tuple[Array, Array]:
        """The tasks' coefficients and intercepts for all strengths."""
        members = np.eye(labels.max() + 1)[labels].T
        grams, linear = np.tensordot(members, self.grams, axes=1), members @ self.linear
        eye = np.eye(grams.shape[1])
        systems = grams + self.strengths[:, None, None, None] * eye
        coef = np.linalg.solve(systems, linear[None, :, :, None])[..., 0][:, labels]
        intercept = self.y_means - (coef * self.x_means).sum(axis=-1)
        return coef, intercept if self.centre else np.zeros(intercept.shape)


class _PooledGroups:
    """The same for all losses and sparse data, by fits to each group's rows."""

    def __init__(self, problem: TaskProblem) -> None:
        self.problem = problem
        self.alphas = ridge_grid(problem.model, problem.data)[::2]
        self.known: dict[bytes, tuple[Array, Array]] = {}

    def fit(self, labels: Array) -> tuple[Array, Array]:
        """The tasks' coefficients and intercepts for all strengths."""
        data = self.problem.data
        coef = np.empty((len(self.alphas), data.n_tasks, data.X.shape[1]))
        intercept = np.empty((len(self.alphas), data.n_tasks))
        for group in range(labels.max() + 1):
            members = labels == group
            key = members.tobytes()
            if key not in self.known:
                self.known[key] = self._path(members)
            coef[:, members], intercept[:, members] = self.known[key]
        return coef, intercept

    def _path(self, members: Array) -> tuple[Array, Array]:
        part = self.problem.select(members)
        model = part.copied_model()
        prepared = prepare_objective(model, part.data)
        fits = [*follow_path(model, part.data, self.alphas, prepared)]
        return np.array([fit.coef for fit in fits]), np.array([fit.intercept for fit in fits])
