"""Prediction sets by conformal calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skmtl.design import read_indicators
from skmtl.inference._conformal import TaskConformal
from skmtl.inference._quantiles import Calibration
from skmtl.inference._rows import Indices, Rows
from skmtl.inference._spread import shrunk_spreads

Array = NDArray[Any]

# A label of probability zero has a finite score.
_LEAST = np.finfo(np.float64).tiny
# In the estimate of a task's spread, one label counts no more than one of this probability.
_LEAST_IN_SPREAD = 1e-6


class TaskConformalClassifier(TaskConformal):
    r"""Sets of classes for each task, from the probabilities of labels that a fit has not seen.

    The set of a row of task t holds the classes k with :math:`-\log \hat p_k(x) \le q \, \tau_t`,
    where q is a quantile of the scores :math:`-\log \hat p_{y_i}(x_i) / \tau_{t(i)}` of calibration
    labels. Certain predictions give sets of one class, uncertain ones of several. If the most
    probable class is right more often than ``confidence_level`` requires, the sets of the most
    uncertain rows may be empty instead. What the scores are pooled over is as in
    :class:`TaskConformalRegressor`: by default over all tasks, in units of the task's mean log-loss
    :math:`\tau_t`, which is shrunk towards that of all tasks. With equal :math:`\tau_t` the sets
    are those of the least ambiguous classifier (Sadinle, Lei and Wasserman 2019).

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``: an estimator of skmtl in either layout, a pipeline that ends in one,
        or any other classifier, whose labels are then one task.
    method : {"split", "cv+", "jackknife+"}, default="split"
        "split": one fit to a part of the rows; the other rows calibrate. "cv+": a fit without each
        fold; every label calibrates. "jackknife+": the same with a fold for each row, or group.
    pooling : {"shrunk", "shared", "task"}, default="shrunk"
        "shrunk": as above. "shared": :math:`\tau_t = 1`. "task": each task by itself, with sets of
        all classes if it has fewer than 1 / (1 - level) - 1 calibration labels.
    new_tasks : {"approximate", "hierarchical"}, default="approximate"
        Sets of tasks that ``fit`` did not see, as in :class:`TaskConformalRegressor`.
    confidence_level : float, default=0.9
        In (0, 1).
    calibration_size : float, default=0.25
        With ``method="split"``, the share of each task's rows, and with "hierarchical" of the
        tasks, that calibrate, in (0, 0.5]. Rounded to 1/2, 1/3, 1/4, ...
    cv : int, splitter or list of (train, test), default=5
        With ``method="cv+"``, the number of folds of rows (and with "hierarchical" of tasks), or
        the folds of rows, whose test sets must be disjoint.
    max_refits : int, default=1000
        With ``method="jackknife+"``, the largest number of fits that is accepted.
    n_jobs : int or None, default=None
        Number of threads, each of which processes one fit at a time.
    random_state : int, RandomState or None, default=None
        Shuffles the rows before they are split.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        0 and 1 for a matrix y.
    estimator_ : estimator
        It predicts: with "split" the fit to the training part, otherwise a fit to all rows.
    estimators_ : list of estimators
        The fits without the calibration rows.
    tasks_ : ndarray of shape (n_tasks,)
    n_calibration_ : ndarray of shape (n_tasks,)
        Number of calibration labels of each task.
    spreads_ : ndarray of shape (n_tasks,)
        :math:`\tau_t`; with several fits their mean. Ones unless ``pooling="shrunk"``.
    new_task_estimators_ : list of estimators
        With ``new_tasks="hierarchical"``, the fits without some of the tasks.
    calibration_scores_ : ndarray of shape (n_labels,)
        :math:`-\log \hat p_{y_i}(x_i)`.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, "jackknife+" needs more fits than
        ``max_refits``, the test sets of ``cv`` overlap, or a pipeline moves the task column.
    TypeError
        In ``fit``, if the estimator is not a classifier with ``predict_proba``.

    See Also
    --------
    TaskConformalRegressor : Intervals.

    Notes
    -----
    The guarantees are those of :class:`TaskConformalRegressor`. With "split" the set of a new row
    holds its class with a probability of at least ``confidence_level``: within each task with
    ``pooling="task"``, and with pooled scores on average over tasks, up to the terms given there.
    With "jackknife+" and "cv+" it is at least 1 - 2 (1 - ``confidence_level``), or about that
    (Romano, Sesia and Candès 2020). Nothing is guaranteed within each class. A class that a fit has
    not seen has probability zero, and is in a set only if all classes are.

    References
    ----------
    M. Sadinle, J. Lei and L. Wasserman, "Least ambiguous set-valued classifiers with bounded error
    levels", JASA 114(525), 2019, https://doi.org/10.1080/01621459.2017.1395341

    Y. Romano, M. Sesia and E. J. Candès, "Classification with valid and adaptive coverage", NeurIPS
    2020 (jackknife+ and CV+ for sets), https://doi.org/10.48550/arXiv.2006.02544

    Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical data", 2023
    (new tasks), https://doi.org/10.48550/arXiv.2306.06342

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skmtl import BlockSparseClassifier
    >>> from skmtl.inference import TaskConformalClassifier
    >>> X, y = make_classification(600, 10, n_classes=3, n_informative=4, random_state=0)
    >>> model = TaskConformalClassifier(BlockSparseClassifier(0.001), random_state=0)
    >>> sets = model.fit(X[:200], y[:200]).predict_set(X[200:])
    >>> sets.shape, sets.dtype
    ((400, 3), dtype('bool'))
    >>> covered = sets[range(400), y[200:]].mean()
    >>> bool(0.8 < covered < 1)
    True
    """

    def _check_inner(self) -> None:
        if not is_classifier(self.estimator) or not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                f"TaskConformalClassifier takes a classifier with predict_proba, not "
                f"{type(self.estimator).__name__}. Use TaskConformalRegressor for numbers, and a "
                f"logistic loss for probabilities."
            )

    def _read(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Rows:
        if len(getattr(y, "shape", ())) == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return super()._read(X, y, sample_weight, groups)

    def _read_labels(self, labels: Array) -> Array:
        if labels.ndim == 2:
            self.classes_ = np.array([0, 1])
            return (read_indicators(labels) + 1) / 2
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        return codes.astype(np.float64)

    def _label_scores(self, model: Any, rows: Rows) -> Array:
        scores = self._candidates([model], rows.X)[..., 0]
        known = np.where(np.isnan(rows.labels), 0, rows.labels).astype(np.intp)
        return np.asarray(np.take_along_axis(scores, known[..., None], axis=-1)[..., 0])

    def _spreads(self, scores: Array, codes: Indices) -> tuple[Array, float]:
        # The mean score of a task is the mean square of the roots.
        roots = np.sqrt(np.minimum(scores, -np.log(_LEAST_IN_SPREAD)))
        spreads, typical = shrunk_spreads(roots, codes, len(self.tasks_))
        return spreads**2, typical**2

    def _candidates(self, models: list[Any], X: Any) -> Array:
        return np.stack([-np.log(self._probabilities(model, X)) for model in models], axis=-1)

    def _probabilities(self, model: Any, X: Any) -> Array:
        """Of every class, (n_rows, n_classes), or (n_rows, n_tasks, 2); positive."""
        p = np.asarray(model.predict_proba(X))
        if self._matrix:
            p = np.stack([1 - p, p], axis=-1)
        elif len(model.classes_) < len(self.classes_):
            every = np.zeros((len(p), len(self.classes_)))
            every[:, np.searchsorted(self.classes_, model.classes_)] = p
            p = every
        return np.asarray(np.maximum(p, _LEAST))

    def _region(
        self, calibration: Calibration, predicted: Array, codes: Indices, level: float
    ) -> Array:
        return calibration.contains(predicted, codes, level)

    def predict_set(self, X: Any, confidence_level: float | None = None) -> Array:
        """Sets of classes that hold the label with the given confidence.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit.
        confidence_level : float, default=None
            In (0, 1). None: that of the constructor.

        Returns
        -------
        bool ndarray of shape (n_samples, n_classes), or (n_samples, n_tasks, 2) for a matrix y
            Whether each class of ``classes_`` is in the set.
        """
        return self._regions(X, confidence_level)
