"""The tasks of a search that callbacks follow: one fit after another, in folds and in paths."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from skmtl._warnings import warn
from skmtl.estimators.base import FitTask

Made = TypeVar("Made")

_WHEN = "A callback stopped the cross-validation"


class Watch:
    """The tasks of a search's fits: one for each fold, and one for the path on all rows.

    Parameters
    ----------
    task : FitTask
        The search, whose subtasks are parallel.
    n_folds : int
    n_fits : int
        The largest number of fits in a fold.
    n_guides : int, default=0
        The number of fits to all rows that guide the others.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to stop. The search then ends after the running fits.
    """

    def __init__(self, task: FitTask, n_folds: int, n_fits: int, n_guides: int = 0) -> None:
        # Created before the fits, because threads and processes share the tree of the tasks.
        self.tasks = [
            task.subtask("fold", n_fits, number=number, begin=False) for number in range(n_folds)
        ]
        if n_guides > 0:
            self.tasks.append(
                task.subtask("path on all rows", n_guides, number=n_folds, begin=False)
            )
        self.stopped = False

    def begin_fold(self, fold: int) -> None:
        """Tell the callbacks that the fits of a fold, or to all rows (-1), begin."""
        self.tasks[fold].begin()

    def end_fold(self, fold: int) -> None:
        """Tell the callbacks that they have ended."""
        self.stopped |= self.tasks[fold].end()

    def begin_fit(self, path: int, fold: int) -> FitTask:
        """The task of the next fit of a path in a fold, or to all rows (-1)."""
        return self.tasks[fold].subtask("fit")

    def end_path(self, path: int) -> None:
        """Tell the callbacks that the path of a model has ended in all folds."""

    def each(self, fits: Iterator[Made], n_fits: int, *, path: int, fold: int) -> Iterator[Made]:
        """The fits of a path in a fold, or to all rows (-1), up to a stop."""
        for _ in range(n_fits):
            if self.stopped:
                return
            task = self.begin_fit(path, fold)
            made = next(fits)
            self.stopped |= task.end()
            yield made


class PathWatch(Watch):
    """The tasks of a search's fits, one task for each path.

    Parameters
    ----------
    task : FitTask
        The search, whose subtasks are parallel.
    names : dict from int to str
        The number of each path in the search, and its name.
    size : int
        The largest number of fits on a path, over all folds.
    n_folds : int
    """

    def __init__(self, task: FitTask, names: Mapping[int, str], size: int, n_folds: int) -> None:
        self.tasks = [
            task.subtask(name, size, number=number, parallel=True) for number, name in names.items()
        ]
        self.n_alphas, self.stopped = size // n_folds, False
        self._n_begun: dict[tuple[int, int], int] = {}

    def begin_fold(self, fold: int) -> None:
        """Folds are no tasks."""

    def end_fold(self, fold: int) -> None:
        """Folds are no tasks."""

    def begin_fit(self, path: int, fold: int) -> FitTask:
        n_begun = self._n_begun.get((path, fold), 0)
        self._n_begun[path, fold] = n_begun + 1
        return self.tasks[path].subtask("fit", number=fold * self.n_alphas + n_begun)

    def end_path(self, path: int) -> None:
        self.stopped |= self.tasks[path].end()


def complete_folds(complete: Sequence[bool], rule: str) -> list[int]:
    """The folds that select a strength; not all of them after a stop, with a warning.

    Raises
    ------
    RuntimeError
        If they are too few.
    """
    chosen = [fold for fold, done in enumerate(complete) if done]
    if len(chosen) == len(complete):
        return chosen
    if len(chosen) < (2 if rule == "1se" else 1):
        raise stopped_too_early(f"after {len(chosen)} complete folds, too few for rule={rule!r}")
    warn(
        f"{_WHEN} after {len(chosen)} of {len(complete)} folds: alpha is selected by the scores of "
        f"these folds, and fitted to all rows."
    )
    return chosen


def stopped_too_early(when: str) -> RuntimeError:
    """The error of a search that was stopped before anything could be selected."""
    return RuntimeError(
        f"{_WHEN} {when}: nothing is selected, and nothing is fitted. Let the callback stop later, "
        f"or use fewer folds or strengths."
    )


def warn_of_ends(n_scored: int, n_alphas: int) -> None:
    """Warn that a stop ended paths that are followed side by side."""
    warn(
        f"{_WHEN}: alpha is selected among the {n_scored} of {n_alphas} strengths that were scored "
        f"in all folds, and fitted to all rows."
    )
