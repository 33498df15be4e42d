"""Coefficients side by side, as heat maps with one colour scale."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator


def relative_error(coef, truth):
    """The Frobenius norm of the difference, divided by that of the truth."""
    return np.linalg.norm(coef - truth) / np.linalg.norm(truth)


def draw(truth, fits, order=None, columns=slice(None), x_label="feature", y_label="task"):
    """Draw the true coefficients and those of each fit, with its error in the title.

    Parameters
    ----------
    truth : ndarray of shape (n_tasks, n_features)
    fits : dict of str to ndarray of shape (n_tasks, n_features)
    order : array-like of shape (n_tasks,), optional
        The order of the tasks, from top to bottom.
    columns : slice
        The features that are drawn; errors are those of all features.
    x_label, y_label : str
    """
    order = np.arange(len(truth)) if order is None else np.asarray(order)
    limit = np.quantile(np.abs(truth), 0.98)
    panels = {"true coefficients": truth} | {
        f"{name}\nerror {relative_error(coef, truth):.2f}": coef for name, coef in fits.items()
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(8, 2.9), sharey=True)
    for ax, (title, coef) in zip(axes, panels.items(), strict=True):
        image = ax.imshow(
            coef[order][:, columns],
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            rasterized=True,
        )
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(x_label)
        ax.tick_params(labelsize=7)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0].set_ylabel(y_label)
    figure.colorbar(image, ax=axes, label="coefficient", extend="both", shrink=0.9)
    return figure
