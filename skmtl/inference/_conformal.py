"""Conformal calibration: what intervals and prediction sets have in common."""

from abc import abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import (
    _safe_indexing,
    check_consistent_length,
    check_random_state,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._parallel import run_parallel
from skmtl._site import DocumentedEstimator
from skmtl._warnings import warn
from skmtl.design import (
    UNKNOWN,
    as_label_array,
    look_up_tasks,
    read_ids,
    rows_by_task,
    split_task_column,
    warn_of_unweighted,
)
from skmtl.inference._quantiles import Calibration, rank
from skmtl.inference._rows import (
    Indices,
    Rows,
    Split,
    indexable,
    tasks_of_labels,
    weights_of_fit,
)
from skmtl.inspection import check_task_column, find_task_column
from skmtl.model_selection import Delegation

Array = NDArray[Any]

# Folds within the training part that estimate the spread of each task's scores.
_INNER_FOLDS = 3


class TaskConformal(Delegation, MetaEstimatorMixin, DocumentedEstimator):
    """Fits to a part of the rows, and scores of the labels of the others.

    A subclass says what the score of a label is, and turns scores into intervals or sets.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "method": [StrOptions({"split", "cv+", "jackknife+"})],
        "pooling": [StrOptions({"shrunk", "shared", "task"})],
        "new_tasks": [StrOptions({"approximate", "hierarchical"})],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "calibration_size": [Interval(Real, 0, 0.5, closed="right")],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"]), list],
        "max_refits": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "split",
        pooling: str = "shrunk",
        new_tasks: str = "approximate",
        confidence_level: float = 0.9,
        calibration_size: float = 0.25,
        cv: Any = 5,
        max_refits: int = 1000,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.pooling = pooling
        self.new_tasks = new_tasks
        self.confidence_level = confidence_level
        self.calibration_size = calibration_size
        self.cv = cv
        self.max_refits = max_refits
        self.n_jobs = n_jobs
        self.random_state = random_state

    _fitted_as = "estimator_"

    def _unfitted(self) -> Any:
        return self.estimator

    @abstractmethod
    def _check_inner(self) -> None:
        """Refuse an estimator that does not predict what the scores need."""

    @abstractmethod
    def _read_labels(self, labels: Array) -> Array:
        """Labels as floats, NaN where they are missing."""

    @abstractmethod
    def _label_scores(self, model: Any, rows: Rows) -> Array:
        """The score of each label, in the labels' shape: the worse the prediction, the larger."""

    @abstractmethod
    def _spreads(self, scores: Array, codes: Indices) -> tuple[Array, float]:
        """The shrunk spread of each task's scores, and that of a new task."""

    @abstractmethod
    def _candidates(self, models: list[Any], X: Any) -> Array:
        """What each model (the last axis) predicts: (n_rows, ..., n_models)."""

    @abstractmethod
    def _region(
        self, calibration: Calibration, predicted: Array, codes: Indices, level: float
    ) -> Array:
        """The interval or set of each row, given what each model predicts and the rows' tasks."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Fit the estimator, and calibrate it on rows that it has not seen.

        Parameters
        ----------
        X, y : as in the estimator's fit
        sample_weight : as in the estimator's fit, optional
        groups : array-like of shape (n_samples,), optional
            Rows of one group, such as a patient's, are either all fitted or all calibrate.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_inner()
        rows = self._read(X, y, sample_weight, groups)
        seed = check_random_state(self.random_state).randint(2**31)
        splits = self._splits(rows)
        jobs = ((rows, split, seed) for split in splits)
        done = run_parallel(self._calibrate, jobs, self.n_jobs, prefer="threads")
        self.estimators_ = [model for model, *_ in done]
        self._calibration = Calibration(
            np.concatenate([scores for _, scores, _, _ in done]),
            np.concatenate([codes for _, _, codes, _ in done]),
            np.repeat(np.arange(len(done)), [len(scores) for _, scores, _, _ in done]),
            np.stack([spreads for *_, spreads in done]),
        )
        self.calibration_scores_ = self._calibration.raw
        self.spreads_ = self._calibration.spreads[:, :-1].mean(axis=0)
        self.n_calibration_ = np.bincount(self._calibration.codes, minlength=len(self.tasks_))
        self.estimator_ = self.estimators_[0]
        if self.method != "split":
            self.estimator_ = rows.fit(self.estimator)
        self.__dict__.pop("new_task_estimators_", None)
        self._warn_of_few_labels()
        self._new_calibration: Calibration | None = None
        if self.new_tasks == "hierarchical":
            self._fit_new_tasks(rows, seed)
        return self

    def _read(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Rows:
        labels = as_label_array(y, type(self).__name__)
        X, y = indexable(X), indexable(y)
        if np.iscomplexobj(labels) or np.iscomplexobj(X):
            raise ValueError("Complex data not supported: X and y must be real.")
        labels = self._read_labels(labels)
        self._matrix = labels.ndim == 2
        sample_weight = weights_of_fit(sample_weight, y, labels)
        self._task_column = find_task_column(self.estimator)
        if groups is not None:
            groups = np.asarray(groups)
            check_consistent_length(labels, groups)
        self.tasks_, codes = tasks_of_labels(X, y, labels, self._task_column)
        rows = Rows(X, y, labels, codes, sample_weight, groups, self._task_column)
        counted = rows.counted_rows()
        if len(counted) in (0, len(rows)) or self._has_given_splits:
            return rows  # without any label the fit raises
        # Rows that do not count must not take places in the splits.
        rows, before = rows.take(counted), self.tasks_
        self.tasks_, codes = tasks_of_labels(rows.X, rows.y, rows.labels, self._task_column)
        if self._task_column is not None:
            warn_of_unweighted(before, self.tasks_, "error")
        return replace(rows, codes=codes)

    @property
    def _has_given_splits(self) -> bool:
        return self.method == "cv+" and not isinstance(self.cv, Integral)

    def _splits(self, rows: Rows) -> list[Split]:
        """Training and calibration rows of each fit."""
        if self.method == "jackknife+":
            units = np.arange(len(rows))
            if rows.groups is not None:
                units = np.unique(rows.groups, return_inverse=True)[1]
            n_units = int(units.max()) + 1
            fits = n_units * (1 if self.pooling != "shrunk" else 1 + _INNER_FOLDS)
            if fits > self.max_refits:
                raise ValueError(
                    f"method='jackknife+' needs {fits} fits for {n_units} rows or groups, more "
                    f"than max_refits={self.max_refits}. Use method='cv+', or raise max_refits."
                )
            return [
                (np.flatnonzero(units != k), np.flatnonzero(units == k)) for k in range(n_units)
            ]
        if self._has_given_splits:
            splits = list(check_cv(self.cv).split(rows.X, rows.labels, rows.groups))
            _check_held_out(splits, len(rows), self.cv)
            return splits
        if self.method == "cv+":
            return rows.folds(self.cv, self.random_state, f"cv={self.cv}")
        n_folds = max(2, round(1 / self.calibration_size))
        what = f"calibration_size={self.calibration_size}"
        return rows.folds(n_folds, self.random_state, what)[:1]

    def _calibrate(self, rows: Rows, split: Split, seed: int) -> tuple[Any, Array, Indices, Array]:
        """A fit to the training rows, the others' scores and tasks, and the tasks' spreads."""
        train = rows.take(split[0])
        model = train.fit(self.estimator)
        check_task_column(model, train.X, self._task_column)
        scores, codes = self._held_out_scores(model, rows.take(split[1]))
        spreads = np.ones(len(self.tasks_) + 1)
        if self.pooling == "shrunk":
            parts = [
                self._held_out_scores(train.take(part).fit(self.estimator), train.take(rest))
                for part, rest in train.folds(_INNER_FOLDS, seed, "pooling='shrunk'")
            ]
            within, own = (np.concatenate(each) for each in zip(*parts, strict=True))
            spreads[:-1], spreads[-1] = self._spreads(within, own)
        return model, scores, codes, spreads

    def _held_out_scores(self, model: Any, rows: Rows) -> tuple[Array, Indices]:
        """The scores of the observed labels of positive weight, and their tasks."""
        rows = rows.take(rows.counted_rows())
        if not len(rows):
            return np.zeros(0), np.zeros(0, dtype=np.intp)
        used = rows.counted()
        return self._label_scores(model, rows)[used], rows.codes[used]

    def _fit_new_tasks(self, rows: Rows, seed: int) -> None:
        """Calibrate predictions for tasks that a fit has not seen: hold out whole tasks."""
        if self._task_column is None or len(self.tasks_) < 2:
            raise ValueError(
                f"new_tasks='hierarchical' needs two or more tasks in the stacked layout, whose "
                f"task column may hold new ids; got {len(self.tasks_)} task(s) and "
                f"task_column={self._task_column!r}. Use new_tasks='approximate'."
            )
        if self.method == "split":
            n_folds = max(2, round(1 / self.calibration_size))
        else:
            n_folds = int(self.cv) if isinstance(self.cv, Integral) else 5
        folds = KFold(min(n_folds, len(self.tasks_)), shuffle=True, random_state=seed)
        splits = list(folds.split(self.tasks_))
        models, parts = [], []
        for _, held_out in splits if self.method != "split" else splits[:1]:
            out = np.isin(rows.codes, held_out)
            models.append(rows.take(np.flatnonzero(~out)).fit(self.estimator))
            parts.append(self._held_out_scores(models[-1], rows.take(np.flatnonzero(out))))
        scores, codes = (np.concatenate(each) for each in zip(*parts, strict=True))
        _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
        self.new_task_estimators_ = models
        self._new_calibration = Calibration(
            scores,
            codes,
            np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts]),
            np.ones((len(parts), len(counts) + 1)),
            1 / counts[codes],
        )
        if rank(len(counts), self.confidence_level) > len(counts):
            least = int(np.ceil(1 / (1 - self.confidence_level) - 1 - 1e-9))
            warn(
                f"{len(counts)} held-out tasks are too few for intervals or sets of level "
                f"{self.confidence_level} for new tasks, which contain everything: {least} are "
                f"needed. Use method='cv+', which holds out all tasks in turn, or "
                f"new_tasks='approximate'."
            )

    def _warn_of_few_labels(self) -> None:
        """Warn of tasks whose own intervals or sets contain everything."""
        if self.pooling != "task":
            return
        few = [rank(n, self.confidence_level) > n for n in self.n_calibration_]
        if any(few):
            names = self.tasks_[few].tolist()
            warn(
                f"{len(names)} tasks, such as {names[:5]}, have too few calibration labels for "
                f"intervals or sets of level {self.confidence_level} of their own, which contain "
                f"everything. Use pooling='shrunk', or method='cv+', with which every label "
                f"calibrates."
            )

    def _regions(self, X: Any, confidence_level: float | None) -> Array:
        """The interval or set of each row, or of each row and task."""
        check_is_fitted(self)
        level = self.confidence_level if confidence_level is None else confidence_level
        if not (isinstance(level, Real) and 0 < level < 1):
            raise ValueError(
                f"confidence_level must be in (0, 1), got {level!r}. Pass 0.9, for example."
            )
        X = indexable(X)
        predicted = self._candidates(self.estimators_, X)
        if self._task_column is None:
            codes = np.tile(np.arange(len(self.tasks_)), len(predicted))
        else:
            ids = read_ids(split_task_column(X, self._task_column)[1], warn=False)
            codes = look_up_tasks(self.tasks_, ids)
        shape = predicted.shape[: 1 + self._matrix]
        predicted = predicted.reshape(len(codes), *predicted.shape[len(shape) :])
        regions = self._known(predicted, codes, level)
        new = np.flatnonzero(codes == UNKNOWN)
        if self._new_calibration is not None and len(new):
            predicted = self._candidates(self.new_task_estimators_, _safe_indexing(X, new))
            regions[new] = self._region(self._new_calibration, predicted, codes[new], level)
        return regions.reshape(*shape, regions.shape[1])

    def _known(self, predicted: Array, codes: Indices, level: float) -> Array:
        """The regions by the calibration of the tasks of ``fit``."""
        if self.pooling != "task":
            return self._region(self._calibration, predicted, codes, level)
        parts = []
        for code, rows in rows_by_task(codes):
            own = self._calibration.of_task(code)
            parts.append((rows, self._region(own, predicted[rows], codes[rows], level)))
        stacked = np.concatenate([region for _, region in parts])
        regions = np.empty_like(stacked)
        regions[np.concatenate([rows for rows, _ in parts])] = stacked
        return regions


def _check_held_out(splits: list[Split], n_rows: int, cv: Any) -> None:
    """Raise unless each row is held out at most once, by a fit that has not seen it."""
    counts = np.zeros(n_rows, dtype=np.intp)
    for train, test in splits:
        seen = np.zeros(n_rows, dtype=bool)
        seen[train] = True
        if seen[test].any():
            raise ValueError(
                f"cv={cv!r:.200} has row {np.arange(n_rows)[test][seen[test]][0]} in both the "
                f"training and the test set of a split. Remove it from one of them."
            )
        np.add.at(counts, test, 1)
    if counts.max(initial=0) > 1:
        raise ValueError(
            f"cv={cv!r:.200} holds out row {counts.argmax()} {counts.max()} times, but with "
            f"method='cv+' each label may calibrate only once. Pass a number of folds, or a "
            f"splitter with disjoint test sets, such as KFold or StratifiedTaskKFold."
        )
