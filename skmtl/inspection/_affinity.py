"""Which tasks are alike, and which tasks help which."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints

from skmtl._parallel import run_parallel
from skmtl.estimators import Fold
from skmtl.inspection._affinity_result import TaskAffinity
from skmtl.inspection._task_problem import TaskProblem, mean_losses

Array = NDArray[Any]

# With more unknowns than this, refits cost less than the closed form.
_MOST_UNKNOWNS = 4000

_CONSTRAINTS: dict[str, list[Any]] = {
    "kind": [StrOptions({"learned", "leave_one_out"})],
    "tune": ["boolean"],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


def task_affinity(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    kind: str = "learned",
    sample_weight: Any = None,
    tune: bool = True,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> TaskAffinity:
    """Measure which tasks are alike, or which tasks help which.

    Parameters
    ----------
    estimator : estimator of skmtl
        "learned": one with ``task_correlation_``, such as :class:`~skmtl.TaskRelationRegressor`
        (recommended, since it needs no number of groups) or
        :class:`~skmtl.ClusteredTaskRegressor`. "leave_one_out": any.
    X, y : as in the estimator's fit
        At least two tasks.
    kind : {"learned", "leave_one_out"}, default="learned"
        "learned": which tasks belong together, the correlation of the tasks' coefficients that the
        estimator learns. "leave_one_out": which tasks help which. Entry (t, s) is the mean loss of
        task t's held-out labels without the labels of task s, minus that with them; it is positive
        if s helps t. Rows gain.
    sample_weight : as in the estimator's fit, optional
        Weighs the held-out losses too.
    tune : bool, default=True
        Whether to select ``alpha`` by cross-validation, ignoring the given value. It is selected
        once, on all rows, from 13 strengths, and kept in all folds and refits. False: keep the
        estimator's own.
    n_jobs : int or None, default=None
        Number of processes for the folds.
    random_state : int, RandomState instance or None, default=None
        Makes the folds reproducible.

    Returns
    -------
    TaskAffinity
        ``matrix`` (n_tasks, n_tasks); ``to_frame()`` labels it by task, and ``plot()`` draws it.

    Raises
    ------
    TypeError
        If the estimator is not one of skmtl, selects its own strength, or, with
        ``kind="learned"``, learns no correlation.
    ValueError
        If there are fewer than two tasks, or the loss is multinomial.

    See Also
    --------
    group_tasks : Groups from the learned correlation.
    select_auxiliary_tasks : The tasks that help one task, and how much.
    transfer_gain : Whether learning together helped at all.

    Notes
    -----
    **Who belongs together.** The learned correlation is symmetric and uses all labels. Planted
    groups are found well by it (``python -m benchmarks.affinity``). It is shrunk towards zero for
    tasks with few labels, and does not tell whether a task gains.

    **Who helps whom** is a harder question, and its answers are noisier. An entry is the difference
    of two losses of the same held-out labels, in five folds stratified by task: the mean squared
    error, or for other losses the estimator's loss. Tasks with a single label have none that can be
    held out, and NaN gains. Planted helpers are ranked above other tasks in 70 to 80% of the pairs,
    but the sign of a single gain is only a little better than chance (``python -m
    benchmarks.affinity``). Compare any ranking with that by the numbers of labels: tasks with more
    labels help more, if they help at all.

    For :class:`~skmtl.TaskRelationRegressor` and :class:`~skmtl.ClusteredTaskRegressor` with the
    squared loss and dense data the fits without a task are computed in closed form, with the
    covariance that was learned from the training rows of all tasks. This takes one fit per fold.
    With all other estimators, and if the closed form needs a matrix with more than 4000 rows, each
    fold takes a fit for each task.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.inspection import task_affinity
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ (w * [1, 1, -1]) + 0.1 * rng.normal(size=(100, 3))
    >>> affinity = task_affinity(TaskRelationRegressor(), X, Y, random_state=0)
    >>> affinity.matrix.round(1)
    array([[ 1.,  1., -1.],
           [ 1.,  1., -1.],
           [-1., -1.,  1.]])
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="task_affinity")
    if kind == "learned":
        check_learns_relations(estimator)
    rng = check_random_state(random_state)
    problem = TaskProblem.read(estimator, X, y, sample_weight, "task_affinity")
    if tune:
        problem = problem.tuned(rng, n_jobs)
    if kind == "learned":
        matrix = problem.correlation()
    else:
        matrix = _leave_one_out(problem, rng, n_jobs)
    return TaskAffinity.of(problem, estimator, matrix, kind)


def check_learns_relations(estimator: Any) -> None:
    """Raise unless the estimator learns a covariance between tasks."""
    if hasattr(type(estimator), "task_correlation_"):
        return
    raise TypeError(
        f"kind='learned' needs an estimator with 'task_correlation_', which "
        f"{type(estimator).__name__} lacks. Use TaskRelationRegressor, ClusteredTaskRegressor or "
        f"their classifiers, or kind='leave_one_out', which takes any estimator of skmtl."
    )


def _leave_one_out(problem: TaskProblem, rng: np.random.RandomState, n_jobs: int | None) -> Array:
    folds = problem.folds(rng)
    jobs = ((problem, fold) for fold in folds)
    gains = run_parallel(_fold_gains, jobs, n_jobs)
    totals = sum(problem.taken(fold.test).data.totals for fold in folds)
    matrix = mean_losses(gains, np.asarray(totals)).T
    np.fill_diagonal(matrix, np.nan)
    return np.ascontiguousarray(matrix)


def _fold_gains(problem: TaskProblem, fold: Fold) -> Array:
    """How much the losses of a fold's labels rise without each task (n_removed, n_tasks)."""
    train, test = problem.taken(fold.train), problem.taken(fold.test)
    related = train.related()
    if related is not None and related.n_unknowns <= _MOST_UNKNOWNS:
        coef, without = related.leave_one_out()
        losses = test.losses(without.transpose(0, 2, 1), related.intercepts(without))
        return np.asarray(losses - test.losses(coef.T, related.intercepts(coef)))
    n_tasks = problem.data.n_tasks
    others = ~np.eye(n_tasks, dtype=bool)
    losses = np.array([test.losses(*train.fit(present)) for present in others])
    return np.asarray(losses - test.losses(*train.fit()))
