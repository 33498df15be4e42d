"""Which columns are features, targets, the task and the weight."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Roles:
    """The columns that a reader reads.

    Attributes
    ----------
    features : list of str
    targets : list of str
    in_columns : bool
        Whether the targets are tasks in columns, given as a list; otherwise there is one.
    task : str or None
        The column of task ids.
    weight : str or None
        The column of weights.
    """

    features: list[str]
    targets: list[str]
    in_columns: bool
    task: str | None
    weight: str | None

    @classmethod
    def read(
        cls, features: Any, target: Any, task: Any, weight: Any, available: Iterable[str]
    ) -> Self:
        """Validate the names of columns.

        Raises
        ------
        ValueError
            If a name is no column, or names two roles, or several targets have a task column.
        """
        in_columns = not isinstance(target, str)
        targets = _listed(target, "target") if in_columns else [target]
        for name, one in (("task", task), ("sample_weight", weight)):
            if not (one is None or isinstance(one, str)):
                raise ValueError(f"{name} must be the name of a column, got {one!r:.100}.")
        roles = cls(_listed(features, "features"), targets, in_columns, task, weight)
        if in_columns and task is not None:
            raise ValueError(
                f"target must be one column where the task column {task!r} says which task a row "
                f"belongs to, got the list {targets[:10]}. Leave out task if each target is a task."
            )
        twice = sorted({name for name in roles.columns if roles.columns.count(name) > 1})
        if twice:
            raise ValueError(f"Each column can have one role only, but {twice} occur twice.")
        available = list(available)
        missing = [name for name in roles.columns if name not in available]
        if missing:
            raise ValueError(
                f"There are no columns {missing[:20]}. The columns are {available[:50]}."
            )
        return roles

    @property
    def inputs(self) -> list[str]:
        """The columns of X: the features, and last the task column."""
        return self.features + ([] if self.task is None else [self.task])

    @property
    def numbers(self) -> list[str]:
        """The columns that must hold numbers."""
        return self.features + self.targets + ([] if self.weight is None else [self.weight])

    @property
    def columns(self) -> list[str]:
        """All columns."""
        return self.inputs + self.targets + ([] if self.weight is None else [self.weight])


def _listed(names: Any, what: str) -> list[str]:
    ok = isinstance(names, Sequence) and not isinstance(names, str)
    if not ok or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{what} must be a list of names of columns, got {names!r:.200}.")
    return list(names)


def refuse_types(wrong: dict[str, Any], remedy: str) -> None:
    """Raise if columns have types other than numbers."""
    if wrong:
        listed = ", ".join(f"{name!r} ({kind})" for name, kind in list(wrong.items())[:10])
        raise ValueError(f"Features, targets and weights must be numbers, got {listed}. {remedy}")


def refuse_missing(names: list[str]) -> None:
    """Raise if features or weights have missing values."""
    if names:
        raise ValueError(
            f"The columns {names[:10]} hold missing values (null). Fill them, or leave their rows "
            f"out by a filter; only labels may be missing."
        )


def refuse_infinite(names: list[str]) -> None:
    """Raise if columns hold NaN or infinity."""
    if names:
        raise ValueError(
            f"The columns {names[:10]} hold NaN or infinity. Replace these, or leave their "
            f"rows out by a filter."
        )


def refuse_negative(weight: str | None) -> None:
    """Raise because of a negative weight."""
    raise ValueError(f"The weights {weight!r} must be >= 0. Use 0 to leave a row out.")
