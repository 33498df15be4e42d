"""The result of coefficient_intervals."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.inspection import CoefficientDisplay, count_of

Array = NDArray[Any]

# The number of features that the printed summary names.
_LISTED = 10
_RATES = {
    "holm": ("family-wise error rate", "Holm"),
    "bh": ("false discovery rate", "Benjamini-Hochberg"),
}


@dataclass(frozen=True, eq=False, repr=False)
class CoefficientIntervals:
    """The result of :func:`coefficient_intervals`.

    Attributes
    ----------
    coef : ndarray of shape (n_features, n_tasks)
        With "debiased" the estimates without the penalty's bias; with "bootstrap" the penalised
        estimates. NaN where the data do not identify a coefficient.
    standard_errors : ndarray of shape (n_features, n_tasks)
    intervals : ndarray of shape (n_features, n_tasks, 2)
        Lower and upper ends.
    statistic, p_values, adjusted_p_values : ndarrays of shape (n_features,), or None
        The test that a feature has no effect in any task: its F or chi-squared statistic, its
        p-value, and the p-value adjusted for the number of features. None with "bootstrap".
    overlaps : ndarray of shape (n_features,), or None
        How much another feature may still bias an estimate, in [0, 1]: the largest absolute
        correlation with another feature of the direction along which the estimate was corrected
        (the largest over tasks, if these have different rows). Zero: least squares, without bias.
    test : {"F", "chi2"} or None
    df : ndarray of shape (n_features, n_tasks), or None
        Degrees of freedom of the noise, as estimated for each coefficient.
    features : list of str
    tasks : ndarray of shape (n_tasks,)
    method, correction, estimator_name : str
    confidence_level : float
    n_draws : int
        Number of bootstrap samples; 0 with "debiased".
    """

    coef: Array
    standard_errors: Array
    intervals: Array
    statistic: Array | None
    p_values: Array | None
    adjusted_p_values: Array | None
    overlaps: Array | None
    test: str | None
    df: Array | None
    features: list[str]
    tasks: Array
    method: str
    correction: str
    estimator_name: str
    confidence_level: float
    n_draws: int

    def to_frame(self) -> Any:
        """Return the results as a pandas data frame, one row per feature and task.

        Returns
        -------
        pandas.DataFrame
            With the columns feature, task, coef, se, low, high; with "debiased" also the
            feature's statistic, p and p_adjusted.
        """
        import pandas as pd

        d, n_tasks = self.coef.shape
        columns = {
            "feature": np.repeat(np.asarray(self.features, dtype=object), n_tasks),
            "task": np.tile(self.tasks, d),
            "coef": self.coef.ravel(),
            "se": self.standard_errors.ravel(),
            "low": self.intervals[..., 0].ravel(),
            "high": self.intervals[..., 1].ravel(),
        }
        tests = {
            "statistic": self.statistic,
            "p": self.p_values,
            "p_adjusted": self.adjusted_p_values,
        }
        for name, values in tests.items():
            if values is not None:
                columns[name] = np.repeat(values, n_tasks)
        return pd.DataFrame(columns)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the coefficients and their intervals by :class:`CoefficientDisplay`.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **options : as in :meth:`CoefficientDisplay.plot`
            ``feature=`` draws a feature in all tasks, ``task=`` all features of a task.

        Returns
        -------
        CoefficientDisplay
        """
        display = CoefficientDisplay.from_result(
            self.coef.T,
            tasks=self.tasks,
            features=self.features,
            intervals=(self.intervals[..., 0].T, self.intervals[..., 1].T),
            ax=ax,
            **options,
        )
        display.ax_.title.set_text(f"{self.estimator_name}\n{self._content}")
        return display

    @property
    def _content(self) -> str:
        """What is estimated, in words."""
        level = f"{100 * self.confidence_level:.4g}% intervals"
        if self.method == "bootstrap":
            return f"penalised estimates, {level} from {self.n_draws} bootstrap samples"
        return f"debiased estimates, {level}"

    def __repr__(self) -> str:
        d, n_tasks = self.coef.shape
        head = f"{self.estimator_name}, {count_of(d, 'feature')}, {count_of(n_tasks, 'task')}: "
        head += self._content
        if self.p_values is None or self.adjusted_p_values is None:
            return (
                f"{head}\n"
                "They show how much the penalised estimate varies, around its own expectation, "
                "not where\nthe true coefficients are; there are no p-values."
            )
        alpha = 1 - self.confidence_level
        adjusted = np.where(np.isnan(self.adjusted_p_values), np.inf, self.adjusted_p_values)
        found = np.flatnonzero(adjusted <= alpha)
        rate, name = _RATES[self.correction]
        verb = "has" if len(found) == 1 else "have"
        lines = [
            head,
            f"{count_of(len(found), 'feature')} {verb} an effect in some task, at a {rate} of "
            f"{alpha:.2g} ({name})",
        ]
        for j in found[np.argsort(self.p_values[found], kind="stable")][:_LISTED]:
            sizes = self.coef[j]
            lines.append(
                f"  {self.features[j]}: adjusted p = {adjusted[j]:.2g}, coefficients from "
                f"{np.nanmin(sizes):.3g} to {np.nanmax(sizes):.3g}"
            )
        if len(found) > _LISTED:
            lines.append("  ...")
        return "\n".join(lines)
