"""The heat map of a learned correlation between tasks; matplotlib is imported only to draw it."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram as draw_tree
from scipy.cluster.hierarchy import leaves_list
from sklearn.utils.validation import check_is_fitted

from skmtl._plotting import (
    MAX_LABELLED,
    add_colorbar,
    draw_image,
    foreground,
    label_axis,
    label_sizes,
    make_axes,
    muted,
    split_axes,
)
from skmtl.inspection._fitted import check_names, count_of, selected_model
from skmtl.inspection._task_order import task_tree

Array = NDArray[Any]

_INCHES_PER_LABEL = 0.19
# Height of the dendrogram as a share of the heat map's.
_TREE_SHARE = 0.16


class TaskRelationDisplay:
    """Heat map of the correlation between tasks that an estimator has learned.

    Similar tasks are next to each other, in the order of a hierarchical clustering (average
    linkage, optimal order of the leaves). Use :meth:`from_estimator` or :meth:`from_result` to
    create one.

    Parameters
    ----------
    correlation : ndarray of shape (n_tasks, n_tasks)
        NaN for tasks that have none.
    tasks : array-like of shape (n_tasks,), default=None
        The names of the tasks. None: 0, 1, ...
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
    colorbar_ : matplotlib Colorbar or None
    dendrogram_ax_ : matplotlib Axes or None
    order_ : int ndarray of shape (n_tasks,)
        The positions of the tasks in the order of the plot.

    See Also
    --------
    TaskAffinityDisplay : The gain from each other task, for all estimators.

    Examples
    --------
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.datasets import make_clustered_tasks
    >>> from skmtl.inspection import TaskRelationDisplay
    >>> dataset = make_clustered_tasks(50, random_state=0)
    >>> model = TaskRelationRegressor(alpha=0.1).fit(dataset.data, dataset.target)
    >>> _ = TaskRelationDisplay.from_estimator(model, dendrogram=True)
    """

    def __init__(
        self, *, correlation: Any, tasks: Any = None, estimator_name: str | None = None
    ) -> None:
        self.correlation = correlation
        self.tasks = tasks
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        order: str | None = "clusters",
        dendrogram: bool = False,
        colorbar: bool = True,
        ax: Any = None,
        **imshow_options: Any,
    ) -> Self:
        """Draw ``task_correlation_`` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator with ``task_correlation_``
            Or a pipeline or search that ends in one.
        order, dendrogram, colorbar, ax, **imshow_options : as in :meth:`plot`

        Returns
        -------
        TaskRelationDisplay

        Raises
        ------
        TypeError
            If the estimator learns no correlation.
        NotFittedError
            If it is not fitted.
        """
        model, _ = selected_model(estimator)
        name = type(model).__name__
        if not hasattr(type(model), "task_correlation_"):
            raise TypeError(
                f"TaskRelationDisplay needs an estimator with task_correlation_, which {name} "
                f"lacks. Use TaskRelationRegressor, ClusteredTaskRegressor, "
                f"SparseTaskRelationRegressor or their classifiers; "
                f"TaskAffinityDisplay.from_estimator(..., kind='leave_one_out') takes any "
                f"estimator of skmtl."
            )
        check_is_fitted(model)
        display = cls(correlation=model.task_correlation_, tasks=model.tasks_, estimator_name=name)
        return display.plot(
            ax, order=order, dendrogram=dendrogram, colorbar=colorbar, **imshow_options
        )

    @classmethod
    def from_result(
        cls, correlation: Any, *, tasks: Any = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw a correlation matrix.

        Parameters
        ----------
        correlation : array-like of shape (n_tasks, n_tasks)
        tasks : array-like of shape (n_tasks,), default=None
            The names of the tasks.
        ax, **options : as in :meth:`plot`

        Returns
        -------
        TaskRelationDisplay
        """
        return cls(correlation=correlation, tasks=tasks).plot(ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        order: str | None = "clusters",
        dendrogram: bool = False,
        colorbar: bool = True,
        **imshow_options: Any,
    ) -> Self:
        """Draw the heat map.

        If the names of the tasks do not fit beside it, every second, third, ... is drawn.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        order : {"clusters"} or None, default="clusters"
            "clusters": similar tasks next to each other, tasks without a correlation last. None:
            the order of ``tasks``.
        dendrogram : bool, default=False
            Whether to draw the hierarchical clustering above the heat map.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        **imshow_options : passed to matplotlib's ``imshow``
            For example ``cmap``, or ``vmin`` and ``vmax``, which are -1 and 1 by default.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the matrix is not square and symmetric, or a parameter is invalid.
        ImportError
            If matplotlib is not installed.
        """
        matrix = _read_correlation(self.correlation)
        if order not in ("clusters", None) or (dendrogram and order is None):
            raise ValueError(
                f"order must be 'clusters' or None, and 'clusters' for a dendrogram; got "
                f"order={order!r}, dendrogram={dendrogram!r}."
            )
        names = range(len(matrix)) if self.tasks is None else self.tasks
        names = check_names(names, len(matrix), "tasks")
        below, beside = label_sizes(names, names)
        side = max(3.6, _INCHES_PER_LABEL * min(len(matrix), MAX_LABELLED))
        height = side * (1 + _TREE_SHARE * dendrogram) + below + 0.6
        self.ax_, self.figure_ = make_axes(self, ax, side + beside + 0.4 + colorbar, height)
        self.order_, tree = _cluster(matrix, order)
        panels = [self.ax_]
        if dendrogram:
            panels = split_axes(self.ax_, [_TREE_SHARE, 1.0], 1)
        self.dendrogram_ax_ = panels[0] if dendrogram else None
        self._draw_matrix(matrix[np.ix_(self.order_, self.order_)], imshow_options)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = add_colorbar(panels, self.im_, "correlation", "neither", 0.7)
        label_axis(self.ax_, "x", [names[t] for t in self.order_])
        label_axis(self.ax_, "y", [names[t] for t in self.order_])
        if dendrogram:
            self._draw_tree(panels[0], tree)
        title = f"{self.estimator_name or 'Correlation'}, {count_of(len(matrix), 'task')}"
        panels[0].set_title(title, fontsize="medium")
        return self

    def _draw_matrix(self, ordered: Array, imshow_options: dict[str, Any]) -> None:
        # A dendrogram must be as wide as the heat map, which equal scales would make narrower.
        aspect = "equal" if self.dendrogram_ax_ is None else "auto"
        self.im_ = draw_image(self.ax_, ordered, 1.0, {"aspect": aspect} | imshow_options)
        self.ax_.set_facecolor(muted(self.ax_, 0.8))  # where there is no value

    def _draw_tree(self, ax: Any, tree: Array | None) -> None:
        """Draw the dendrogram above the heat map."""
        ax.set_axis_off()
        if tree is None:
            return
        drawn = draw_tree(tree, no_plot=True)
        colour = foreground(self.ax_)
        # scipy puts leaf k at 10 k + 5, and the heat map puts it at k.
        for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
            ax.plot((np.array(x) - 5) / 10, y, color=colour, linewidth=0.8)
        ax.set_ylim(bottom=0.0)


def _read_correlation(correlation: Any) -> Array:
    matrix = np.asarray(correlation, dtype=np.float64)
    rule = "correlation must be a symmetric matrix (n_tasks, n_tasks)"
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(f"{rule}; got an array of shape {matrix.shape}.")
    if not np.allclose(matrix, matrix.T, equal_nan=True):
        raise ValueError(
            f"{rule}; got one that is not. For gains, which are not symmetric, use "
            f"TaskAffinityDisplay.from_result."
        )
    return matrix


def _cluster(matrix: Array, order: str | None) -> tuple[NDArray[np.intp], Array | None]:
    """The order of the tasks, and the tree of those with a correlation if they are clustered."""
    # The diagonal is 1 also for tasks that were left out.
    apart = matrix.copy()
    np.fill_diagonal(apart, np.nan)
    known = ~np.isnan(apart).all(axis=1)
    members = np.flatnonzero(known)
    if order is None or len(members) < 2:
        return np.arange(len(matrix)), None
    tree = task_tree(np.nan_to_num(matrix[np.ix_(members, members)]))
    placed = np.concatenate([members[leaves_list(tree)], np.flatnonzero(~known)])
    return placed.astype(np.intp), tree
