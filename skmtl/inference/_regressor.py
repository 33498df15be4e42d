"""Prediction intervals by conformal calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from skmtl.design import as_floats
from skmtl.inference._conformal import TaskConformal
from skmtl.inference._quantiles import Calibration
from skmtl.inference._rows import Indices, Rows
from skmtl.inference._spread import shrunk_spreads

Array = NDArray[Any]


class TaskConformalRegressor(TaskConformal):
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
    new_tasks : {"approximate", "hierarchical"}, default="approximate"
        Intervals of tasks that ``fit`` did not see, in the stacked layout, for an estimator whose
        ``unknown_task`` lets it predict them. "approximate": the calibration of the known tasks,
        with the spread of a typical one; infinite with ``pooling="task"``. "hierarchical": further
        fits, without a part of the tasks, are calibrated on all rows of those; the interval is
        around the prediction of these fits.
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
        :math:`|y_i - \hat y(x_i)|`.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, "jackknife+" needs more fits than
        ``max_refits``, the test sets of ``cv`` overlap, or a pipeline moves the task column.

    See Also
    --------
    TaskConformalClassifier : Sets of classes.
    skmtl.TaskRelationRegressor : ``predict(X, return_std=True)`` of a Gaussian model.

    Notes
    -----
    **What is guaranteed.** Let the rows of each task be exchangeable, with each other and with new
    ones, and let a = 1 - ``confidence_level``. With ``pooling="task"`` the interval of a new row
    contains its label with a probability of at least 1 - a with "split", whatever the estimator; of
    at least 1 - 2 a with "jackknife+", and of about that with "cv+" (both are usually close to
    1 - a). This holds within each task.

    Pooled scores are calibrated on average over tasks, in proportion to their calibration labels,
    not within each task. With "split" the rows are divided within tasks, and the probability is at
    least 1 - a (1 + 1/m) with m calibration labels. In the shared layout the labels of a row may
    depend on each other. If none is missing, the probability is then at least 1 - a - 1/(r + 1)
    with r calibration rows, and hardly more if the errors of a row are all the same. With
    "jackknife+" the bound of 1 - 2 a holds if all rows are exchangeable, whatever their tasks, and
    have one label each. The spreads are estimated on training rows alone, by predictions of folds
    within them, so that "shrunk" has the same guarantees as "shared".

    The only label of a task is never held out by "split" and "cv+"; the guarantees exclude tasks
    without calibration labels (``n_calibration_``). Rows of one group must be passed as ``groups``;
    the guarantee then holds approximately, for the labels of a new group.

    **New tasks.** By default their intervals are approximate. With "hierarchical", let the tasks be
    exchangeable, and the rows of each. A row of a new task then has an interval that contains its
    label with a probability of at least ``confidence_level`` with "split", and of about
    1 - 2 (1 - ``confidence_level``) otherwise: each held-out task counts as one, however many rows
    it has, and 1 / (1 - ``confidence_level``) - 1 of them are needed for finite intervals (Lee,
    Barber and Willett 2023). The probability is over tasks, not within the new one.

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

    Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical data", 2023
    (new tasks), https://doi.org/10.48550/arXiv.2306.06342

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

    def _check_inner(self) -> None:
        if is_classifier(self.estimator):
            raise TypeError(
                f"TaskConformalRegressor takes a regressor, not {type(self.estimator).__name__}: "
                f"intervals are for numbers. Use TaskConformalClassifier, which predicts sets."
            )

    def _read_labels(self, labels: Array) -> Array:
        return as_floats(labels, "y")

    def _label_scores(self, model: Any, rows: Rows) -> Array:
        errors: Array = np.abs(rows.labels - self._predictions(model, rows.X))
        return errors

    def _predictions(self, model: Any, X: Any) -> Array:
        """In the shape of labels: some models predict a vector for a y with a single column."""
        predicted = np.asarray(model.predict(X), dtype=np.float64)
        return predicted.reshape(len(predicted), -1) if self._matrix else predicted

    def _spreads(self, scores: Array, codes: Indices) -> tuple[Array, float]:
        return shrunk_spreads(scores, codes, len(self.tasks_))

    def _candidates(self, models: list[Any], X: Any) -> Array:
        return np.stack([self._predictions(model, X) for model in models], axis=-1)

    def _region(
        self, calibration: Calibration, predicted: Array, codes: Indices, level: float
    ) -> Array:
        return calibration.interval(predicted, codes, level)

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
        return self._regions(X, confidence_level)
