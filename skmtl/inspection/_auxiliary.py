"""Selection of the tasks whose labels help a main task."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl._parallel import run_parallel
from skmtl._resampling import corrected_error
from skmtl.estimators import Fold
from skmtl.inspection._separate import is_mixed, loss_names, separate_ridge
from skmtl.inspection._task_problem import TaskProblem
from skmtl.inspection._transfer_result import LEVEL, MIN_LABELS

Array = NDArray[Any]

# The strengths that the search compares, relative to the one selected for all tasks. The tasks that
# help may be far more alike than all tasks are.
_STRENGTHS = (0.1, 1.0, 10.0, 100.0)

_CONSTRAINTS: dict[str, list[Any]] = {
    "max_tasks": [Interval(Integral, 1, None, closed="left")],
    "tune": ["boolean"],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


@dataclass(frozen=True, eq=False, repr=False)
class AuxiliaryTasks:
    """The result of :func:`select_auxiliary_tasks`.

    Attributes
    ----------
    main : object
        The name of the main task.
    tasks : ndarray of shape (n_selected,)
        The names of the selected tasks, the most helpful first.
    path : ndarray of shape (n_steps,)
        All tasks in the order in which they were added; ``tasks`` are the first of them.
    losses : ndarray of shape (n_steps + 1,)
        The main task's mean held-out loss alone, and with the first 1, 2, ... tasks of a path that
        was found without these labels.
    gain, relative_gain : float
        Estimate of what the whole procedure gains: the loss of the main task alone minus its loss
        with the selected tasks, on labels that neither the selection nor the fits have seen; the
        same divided by the loss alone.
    se, low, high : float
        Standard error and 95% interval of ``gain``.
    """

    main: Any
    tasks: Array
    path: Array
    losses: Array
    gain: float
    relative_gain: float
    se: float
    low: float
    high: float

    def to_frame(self) -> Any:
        """Return the path as a pandas data frame with the columns task, loss and selected.

        Returns
        -------
        pandas.DataFrame
            The main task alone in the first row, then a row for each task that was added.
        """
        import pandas as pd

        names = [self.main, *self.path.tolist()]
        selected = np.arange(len(names)) <= len(self.tasks)
        return pd.DataFrame({"task": names, "loss": self.losses, "selected": selected})

    def __repr__(self) -> str:
        names = ", ".join(str(name) for name in self.tasks) if len(self.tasks) else "none"
        return (
            f"Auxiliary tasks for {self.main}: {names}\n"
            f"gain {self.gain:.3g} ({self.relative_gain:+.1%}), 95% interval "
            f"[{self.low:.3g}, {self.high:.3g}]"
        )


def select_auxiliary_tasks(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    main: Any,
    max_tasks: int = 5,
    sample_weight: Any = None,
    tune: bool = True,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> AuxiliaryTasks:
    """Select the tasks whose labels help a main task, and estimate how much they help.

    Tasks are added one by one, each the one that lowers the main task's held-out loss most. The
    number of tasks is selected on labels that this search has not seen, and may be zero.

    Parameters
    ----------
    estimator : estimator of skmtl
        The model that learns the main task together with the selected ones, for example
        ``ClusteredTaskRegressor(n_clusters=1)``, which shrinks tasks towards their mean. A
        covariance that is learned, as by :class:`~skmtl.TaskRelationRegressor`, needs many tasks
        and gains less from a few.
    X, y : as in the estimator's fit
        At least two tasks.
    main : object
        The name of the main task, as in ``tasks_`` of the fitted estimator: a task id, or a name or
        position of a column of y. It needs 10 or more labels.
    max_tasks : int, default=5
        The largest number of tasks to add.
    sample_weight : as in the estimator's fit, optional
        Weighs the held-out losses too.
    tune : bool, default=True
        Whether to select ``alpha`` by cross-validation, ignoring the given value: for the search
        once, on all rows and tasks; for the estimate of the gain anew on each training set, from
        the main and the selected tasks. False: keep the estimator's own.
    n_jobs : int or None, default=None
        Number of processes for the folds.
    random_state : int, RandomState instance or None, default=None
        Makes the folds reproducible.

    Returns
    -------
    AuxiliaryTasks

    Raises
    ------
    TypeError
        If the estimator is not one of skmtl, or selects its own strength.
    ValueError
        If there are fewer than two tasks, ``main`` is unknown or has fewer than 10 labels, or the
        loss is multinomial.

    See Also
    --------
    task_affinity : The gain of each task from each other task, all others being present.

    Notes
    -----
    **Search.** There are five folds, stratified by task. For each fold, a path of tasks is found
    from the labels of the other four: each of these is predicted by fits to the remaining three.
    The fold's own labels are then predicted with the first 0, 1, 2, ... tasks of that path. With 0
    tasks the model is :class:`~skmtl.IndependentTaskRegressor` (or its classifier) with its own
    strength, selected by cross-validation.

    **Stop.** The number of tasks is the smallest whose loss is within one standard error of the
    best, the error being that of the paired difference over the main task's labels. The tasks
    returned are the first of a path found from all five folds.

    The stop is cautious: with some 30 labels of the main task, nearly all tasks selected are
    related to it, but many related tasks are not selected, and the gain is small (``python -m
    benchmarks.affinity``).

    **Gain.** For each fold, the number of tasks is selected from the losses of the other folds, the
    estimator is fitted to the main task and the selected tasks, and both it and the separate fit
    predict the fold's labels. With no task selected, the gain is zero. The standard error includes
    Nadeau and Bengio's correction for overlapping training sets, as in :func:`transfer_gain`.

    **Cost.** For :class:`~skmtl.TaskRelationRegressor` and :class:`~skmtl.ClusteredTaskRegressor`
    with the squared loss and dense data, the search uses the closed form of
    :func:`task_affinity`: the covariance is learned from the training labels of all tasks, and
    those of the tasks added so far are used. With ``tune`` it compares 0.1, 1, 10 and 100 times the
    selected ``alpha`` in each step. All other estimators are refitted for each candidate: up to 25
    ``max_tasks`` fits for each task.

    References
    ----------
    C. Nadeau and Y. Bengio. Inference for the generalization error. Machine Learning 52, 239-281,
    2003. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskRegressor
    >>> from skmtl.inspection import select_auxiliary_tasks
    >>> rng = np.random.default_rng(0)
    >>> W = rng.normal(size=(8, 4))
    >>> W[:, 1] = W[:, 0]
    >>> tasks = np.repeat([0, 1, 2, 3], [15, 60, 60, 60])
    >>> X = np.column_stack([rng.normal(size=(195, 8)), tasks])
    >>> y = (X[:, :8] * W[:, tasks].T).sum(axis=1) + 2 * rng.normal(size=195)
    >>> found = select_auxiliary_tasks(
    ...     ClusteredTaskRegressor(n_clusters=1, task_column=-1), X, y, main=0, random_state=0
    ... )
    >>> found.tasks.tolist()
    [1]
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="select_auxiliary_tasks")
    rng = check_random_state(random_state)
    problem = TaskProblem.read(estimator, X, y, sample_weight, "select_auxiliary_tasks")
    position = _find_main(main, problem.data)
    alone = _alone(problem, position, estimator, X, y, sample_weight)
    folds = problem.folds(rng)
    if tune:
        problem = problem.tuned(rng, n_jobs)
    search = _Search(problem, alone, position, max_tasks, folds, tune)
    jobs: list[Any] = [(search, number) for number in (None, *range(len(folds)))]
    (path, _), *others = run_parallel(_Search.run, jobs, n_jobs)
    curves = [losses for _, losses in others]
    number = choose_size(np.hstack(curves))
    jobs = []
    for k, (tasks, _) in enumerate(others):
        size = choose_size(np.hstack([*curves[:k], *curves[k + 1 :]]))
        jobs.append((search, k, tasks[:size], int(rng.randint(np.iinfo(np.int32).max))))
    gains = np.array(run_parallel(_Search.gain, jobs, n_jobs))
    return _result(problem.data.tasks, position, path, number, np.hstack(curves), gains)


def choose_size(losses: Array) -> int:
    """The fewest tasks whose loss is within one standard error of the best.

    Parameters
    ----------
    losses : ndarray of shape (n_sizes, n_labels)
    """
    means = losses.mean(axis=1)
    apart = losses - losses[means.argmin()]
    errors = apart.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
    return int((means <= means.min() + errors).argmax())


def _result(
    names: Array, main: int, path: list[int], number: int, losses: Array, gains: Array
) -> AuxiliaryTasks:
    """The result, from the gains and the separate fits' losses (n_folds, 2) of the folds."""
    gain, alone = gains.mean(axis=0)
    se = corrected_error(gains[:, 0], 1 / (len(gains) - 1))
    half = float(stats.t.ppf(1 - LEVEL / 2, len(gains) - 1)) * se
    means = losses.mean(axis=1)[: len(path) + 1]
    return AuxiliaryTasks(
        main=names[main],
        tasks=names[path[:number]],
        path=names[path],
        losses=means,
        gain=float(gain),
        relative_gain=float(gain / alone) if alone > 0 else 0.0,
        se=se,
        low=float(gain - half),
        high=float(gain + half),
    )


def _find_main(main: Any, data: Any) -> int:
    """The position of the main task."""
    names = data.tasks.tolist()
    if main not in names:
        raise ValueError(f"main={main!r} is not one of the tasks {names}. Pass one of these.")
    position = names.index(main)
    count = int(data.label_counts[position])
    if count < MIN_LABELS:
        raise ValueError(
            f"The main task {main!r} must have {MIN_LABELS} or more labels, got {count}: fewer do "
            f"not show which tasks help. Collect more labels."
        )
    return int(position)


def _alone(
    problem: TaskProblem, main: int, estimator: Any, X: Any, y: Any, sample_weight: Any
) -> TaskProblem:
    """The problem with a model that learns the main task alone, with the estimator's options."""
    if is_mixed(problem.model):
        # Read as the estimator does, by the loss of each task.
        loss = loss_names(problem.model, problem.data.tasks.tolist())[main]
        return replace(problem, model=separate_ridge(problem.model, loss))
    alone = separate_ridge(estimator)
    return TaskProblem.read(alone, X, y, sample_weight, "select_auxiliary_tasks")


@dataclass(frozen=True, eq=False)
class _Search:
    """A greedy search for the tasks that help a main task.

    Attributes
    ----------
    problem, alone : TaskProblem
        With the estimator, and with the model that learns the main task alone.
    main : int
    max_tasks : int
    folds : list of Fold
    tune : bool
        Whether to select the strength of the fits that estimate the gain.
    trainings : dict
        Fits that were needed before, by the numbers of the folds left out.
    """

    problem: TaskProblem
    alone: TaskProblem
    main: int
    max_tasks: int
    folds: list[Fold]
    tune: bool
    trainings: dict[frozenset[int], "_Training"] = field(default_factory=dict)

    def run(self, number: int | None) -> tuple[list[int], Array]:
        """The path found without a fold, and the losses of that fold's labels.

        Returns
        -------
        path : list of int
        losses : ndarray of shape (max_tasks + 1, n_labels)
            After the end of the path, its last losses. Empty without a fold.
        """
        trials = [
            (self._training({fold.number, number} - {None}), fold.test)
            for fold in self.folds
            if fold.number != number
        ]
        path = [*self._add(trials)]
        tasks = [task for task, _ in path]
        if number is None:
            return tasks, np.empty((self.max_tasks + 1, 0))
        training, test = self._training({number}), self.folds[number].test
        losses = [training.alone(test)]
        losses += [
            training.current(tasks[: k + 1], strength, test) for k, (_, strength) in enumerate(path)
        ]
        losses += [losses[-1]] * (self.max_tasks - len(path))
        return tasks, np.array(losses)

    def _training(self, left_out: Any) -> "_Training":
        key = frozenset(left_out)
        if key not in self.trainings:
            rows = np.concatenate([self.folds[k].test for k in key])
            everything = np.arange(len(self.problem.data.y))
            self.trainings[key] = _Training(self, np.setdiff1d(everything, rows))
        return self.trainings[key]

    def _add(self, trials: list[tuple["_Training", Array]]) -> Iterator[tuple[int, float]]:
        """Add the task with the lowest loss, until no second or later task lowers the loss.

        Yields its position, and the strength of the fits relative to the model's.
        """
        path: list[int] = []
        loss = np.inf
        while len(path) < min(self.max_tasks, self.problem.data.n_tasks - 1):
            sums = np.sum([each.candidates(path, test) for each, test in trials], axis=0)
            if np.isnan(sums).all() or not np.nanmin(sums) < loss:
                return
            loss = float(np.nanmin(sums))
            strength, best = np.unravel_index(np.nanargmin(sums), sums.shape)
            path.append(int(best))
            yield path[-1], trials[0][0].strengths[strength]

    def gain(self, number: int, tasks: list[int], seed: int) -> tuple[float, float]:
        """The gain of the main task in a fold from learning with some tasks, and its loss alone."""
        fold = self.folds[number]
        alone = float(self._training({number}).alone(fold.test).mean())
        if not tasks:
            return 0.0, alone
        chosen = np.zeros(self.problem.data.n_tasks, dtype=bool)
        chosen[[self.main, *tasks]] = True
        train = self.problem.taken(fold.train).select(chosen)
        if self.tune:
            train = train.tuned(np.random.RandomState(seed))
        column = int(chosen[: self.main].sum())
        coef, intercept = train.fit()
        return alone - float(self.losses(fold.test, coef[column], intercept[column]).mean()), alone

    def losses(self, test: Array, coef: Array, intercept: Array) -> Array:
        """The main task's losses (..., n_labels), with weights relative to their mean."""
        data = self.problem.data
        weight = data.totals[self.main] / data.label_counts[self.main]
        held_out = self.problem.taken(test)
        return np.asarray(held_out.task_losses(self.main, coef, intercept) / weight)


class _Training:
    """Fits to some rows, which predict the main task in others.

    Parameters
    ----------
    search : _Search
    rows : int array
    """

    def __init__(self, search: _Search, rows: Array) -> None:
        self.losses, self.main = search.losses, search.main
        self.problem = search.problem.taken(rows)
        self.related = self.problem.related()
        self.strengths = _STRENGTHS if search.tune and self.related is not None else (1.0,)
        coef, intercept = search.alone.taken(rows).alone(self.main).fit()
        self.separate = coef[0], intercept[0]

    def alone(self, test: Array) -> Array:
        """The losses (n_labels,) of the main task's separate fit."""
        return self.losses(test, *self.separate)

    def current(self, tasks: list[int], strength: float, test: Array) -> Array:
        """The losses (n_labels,) with the labels of some other tasks."""
        present = np.array([self.main, *tasks])
        if self.related is None:
            return self._refit(present, test)
        coef = self.related.fit(self.main, present, strength)
        return self.losses(test, coef, self.related.intercept(self.main, coef))

    def candidates(self, tasks: list[int], test: Array) -> Array:
        """The summed losses (n_strengths, n_tasks) with each further task; NaN for those in use."""
        present = np.array([self.main, *tasks])
        if self.related is not None:
            coef = np.array(
                [self.related.add_each(self.main, present, each) for each in self.strengths]
            )
            intercept = self.related.intercept(self.main, coef)
            losses = np.asarray(self.losses(test, coef, intercept).sum(axis=-1))
            losses[:, present] = np.nan
            return losses
        used = self.problem.data.label_counts == 0
        used[present] = True
        sums = np.full((1, len(used)), np.nan)
        for s in np.flatnonzero(~used):
            sums[0, s] = self._refit(np.append(present, s), test).sum()
        return sums

    def _refit(self, present: Array, test: Array) -> Array:
        chosen = np.zeros(self.problem.data.n_tasks, dtype=bool)
        chosen[present] = True
        coef, intercept = self.problem.fit(chosen)
        return self.losses(test, coef[self.main], intercept[self.main])
