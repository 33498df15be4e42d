"""Heat maps of coefficients, for the pages on families of models."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator


def error(coef, truth):
    """The distance of coefficients from the true ones, relative to their Frobenius norm."""
    return np.linalg.norm(coef - truth) / np.linalg.norm(truth)


def show(
    panels: Mapping[str, np.ndarray],
    truth: np.ndarray | None = None,
    parts: Mapping[str, np.ndarray] | None = None,
    *,
    ncols: int = 3,
    height: float = 1.9,
    x_label: str = "feature",
    y_label: str = "task",
    figure=None,
):
    """Draw matrices (n_tasks, n_features) side by side, on one symmetric scale of colours.

    Parameters
    ----------
    panels : dict of str to ndarray
        The matrices by title.
    truth : ndarray of shape (n_tasks, n_features), optional
        The true coefficients: the titles of matrices of this shape other than the first then
        state their distance from it.
    parts : dict of str to ndarray, optional
        Further matrices, whose titles state no distance.
    ncols : int, default=3
        Number of panels in a row.
    height : float, default=1.9
        Height of a row of panels, in inches, of a new figure.
    x_label, y_label : str
    figure : matplotlib SubFigure, optional
        Where to draw. None: a new figure.

    Returns
    -------
    figure : matplotlib Figure or SubFigure
    """
    parts = {} if parts is None else parts
    panels = {**panels, **parts}
    nrows = -(-len(panels) // ncols)
    if figure is None:
        figure = plt.figure(figsize=(7.6, height * nrows + 0.2), layout="constrained")
    grid = figure.subplots(nrows, ncols, squeeze=False)
    entries = np.concatenate([np.ravel(each) for each in panels.values()])
    limit = np.quantile(np.abs(entries), 0.995)
    image = None
    for number, (ax, (title, matrix)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        image = ax.imshow(
            matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        if not (truth is None or number == 0 or title in parts) and matrix.shape == truth.shape:
            title = f"{title}\nerror {error(matrix, truth):.2f}"
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(x_label, fontsize=8)
        ax.tick_params(labelsize=7)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
        if number % ncols == 0:
            ax.set_ylabel(y_label, fontsize=8)
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    bar = figure.colorbar(image, ax=grid, shrink=0.9, pad=0.01)
    bar.set_label("coefficient", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def draw(
    truth: np.ndarray,
    fits: Mapping[str, np.ndarray],
    order: np.ndarray | None = None,
    columns: slice = slice(None),
    x_label: str = "feature",
    y_label: str = "task",
):
    """Draw the true coefficients and those of each fit in one row.

    Parameters
    ----------
    truth : ndarray of shape (n_tasks, n_features)
    fits : dict of str to ndarray of shape (n_tasks, n_features)
    order : ndarray of shape (n_tasks,), optional
        The order of the tasks, from top to bottom.
    columns : slice
        The features that are drawn; errors are those of all features.
    x_label, y_label : str
    """
    rows = slice(None) if order is None else order
    panels = {"true coefficients": truth[rows][:, columns]} | {
        f"{name}\nerror {error(coef, truth):.2f}": coef[rows][:, columns]
        for name, coef in fits.items()
    }
    return show(panels, ncols=len(panels), height=2.4, x_label=x_label, y_label=y_label)
