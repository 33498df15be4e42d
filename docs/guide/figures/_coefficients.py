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
    *,
    ncols: int = 3,
    height: float = 1.9,
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
    ncols : int, default=3
        Number of panels in a row.
    height : float, default=1.9
        Height of a row of panels, in inches, of a new figure.
    figure : matplotlib SubFigure, optional
        Where to draw. None: a new figure.

    Returns
    -------
    figure : matplotlib Figure or SubFigure
    """
    nrows = -(-len(panels) // ncols)
    if figure is None:
        figure = plt.figure(figsize=(7.6, height * nrows + 0.2), layout="constrained")
    grid = figure.subplots(nrows, ncols, squeeze=False)
    limit = np.quantile(np.abs(np.concatenate([np.ravel(each) for each in panels.values()])), 0.995)
    image = None
    for number, (ax, (title, matrix)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        image = ax.imshow(
            matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
        )
        if truth is not None and number > 0 and matrix.shape == truth.shape:
            title = f"{title}\nerror {error(matrix, truth):.2f}"
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("feature", fontsize=8)
        ax.tick_params(labelsize=7)
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if number % ncols == 0:
            ax.set_ylabel("task", fontsize=8)
    for ax in grid.flat[len(panels) :]:
        ax.set_axis_off()
    bar = figure.colorbar(image, ax=grid, shrink=0.9, pad=0.01)
    bar.set_label("coefficient", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure
