"""The plot of one feature's or one task's coefficients; matplotlib is imported only to draw it."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._plotting import (
    BLUE,
    FAINT,
    GREY,
    MAX_LABELLED,
    VERMILION,
    background,
    draw_zero,
    label_axis,
    label_sizes,
    legend_above,
    legible,
    make_axes,
    muted,
    plain_axes,
    styled,
)
from skmtl.inspection._fitted import (
    FittedTasks,
    check_names,
    count_of,
    default_names,
    largest,
    title_of,
)

Array = NDArray[Any]

_INCHES_PER_LABEL, _INCHES_PER_POINT = 0.2, 0.05
# Names listed in an error message.
_LISTED = 10


class CoefficientDisplay:
    """Plot of one feature's coefficients over all tasks, or of one task's, sorted.

    Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    coef : ndarray of shape (n_tasks, n_features)
    tasks : array-like of shape (n_tasks,), default=None
        The ids of the tasks. None: 0, 1, ...
    features : array-like of shape (n_features,), default=None
        The names of the features. None: x0, x1, ...
    intervals : pair of array-likes of shape (n_tasks, n_features), default=None
        Lower and upper ends of intervals for the coefficients, drawn as lines.
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : matplotlib PathCollection
        Coefficients that are zero are hollow and grey.
    intervals_ : matplotlib LineCollection or None
    mean_line_ : matplotlib Line2D or None
        The mean of the feature's coefficients over the tasks.
    zero_line_ : matplotlib Line2D
    order_ : int ndarray
        The positions of the tasks or features drawn, from bottom to top.

    See Also
    --------
    BlockSparsityDisplay : The coefficients of all features and tasks.

    Examples
    --------
    >>> from skmtl import TaskRelationRegressor
    >>> from skmtl.datasets import make_clustered_tasks
    >>> from skmtl.inspection import CoefficientDisplay
    >>> dataset = make_clustered_tasks(50, random_state=0)
    >>> model = TaskRelationRegressor(alpha=0.1).fit(dataset.data, dataset.target)
    >>> _ = CoefficientDisplay.from_estimator(model, feature="x2")
    >>> _ = CoefficientDisplay.from_estimator(model, task=0)
    """

    def __init__(
        self,
        *,
        coef: Any,
        tasks: Any = None,
        features: Any = None,
        intervals: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.coef = coef
        self.tasks = tasks
        self.features = features
        self._shown: tuple[Any, Any] = (None, None)
        self.intervals = intervals
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature: str | int | None = None,
        task: Any = None,
        intervals: Any = None,
        max_features: int | None = 40,
        ax: Any = None,
        **scatter_options: Any,
    ) -> Self:
        """Draw coefficients of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator with ``coef_``
            Or a pipeline or search that ends in one. The features have the names that they have
            after its steps.
        feature, task : as in :meth:`plot`
        intervals : pair of array-likes of shape (n_tasks, n_features), default=None
            Lower and upper ends of intervals, for example from a bootstrap.
        max_features, ax, **scatter_options : as in :meth:`plot`

        Returns
        -------
        CoefficientDisplay

        Raises
        ------
        TypeError
            If the estimator has no coefficients.
        NotFittedError
            If it is not fitted.
        """
        fitted = FittedTasks.read(estimator, cls.__name__)
        display = cls(
            coef=fitted.coef,
            tasks=fitted.tasks,
            features=fitted.features,
            intervals=intervals,
            estimator_name=fitted.name,
        )
        options = {"feature": feature, "task": task, "max_features": max_features}
        return display.plot(ax, **options, **scatter_options)

    @classmethod
    def from_result(
        cls,
        coef: Any,
        *,
        tasks: Any = None,
        features: Any = None,
        intervals: Any = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw given coefficients.

        Parameters
        ----------
        coef : array-like of shape (n_tasks, n_features)
        tasks, features : array-likes, default=None
            Their names.
        intervals : pair of array-likes of shape (n_tasks, n_features), default=None
        ax, **options : as in :meth:`plot`

        Returns
        -------
        CoefficientDisplay
        """
        display = cls(coef=coef, tasks=tasks, features=features, intervals=intervals)
        return display.plot(ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        feature: str | int | None = None,
        task: Any = None,
        max_features: int | None = 40,
        **scatter_options: Any,
    ) -> Self:
        """Draw the coefficients, the largest on top.

        If the names do not fit beside the plot, every second, third, ... is drawn.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        feature : str or int, default=None
            Draw the coefficients of this feature, a name or a position, in all tasks, with their
            mean. Exactly one of ``feature`` and ``task`` must be given; a display that has been
            drawn before can repeat what it showed.
        task : task id, default=None
            Draw the coefficients of this task for all features.
        max_features : int or None, default=40
            Draw at most this many of a task's coefficients, those with the largest absolute values.
            None: all.
        **scatter_options : passed to matplotlib's ``scatter``

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If not exactly one of ``feature`` and ``task`` is given, if it is unknown, or if the
            intervals have another shape than ``coef``.
        ImportError
            If matplotlib is not installed.
        """
        if feature is None and task is None:
            feature, task = self._shown
        if (feature is None) == (task is None):
            raise ValueError(
                f"Pass either feature, a name or a position, or task, an id; got "
                f"feature={feature!r}, task={task!r}."
            )
        coef = np.asarray(self.coef, dtype=np.float64)
        if coef.ndim != 2:
            raise ValueError(f"coef must have the shape (n_tasks, n_features), got {coef.shape}.")
        tasks, features = self._names(coef)
        ends = self._ends(coef)
        if feature is not None:
            j = _find_feature(feature, features)
            at, ends, names = coef[:, j], ends[:, :, j], tasks
            shown, what = np.arange(len(at)), f"coefficient of {features[j]}"
        else:
            t = _find(task, tasks, "task")
            at, ends, names = coef[t], ends[:, t], features
            shown = largest(np.abs(at), max_features)
            what = f"coefficient in task {tasks[t]}"
        self.order_ = shown[np.argsort(at[shown], kind="stable")]
        self._make_axes(ax, names)
        self._draw_points(at[self.order_], ends[:, self.order_], scatter_options)
        self.mean_line_ = None if feature is None else self._draw_mean(float(at.mean()))
        label_axis(self.ax_, "y", [names[k] for k in self.order_])
        self._draw_axes(at, what, "tasks" if task is None else "features")
        self._shown = feature, task
        return self

    def _names(self, coef: Array) -> tuple[list[str], list[str]]:
        n_tasks, n_features = coef.shape
        tasks = range(n_tasks) if self.tasks is None else self.tasks
        features = default_names(n_features) if self.features is None else self.features
        return check_names(tasks, n_tasks, "tasks"), check_names(features, n_features, "features")

    def _ends(self, coef: Array) -> Array:
        """The ends of the intervals (2, n_tasks, n_features), NaN if there are none."""
        if self.intervals is None:
            return np.full((2, *coef.shape), np.nan)
        ends = [np.asarray(end, dtype=np.float64) for end in self.intervals]
        if len(ends) != 2 or any(end.shape != coef.shape for end in ends):
            raise ValueError(
                f"intervals must be a pair (low, high) of arrays of the shape of coef, "
                f"{coef.shape}; got {len(ends)} of shapes {[end.shape for end in ends]}."
            )
        return np.stack(ends)

    def _make_axes(self, ax: Any, names: list[str]) -> None:
        n, (_, beside) = len(self.order_), label_sizes([], names)
        per_point = _INCHES_PER_LABEL if n <= MAX_LABELLED else _INCHES_PER_POINT
        self.ax_, self.figure_ = make_axes(self, ax, 5.0 + beside, 1.3 + max(1.2, per_point * n))

    def _draw_points(self, at: Array, ends: Array, scatter_options: dict[str, Any]) -> None:
        ax, places = self.ax_, np.arange(len(at))
        self.zero_line_ = draw_zero(ax, "x")
        blue, grey, behind = legible(ax, BLUE), muted(ax, GREY), background(ax)
        self.intervals_ = None
        if self.intervals is not None:
            pale = muted(ax, FAINT) if len(at) > MAX_LABELLED else blue
            self.intervals_ = ax.hlines(places, *ends, color=pale, linewidth=1.0, zorder=2)
        defaults: dict[str, Any] = {
            "s": 30.0 if len(at) <= MAX_LABELLED else 12.0,
            "facecolor": [blue if value else behind for value in at],
            "edgecolor": [blue if value else grey for value in at],
            "zorder": 3,
        }
        self.points_ = ax.scatter(at, places, **styled("PathCollection", defaults, scatter_options))

    def _draw_mean(self, mean: float) -> Any:
        colour = legible(self.ax_, VERMILION)
        options = {"linestyle": "--", "linewidth": 1.4, "zorder": 2.5, "label": "mean over tasks"}
        return self.ax_.axvline(mean, color=colour, **options)

    def _draw_axes(self, at: Array, what: str, kind: str) -> None:
        ax = self.ax_
        plain_axes(ax, "x")
        ax.set_ylim(-0.8, len(self.order_) - 0.2)
        ax.set_xlabel(what)
        if kind == "tasks":
            ax.set_ylabel("task")
        used = np.count_nonzero(at)
        if kind == "features":
            title = title_of(self.estimator_name, int(used), len(at), len(self.order_))
        else:
            title = count_of(len(at), "task")
            title = title if used == len(at) else f"used in {used} of {title}"
            title = f"{self.estimator_name}, {title}" if self.estimator_name else title
        height = legend_above(ax, 1) if self.mean_line_ is not None else 0.0
        ax.set_title(title, fontsize="medium", pad=8.0 + height)


def _find_feature(feature: str | int, names: list[str]) -> int:
    if isinstance(feature, str):
        return _find(feature, names, "feature")
    is_position = isinstance(feature, Integral) and not isinstance(feature, bool)
    if is_position and -len(names) <= feature < len(names):
        return int(feature) % len(names)
    raise ValueError(
        f"feature must be a name or a position from 0 to {len(names) - 1}; got {feature!r}."
    )


def _find(name: Any, names: list[str], what: str) -> int:
    """The position of a name, compared as text."""
    if str(name) in names:
        return names.index(str(name))
    listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    raise ValueError(f"There is no {what} {name!r}. Pass one of {listed}.")
