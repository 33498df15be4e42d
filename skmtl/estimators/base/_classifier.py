"""Classification tasks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from skmtl import metrics
from skmtl.design import (
    TaskData,
    as_floats,
    read_classification,
    read_indicators,
    read_scored,
)
from skmtl.estimators.base._estimator import TaskEstimator
from skmtl.estimators.base._parameters import estimator, parameter
from skmtl.losses import LogisticLoss, Loss, MultinomialLoss, SquaredHingeLoss

Array = NDArray[Any]

_LOSSES: dict[str, type[Loss]] = {
    "logistic": LogisticLoss,
    "squared_hinge": SquaredHingeLoss,
    "multinomial": MultinomialLoss,
}

# The rule, kind and text of ``loss`` where the multinomial loss is available too.
MULTICLASS_LOSS: tuple[list[Any], str, str] = (
    [StrOptions({"logistic", "squared_hinge", "multinomial"})],
    '{"logistic", "squared_hinge", "multinomial"}',
    r"""
    :math:`\ell(y, z)`: :math:`\log(1 + e^{-yz})`, or :math:`\max(0, 1 - yz)^2 / 2`, which gives
    no probabilities. "multinomial": all classes of a 1-D y together, see above; no
    ``task_weight``, no ``task_column``, and a row of ``coef_`` for each class, even for two.
    """,
)


@estimator
class TaskClassifier(ClassifierMixin, TaskEstimator):
    r"""Classification: binary tasks shared or stacked, or 1-D classes one against the rest.

    Labels count as :math:`y_i = \pm 1`.

    Attributes
    ----------
    classes_ : ndarray
        Class labels; for a matrix y the positions of its columns.

    Notes
    -----
    A task whose labels are all of one class has no finite intercept of its own. Unless
    ``fit_intercept=False`` or the intercepts are shrunk, it is left out of the objective with a
    warning: its coefficients are zero, its intercept is +-log(2 n + 1), n its number of labels
    (+-1 with the squared hinge), and ``unknown_task="mean"`` does not count it.

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

    def _get_loss(self) -> Loss:
        return _LOSSES[self.loss]()

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TaskData:
        one_of_k = self._get_loss().couples_tasks
        if one_of_k and self.task_weight is not None:
            raise ValueError(
                f"task_weight must be None with loss={self.loss!r}, got {self.task_weight!r}: the "
                f"classes are not separate terms of the objective, each row's term holds them "
                f"all. Weigh classes by class_weight, or rows by sample_weight."
            )
        data, self.classes_ = read_classification(self, X, y, sample_weight, one_of_k=one_of_k)
        return data

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
            classes; (n_samples, n_classes) for more. With the multinomial loss two classes'
            logarithmic odds, of the second over the first.
        """
        z = self._predictor(X)
        if self._layout != "classes" or z.shape[1] > 2:
            return z
        return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]

    def _has_probabilities(self) -> bool:
        return bool(self.loss != "squared_hinge")

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Probabilities, with the logistic and the multinomial loss.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray
            For a matrix y (n_samples, n_tasks), each task's probability of 1. Otherwise
            (n_samples, n_classes), rows summing to 1: one-against-rest probabilities are divided
            by their sum (equal where all are zero).
        """
        p = self._get_loss().inverse_link(self._predictor(X))
        if self._layout == "shared" or self.loss == "multinomial":
            return p
        if p.ndim == 1 or p.shape[1] == 1:
            return np.column_stack([1 - p, p])
        total = p.sum(axis=1, keepdims=True)
        even = np.full_like(p, 1 / p.shape[1])
        return np.divide(p, total, out=even, where=total > 0)

    def predict(self, X: Any) -> Array:
        """Predict labels.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.

        Returns
        -------
        ndarray
            For a matrix y (n_samples, n_tasks) of 0 and 1, otherwise (n_samples,) class labels.

        Raises
        ------
        ValueError
            For a task that fit did not see, unless ``unknown_task="mean"``.
        """
        z = self.decision_function(X)
        if self._layout == "shared":
            return (z > 0).astype(np.intp)
        return self.classes_[(z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy; for a matrix y the share of rows whose observed labels are all right.

        The latter is :func:`skmtl.metrics.subset_accuracy_score`: scikit-learn's accuracy of a
        label matrix where no label is missing. For each task's own accuracy see
        :func:`skmtl.metrics.accuracy_score`.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame
            As in fit, with the task column in the stacked layout.
        y : array-like
            (n_samples, n_tasks), NaN where a label is missing, or (n_samples,). A row without any
            label does not count.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
            Zero leaves the label out. With a weight per label a row has the largest
            weight of its labels, and loses the largest of those that are wrong.

        Returns
        -------
        float
        """
        y, sample_weight = read_scored(self, y, sample_weight)
        predicted = self.predict(X)
        if predicted.ndim == 1:
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        if y.shape != predicted.shape:
            raise ValueError(
                f"y has shape {y.shape}, and X has {len(predicted)} rows to predict "
                f"{predicted.shape[1]} tasks. Pass a column of labels for each task, as in fit."
            )
        # -1 and 1 would be compared with predictions of 0 and 1.
        labels = (read_indicators(as_floats(y, "y")) + 1) / 2
        return metrics.subset_accuracy_score(labels, predicted, sample_weight=sample_weight)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.task_column is None
        tags.classifier_tags.multi_label = self.task_column is None and self.loss != "multinomial"
        tags.target_tags.multi_output = tags.classifier_tags.multi_label
        return tags
