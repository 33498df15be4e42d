"""The scores of structures on the same folds, their differences, and the selection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skmtl._resampling import corrected_error

Array = NDArray[Any]

# Intervals cover 1 - LEVEL.
LEVEL = 0.05
# Relative differences up to this are rounding error.
_TIE = 1e-12


@dataclass(frozen=True)
class Difference:
    """A mean difference of scores over folds, its standard error and its 95% interval.

    The error has Nadeau and Bengio's correction: training sets overlap, so that J folds are less
    informative than J independent samples, and the variance between folds is multiplied by
    1 / J + n_test / n_train instead of 1 / J. Error and interval are NaN for a single fold.
    """

    mean: float
    se: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: Array, others: Array | float, ratio: float) -> "Difference":
        """The difference of scores (n_folds,) from others; ratio is n_test / n_train."""
        values = scores - others
        values = np.where(np.abs(values) <= _TIE * np.abs(scores), 0.0, values)
        mean, n_folds = float(values.mean()), len(values)
        if n_folds < 2:
            return cls(mean, np.nan, np.nan, np.nan)
        se = corrected_error(values, ratio)
        half = float(stats.t.ppf(1 - LEVEL / 2, n_folds - 1)) * se
        return cls(mean, se, mean - half, mean + half)

    def __truediv__(self, scale: float) -> "Difference":
        return Difference(*(value / scale for value in (self.mean, self.se, self.low, self.high)))

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return bool(self.low > 0 or self.high < 0)


@dataclass(frozen=True, eq=False)
class StructureScore:
    """The best model of a structure in a round.

    Attributes
    ----------
    structure : str
    params : dict
        The selected parameters, with alpha.
    scores : ndarray of shape (n_folds,)
        The greater the better.
    baseline_scores : ndarray of shape (n_folds,)
        Those of the better baseline in the same round.
    share : float
        The share of the training rows; below 1 for structures that were dropped.
    seconds : float
        Processor time of the fits in the folds, those of earlier rounds included.
    eligible : bool
        Whether the structure may be selected.
    at_end : bool
        Whether the selected alpha is the smallest of the grid.
    """

    structure: str
    params: dict[str, Any]
    scores: Array
    baseline_scores: Array
    share: float
    seconds: float
    eligible: bool
    at_end: bool

    @property
    def mean(self) -> float:
        """The mean score over folds."""
        return float(self.scores.mean())

    @property
    def is_complete(self) -> bool:
        """Whether it was scored with all training rows."""
        return self.share == 1.0


@dataclass(frozen=True, eq=False, repr=False)
class StructureResults:
    """The cross-validated scores of all structures, from the simplest to the most flexible.

    Attributes
    ----------
    structures : list of StructureScore
    baseline : str
        The better of the baselines "independent" and "pooled".
    best, selected : str
        The structure with the best mean score, and the one that was refitted.
    ratio : float
        n_test / n_train, for the correction of standard errors.
    error : str or None
        The name of the error if scores are minus an error; None for other scores.
    single : bool, default=False
        Whether there is a single task, which shares nothing.
    """

    structures: list[StructureScore]
    baseline: str
    best: str
    selected: str
    ratio: float
    error: str | None
    single: bool = False

    def __getitem__(self, structure: str) -> StructureScore:
        for row in self.structures:
            if row.structure == structure:
                return row
        known = [row.structure for row in self.structures]
        raise KeyError(f"No structure {structure!r}; there are {known}.")

    def difference(self, structure: str, other: str | None = None) -> Difference:
        """The score of a structure minus that of another, or of the better baseline.

        A structure that was dropped is compared with the baseline on the same share of rows.

        Parameters
        ----------
        structure : str
            Its name.
        other : str, default=None
            The structure to compare with. None: the better baseline.

        Returns
        -------
        Difference
        """
        row = self[structure]
        others = row.baseline_scores if other is None else self[other].scores
        return Difference.of(row.scores, others, self.ratio)

    def relative(self, structure: str) -> Difference:
        """The difference from the better baseline, divided by the baseline's error.

        Parameters
        ----------
        structure : str
            Its name.

        Returns
        -------
        Difference
            NaN if the score is not minus an error.
        """
        difference = self.difference(structure)
        if not self.error:
            return difference / np.nan
        return _relative(difference, self[structure].baseline_scores)

    @property
    def ties(self) -> list[str]:
        """The structures not distinguishable from the best, in descending order of score."""
        rows = [row for row in self.structures if row.is_complete and row.eligible]
        return [
            row.structure
            for row in sorted(rows, key=lambda row: -row.mean)
            if row.structure != self.best and not self.difference(row.structure, self.best).is_clear
        ]

    def to_frame(self) -> Any:
        """Return the results as a pandas data frame, one row per structure.

        Returns
        -------
        pandas.DataFrame
            With the columns structure; alpha; params, the other selected parameters; score and its
            corrected standard error se; difference from the better baseline, positive if the
            structure is better, with the 95% interval low, high; relative, relative_low and
            relative_high, the same divided by the baseline's error; share of the training rows;
            seconds; selected.
        """
        import pandas as pd

        rows = []
        for row in self.structures:
            gain, relative = self.difference(row.structure), self.relative(row.structure)
            others = {name: value for name, value in row.params.items() if name != "alpha"}
            rows.append(
                {
                    "structure": row.structure,
                    "alpha": row.params["alpha"],
                    "params": others,
                    "score": row.mean,
                    "se": Difference.of(row.scores, 0.0, self.ratio).se,
                    "difference": gain.mean,
                    "low": gain.low,
                    "high": gain.high,
                    "relative": relative.mean,
                    "relative_low": relative.low,
                    "relative_high": relative.high,
                    "share": row.share,
                    "seconds": row.seconds,
                    "selected": row.structure == self.selected,
                }
            )
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        width = max(len(row.structure) for row in self.structures)
        lines = [f"{'structure':{width}}  {'score':>10}  difference from {self.baseline}"]
        for row in self.structures:
            gain = self.difference(row.structure)
            mark = " selected" * (row.structure == self.selected)
            mark += "" if row.is_complete else f" dropped at {row.share:.0%} of the rows"
            lines.append(
                f"{row.structure:{width}}  {row.mean:10.4g}  {gain.mean:+.3g} "
                f"[{gain.low:+.3g}, {gain.high:+.3g}]{mark}"
            )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class NestedEstimate:
    """The score of the whole search, on rows that took no part in it.

    Attributes
    ----------
    scores, baseline_scores : ndarrays of shape (n_folds,)
        Scores of the structure that a search on the training rows of each outer fold selects, and
        of the better baseline according to the same search.
    selected, baselines : list of str
        These structures and baselines.
    ratio : float
        n_test / n_train.
    """

    scores: Array
    baseline_scores: Array
    selected: list[str]
    baselines: list[str]
    ratio: float

    @property
    def difference(self) -> Difference:
        """The score of the search minus that of the better baseline."""
        return Difference.of(self.scores, self.baseline_scores, self.ratio)

    @property
    def relative(self) -> Difference:
        """The difference divided by the baseline's error; NaN if scores are not minus an error."""
        return _relative(self.difference, self.baseline_scores)


def _relative(difference: Difference, baseline_scores: Array) -> Difference:
    """The difference divided by the baseline's error, which is minus the mean of its scores."""
    error = -float(baseline_scores.mean())
    return difference / (error if error > 0 else np.nan)


def select(
    rows: Sequence[StructureScore],
    baseline: str,
    ratio: float,
    error: str | None,
    rule: str,
    *,
    single: bool = False,
) -> StructureResults:
    """Select the best structure, or the simplest within one standard error of it.

    The error is that of the difference between the two structures, on the same folds.
    """
    ranked = [row for row in rows if row.is_complete and row.eligible and not np.isnan(row.mean)]
    if not ranked:
        raise ValueError(
            "No structure has a score: every one is NaN in some fold. Use fewer folds, "
            "cv=StratifiedTaskKFold(...), or another scoring."
        )
    best = max(ranked, key=lambda row: row.mean)  # the simplest of several
    name = best.structure
    found = StructureResults(list(rows), baseline, name, name, ratio, error, single)
    if rule == "best":
        return found
    if len(best.scores) < 2:
        raise ValueError(
            "refit='one_se' needs at least two folds, got 1. Use cv=5, or refit='best'."
        )
    for row in ranked:
        behind = found.difference(best.structure, row.structure)
        if behind.mean <= behind.se:
            return replace(found, selected=row.structure)
    return found
