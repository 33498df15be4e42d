"""Clustered-task estimators that select alpha and n_clusters by cross-validation."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval

from skmtl.estimators import (
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.model_selection._cv import TaskClassifierCV, TaskCV, TaskRegressorCV
from skmtl.penalties import ClusterNorm, RelaxedClusterNorm


@estimator
class _ClusteredTaskCV(TaskCV):
    """Selects the strength and the number of clusters.

    Attributes
    ----------
    n_clusters_ : int or None
        The selected number of clusters; None if that is the value of the parameter.
    """

    alphas: Any = strength(
        30,
        text="""
        The number of strengths in a geometric grid, or the strengths themselves, finite and >= 0.
        The grid starts at a strength at which the objective is at most 1% below the loss with zero
        coefficients (with ``mean=0``, below the loss with equal coefficients for all tasks).
        """,
    )
    eps: float = parameter(1e-6)
    n_clusters: Any = parameter(
        None,
        [Interval(Integral, 1, None, closed="left"), None, "array-like"],
        "int, list of int or None",
        """
        Number of clusters, at most the number of tasks. None: the square root of half the number
        of tasks, rounded, but at least 2 and at most the number of tasks. From a list, the best
        number is selected.
        """,
    )

    _varied: ClassVar[str | None] = "n_clusters"

    def _cluster_norm(self, n_tasks: int) -> ClusterNorm | RelaxedClusterNorm:
        norm: ClusterNorm | RelaxedClusterNorm = self._selected()._cluster_norm(n_tasks)
        return norm


@estimator
class ClusteredTaskRegressorCV(_ClusteredTaskCV, TaskRegressorCV, ClusteredTaskRegressor):
    r"""Regression tasks that lie in clusters; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`ClusteredTaskRegressor`:

    See Also
    --------
    ClusteredTaskRegressor : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(60, 5))
    >>> Y = X @ W + rng.normal(size=(60, 6))
    >>> model = ClusteredTaskRegressorCV(n_clusters=[1, 2]).fit(X, Y)
    >>> model.n_clusters_
    2
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
    True
    """

    _plain = ClusteredTaskRegressor


@estimator
class ClusteredTaskClassifierCV(_ClusteredTaskCV, TaskClassifierCV, ClusteredTaskClassifier):
    r"""Classification tasks that lie in clusters; alpha by cross-validation.

    Alpha is selected from a grid by the scores of held-out rows. The objective is that of
    :class:`ClusteredTaskClassifier`:

    See Also
    --------
    ClusteredTaskClassifier : The same for a given alpha.
    skmtl.model_selection.path : The fits over a grid, without cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import ClusteredTaskClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> W = np.repeat(rng.normal(size=(5, 2)), 3, axis=1)
    >>> X = rng.normal(size=(100, 5))
    >>> Y = X @ W + rng.normal(size=(100, 6)) > 0
    >>> model = ClusteredTaskClassifierCV(alphas=20, n_clusters=2).fit(X, Y)
    >>> labels = model.labels_
    >>> bool(len(set(labels[:3])) == len(set(labels[3:])) == 1 and labels[0] != labels[3])
    True
    """

    _plain = ClusteredTaskClassifier
