"""The plot of a path over alpha and of its scores; matplotlib is imported only to draw it."""

from textwrap import fill
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skmtl._plotting import (
    BLUE,
    FONT_SIZE,
    GREEN,
    GREY,
    PALETTE,
    VERMILION,
    legend_above,
    legible,
    make_axes,
    muted,
    plain_axes,
    require_matplotlib,
    split_axes,
    spread,
    styled,
)
from skmtl.inspection._fitted import check_names, default_names
from skmtl.inspection._path_source import PathSource, marks_of

Array = NDArray[Any]

_HEIGHTS = {"norms": 2.6, "support": 1.0, "score": 1.9}
_LABELS = {"norms": "norm of coefficients", "support": "features used"}
_LETTERS_PER_LINE = 12
_FAINT_LINE = 0.6
# With more other models than line styles, only the first has an entry in the legend.
_OTHER_LINES = (":", "-.", (0, (5, 3)))


class PathDisplay:
    """Plot of the coefficients and the cross-validated scores over a grid of alphas.

    The panels show, against alpha on a log scale, the Euclidean norm of each feature's coefficients
    over the tasks, the number of features with a non-zero coefficient, and the mean score over
    folds with its standard error. Vertical lines mark the selected alpha and the one that the rule
    of one standard error selects. Panels without data are left out, and so are alphas of 0.

    Use :meth:`from_estimator` or :meth:`from_result` to create one.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Descending.
    coefs : ndarray of shape (n_tasks, n_features, n_alphas), default=None
        NaN at alphas that were not fitted.
    mse_path, scores_path : ndarray of shape (n_alphas, n_folds), default=None
        Errors, or scores of which the greater is the better; at most one of them. NaN where a path
        was not followed to the end.
    alpha : float, default=None
        The selected strength. None: the one with the best mean score.
    features : array-like of shape (n_features,), default=None
        The names of the features. None: x0, x1, ...
    others : dict, default=None
        By the names of models that were not selected: pairs of their alphas and their mean errors
        or scores, ndarrays of shape (n_alphas,).
    score_name : str, default=None
        For the axis of the scores.
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : dict of str to matplotlib Axes
        The panels "norms", "support" and "score" that are drawn.
    figure_ : matplotlib Figure
    norm_lines_ : list of matplotlib Line2D
        One for each feature.
    support_line_, score_line_ : matplotlib Line2D or None
    score_band_ : matplotlib PolyCollection or None
    marks_ : dict of str to float
        The marked alphas: "selected", and with scores "best" and "one standard error".

    See Also
    --------
    skmtl.model_selection.path : Computes the coefficients.
    skmtl.model_selection.AlphaSearchCV : Computes the scores for any estimator.

    Examples
    --------
    >>> from skmtl import BlockSparseRegressorCV
    >>> from skmtl.datasets import make_block_sparse
    >>> from skmtl.inspection import PathDisplay
    >>> from skmtl.model_selection import block_sparse_path
    >>> dataset = make_block_sparse(n_features=20, n_informative=3, random_state=0)
    >>> X, y = dataset.data, dataset.target
    >>> search = BlockSparseRegressorCV(alphas=20).fit(X, y)
    >>> display = PathDisplay.from_estimator(search, X, y)
    >>> sorted(display.axes_), display.marks_["selected"] == search.alpha_
    (['norms', 'score', 'support'], True)
    >>> alphas, coefs, _ = block_sparse_path(X, y, alphas=20)
    >>> _ = PathDisplay.from_result(alphas, coefs)
    """

    def __init__(
        self,
        *,
        alphas: Any,
        coefs: Any = None,
        mse_path: Any = None,
        scores_path: Any = None,
        alpha: float | None = None,
        features: Any = None,
        others: Any = None,
        score_name: str | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.coefs = coefs
        self.mse_path = mse_path
        self.scores_path = scores_path
        self.alpha = alpha
        self.features = features
        self.others = others
        self.score_name = score_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        max_labelled: int = 6,
        ax: Any = None,
        **line_options: Any,
    ) -> Self:
        """Draw the path of a fitted CV estimator.

        Parameters
        ----------
        estimator : fitted CV estimator
            One that selects ``alpha``, such as :class:`~skmtl.BlockSparseRegressorCV` or
            :class:`~skmtl.model_selection.AlphaSearchCV`, or a pipeline that ends in one. Of a grid
            of several models the selected one is drawn, with the mean scores of the others.
        X, y, sample_weight : as in the estimator's fit, default=None
            The data to which the coefficients are fitted for each alpha of the grid that has a
            score. None: only the scores are drawn, because CV estimators do not keep the
            coefficients.
        max_labelled, ax, **line_options : as in :meth:`plot`

        Returns
        -------
        PathDisplay

        Raises
        ------
        TypeError
            If the estimator has no scores over a grid of alphas.
        NotFittedError
            If it is not fitted.
        """
        require_matplotlib(cls, "from_estimator")
        source = PathSource.read(estimator, X, y, sample_weight)
        return cls(**vars(source)).plot(ax, max_labelled=max_labelled, **line_options)

    @classmethod
    def from_result(
        cls,
        alphas: Any,
        coefs: Any = None,
        *,
        mse_path: Any = None,
        scores_path: Any = None,
        alpha: float | None = None,
        features: Any = None,
        score_name: str | None = None,
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the result of a path function, and scores.

        Parameters
        ----------
        alphas, coefs : as returned by :func:`skmtl.model_selection.path`
        mse_path, scores_path : array-like of shape (n_alphas, n_folds), default=None
        alpha : float, default=None
            The selected strength. None: the one with the best mean score, if there are scores.
        features : array-like of shape (n_features,), default=None
            The names of the features.
        score_name : str, default=None
            For the axis of the scores.
        ax, **options : as in :meth:`plot`

        Returns
        -------
        PathDisplay
        """
        display = cls(
            alphas=alphas,
            coefs=coefs,
            mse_path=mse_path,
            scores_path=scores_path,
            alpha=alpha,
            features=features,
            score_name=score_name,
        )
        return display.plot(ax, **options)

    def plot(self, ax: Any = None, *, max_labelled: int = 6, **line_options: Any) -> Self:
        """Draw the panels, the largest alpha on the left.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure. If there are several panels, they share the place of these axes,
            which become the first panel.
        max_labelled : int, default=6
            The number of features, at most 6, that are drawn in colour and labelled: those with the
            largest norms at the selected alpha, or at the smallest one if none is selected.
        **line_options : passed to matplotlib's ``plot`` for all lines of the norms

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is nothing to draw, or the shapes do not match.
        ImportError
            If matplotlib is not installed.
        """
        alphas, coefs, scores = self._read()
        self.marks_ = marks_of(alphas, scores, self.alpha, self.mse_path is not None)
        positive = alphas > 0
        alphas, scores = alphas[positive], None if scores is None else scores[positive]
        coefs = None if coefs is None else coefs[:, :, positive]
        kinds = ["norms", "support"] * (coefs is not None) + ["score"] * (scores is not None)
        self._make_panels(ax, kinds)
        self.norm_lines_: list[Any] = []
        self.support_line_ = self.score_line_ = self.score_band_ = None
        if coefs is not None:
            self._draw_norms(alphas, coefs, max_labelled, line_options)
        if scores is not None:
            self._draw_scores(alphas, scores)
        self._draw_marks()
        self._draw_axes(alphas, coefs, scores)
        return self

    def _read(self) -> tuple[Array, Array | None, Array | None]:
        """The alphas, descending, with their coefficients and scores."""
        alphas = np.asarray(self.alphas, dtype=np.float64)
        if self.mse_path is not None and self.scores_path is not None:
            raise ValueError("Pass mse_path or scores_path, not both.")
        given = self.scores_path if self.mse_path is None else self.mse_path
        coefs = None if self.coefs is None else np.asarray(self.coefs, dtype=np.float64)
        scores = None if given is None else np.asarray(given, dtype=np.float64)
        if alphas.ndim != 1 or not (alphas > 0).any() or (coefs is None and scores is None):
            raise ValueError(
                f"A path has alphas (n_alphas,), one of them positive, and coefs or scores; got "
                f"alphas={self.alphas!r}. Pass the result of path, or mse_path or scores_path."
            )
        n = len(alphas)
        for name, value, axis, rank in (("coefs", coefs, -1, 3), ("scores", scores, 0, 2)):
            if value is not None and (value.ndim != rank or value.shape[axis] != n):
                shape = "(n_tasks, n_features, n_alphas)" if rank == 3 else "(n_alphas, n_folds)"
                raise ValueError(f"{name} must be {shape} for {n} alphas, got {value.shape}.")
        if coefs is not None and np.isnan(coefs[:, :, alphas > 0]).any(axis=(0, 1)).all():
            raise ValueError(
                "coefs are NaN at all positive alphas, so that there is no path to draw. Pass "
                "those of a fit, or only the scores."
            )
        order = np.argsort(-alphas, kind="stable")
        coefs = None if coefs is None else coefs[:, :, order]
        return alphas[order], coefs, None if scores is None else scores[order]

    def _make_panels(self, ax: Any, kinds: list[str]) -> None:
        """The first panel, and below it the others, which share its alphas."""
        heights = [_HEIGHTS[kind] for kind in kinds]
        ax, self.figure_ = make_axes(self, ax, 6.4, 1.2 + sum(heights))
        panels = split_axes(ax, heights, 0) if len(kinds) > 1 else [ax]
        self.ax_, self.axes_ = ax, dict(zip(kinds, panels, strict=True))

    def _draw_norms(
        self, alphas: Array, coefs: Array, max_labelled: int, line_options: dict[str, Any]
    ) -> None:
        ax, norms = self.axes_["norms"], np.linalg.norm(coefs, axis=0)
        names = default_names(len(norms)) if self.features is None else self.features
        names = check_names(names, len(norms), "features")
        fitted = np.flatnonzero(~np.isnan(norms).any(axis=0))
        reference = fitted[-1]
        if "selected" in self.marks_:
            reference = fitted[np.argmin(np.abs(alphas[fitted] - self.marks_["selected"]))]
        ranked = np.argsort(-norms[:, reference], kind="stable")[:max_labelled]
        colours, nonzero = [legible(ax, colour) for colour in PALETTE], np.nansum(norms, axis=1) > 0
        labelled = {j: colour for j, colour in zip(ranked, colours, strict=False) if nonzero[j]}
        faint = {"color": muted(ax, _FAINT_LINE), "linewidth": 0.7, "zorder": 2}
        for j, norm in enumerate(norms):
            style = (
                {"color": labelled[j], "linewidth": 1.6, "zorder": 3} if j in labelled else faint
            )
            style["marker"] = "o" if len(alphas) == 1 else ""
            self.norm_lines_ += ax.plot(alphas, norm, **styled("Line2D", style, line_options))
        ax.set_ylim(0.0, 1.05 * float(np.nanmax(norms)) or 1.0)
        if labelled:
            self._label_features(norms[:, fitted[-1]], labelled, names)
        size = np.where(np.isnan(norms).any(axis=0), np.nan, (norms > 0).sum(axis=0))
        (self.support_line_,) = self.axes_["support"].plot(
            alphas, size, color=legible(ax, BLUE), linewidth=1.4, drawstyle="steps-mid"
        )

    def _label_features(self, ends: Array, labelled: dict[int, Any], names: list[str]) -> None:
        """Names right of the panel at the ends of the lines, so far apart that none overlap."""
        ax = self.axes_["norms"]
        height = ax.get_window_extent().height * 72 / self.figure_.dpi
        top = ax.get_ylim()[1]
        order = sorted(labelled, key=lambda j: float(ends[j]))
        at = np.array([ends[j] / top for j in order])
        places = spread(at, 1.3 * FONT_SIZE / height, 1.0)
        for j, end, place in zip(order, at, places, strict=True):
            ax.annotate(
                names[j],
                xy=(1.0, end),
                xycoords="axes fraction",
                xytext=(1.03, place),
                textcoords="axes fraction",
                va="center",
                fontsize=FONT_SIZE,
                color=labelled[j],
                annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-",
                    "color": labelled[j],
                    "linewidth": 0.6,
                    "shrinkB": 0,
                    "relpos": (0.0, 0.5),
                },
            )

    def _draw_scores(self, alphas: Array, scores: Array) -> None:
        ax, mean = self.axes_["score"], scores.mean(axis=1)
        blue, grey = legible(ax, BLUE), muted(ax, GREY)
        for k, (name, (grid, other)) in enumerate((self.others or {}).items()):
            shown, line = np.asarray(grid) > 0, _OTHER_LINES[k % len(_OTHER_LINES)]
            label = name if len(self.others) <= len(_OTHER_LINES) else "" if k else "other models"
            ax.plot(grid[shown], other[shown], color=grey, lw=1.0, ls=line, label=label, zorder=2)
        if scores.shape[1] > 1:
            error = scores.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
            self.score_band_ = ax.fill_between(
                alphas, mean - error, mean + error, color=blue, alpha=0.3, linewidth=0, zorder=1,
                label="± standard error",
            )  # fmt: skip
        (self.score_line_,) = ax.plot(
            alphas, mean, color=blue, linewidth=1.4, marker=".", markersize=4, zorder=3,
            label=f"mean of {scores.shape[1]} folds",
        )  # fmt: skip

    def _draw_marks(self) -> None:
        styles = {
            "selected": (VERMILION, "-"),
            "best": (GREEN, ":"),
            "one standard error": (VERMILION, "--"),
        }
        merged: dict[float, list[str]] = {}
        for name, alpha in self.marks_.items():
            merged.setdefault(alpha, []).append(name)
        for alpha, names in merged.items():
            if alpha <= 0:
                continue
            colour, line = styles[names[0]]
            for panel in self.axes_.values():
                label = f"{', '.join(names)}: {alpha:.3g}" if panel is self.ax_ else None
                panel.axvline(
                    alpha, color=legible(panel, colour), ls=line, lw=1.2, zorder=2.5, label=label
                )

    def _draw_axes(self, alphas: Array, coefs: Array | None, scores: Array | None) -> None:
        from matplotlib.ticker import MaxNLocator

        known = np.zeros(len(alphas), dtype=bool)
        known |= False if coefs is None else ~np.isnan(coefs).any(axis=(0, 1))
        known |= False if scores is None else ~np.isnan(scores).any(axis=1)
        shown = alphas[known]
        self.ax_.set_xscale("log")
        if len(shown) and shown.max() > shown.min():
            self.ax_.set_xlim(shown.max() * 1.05, shown.min() / 1.05)
        score_name = "mean squared error" if self.scores_path is None else "score"
        labels = _LABELS | {"score": self.score_name or score_name}
        for kind, panel in self.axes_.items():
            plain_axes(panel, "both")
            text = fill(labels[kind], _LETTERS_PER_LINE, break_long_words=False)
            panel.set_ylabel(text, fontsize="small")
            panel.tick_params(labelbottom=kind == list(self.axes_)[-1])
        if "support" in self.axes_:
            self.axes_["support"].set_ylim(bottom=0)
            self.axes_["support"].yaxis.set_major_locator(MaxNLocator(4, integer=True))
        if scores is not None and len(self.axes_) > 1:
            self.axes_["score"].legend(fontsize=FONT_SIZE, frameon=False)
        list(self.axes_.values())[-1].set_xlabel("alpha (log scale), weaker penalty →")
        height = legend_above(self.ax_, 2) if self.ax_.get_legend_handles_labels()[1] else 0.0
        name = self.estimator_name or "Path"
        title = f"{name}, {len(alphas)} alphas"
        self.ax_.set_title(title, fontsize="medium", pad=8.0 + height)
