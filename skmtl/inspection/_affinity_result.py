"""The result of task_affinity."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection._task_problem import TaskProblem

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class TaskAffinity:
    """The result of :func:`task_affinity`.

    Attributes
    ----------
    matrix : ndarray of shape (n_tasks, n_tasks)
        "learned": the correlation of the tasks' coefficients. "leave_one_out": entry (t, s) is the
        gain of task t from the labels of task s; NaN on the diagonal.
    tasks, n_labels : ndarrays of shape (n_tasks,)
        The tasks' names and numbers of labels.
    kind : {"learned", "leave_one_out"}
    estimator_name : str
    alpha : float or None
        The strength of the fits; None if the estimator has none.
    loss_name : str
        The loss whose decrease is the gain.
    """

    matrix: Array
    tasks: Array
    n_labels: Array
    kind: str
    estimator_name: str
    alpha: float | None
    loss_name: str

    # TaskAffinityDisplay, set in its own file, which imports this one.
    _display: ClassVar[Any]

    @classmethod
    def of(cls, problem: TaskProblem, estimator: Any, matrix: Array, kind: str) -> Self:
        """Make the result for the data and the strength of a problem.

        Parameters
        ----------
        problem : TaskProblem
            The data and alpha.
        estimator : estimator
            Names the result.
        matrix : ndarray of shape (n_tasks, n_tasks)
            Correlations or gains.
        kind : str
            What the matrix holds.

        Returns
        -------
        TaskAffinity
        """
        data, name = problem.data, type(estimator).__name__
        settings = kind, name, problem.alpha, problem.loss_name
        return cls(matrix, data.tasks, data.label_counts, *settings)

    def to_frame(self) -> Any:
        """Return the matrix as a pandas data frame with the tasks as its index and columns.

        Returns
        -------
        pandas.DataFrame
            In row t and column s, what task t gains from task s, or their correlation.
        """
        import pandas as pd

        return pd.DataFrame(self.matrix, index=self.tasks, columns=self.tasks)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the matrix by :meth:`TaskAffinityDisplay.from_result`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **options : dict
            Other parameters of that method.

        Returns
        -------
        TaskAffinityDisplay
        """
        return self._display.from_result(self, ax=ax, **options)

    def __repr__(self) -> str:
        n_tasks = len(self.tasks)
        apart = self.matrix[~np.eye(n_tasks, dtype=bool)]
        apart = apart[~np.isnan(apart)]
        what = "correlation" if self.kind == "learned" else "gain"
        share = f"{np.mean(apart > 0):.0%}" if len(apart) else "none"
        return (
            f"TaskAffinity of {n_tasks} tasks, kind={self.kind!r}, by {self.estimator_name}: "
            f"{share} of the entries off the diagonal are positive (a {what})"
        )
