"""The heat map of task affinities; matplotlib is imported only to draw it."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._plotting import (
    FONT_SIZE,
    MAX_LABELLED,
    add_colorbar,
    draw_image,
    foreground,
    label_axis,
    make_axes,
    muted,
    require_matplotlib,
    symmetric_limit,
)
from skmtl.inspection._affinity import task_affinity
from skmtl.inspection._affinity_result import TaskAffinity
from skmtl.inspection._grouping import TaskGroups, group_tasks
from skmtl.inspection._task_order import order_tasks

Array = NDArray[Any]

# Groups smaller than this share of the axis are not labelled, so that labels do not overlap.
_LEAST_SHARE = 0.025
_INCHES_PER_LABEL = 0.19


class TaskAffinityDisplay:
    """Heat map of task affinities, ordered by groups of tasks.

    Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    affinity : TaskAffinity
    labels : int array-like of shape (n_tasks,), default=None
        Each task's group, for example ``labels`` of :func:`group_tasks`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
    colorbar_ : matplotlib Colorbar
    order_ : int ndarray of shape (n_tasks,)
        The positions of the tasks in the order of the plot.

    See Also
    --------
    task_affinity : Computes the affinities.
    group_tasks : Computes the groups.

    Examples
    --------
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.datasets import make_clustered_tasks
    >>> from skmtl.inspection import TaskAffinityDisplay
    >>> dataset = make_clustered_tasks(50, random_state=0)
    >>> _ = TaskAffinityDisplay.from_estimator(
    ...     TaskRelationRegressor(0.1), dataset.data, dataset.target, tune=False, random_state=0
    ... )
    """

    def __init__(self, *, affinity: TaskAffinity, labels: Any = None) -> None:
        self.affinity = affinity
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        kind: str = "learned",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Compute and draw affinities.

        Parameters
        ----------
        estimator, X, y : as in :func:`task_affinity`
        kind : {"learned", "leave_one_out"}, default="learned"
            "learned": the correlation and the groups of :func:`group_tasks`. "leave_one_out": the
            gains of :func:`task_affinity`, without groups.
        ax : matplotlib Axes, default=None
            None: a new figure.
        **options : passed to :func:`group_tasks` or :func:`task_affinity`

        Returns
        -------
        TaskAffinityDisplay
        """
        require_matplotlib(cls, "from_estimator")
        if kind == "learned":
            return cls.from_result(group_tasks(estimator, X, y, **options), ax=ax)
        return cls.from_result(task_affinity(estimator, X, y, kind=kind, **options), ax=ax)

    @classmethod
    def from_result(
        cls, result: Any, *, labels: Any = None, ax: Any = None, **imshow_options: Any
    ) -> Self:
        """Draw a result.

        Parameters
        ----------
        result : TaskAffinity or TaskGroups
        labels : int array-like of shape (n_tasks,), default=None
            Each task's group. None: the groups of ``result``, or none.
        ax : matplotlib Axes, default=None
            None: a new figure.
        **imshow_options : as in :meth:`plot`

        Returns
        -------
        TaskAffinityDisplay
        """
        if isinstance(result, TaskGroups):
            labels = result.labels if labels is None else labels
            result = result.affinity
        if not isinstance(result, TaskAffinity):
            raise TypeError(
                f"from_result takes the result of task_affinity or group_tasks, got "
                f"{type(result).__name__}. Use from_estimator(estimator, X, y) to compute and "
                f"draw affinities."
            )
        return cls(affinity=result, labels=labels).plot(ax, **imshow_options)

    def plot(self, ax: Any = None, **imshow_options: Any) -> Self:
        """Draw the heat map, the groups one after another, similar tasks next to each other.

        Up to 40 tasks are labelled by name. Among more tasks the groups are labelled, with their
        numbers of tasks.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **imshow_options : passed to matplotlib's ``imshow``
            For example ``cmap``, or ``vmin`` and ``vmax``, which are symmetric about 0 by default.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``labels`` does not have an entry for each task.
        ImportError
            If matplotlib is not installed.
        """
        matrix = self.affinity.matrix
        n_tasks = len(matrix)
        labels = np.zeros(n_tasks, dtype=np.intp) if self.labels is None else self.labels
        labels = np.asarray(labels)
        if labels.shape != (n_tasks,):
            raise ValueError(
                f"labels has shape {labels.shape}; there are {n_tasks} tasks. Pass one group per "
                f"task, such as group_tasks(...).labels."
            )
        side = 2.5 + max(3.0, _INCHES_PER_LABEL * min(n_tasks, MAX_LABELLED))
        self.ax_, self.figure_ = make_axes(self, ax, side + 1.0, side)
        self.order_ = order_tasks(matrix, labels)
        self._draw_matrix(imshow_options)
        ordered = labels[self.order_]
        self._draw_groups(ordered)
        if n_tasks <= MAX_LABELLED:
            self._label_tasks()
        else:
            self._label_groups(ordered)
        return self

    def _draw_matrix(self, imshow_options: dict[str, Any]) -> None:
        ax, affinity = self.ax_, self.affinity
        matrix = affinity.matrix[np.ix_(self.order_, self.order_)]
        limit, extend = symmetric_limit(matrix[~np.eye(len(matrix), dtype=bool)])
        self.im_ = draw_image(ax, matrix, limit, {"aspect": "equal"} | imshow_options)
        ax.set_facecolor(muted(ax, 0.8))  # where there is no value
        learned = affinity.kind == "learned"
        label = "learned correlation" if learned else f"gain in {affinity.loss_name}"
        self.colorbar_ = add_colorbar(ax, self.im_, label, "both" if learned else extend, 0.7)
        if not learned:
            ax.set_xlabel("task that is left out")
            ax.set_ylabel("task that gains")
        title = f"{affinity.estimator_name}, {len(matrix)} tasks"
        ax.set_title(title, fontsize="medium")

    def _draw_groups(self, ordered: Array) -> None:
        colour = foreground(self.ax_)
        for edge in np.flatnonzero(np.diff(ordered)) + 0.5:
            self.ax_.axhline(edge, color=colour, linewidth=0.8)
            self.ax_.axvline(edge, color=colour, linewidth=0.8)

    def _label_tasks(self) -> None:
        names = [str(self.affinity.tasks[t]) for t in self.order_]
        label_axis(self.ax_, "x", names)
        label_axis(self.ax_, "y", names)

    def _label_groups(self, ordered: Array) -> None:
        ax, n_tasks = self.ax_, len(ordered)
        ax.set_xticks([])
        ax.set_yticks([])
        if self.labels is None:
            return
        groups, first, counts = np.unique(ordered, return_index=True, return_counts=True)
        wide = (counts >= _LEAST_SHARE * n_tasks) & (groups >= 0)
        places = (first + (counts - 1) / 2)[wide]
        names = [f"group {group} ({count})" for group, count in zip(groups, counts, strict=True)]
        ax.set_yticks(places, np.array(names)[wide], fontsize=FONT_SIZE)
        ax.set_xticks(places, [str(group) for group in groups[wide]], fontsize=FONT_SIZE)


TaskAffinity._display = TaskAffinityDisplay
