"""Prediction intervals by conformal calibration."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl._parallel import run_parallel
from skmtl._warnings import warn
from skmtl.design import (
    as_floats,
    as_label_array,
    encode_tasks,
    from_arrow,
    look_up_tasks,
    read_ids,
    read_weights,
    rows_by_task,
    split_task_column,
    task_names,
)
from skmtl.inference._quantiles import Calibration, rank
from skmtl.inference._spread import shrunk_spreads
from skmtl.inspection import find_task_column
from skmtl.model_selection import StratifiedTaskKFold

Array = NDArray[Any]
Split = tuple[NDArray[np.intp], NDArray[np.intp]]

# Folds within the training part that estimate the spread of each task's errors.
_INNER_FOLDS = 3


class TaskConformalRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    r"""Prediction intervals for each task, from the errors of labels that a fit has not seen.

    The interval of a row of task t is :math:`\hat y(x) \pm q \, \tau_t`, where q is a quantile of
    the scores :math:`|y_i - \hat y(x_i)| / \tau_{t(i)}` of calibration labels. What the scores are
    pooled over decides between two errors: a task's own quantile needs many labels, and that of all
    tasks is wrong for a noisy one. By default the scores are pooled, in units of a spread
    :math:`\tau_t` for each task, which is shrunk towards that of all tasks.

    Parameters
    ----------
    estimator : regressor
        An estimator of skmtl in either layout, a pipeline that ends in one, or any other regressor,
        whose labels are then one task.
    method : {"split", "cv+", "jackknife+"}, default="split"
        "split": one fit to a part of the rows; the other rows calibrate. "cv+": a fit without each
        fold; every label calibrates. "jackknife+": the same with a fold for each row, or group.
    pooling : {"shrunk", "shared", "task"}, default="shrunk"
        "shrunk": as above. "shared": all tasks have the same spread. "task": each task by itself,
        with infinite intervals if it has fewer than 1 / (1 - level) - 1 calibration labels.
    confidence_level : float, default=0.9
        In (0, 1).
    calibration_size : float, default=0.25
        With ``method="split"``, the share of each task's rows that calibrate, in (0, 0.5].
    cv : int, splitter or list of (train, test), default=5
        With ``method="cv+"``, the number of folds, or the folds.
    max_refits : int, default=1000
        With ``method="jackknife+"``, the largest number of fits that is accepted.
    n_jobs : int or None, default=None
        Number of threads, each of which processes one fit at a time.
    random_state : int, RandomState or None, default=None
        Shuffles the rows before they are split.

    Attributes
    ----------
    estimator_ : estimator
        It predicts: with "split" the fit to the training part, otherwise a fit to all rows.
    estimators_ : list of estimators
        The fits without the calibration rows.
    tasks_ : ndarray of shape (n_tasks,)
    n_calibration_ : ndarray of shape (n_tasks,)
        Number of calibration labels of each task.
    spreads_ : ndarray of shape (n_tasks,)
        :math:`\tau_t`; with several fits their mean. Ones unless ``pooling="shrunk"``.
    calibration_errors_ : ndarray of shape (n_labels,)
        :math:`|y_i - \hat y(x_i)|`.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, or "jackknife+" needs more fits than
        ``max_refits``.

    Notes
    -----
    **What is guaranteed.** Let a new row be exchangeable with those of ``fit``, drawn from the same
    mixture of tasks. With "split" its interval then contains the label with a probability of at
    least ``confidence_level``, whatever the estimator, for each of the three ways of pooling;
    with "jackknife+" of at least 1 - 2 (1 - ``confidence_level``), and with "cv+" of about that
    (both are usually close to ``confidence_level``). With ``pooling="task"`` this holds within each
    task. With pooled scores it holds on average over tasks, not within each. The spreads are
    estimated on training rows alone, by predictions of folds within them, so that "shrunk" keeps
    the guarantee. Rows of
    one group must be passed as ``groups``; the guarantee then holds approximately, for the labels
    of a new group. Intervals of tasks that ``fit`` did not see (``unknown_task`` of the estimator)
    use the typical spread, and are approximate.

    ``sample_weight`` is used by the fits. Calibration labels of positive weight count the same.

    References
    ----------
    H. Papadopoulos, K. Proedrou, V. Vovk and A. Gammerman, "Inductive confidence machines for
    regression", ECML 2002 (split), https://doi.org/10.1007/3-540-36755-1_29

    R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference with the
    jackknife+", Annals of Statistics 49(1), 2021 (jackknife+ and CV+),
    https://doi.org/10.1214/20-AOS1965

    J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman, "Distribution-free predictive
    inference for regression", JASA 113(523), 2018 (errors in units of a spread),
    https://doi.org/10.1080/01621459.2017.1307116

    See Also
    --------
    skmtl.TaskRelationRegressor : ``predict(X, return_std=True)`` of a Gaussian model.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inference import TaskConformalRegressor
    >>> dataset = make_block_sparse(200, 10, 4, n_informative=3, random_state=0)
    >>> model = TaskConformalRegressor(BlockSparseRegressor(0.1), random_state=0)
    >>> model = model.fit(dataset.data[:150], dataset.target[:150])
    >>> interval = model.predict_interval(dataset.data[150:])
    >>> interval.shape
    (50, 4, 2)
    >>> y = dataset.target[150:]
    >>> inside = (interval[..., 0] <= y) & (y <= interval[..., 1])
    >>> bool(0.8 < inside.mean() < 1)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "method": [StrOptions({"split", "cv+", "jackknife+"})],
        "pooling": [StrOptions({"shrunk", "shared", "task"})],
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
        self.confidence_level = confidence_level
        self.calibration_size = calibration_size
        self.cv = cv
        self.max_refits = max_refits
        self.n_jobs = n_jobs
        self.random_state = random_state

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
        if is_classifier(self.estimator):
            raise TypeError(
                f"TaskConformalRegressor takes a regressor, not {type(self.estimator).__name__}: "
                f"intervals are for numbers."
            )
        labels = as_label_array(y, type(self).__name__)
        X, y = _indexable(X), _indexable(y)
        if np.iscomplexobj(labels) or np.iscomplexobj(X):
            raise ValueError("Complex data not supported: X and y must be real.")
        labels = as_floats(labels, "y")
        if sample_weight is not None:
            sample_weight = read_weights(sample_weight, labels.shape, np.arange(labels.shape[-1]))
            if sample_weight.ndim == 2 and (sample_weight == sample_weight[:, :1]).all():
                sample_weight = sample_weight[:, 0]
        codes = self._read_tasks(X, y, labels)
        splits = self._splits(X, labels, groups)
        seed = check_random_state(self.random_state).randint(2**31)
        jobs = ((X, y, labels, codes, sample_weight, groups, split, seed) for split in splits)
        done = run_parallel(self._calibrate, jobs, self.n_jobs, prefer="threads")
        self.estimators_ = [model for model, *_ in done]
        folds = np.repeat(np.arange(len(done)), [len(errors) for _, errors, _, _ in done])
        self._calibration = Calibration(
            np.concatenate([errors for _, errors, _, _ in done]),
            np.concatenate([own for _, _, own, _ in done]),
            folds,
            np.stack([spreads for _, _, _, spreads in done]),
        )
        self.calibration_errors_ = self._calibration.errors
        self.spreads_ = self._calibration.spreads[:, :-1].mean(axis=0)
        self.n_calibration_ = np.bincount(self._calibration.codes, minlength=len(self.tasks_))
        self.estimator_ = self.estimators_[0]
        if self.method != "split":
            self.estimator_ = _fit(self.estimator, X, y, sample_weight)
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        self._warn_of_few_labels()
        return self

    def _read_tasks(self, X: Any, y: Any, labels: Array) -> NDArray[np.intp]:
        """The task of each label, in the labels' shape; sets ``tasks_``."""
        self._task_column = find_task_column(self.estimator)
        if self._task_column is not None:
            ids = read_ids(split_task_column(X, self._task_column)[1], warn=False)
            self.tasks_, codes = encode_tasks(ids)
            return codes
        if labels.ndim == 1:
            self.tasks_ = np.arange(1)
            return np.zeros(len(labels), dtype=np.intp)
        self.tasks_ = task_names(y, labels.shape[1])
        return np.tile(np.arange(labels.shape[1]), (len(labels), 1))

    def _splits(self, X: Any, labels: Array, groups: Any) -> list[Split]:
        """Training and calibration rows of each fit."""
        n_rows = len(labels)
        if self.method == "jackknife+":
            units = (
                np.arange(n_rows) if groups is None else np.unique(groups, return_inverse=True)[1]
            )
            n_units = int(units.max()) + 1
            fits = n_units * (1 if self.pooling != "shrunk" else 1 + _INNER_FOLDS)
            if fits > self.max_refits:
                raise ValueError(
                    f"method='jackknife+' needs {fits} fits for {n_units} rows or groups, more "
                    f"than max_refits={self.max_refits}. Use method='cv+', or raise max_refits."
                )
            rows = np.arange(n_rows)
            return [(rows[units != k], rows[units == k]) for k in range(n_units)]
        if self.method == "cv+" and not isinstance(self.cv, Integral):
            return list(check_cv(self.cv).split(X, labels, groups))
        n_folds = self.cv if self.method == "cv+" else max(2, round(1 / self.calibration_size))
        folds = _folds(X, labels, groups, n_folds, self._task_column, self.random_state)
        splits = list(folds)
        return splits if self.method == "cv+" else splits[:1]

    def _calibrate(
        self,
        X: Any,
        y: Any,
        labels: Array,
        codes: NDArray[np.intp],
        sample_weight: Any,
        groups: Any,
        split: Split,
        seed: int,
    ) -> tuple[Any, Array, NDArray[np.intp], Array]:
        """A fit to the training rows, the errors of the others and their tasks, and the spreads."""
        train, held_out = split
        model = _fit(self.estimator, X, y, sample_weight, train)
        errors, own = self._errors(model, X, labels, codes, sample_weight, held_out)
        spreads = np.ones(len(self.tasks_) + 1)
        if self.pooling == "shrunk":
            inner = _folds(
                _safe_indexing(X, train),
                labels[train],
                None if groups is None else np.asarray(groups)[train],
                _INNER_FOLDS,
                self._task_column,
                seed,
            )
            parts = []
            for part, rest in inner:
                fitted = _fit(self.estimator, X, y, sample_weight, train[part])
                parts.append(self._errors(fitted, X, labels, codes, sample_weight, train[rest]))
            within, tasks = (np.concatenate(each) for each in zip(*parts, strict=True))
            each, typical = shrunk_spreads(within, tasks, len(self.tasks_))
            spreads = np.append(each, typical)
        return model, errors, own, spreads

    @staticmethod
    def _errors(
        model: Any,
        X: Any,
        labels: Array,
        codes: NDArray[np.intp],
        sample_weight: Any,
        rows: NDArray[np.intp],
    ) -> tuple[Array, NDArray[np.intp]]:
        """The absolute errors of the observed labels of some rows, and their tasks."""
        errors = np.abs(labels[rows] - model.predict(_safe_indexing(X, rows)))
        used = ~np.isnan(errors)
        if sample_weight is not None:
            weights = sample_weight[rows]
            used &= (weights if weights.shape == used.shape else weights[:, None]) > 0
        return errors[used], codes[rows][used]

    def _warn_of_few_labels(self) -> None:
        """Warn of tasks whose own intervals are infinite."""
        if self.pooling != "task":
            return
        few = [rank(n, self.confidence_level) > n for n in self.n_calibration_]
        if any(few):
            names = self.tasks_[few].tolist()
            warn(
                f"{len(names)} tasks, such as {names[:5]}, have too few calibration labels for "
                f"intervals of level {self.confidence_level} of their own, which are infinite. Use "
                f"pooling='shrunk', or method='cv+', with which every label calibrates."
            )

    def predict(self, X: Any) -> Array:
        """Predict with ``estimator_``.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.

        Returns
        -------
        ndarray
            As returned by the estimator.
        """
        check_is_fitted(self)
        predicted: Array = self.estimator_.predict(X)
        return predicted

    def predict_interval(self, X: Any, confidence_level: float | None = None) -> Array:
        """Intervals that contain new labels with the given confidence.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.
        confidence_level : float, default=None
            In (0, 1). None: that of the constructor.

        Returns
        -------
        ndarray of shape (n_samples, 2), or (n_samples, n_tasks, 2) for a matrix y
            Lower and upper ends, infinite where there are too few calibration labels.
        """
        check_is_fitted(self)
        level = self.confidence_level if confidence_level is None else confidence_level
        if not 0 < level < 1:
            raise ValueError(f"confidence_level must be in (0, 1), got {level!r}. Use 0.9, say.")
        predicted = np.stack([model.predict(X) for model in self.estimators_], axis=-1)
        predicted = predicted.astype(np.float64, copy=False)
        if predicted.ndim == 3:
            columns = [
                self._interval(predicted[:, task], task, level) for task in range(len(self.tasks_))
            ]
            return np.stack(columns, axis=1)
        if self._task_column is None:
            return self._interval(predicted, 0, level)
        ids = read_ids(split_task_column(X, self._task_column)[1], warn=False)
        codes = look_up_tasks(self.tasks_, ids)
        ends = np.empty((len(codes), 2))
        for code, rows in rows_by_task(codes):
            ends[rows] = self._interval(predicted[rows], code, level)
        return ends

    def _interval(self, predicted: Array, code: int, level: float) -> Array:
        calibration = self._calibration
        if self.pooling == "task":
            calibration = calibration.of_task(code)
        return calibration.interval(predicted, code, level)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags


def _indexable(data: Any) -> Any:
    """Data whose rows can be selected."""
    if sp.issparse(data):
        return data.tocsr()
    data = from_arrow(data)
    return data if hasattr(data, "shape") else np.asarray(data)


def _fit(
    estimator: Any, X: Any, y: Any, sample_weight: Any, rows: NDArray[np.intp] | None = None
) -> Any:
    """A clone fitted to some rows, or to all."""
    if rows is not None:
        X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
        sample_weight = None if sample_weight is None else _safe_indexing(sample_weight, rows)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return clone(estimator).fit(X, y, **weights)


def _folds(
    X: Any, labels: Array, groups: Any, n_folds: int, task_column: Any, random_state: Any
) -> Iterator[Split]:
    """Folds stratified by task."""
    splitter = StratifiedTaskKFold(n_folds, task_column=task_column, random_state=random_state)
    target = None
    if task_column is None:
        # By which labels are observed: the labels themselves must not decide who calibrates.
        target = np.where(np.isnan(labels), np.nan, 0.5).reshape(len(labels), -1)
    split: Iterator[Split] = splitter.split(X, target, groups)
    return split
