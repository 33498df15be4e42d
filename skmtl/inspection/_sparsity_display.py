"""The heat map of all coefficients, zeros blank; matplotlib is imported only to draw it."""

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
    label_sizes,
    make_axes,
    muted,
    symmetric_limit,
)
from skmtl.inspection._fitted import FittedTasks, check_names, default_names, largest, title_of

Array = NDArray[Any]

_INCHES_PER_LABEL, _INCHES_PER_TASK, _MAX_WIDTH = 0.19, 0.05, 9.0
# The share of colour in the smallest coefficients, which sets them apart from zeros.
_LEAST_COLOUR = 0.35
_UNUSED = 0.5


class BlockSparsityDisplay:
    """Heat map of the coefficients of all features and tasks, in which zeros are blank.

    Features are sorted by the Euclidean norm of their coefficients over the tasks. A line separates
    the features in use from those whose coefficients are all zero, and the names of the latter are
    grey. Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    coef : ndarray of shape (n_tasks, n_features)
    tasks : array-like of shape (n_tasks,), default=None
        The names of the tasks. None: 0, 1, ...
    features : array-like of shape (n_features,), default=None
        The names of the features. None: x0, x1, ...
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
    colorbar_ : matplotlib Colorbar or None
    support_line_ : matplotlib Line2D or None
        The line between features in use and others.
    features_ : int ndarray
        The positions of the features drawn, from top to bottom.
    support_ : bool ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.

    See Also
    --------
    skmtl.BlockSparseRegressor : Selects features that all tasks share.
    CoefficientDisplay : The coefficients of one feature, or of one task.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import BlockSparsityDisplay
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> model = BlockSparseRegressor(alpha=0.5).fit(dataset.data, dataset.target)
    >>> display = BlockSparsityDisplay.from_estimator(model)
    >>> bool((display.support_ == model.support_).all())
    True
    """

    def __init__(
        self,
        *,
        coef: Any,
        tasks: Any = None,
        features: Any = None,
        estimator_name: str | None = None,
    ) -> None:
        self.coef = coef
        self.tasks = tasks
        self.features = features
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        max_features: int | None = 40,
        colorbar: bool = True,
        ax: Any = None,
        **imshow_options: Any,
    ) -> Self:
        """Draw the coefficients of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator with ``coef_``
            Or a pipeline or search that ends in one. The features have the names that they have
            after its steps.
        max_features, colorbar, ax, **imshow_options : as in :meth:`plot`

        Returns
        -------
        BlockSparsityDisplay

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
            estimator_name=fitted.name,
        )
        return display.plot(ax, max_features=max_features, colorbar=colorbar, **imshow_options)

    @classmethod
    def from_result(
        cls, coef: Any, *, tasks: Any = None, features: Any = None, ax: Any = None, **options: Any
    ) -> Self:
        """Draw coefficients, for example one point of :func:`skmtl.model_selection.path`.

        Parameters
        ----------
        coef : array-like of shape (n_tasks, n_features)
        tasks, features : array-likes, default=None
            Their names.
        ax, **options : as in :meth:`plot`

        Returns
        -------
        BlockSparsityDisplay
        """
        return cls(coef=coef, tasks=tasks, features=features).plot(ax, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        max_features: int | None = 40,
        colorbar: bool = True,
        **imshow_options: Any,
    ) -> Self:
        """Draw the coefficients, features in rows and tasks in columns.

        If the names of tasks or features do not fit, every second, third, ... is drawn.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        max_features : int or None, default=40
            If there are more features, only those in use are drawn, and of them this many, those
            with the largest norms. None: all features.
        colorbar : bool, default=True
            Whether to draw a colour bar.
        **imshow_options : passed to matplotlib's ``imshow``
            For example ``cmap``, or ``vmin`` and ``vmax``, which are symmetric about 0 by default.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``coef`` is not a matrix, or ``max_features`` is not positive.
        ImportError
            If matplotlib is not installed.
        """
        coef = np.asarray(self.coef, dtype=np.float64)
        if coef.ndim != 2 or not coef.size:
            raise ValueError(
                f"coef must have the shape (n_tasks, n_features), got {coef.shape}. For one task "
                f"pass coef[None]."
            )
        n_tasks, n_features = coef.shape
        names = default_names(n_features) if self.features is None else self.features
        names = check_names(names, n_features, "features")
        tasks = range(n_tasks) if self.tasks is None else self.tasks
        tasks = check_names(tasks, n_tasks, "tasks")
        self.support_ = np.asarray(coef.any(axis=0))
        self.features_ = _select_features(coef, max_features)
        n_drawn = len(self.features_)
        drawn = [names[j] for j in self.features_]
        below, beside = label_sizes(tasks, drawn)
        columns = max(_INCHES_PER_LABEL * min(n_tasks, MAX_LABELLED), _INCHES_PER_TASK * n_tasks)
        rows = max(1.2, _INCHES_PER_LABEL * min(n_drawn, 2 * MAX_LABELLED))
        size = (min(max(2.4, columns), _MAX_WIDTH) + beside + 0.6 + colorbar, rows + below + 1.0)
        self.ax_, self.figure_ = make_axes(self, ax, *size)
        self._draw_coefficients(coef[:, self.features_].T, colorbar, imshow_options)
        self._draw_support()
        label_axis(self.ax_, "x", tasks)
        self._label_features(drawn)
        shown = title_of(self.estimator_name, int(self.support_.sum()), n_features, n_drawn)
        self.ax_.set_title(shown, fontsize="medium")
        return self

    def _draw_coefficients(
        self, coef: Array, colorbar: bool, imshow_options: dict[str, Any]
    ) -> None:
        limit, extend = symmetric_limit(coef[coef != 0])
        blank, options = np.ma.masked_equal(coef, 0.0), {"aspect": "auto"} | imshow_options
        self.im_ = draw_image(self.ax_, blank, limit, options, _LEAST_COLOUR)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = add_colorbar(self.ax_, self.im_, "coefficient", extend, 1.0)

    def _draw_support(self) -> None:
        """A line below the features in use, if others are drawn too."""
        used, self.support_line_ = self.support_[self.features_], None
        if used.any() and not used.all():
            edge = np.count_nonzero(used) - 0.5
            self.support_line_ = self.ax_.axhline(edge, color=foreground(self.ax_), linewidth=1.0)

    def _label_features(self, names: list[str]) -> None:
        places = label_axis(self.ax_, "y", names)
        for place, tick in zip(places, self.ax_.get_yticklabels(), strict=True):
            if not self.support_[self.features_[place]]:
                tick.set_color(muted(self.ax_, _UNUSED))
        self.ax_.set_xlabel("task", fontsize=FONT_SIZE + 1)


def _select_features(coef: Array, max_features: int | None) -> NDArray[np.intp]:
    """The features to draw, sorted by descending norm."""
    sizes = np.linalg.norm(coef, axis=0)
    if max_features is None or len(sizes) <= max_features:
        return largest(sizes, max_features)
    n_used = max(1, np.count_nonzero(coef.any(axis=0)))
    return largest(sizes, max_features)[:n_used]
