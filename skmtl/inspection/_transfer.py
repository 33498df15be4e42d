"""Cross-validated comparison of a multi-task model with models that share less or more."""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skmtl._parallel import run_parallel
from skmtl.design import (
    Parts,
    as_label_array,
    as_parts,
    encode_tasks,
    read_ids,
    split_task_column,
    task_names,
)
from skmtl.estimators import TaskEstimator
from skmtl.inspection._separate import loss_names
from skmtl.inspection._transfer_models import (
    check_task_column,
    find_last,
    find_task_column,
    find_template,
    fit_params,
    fit_tuned,
    read_baselines,
    refuse_groups,
)
from skmtl.inspection._transfer_result import MIN_LABELS, TransferGain, compare
from skmtl.inspection._transfer_statistics import StatisticsFolds
from skmtl.metrics import TaskScorer, make_task_scorer
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]

# joblib's verbosity at which some of a few dozen tasks are reported; at twice this all are.
_JOBLIB = 10

_CONSTRAINTS: dict[str, list[Any]] = {
    "cv": ["cv_object"],
    "n_repeats": [Interval(Integral, 1, None, closed="left")],
    "tune": ["boolean"],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def transfer_gain(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    baselines: Any = ("independent", "pooled"),
    cv: Any = None,
    groups: Any = None,
    n_repeats: int = 5,
    scoring: Any = None,
    tune: bool = True,
    n_jobs: int | None = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
) -> TransferGain:
    """Measure for each task whether learning the tasks together helped.

    The gain of a task is a baseline's loss minus the estimator's on held-out rows, averaged over
    repeated cross-validation with the same folds for all models.

    Parameters
    ----------
    estimator : estimator
        A regressor or classifier of either layout, alone, in a pipeline or in a search. The
        task column is that of the estimator, or of the first step of a pipeline that has one.
    X, y : as in the estimator's fit
        At least two tasks. For a single target with several classes pass the matrix of
        one-against-rest labels. With ``loss="squared"`` X may also be a list of
        :class:`~skmtl.design.TaskStatistics`, one for each outer fold, without y; then each fold is
        held out once, and alpha is selected by the mean squared error of all labels, with the other
        folds as inner folds. ``cv``, ``groups`` and ``scoring`` need rows.
    baselines : sequence of str and (name, estimator) pairs, or dict, default=("independent", \
"pooled")
        "independent": each task alone, with one ridge strength for all tasks or one for each,
        whichever predicts better within the training rows
        (:class:`~skmtl.IndependentTaskRegressor` with ``alpha="cv"``); "pooled": one coefficient
        vector for all tasks, with the strength selected by cross-validation. They copy the
        parameters that they have in common with ``estimator`` (task column, intercept, weights).
        In a pipeline they replace the last step; a search is replaced by its pipeline. They do not
        see the columns of auxiliary targets. If ``loss`` is given by task, "independent" is a ridge
        for each task with its own loss and its own strength, and there is no "pooled".
    cv : int, splitter or iterable, default=None
        Outer folds. An int, or None for 5: the number of folds of
        :class:`~skmtl.model_selection.StratifiedTaskKFold`, drawn ``n_repeats`` times. A splitter
        that shuffles is repeated as well, with different random states; any other is used once.
    groups : array-like of shape (n_samples,), default=None
        Rows of the same group, for example of a patient, are never split between training and
        test set. Passed to the outer folds, to the inner folds that select ``alpha``, to
        estimators whose fit accepts ``groups``, and to searches whose ``cv`` does.
    n_repeats : int, default=5
        Number of times the folds are drawn.
    scoring : str, callable or None, default=None
        The loss of a task. None: mean squared error for regressors (for tasks with the quantile
        loss, that loss), log loss for classifiers. Otherwise a metric for
        :func:`skmtl.metrics.make_task_scorer`, or a scorer returned by it; if greater is better,
        the loss is 1 - score.
    tune : bool, default=True
        Whether to select ``alpha`` of skmtl's estimators, alone or as a pipeline's last step, on
        the training rows of each outer fold, ignoring the given value; see Notes. Estimators that
        accept ``alpha="cv"`` keep the ``alpha`` they are given, and all other estimators, such as
        searches, are fitted as they are.
    n_jobs : int or None, default=None
        Number of processes for the outer folds.
    random_state : int, RandomState instance or None, default=None
        Makes the outer and the inner folds reproducible.
    verbose : int, default=0
        1: report a few times on standard error how many outer folds are done; 2 or more: after each
        fold. To follow the fits themselves, set callbacks on the estimator; see Notes.

    Returns
    -------
    TransferGain
        Prints as a summary; ``to_frame()`` returns a row per baseline and task, and ``plot()``
        draws the gains.

    Raises
    ------
    ValueError
        If there are fewer than two tasks, or no task has ten labels; if a baseline or the scoring
        is unknown; if ``cv`` yields fewer than two test sets; if steps of a pipeline move the task
        column.

    See Also
    --------
    TransferGainDisplay : Draws the gains.

    Notes
    -----
    **In short.** The overall gain with its interval tells whether sharing helped on average, and
    the verdicts tell for which tasks, as far as their labels allow. Do not trust the verdicts on
    models with almost as many parameters as rows and a small penalty strength.

    **Tuning.** Five inner folds, stratified by task, select ``alpha`` by the same loss, averaged
    over tasks. The candidates are 13 strengths, three decades down from
    :func:`~skmtl.model_selection.alpha_max`, or, for penalties without one, six decades down from
    a strength at which almost nothing is learned. Fits within inner folds stop at a relative
    duality gap of 1e-4. The steps of a pipeline before the last are fitted once in each inner fold.
    Estimators with ``alpha="cv"`` select it themselves; with ``groups``, which their own folds
    ignore, the inner folds select one strength for all tasks. This takes about 70 fits for each of
    the 25 outer folds.

    **Callbacks.** With scikit-learn 1.9 or later, callbacks that are set on the estimator follow
    its fit to the training rows of each outer fold. They do not follow the fits that select its
    ``alpha``, nor the named baselines. A callback that stops a fit ends only this one.

    **Overall.** The unweighted mean over the tasks with enough labels; if tasks have different
    units, use the relative gains. J test sets give J mean gains, with variance s². Since the
    training sets overlap, the variance of their mean is estimated by (1/J + n_test/n_train) s²
    [1]_, and the interval and the p-value come from Student's t distribution with J - 1 degrees of
    freedom. They apply to the given tasks. ``overall.population`` applies to a population from
    which the tasks are a random sample: the variance of the tasks' gains divided by their number is
    added, with Satterthwaite's degrees of freedom. Both are printed. The gain is that of models
    trained on the outer training sets, four fifths of the rows by default.

    **Per task, alone.** ``gain``, ``se``, ``low``, ``high`` and ``p`` follow from the J gains of
    the task by the same formulas, where n_test and n_train are numbers of the task's labels;
    ``p_holm`` is adjusted for the number of tasks [2]_. With tens of tasks this has almost no
    power.

    **Per task, together.** The gains g_t and their variances v_t enter a hierarchical model [3]_::

        g_t ~ N(theta_t, v_t),   theta_t ~ N(mu, tau^2),   p(mu) constant,
        p(tau) proportional to r^2 / (1 + r^2)^2,   r = tau / (mean of v_t)^(1/2)

    v_t is se_t², with the variance of the task's labels shrunk towards the common one by Smyth's
    method [4]_ (with 2 degrees of freedom, since the squares of heavy-tailed losses are uncertain).
    tau is integrated out on a grid; fixing it at its estimate would give intervals that are too
    short. The prior of tau vanishes at zero [5]_, because v_t is too large for many models: no
    unbiased estimator exists [6]_. An error that all gains share, the excess of the variance of the
    overall mean over that of independent tasks, is added to the variance of each theta_t. ``model``
    contains the mean, the standard deviation and the positive share of the theta_t, and for each
    task its posterior mean, 95% interval and the probability that theta_t > 0. The ``verdict`` is
    "helped" if it is at least 0.95, and "hurt" if it is at most 0.05. If Cochran's test [7]_ does
    not reject equal gains (p > 0.05), the summary says so instead of counting verdicts: those of
    all tasks then express one common gain, not evidence from each task.

    Verdicts rest on normal errors with the corrected variance. This is too small for models with
    almost as many parameters as rows and a small penalty strength: of two such models that differ
    by chance alone, some task then gets a verdict in most data sets. ``python -m
    benchmarks.transfer_coverage`` measures all error rates. The intervals of ``model.mean`` and
    ``model.share_helped`` assume normal true gains, and are too short for many tasks in groups;
    ``overall`` does not depend on the model. Tasks with fewer than ten labels, or fewer than two
    test sets with a defined loss, get no p-value and no interval and are left out of all models.
    Losses that agree to 12 digits are ties.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio. Inference for the generalization error. Machine Learning 52,
       239-281, 2003. https://doi.org/10.1023/A:1024068626366
    .. [2] S. Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal
       of Statistics 6, 65-70, 1979. https://www.jstor.org/stable/4615733
    .. [3] D. B. Rubin. Estimation in parallel randomized experiments. Journal of Educational
       Statistics 6, 377-401, 1981. https://doi.org/10.3102/10769986006004377
    .. [4] G. K. Smyth. Linear models and empirical Bayes methods for assessing differential
       expression in microarray experiments. Statistical Applications in Genetics and Molecular
       Biology 3, 2004. https://doi.org/10.2202/1544-6115.1027
    .. [5] Y. Chung, S. Rabe-Hesketh, V. Dorie, A. Gelman and J. Liu. A nondegenerate penalized
       likelihood estimator for variance parameters in multilevel models. Psychometrika 78,
       685-709, 2013. https://doi.org/10.1007/s11336-013-9328-2
    .. [6] Y. Bengio and Y. Grandvalet. No unbiased estimator of the variance of k-fold
       cross-validation. Journal of Machine Learning Research 5, 1089-1105, 2004.
       https://www.jmlr.org/papers/v5/grandvalet04a.html
    .. [7] W. G. Cochran. The combination of estimates from different experiments. Biometrics 10,
       101-129, 1954. https://doi.org/10.2307/3001666

    Examples
    --------
    >>> from skmtl import IndependentTaskRegressor, PooledTaskRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import transfer_gain
    >>> dataset = make_block_sparse(99, 4, 3, n_informative=4, random_state=1)  # unrelated tasks
    >>> alone = ("alone", IndependentTaskRegressor(alpha=0.1))
    >>> result = transfer_gain(
    ...     PooledTaskRegressor(alpha=0.1), dataset.data, dataset.target, baselines=[alone],
    ...     tune=False, n_repeats=2, random_state=0,
    ... )
    >>> result["alone"].verdict.tolist()
    ['hurt', 'hurt', 'hurt']
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="transfer_gain")
    if isinstance(estimator, type) or not (
        hasattr(estimator, "fit") and hasattr(estimator, "get_params")
    ):
        raise TypeError(
            f"transfer_gain takes an estimator, or a pipeline or a search that ends in one, got "
            f"{estimator!r:.200}. Pass an instance such as BlockSparseRegressor()."
        )
    models = {"": estimator, **read_baselines(baselines, estimator)}
    parts = as_parts(estimator, X, y, None)
    if isinstance(parts, Parts):
        _refuse_rows(cv=cv, groups=groups, scoring=scoring)
        folds = StatisticsFolds(models, parts, tune=tune)
        return _compared(estimator, "mean squared error", models, folds.losses(), folds)
    if groups is not None:
        refuse_groups(models.values())
    X, y, groups = indexable(X, y, None if groups is None else np.asarray(groups))
    task_column = find_task_column(estimator)
    tasks = _read_tasks(X, y, task_column, is_classifier(estimator))
    scorer, loss_name = _read_scoring(scoring, tasks, estimator)
    scorer = replace(scorer, task_column=task_column)
    if scoring is None and is_classifier(estimator):
        _check_probabilities(models.values())

    rng = check_random_state(random_state)
    splits = _split(cv, n_repeats, X, y, groups, task_column, rng)
    if len(splits) < 2:
        raise ValueError(
            f"cv must give two or more test sets, for a standard error, got {len(splits)}. Pass "
            f"cv=5."
        )
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(splits))
    jobs = (
        ([*models.values()], X, y, groups, tasks, train, test, scorer, tune, int(seed))
        for (train, test), seed in zip(splits, seeds, strict=True)
    )
    reports = _JOBLIB * min(int(verbose), 2)
    losses = run_parallel(_fold_losses, jobs, n_jobs, verbose=reports)
    n_test = np.array([tasks.count(test) for _, test in splits])
    n_train = np.array([tasks.count(train) for train, _ in splits])
    counted = _Counts(tasks.names, tasks.n_labels, n_test, n_train)
    return _compared(estimator, loss_name, models, np.stack(losses, axis=1), counted)


def _refuse_rows(**given: Any) -> None:
    """Raise if an argument needs rows, which statistics do not keep."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} needs rows, and X is a list of statistics. Leave it out, or pass the rows "
                f"X and y."
            )


class _Counted(Protocol):
    """Numbers of labels: of each task, and in the test and training sets (n_folds, n_tasks)."""

    @property
    def names(self) -> Array: ...
    @property
    def n_labels(self) -> Array: ...
    @property
    def n_test(self) -> Array: ...
    @property
    def n_train(self) -> Array: ...


@dataclass(frozen=True)
class _Counts:
    names: Array
    n_labels: Array
    n_test: Array
    n_train: Array


def _compared(
    estimator: Any, loss_name: str, models: dict[str, Any], losses: Array, counted: _Counted
) -> TransferGain:
    """The gains, from the losses (n_models, n_folds, n_tasks) of the estimator and baselines."""
    own, *others = losses
    return TransferGain(
        estimator_name=type(find_last(estimator)).__name__,
        loss_name=loss_name,
        tasks=counted.names,
        n_labels=counted.n_labels,
        n_folds=len(own),
        baselines={
            name: compare(name, own, other, counted.n_test, counted.n_train, counted.n_labels)
            for name, other in zip([*models][1:], others, strict=True)
        },
    )


@dataclass(frozen=True)
class _Tasks:
    """The labels of each task: a column of ``labels``, or its rows with the task's code."""

    names: Array
    labels: Array
    codes: Array | None

    @property
    def n_labels(self) -> Array:
        return self.count(np.arange(len(self.labels)))

    def count(self, rows: Array) -> Array:
        """Each task's number of labels (n_tasks,) in some rows."""
        if self.codes is not None:
            return np.bincount(self.codes[rows], minlength=len(self.names))
        return np.asarray((~np.isnan(self.labels[rows].astype(np.float64))).sum(axis=0))

    def present(self, rows: Array) -> Array:
        """The tasks that a metric scores, given some rows."""
        return np.arange(len(self.names)) if self.codes is None else np.unique(self.codes[rows])


def _read_tasks(X: Any, y: Any, task_column: str | int | None, classifier: bool) -> _Tasks:
    labels = as_label_array(y, "transfer_gain")
    if task_column is not None:
        names, codes = encode_tasks(read_ids(split_task_column(X, task_column)[1], warn=False))
        tasks = _Tasks(names, labels.reshape(len(codes)), codes)
    elif labels.ndim == 1:
        remedy = "Pass y with one column per task, or an estimator with a task_column."
        if classifier and len(np.unique(labels)) > 2:
            remedy = (
                "For one-against-rest tasks, as fit makes them from a 1-D y, pass "
                "(y[:, None] == numpy.unique(y)).astype(int)."
            )
        raise ValueError(
            f"y is 1-D and the estimator has no task_column, but transfer_gain compares tasks "
            f"and needs 2 or more of them. {remedy}"
        )
    else:
        tasks = _Tasks(task_names(y, labels.shape[1]), labels, None)
    if len(tasks.names) < 2:
        raise ValueError(
            f"transfer_gain needs 2 or more tasks, got {len(tasks.names)}. Pass the data of "
            f"several tasks."
        )
    most = tasks.n_labels.max()
    if most < MIN_LABELS:
        remedy = "Collect more labels"
        if task_column is not None:
            remedy += f", or check that column {task_column!r} of X holds the tasks before any step"
        raise ValueError(
            f"No task has {MIN_LABELS} or more labels (the largest has {most}), too few to test a "
            f"gain. {remedy}."
        )
    return tasks


def _read_scoring(scoring: Any, tasks: _Tasks, estimator: Any) -> tuple[TaskScorer, str]:
    """The scorer, and the name of its loss."""
    if scoring is None and is_classifier(estimator):
        positive = None if tasks.codes is None else np.unique(tasks.labels)[-1]
        loss = partial(_log_loss, positive=positive)
        scorer = make_task_scorer(loss, greater_is_better=False, response_method="predict_proba")
        return scorer, "log loss"
    model = find_template(estimator)
    quantile = getattr(model, "quantile", None)
    if scoring is None and quantile is not None and "quantile" in _losses(model):
        if model.loss == "quantile":
            loss = partial(mean_pinball_loss, alpha=quantile)
            return make_task_scorer(loss, greater_is_better=False), "quantile loss"
        chosen = np.array(loss_names(model, tasks.names.tolist())) == "quantile"
        loss = partial(_own_error, quantile=quantile, chosen=chosen)
        scorer = make_task_scorer(loss, greater_is_better=False)
        return scorer, "squared error or quantile loss"
    if scoring is None:
        return make_task_scorer(_squared_error, greater_is_better=False), "mean squared error"
    scorer = scoring if isinstance(scoring, TaskScorer) else make_task_scorer(scoring)
    metric = scorer.metric.func if isinstance(scorer.metric, partial) else scorer.metric
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "the metric")
    name = {"rmse": "root mean squared error"}.get(name, name.replace("_", " "))
    return scorer, f"1 - {name}" if scorer.greater_is_better else name


def _check_probabilities(models: Iterable[Any]) -> None:
    """Raise if a classifier of skmtl lacks the probabilities that the log loss needs."""
    for model in map(find_template, models):
        if isinstance(model, TaskEstimator) and not hasattr(model, "predict_proba"):
            raise ValueError(
                f"Without scoring, the log loss needs predict_proba, which {type(model).__name__} "
                f"with loss={model.loss!r} lacks. Pass scoring='accuracy', or models with "
                f"loss='logistic'."
            )


def _split(
    cv: Any, n_repeats: int, X: Any, y: Any, groups: Any, task_column: str | int | None, rng: Any
) -> list[tuple[Array, Array]]:
    """Training and test rows of all outer folds."""
    if cv is None or isinstance(cv, Integral):
        cv = StratifiedTaskKFold(5 if cv is None else int(cv), task_column=task_column)
    elif not (getattr(cv, "shuffle", False) and hasattr(cv, "random_state")):
        return list(check_cv(cv).split(X, y, groups))
    elif cv.random_state is not None:
        rng = check_random_state(cv.random_state)
    splits = []
    for seed in rng.randint(np.iinfo(np.int32).max, size=n_repeats):
        cv = copy(cv)
        cv.random_state = int(seed)
        splits += list(cv.split(X, y, groups))
    return splits


def _fold_losses(
    models: list[Any],
    X: Any,
    y: Any,
    groups: Any,
    tasks: _Tasks,
    train: Array,
    test: Array,
    scorer: TaskScorer,
    tune: bool,
    seed: int,
) -> Array:
    """Each model's losses (n_models, n_tasks) on the test rows; NaN where undefined."""
    X_train, y_train = _safe_indexing(X, train), _safe_indexing(y, train)
    kept = None if groups is None else groups[train]
    X_test, labels = _safe_indexing(X, test), tasks.labels[test]
    task_scorer, column = replace(scorer, average=None), scorer.task_column
    mean_scorer = replace(scorer, average="macro")
    best = 1.0 if scorer.greater_is_better else 0.0
    losses = np.full((len(models), len(tasks.names)), np.nan)
    for k, model in enumerate(models):
        if tune:
            fitted = fit_tuned(model, X_train, y_train, mean_scorer, column, seed, kept)
        else:
            fitted = clone(model).fit(X_train, y_train, **fit_params(model, kept))
        if k == 0:
            check_task_column(fitted, X_test, column)
        losses[k, tasks.present(test)] = best - task_scorer(fitted, X_test, labels)
    return losses


# Metrics of transfer_gain, with the arguments by which scorers call a metric over tasks. Their
# ``sample_weight`` is None, because transfer_gain takes no weights.


def _squared_error(
    y_true: Any, y_pred: Array, *, task: Any, sample_weight: Any, average: str | None
) -> Any:
    """Mean squared error of each task, with little overhead since it is called for every fit."""
    truth = as_label_array(y_true, "transfer_gain").astype(np.float64)
    return _average(lambda p: (truth - p) ** 2, truth, y_pred, task, average)


def _losses(model: Any) -> list[Any]:
    """The losses that some task of a model has."""
    loss = getattr(model, "loss", None)
    return list(loss.values()) if isinstance(loss, dict) else [loss]


def _own_error(
    y_true: Any,
    y_pred: Array,
    *,
    task: Any,
    sample_weight: Any,
    average: str | None,
    quantile: float,
    chosen: Array,
) -> Any:
    """The quantile loss of the chosen tasks (n_tasks,), and the squared error of the others."""
    truth = as_label_array(y_true, "transfer_gain").astype(np.float64)

    def loss(p: Array) -> Array:
        error = truth - p
        return np.where(chosen, np.maximum(quantile * error, (quantile - 1) * error), error**2)

    return _average(loss, truth, y_pred, task, average)


def _log_loss(
    y_true: Any,
    y_pred: Array,
    *,
    task: Any,
    sample_weight: Any,
    average: str | None,
    positive: Any,
) -> Any:
    """Log loss of each task; ``positive`` is the greater label of the stacked layout."""
    truth = as_label_array(y_true, "transfer_gain")
    if positive is not None:
        truth = truth == positive
    truth = truth.astype(np.float64)

    def loss(p: Array) -> Array:
        p = np.clip(p, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        return np.asarray(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)))

    return _average(loss, truth, y_pred, task, average)


def _average(
    loss: Callable[[Array], Array], truth: Array, y_pred: Array, task: Any, average: str | None
) -> Any:
    """Each task's mean loss (n_tasks,), or with "macro" the mean over the tasks with labels."""
    y_pred = np.asarray(y_pred, dtype=np.float64)
    observed = ~np.isnan(truth)
    if y_pred.shape != truth.shape:
        raise ValueError(f"The predictions have shape {y_pred.shape}, the labels {truth.shape}.")
    if not np.isfinite(y_pred[observed]).all():
        raise ValueError("A model predicts NaN or infinity, for which the loss is undefined.")
    values = np.where(observed, loss(np.where(observed, y_pred, 0.5)), 0.0)
    codes = np.indices(truth.shape)[1] if task is None else encode_tasks(task)[1]
    n_tasks = codes.max() + 1
    totals = np.bincount(codes.ravel(), weights=values.ravel(), minlength=n_tasks)
    counts = np.bincount(codes[observed], minlength=n_tasks)
    means = np.divide(totals, counts, out=np.full(n_tasks, np.nan), where=counts > 0)
    return means if average is None else float(means[counts > 0].mean())
