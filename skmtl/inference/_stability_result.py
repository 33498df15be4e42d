"""The result of stability_selection."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_N_NAMES = 10


@dataclass(frozen=True, eq=False, repr=False)
class StabilitySelection:
    """The result of :func:`stability_selection`.

    Attributes
    ----------
    frequencies : ndarray of shape (n_features,)
        The share of the half-samples in which each feature was selected.
    task_frequencies : ndarray of shape (n_tasks, n_features)
        The share in which it was selected with a non-zero coefficient in each task.
    support : bool ndarray of shape (n_features,)
        Whether the frequency reaches the threshold.
    selected : ndarray of shape (n_selected,)
        The selected features: names if X had any, otherwise positions.
    threshold : float
    bound : float
        On the expected number of selected features of low selection probability.
    bounds : dict
        The bound under each assumption at this threshold: "none", "unimodal", "r-concave".
    assumption : {"r-concave", "unimodal", "none"}
        That of ``bound``.
    n_selected : float
        q: the number of features selected on each half-sample; with ``select="fit"`` its mean.
    low_probability : float
        q / n_features. Features that a half-sample selects with at most this probability have a
        low selection probability.
    n_subsamples : int
        The number of pairs of half-samples.
    select : {"path", "fit"}
    features, tasks : ndarrays of shape (n_features,) and (n_tasks,)
        Their names.
    has_names : bool
        Whether the names of the features are those of the columns of X.
    estimator_name : str
    """

    frequencies: Array
    task_frequencies: Array
    support: NDArray[np.bool_]
    threshold: float
    bounds: dict[str, float]
    assumption: str
    n_selected: float
    n_subsamples: int
    select: str
    features: Array
    tasks: Array
    has_names: bool
    estimator_name: str

    # StabilitySelectionDisplay, set in its own file, which imports this one.
    _display: ClassVar[Any]

    @property
    def selected(self) -> Array:
        """Names of the selected features, or their positions."""
        positions = np.flatnonzero(self.support)
        return self.features[positions] if self.has_names else positions

    @property
    def bound(self) -> float:
        """The bound under the chosen assumption."""
        return self.bounds[self.assumption]

    @property
    def low_probability(self) -> float:
        """The average proportion of features that a half-sample selects."""
        return self.n_selected / len(self.features)

    def to_frame(self) -> Any:
        """Return the frequencies as a pandas data frame, one row per feature.

        Returns
        -------
        pandas.DataFrame
            With the features as its index, the most frequent first, and the columns frequency,
            selected, and "task NAME" for each task.
        """
        import pandas as pd

        columns = {"frequency": self.frequencies, "selected": self.support}
        columns |= {
            f"task {task}": own for task, own in zip(self.tasks, self.task_frequencies, strict=True)
        }
        frame = pd.DataFrame(columns, index=pd.Index(self.features, name="feature"))
        return frame.sort_values("frequency", ascending=False, kind="stable")

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the frequencies by :meth:`StabilitySelectionDisplay.from_result`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: a new figure.
        **options : dict
            Other parameters of that method.

        Returns
        -------
        StabilitySelectionDisplay
        """
        return self._display.from_result(self, ax=ax, **options)

    def __repr__(self) -> str:
        order = np.argsort(-self.frequencies, kind="stable")
        order = order[self.support[order]]
        names = [f"{self.features[j]} ({self.frequencies[j]:.2f})" for j in order[:_N_NAMES]]
        names += ["..."] if len(order) > _N_NAMES else []
        p, halves = len(self.features), 2 * self.n_subsamples
        given = "no assumption" if self.assumption == "none" else f"{self.assumption} frequencies"
        return (
            f"{len(order)} of {p} features were selected on a share of at least "
            f"{self.threshold:.3g} of {halves} half-samples by {self.estimator_name}: "
            f"{', '.join(names) or 'none'}\n"
            f"expected number of selected features of low selection probability (at most "
            f"{self.low_probability:.3g} on a half-sample, of {self.n_selected:.3g} features): at "
            f"most {self.bound:.3g} ({given})"
        )
