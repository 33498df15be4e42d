"""Task-relation estimators that select alpha by cross-validation."""

from skmtl.estimators import TaskRelationClassifier, TaskRelationRegressor, estimator
from skmtl.model_selection._cv import TaskClassifierCV, TaskRegressorCV


@estimator
class TaskRelationRegressorCV(TaskRegressorCV, TaskRelationRegressor):
    r"""Regression tasks with a learned covariance; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`TaskRelationRegressor`:

    See Also
    --------
    TaskRelationRegressor : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(50, 5))
    >>> Y = X @ (w * [1, 1, -1]) + rng.normal(size=(50, 3))
    >>> model = TaskRelationRegressorCV().fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _plain = TaskRelationRegressor


@estimator
class TaskRelationClassifierCV(TaskClassifierCV, TaskRelationClassifier):
    r"""Classification tasks with a learned covariance; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`TaskRelationClassifier`:

    See Also
    --------
    TaskRelationClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import TaskRelationClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=(5, 1))
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ (w * [1, 1, -1]) + rng.normal(size=(100, 3)) > 0
    >>> model = TaskRelationClassifierCV(alphas=20).fit(X, Y)
    >>> np.sign(model.task_correlation_).astype(int)
    array([[ 1,  1, -1],
           [ 1,  1, -1],
           [-1, -1,  1]])
    """

    _plain = TaskRelationClassifier
