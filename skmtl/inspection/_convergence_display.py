"""The duality gap of a fit on its way to the tolerance; matplotlib is imported only to draw it."""

import time
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skmtl._plotting import (
    FONT_SIZE,
    GREY,
    PALETTE,
    legible,
    make_axes,
    muted,
    plain_axes,
    require_matplotlib,
    styled,
)
from skmtl.estimators import FitTask, TaskEstimator

Array = NDArray[Any]

_X_AXES = ("iteration", "seconds")
# Marks the lines at tolerances; curves with the same tolerance share one.
_TOLERANCE = "tolerance"
_MARKERS = "os^Dv"


class ConvergenceDisplay:
    """The certified duality gap of a fit, against its iterations or seconds.

    The gap is an upper bound on how far the objective is above its minimum. It is computed at
    certificates, which are the points of the curve: at the start, and then every few iterations.

    Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    iterations : array-like of shape (n_certificates,)
        The number of iterations at each certificate.
    objectives, gaps : array-like of shape (n_certificates,)
        The objective of the best point so far, and its duality gap.
    seconds : array-like of shape (n_certificates,)
        Since the start of the fit, without the validation of the data.
    tolerance : float, default=None
        The gap at which the fit stops.
    name : str, default=None
        The curve's label in the legend; None: no legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    line_ : matplotlib Line2D
        The gaps.
    tolerance_line_ : matplotlib Line2D or None
        The tolerance; None if it is unknown, or drawn already for another curve.

    See Also
    --------
    skmtl.model_selection.path : Returns the gaps of fits over a grid of alphas.

    Examples
    --------
    >>> from skmtl import LowRankRegressor
    >>> from skmtl.datasets import make_related_tasks
    >>> from skmtl.inspection import ConvergenceDisplay
    >>> dataset = make_related_tasks(50, random_state=0)
    >>> display = ConvergenceDisplay.from_estimator(
    ...     LowRankRegressor(solver="fista"), dataset.data, dataset.target
    ... )
    >>> display = ConvergenceDisplay.from_estimator(
    ...     LowRankRegressor(solver="admm"), dataset.data, dataset.target, ax=display.ax_
    ... )
    """

    def __init__(
        self,
        *,
        iterations: Any,
        objectives: Any,
        gaps: Any,
        seconds: Any,
        tolerance: float | None = None,
        name: str | None = None,
    ) -> None:
        self.iterations = iterations
        self.objectives = objectives
        self.gaps = gaps
        self.seconds = seconds
        self.tolerance = tolerance
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        x: str = "iteration",
        name: str | None = None,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Fit a clone of an estimator, and draw its duality gap.

        Parameters
        ----------
        estimator : estimator of skmtl, or a pipeline that ends in one
            With a convex objective. It is neither fitted nor changed. For estimators that
            cross-validate ``alpha``, the curve is that of the final fit.
        X, y, sample_weight : as in the estimator's fit
        x : {"iteration", "seconds"}, default="iteration"
        name : str, default=None
            None: the name of the class, and of the solver if it is not "auto".
        ax : matplotlib Axes, default=None
            None: a new figure. Curves of several estimators can be drawn on the same axes.
        **line_options : passed to matplotlib's ``plot``

        Returns
        -------
        ConvergenceDisplay

        Raises
        ------
        TypeError
            If the estimator has no duality gap.
        """
        require_matplotlib(cls, "from_estimator")
        model, X = _last_step(clone(estimator), X, y)
        history = _record(model, X, y, sample_weight)
        if name is None:
            solver = "" if model.solver == "auto" else f" (solver={model.solver!r})"
            name = f"{type(model).__name__}{solver}"
        return cls.from_result(
            history.rows, tolerance=history.tolerance, x=x, name=name, ax=ax, **line_options
        )

    @classmethod
    def from_result(
        cls,
        history: Any,
        *,
        tolerance: float | None = None,
        x: str = "iteration",
        name: str | None = None,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Draw a recorded history.

        Parameters
        ----------
        history : array-like of shape (n_certificates, 4)
            Iteration, objective, duality gap and seconds at each certificate, as in the
            ``history`` of the results of :func:`skmtl.solvers.solve`.
        tolerance : float, default=None
            The gap at which the fit stops.
        x : {"iteration", "seconds"}, default="iteration"
        name : str, default=None
            The curve's label in the legend; None: no legend.
        ax : matplotlib Axes, default=None
            None: a new figure.
        **line_options : passed to matplotlib's ``plot``

        Returns
        -------
        ConvergenceDisplay
        """
        rows = np.asarray(history, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
            raise ValueError(
                f"history must have a row (iteration, objective, duality gap, seconds) for each "
                f"certificate, got the shape {rows.shape}. Use from_estimator(estimator, X, y) to "
                f"fit and draw an estimator."
            )
        iterations, objectives, gaps, seconds = rows.T
        display = cls(
            iterations=iterations.astype(np.intp),
            objectives=objectives,
            gaps=gaps,
            seconds=seconds,
            tolerance=tolerance,
            name=name,
        )
        return display.plot(ax, x=x, **line_options)

    def plot(self, ax: Any = None, *, x: str = "iteration", **line_options: Any) -> Self:
        """Draw the gaps on a logarithmic axis, and the tolerance as a dashed line.

        A gap of zero lies below the axis.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        x : {"iteration", "seconds"}, default="iteration"
        **line_options : passed to matplotlib's ``plot``

        Returns
        -------
        self
        """
        if x not in _X_AXES:
            raise ValueError(f"x must be one of {[*_X_AXES]}, got {x!r}.")
        self.ax_, self.figure_ = make_axes(self, ax, 6.4, 4.2)
        ax, places = self.ax_, self.iterations if x == "iteration" else self.seconds
        n_curves = sum(line.get_gid() != _TOLERANCE for line in ax.lines)
        # Curves differ in their markers too, not only in their colours.
        defaults = {
            "color": legible(ax, PALETTE[n_curves % len(PALETTE)]),
            "marker": _MARKERS[n_curves % len(_MARKERS)],
            "markersize": 4,
            "label": self.name,
        }
        ax.set_yscale("log", nonpositive="clip")
        (self.line_,) = ax.plot(places, self.gaps, **styled("Line2D", defaults, line_options))
        self._draw_tolerance()
        plain_axes(ax, "y")
        ax.set_xlabel(x)
        if x == "iteration":
            ax.locator_params(axis="x", integer=True)
        ax.set_ylabel("duality gap")
        if self.name is not None:
            self._draw_legend()
        return self

    def _draw_legend(self) -> None:
        """All curves, and then the tolerance."""
        entries = zip(*self.ax_.get_legend_handles_labels(), strict=True)
        ordered = sorted(entries, key=lambda entry: entry[0].get_gid() == _TOLERANCE)
        self.ax_.legend(*zip(*ordered, strict=True), fontsize=FONT_SIZE, frameon=False)

    def _draw_tolerance(self) -> None:
        ax, tolerance = self.ax_, self.tolerance
        self.tolerance_line_ = None
        drawn = [line.get_ydata()[0] for line in ax.lines if line.get_gid() == _TOLERANCE]
        if tolerance is None or not tolerance > 0 or np.isclose(drawn, tolerance, rtol=1e-6).any():
            return
        label = None if drawn or self.name is None else "tolerance"
        style = {"color": muted(ax, GREY), "linestyle": "--", "linewidth": 1.0}
        self.tolerance_line_ = ax.axhline(tolerance, label=label, gid=_TOLERANCE, **style)


class _History(FitTask):
    """Records the certificates of a fit, as its task.

    Attributes
    ----------
    rows : list of (iteration, objective, duality gap, seconds)
    tolerance : float
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, float, float, float]] = []
        self.tolerance, self.begun = np.nan, 0.0

    def iterations(self, attributes: Any) -> "_History":
        self.begun = time.perf_counter()
        return self

    def __call__(self, progress: Any, fit: Callable[[], Any]) -> bool:
        seconds = time.perf_counter() - self.begun
        self.rows.append((progress.n_iter, progress.objective, progress.gap, seconds))
        self.tolerance = progress.enough
        return False

    def close(self) -> None:
        """There is nothing to do after the last certificate."""


def _last_step(estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """The last step of a pipeline, and the X that it takes."""
    if isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            X = estimator[:-1].fit_transform(X, y)
        estimator = estimator.steps[-1][1]
    name = type(estimator).__name__
    if not isinstance(estimator, TaskEstimator):
        raise TypeError(
            f"ConvergenceDisplay takes an estimator of skmtl, got {name}. Of a search, pass its "
            f"best_estimator_; of a pipeline, the last step must be an estimator of skmtl."
        )
    if not estimator._is_convex:
        raise TypeError(
            f"{name} has no duality gap, because its objective is not convex. Plot objectives_ of "
            f"the fitted estimator instead."
        )
    return estimator, X


def _record(model: Any, X: Any, y: Any, sample_weight: Any) -> _History:
    """Fit an estimator, and return the history of its (last) fit."""
    history = _History()
    model._validate_params()
    model._fit(X, y, sample_weight, history)
    if not history.rows:
        raise TypeError(
            f"{type(model).__name__} has no duality gap on these data: it mixes several fits, or "
            f"no task has two different labels. Draw one of the estimators that it mixes."
        )
    return history
