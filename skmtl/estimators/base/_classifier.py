"""The base class of classifiers."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from skmtl import metrics
from skmtl.design import (
    BatchReader,
    ClassReader,
    Passes,
    TaskData,
    TaskSummary,
    as_floats,
    read_classification,
    read_indicators,
    read_scored,
)
from skmtl.estimators.base._batches import with_prior
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._known import apart_from_known
from skmtl.estimators.base._parameters import estimator, parameter
from skmtl.losses import LogisticLoss, Loss, MultinomialLoss, SquaredHingeLoss

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_LOSSES: dict[str, type[Loss]] = {
    "logistic": LogisticLoss,
    "squared_hinge": SquaredHingeLoss,
    "multinomial": MultinomialLoss,
}

# The rule, type and text of ``loss`` for estimators that also have the multinomial loss.
MULTICLASS_LOSS: tuple[list[Any], str, str] = (
    [StrOptions({"logistic", "squared_hinge", "multinomial"})],
    '{"logistic", "squared_hinge", "multinomial"}',
    r"""
    :math:`\ell(y, z)`: :math:`\log(1 + e^{-yz})`, or :math:`\max(0, 1 - yz)^2 / 2`, which gives
    no probabilities. "multinomial": all classes of a 1-D y together, see above. It cannot be
    combined with ``task_weight`` or ``task_column``, and ``coef_`` has a row for each class, even
    for two classes.
    """,
)


def _if_probabilities(method: Method) -> Method:
    """A decorator for methods that exist if the loss gives probabilities."""
    decorated: Method = available_if(lambda model: model.loss != "squared_hinge")(method)
    return decorated


@estimator
class TaskClassifier(ClassifierMixin, TaskEstimator):
    r"""Binary tasks in the shared or the stacked layout, or one-against-rest for a 1-D y.

    Binary labels are coded as :math:`y_i = \pm 1`.

    Attributes
    ----------
    classes_ : ndarray
        Class labels; for a matrix y the positions of its columns.

    Notes
    -----
    A task whose labels are all of one class has no finite intercept of its own. Unless
    ``fit_intercept=False`` or the intercepts are shrunk, it is left out of the objective with a
    warning: its coefficients are zero, its intercept is +-log(2 n + 1) for n labels (+-1 with the
    squared hinge), and ``unknown_task="mean"`` does not include it in the average.

    Where labels are missing (NaN), ``GridSearchCV`` and ``cross_val_score`` need
    ``cv=StratifiedTaskKFold()`` of :mod:`skmtl.model_selection`: given a number of folds,
    scikit-learn stratifies by y and raises "Input y contains NaN" before any fit. Its metrics
    reject NaN too; ``score`` and the scorers of :func:`skmtl.metrics.make_task_scorer` accept it.
    """

    loss: str = parameter(
        "logistic",
        [StrOptions({"logistic", "squared_hinge"})],
        '{"logistic", "squared_hinge"}',
        r"""
        :math:`\ell(y, z)`: :math:`\log(1 + e^{-yz})`, or :math:`\max(0, 1 - yz)^2 / 2`, which
        gives no probabilities.
        """,
        group="loss",
    )
    class_weight: Any = parameter(
        None,
        [StrOptions({"balanced"}), dict, None],
        'None, "balanced" or dict',
        """
        "balanced": both classes of a task (all classes with the multinomial loss) have the same
        total weight, ``sample_weight`` included. A dict maps class labels to positive factors; 0
        and 1 for a matrix y. It multiplies ``sample_weight``.
        """,
        group="labels",
    )

    def _own_loss(self) -> Loss:
        return _LOSSES[self.loss]()

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        one_of_k = self._get_loss().couples_tasks
        if one_of_k and self.task_weight is not None:
            raise ValueError(
                f"task_weight must be None with loss={self.loss!r}, got {self.task_weight!r}: the "
                f"classes are not separate terms of the objective. Weigh classes by class_weight, "
                f"or rows by sample_weight."
            )
        data, self.classes_ = read_classification(self, X, y, sample_weight, one_of_k=one_of_k)
        return apart_from_known(self, data)

    def _batch_reader(self) -> BatchReader:
        return ClassReader(self)

    def _summary(self, reader: BatchReader, source: Passes) -> TaskSummary:
        assert isinstance(reader, ClassReader)
        summary = reader.count(source)
        self.classes_ = reader.classes
        return with_prior(self, summary)

    def decision_function(self, X: Any) -> Array:
        """Linear predictors.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray
            (n_samples, n_tasks) for a matrix y; (n_samples,) in the stacked layout and for two
            classes; (n_samples, n_classes) for more. With the multinomial loss and two classes, the
            log-odds of the second class.
        """
        z = self._predictor(X)
        if self._layout != "classes" or z.shape[1] > 2:
            return z
        return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]

    @_if_probabilities
    def predict_proba(self, X: Any) -> Array:
        """Probabilities, with the logistic and the multinomial loss.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray
            (n_samples, n_tasks) for a matrix y, each task's probability of class 1. Otherwise
            (n_samples, n_classes), rows summing to 1: one-against-rest probabilities are divided
            by their sum, and are equal if all of a row are zero.
        """
        p: Array = self._get_loss().inverse_link(self._predictor(X))
        if self._layout == "shared" or self.loss == "multinomial":
            return p
        if p.ndim == 1 or p.shape[1] == 1:
            return np.column_stack([1 - p, p])
        total = p.sum(axis=1, keepdims=True)
        uniform = np.full_like(p, 1 / p.shape[1])
        return np.asarray(np.divide(p, total, out=uniform, where=total > 0))

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray
            (n_samples, n_tasks) of 0 and 1 for a matrix y, otherwise class labels (n_samples,).

        Raises
        ------
        ValueError
            If X holds a task that fit did not see, and ``unknown_task="error"``.
        """
        z = self.decision_function(X)
        if self._layout == "shared":
            return (z > 0).astype(np.intp)
        codes = (z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy; for a matrix y the fraction of rows whose observed labels are all correct.

        The latter is :func:`skmtl.metrics.subset_accuracy_score`. If no label is missing, it equals
        scikit-learn's accuracy of a label matrix. For the accuracy of each task see
        :func:`skmtl.metrics.accuracy_score`.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.
        y : array-like
            (n_samples, n_tasks), NaN where a label is missing, or (n_samples,). Rows without a
            label are ignored.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Zero leaves the label out. With a weight per label, a row counts with the largest weight
            of its labels, and the largest weight of its wrong labels is deducted.

        Returns
        -------
        float
        """
        y, sample_weight = read_scored(self, y, sample_weight)
        return self._score_of(y, self.predict(X), sample_weight)

    def _score_of(self, y: Array, predicted: Array, sample_weight: Any) -> float:
        """The score of predictions."""
        if predicted.ndim == 1:
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        if y.shape != predicted.shape:
            raise ValueError(
                f"y has shape {y.shape}, and X has {len(predicted)} rows to predict "
                f"{predicted.shape[1]} tasks. Pass a column of labels for each task, as in fit."
            )
        # Predictions are 0 and 1.
        labels = (read_indicators(as_floats(y, "y")) + 1) / 2
        return metrics.subset_accuracy_score(labels, predicted, sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.task_column is None
        tags.classifier_tags.multi_label = self.task_column is None and self.loss != "multinomial"
        tags.target_tags.multi_output = tags.classifier_tags.multi_label
        return tags
