"""A separate fit for each task: the single-task baseline."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from skmtl.design import TaskData, as_floats, in_task_order
from skmtl.estimators._ridge import RidgeTasks
from skmtl.estimators.base import TaskClassifier, TaskRegressor, estimator, strength
from skmtl.penalties import Penalty


@estimator
class _IndependentTask(RidgeTasks):
    """A ridge penalty for each task.

    Notes
    -----
    **Selection.** A task with few labels says little about its own best strength, so that one
    strength for all tasks often predicts better than one for each. ``alpha="cv"`` compares the two:
    for each fold the strengths are selected by the other folds' losses (Tsamardinos et al. 2018),
    and the losses on the fold are added up. In a tie all tasks have the same strength.

    References
    ----------
    I. Tsamardinos, E. Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample predictions
    for efficient and accurate cross-validation", Machine Learning 107, 2018,
    https://doi.org/10.1007/s10994-018-5714-4
    """

    alpha: Any = strength(
        1.0,
        [Interval(Real, 0, None, closed="left"), "array-like", dict, StrOptions({"cv", "cv-each"})],
        'float, array-like of shape (n_tasks,), dict, Series, "cv" or "cv-each"',
        """
        Strength of the ridge, >= 0: one number for all tasks, or one for each, by task in a dict or
        a pandas Series. "cv-each": selected from 13 values for each task, by five-fold
        cross-validation of the loss; tasks with fewer labels than folds use the value that is best
        overall. "cv": that, or the one value that is best for all tasks, whichever has the lower
        cross-fitted loss; see Notes.
        """,
    )

    _selects: ClassVar[dict[str, str]] = {"cv": "better", "cv-each": "each"}

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        alpha = self._strengths(data)
        if alpha.ndim:
            alpha = alpha[data.positions]
        return self._ridge(data, alpha, data.n_tasks)

    def _targets_compete(self, data: TaskData) -> bool:
        return False

    def _strengths(self, data: TaskData) -> NDArray[Any]:
        """``alpha`` as an array, in the order of the tasks if it is a dict or a Series."""
        return as_floats(in_task_order(self.alpha, data.all_tasks.tolist(), "alpha"), "alpha")

    def _given_alpha(self, data: TaskData) -> NDArray[Any]:
        alpha = self._strengths(data)
        if alpha.ndim and alpha.shape != data.all_tasks.shape:
            raise ValueError(
                f"alpha has shape {alpha.shape}; there are {len(data.all_tasks)} tasks. Pass one "
                f"number, one per task in the order {data.all_tasks.tolist()}, or a dict by task."
            )
        if not (np.isfinite(alpha).all() and (alpha >= 0).all()):
            raise ValueError(
                f"alpha must be finite and >= 0, got {alpha.tolist()}. Use 0 for no penalty."
            )
        return np.array(np.broadcast_to(alpha, data.all_tasks.shape))


@estimator
class IndependentTaskRegressor(_IndependentTask, TaskRegressor):
    r"""Regression tasks fitted separately (ridge): the single-task baseline.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    PooledTaskRegressor : The opposite extreme, one coefficient vector for all tasks.

    Examples
    --------
    >>> from skmtl import IndependentTaskRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_tasks=3, random_state=0)
    >>> model = IndependentTaskRegressor(alpha="cv").fit(dataset.data, dataset.target)
    >>> model.alpha_.shape
    (3,)
    """


@estimator
class IndependentTaskClassifier(_IndependentTask, TaskClassifier):
    r"""Classification tasks fitted separately (ridge): the single-task baseline.

    .. math::

        \min_{W, b} \; F(W, b) + \tfrac12 \sum_t \alpha_t \lVert w_t \rVert_2^2 ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    See Also
    --------
    PooledTaskClassifier : The opposite extreme, one coefficient vector for all tasks.

    Examples
    --------
    >>> from skmtl import IndependentTaskClassifier
    >>> from skmtl.datasets import make_block_sparse
    >>> dataset = make_block_sparse(n_tasks=3, classification=True, random_state=0)
    >>> model = IndependentTaskClassifier(alpha="cv").fit(dataset.data, dataset.target)
    >>> model.alpha_.shape
    (3,)
    """

    alpha: Any = strength(0.01)
