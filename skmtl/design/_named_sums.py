"""Sums of tasks by name: what matches them, and how others are merged into them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._site import DocumentedEstimator
from skmtl.design._names import describe_names
from skmtl.design._sums import Sums
from skmtl.design._tasks import UNKNOWN, check_kind, join_ids

Array = NDArray[Any]

COLUMNS = ("n_features_in_", "feature_names_in_")


class NamedSums(DocumentedEstimator):
    """The base of :class:`skmtl.design.TaskStatistics`: its tasks and their sums.

    The tasks are in the order in which they first appeared; there may be room for more.
    """

    memory_limit: int
    _layout: str
    _names: Array
    _index: dict[Any, int]
    _sums: Sums

    @property
    def _is_empty(self) -> bool:
        return "_sums" not in vars(self)

    @property
    def _is_shared(self) -> bool:
        """Whether all tasks have had the same rows and weights."""
        return bool(self._layout != "stacked" and self._sums.n_grams == 1)

    @property
    def _order(self) -> Array:
        """The positions of the tasks with labels, sorted if they are ids."""
        self._check_not_empty()
        if self._layout != "stacked":
            return np.arange(len(self._names))
        order = np.argsort(self._names, kind="stable")
        return order[self._sums.counts[order] > 0]  # all labels of a task may be subtracted

    @property
    def _sorted(self) -> tuple[Array, Sums]:
        """The tasks in their order, and a copy of their sums if this is another."""
        order = self._order
        if self._layout != "stacked":
            return self._names, self._sums
        return self._names[order], self._sums.take(order)

    def _check_not_empty(self) -> None:
        if self._is_empty:
            raise ValueError("The statistics hold no labels. Add some by update(X, y).")

    def _check_settings(self, other: "NamedSums") -> None:
        for name in ("task_column", "offset_column"):
            own, given = getattr(self, name), getattr(other, name)
            if own != given:
                raise ValueError(
                    f"The statistics have different {name}: {own!r} and {given!r}. Collect them "
                    f"with the same columns."
                )

    def _check_columns(self, other: "NamedSums") -> None:
        """Raise unless the rows of both have the same columns."""
        self._check_settings(other)
        for name in COLUMNS:
            own, given = (np.array(getattr(one, name, None)).tolist() for one in (self, other))
            if own != given:
                raise ValueError(
                    f"The statistics have different columns: {name} is {own} and {given}. Collect "
                    f"them from the same columns."
                )

    def _places(self, layout: str, names: Array) -> Array:
        """The positions of tasks among the known; new ones come after those."""
        if self._is_empty:
            return np.arange(len(names))
        if layout != self._layout:
            raise ValueError(
                f"The labels are in the {layout} layout, those before in the {self._layout} "
                f"layout. Pass a matrix y always, or a 1-D y always."
            )
        if layout == "stacked":
            return self._places_of_ids(names)
        own, given = self._names.tolist(), names.tolist()
        if given != own:
            missing = [name for name in own if name not in given]
            extra = [name for name in given if name not in own]
            raise ValueError(
                f"The columns of y must be {own[:20]}, as before: y "
                f"{describe_names(missing, extra) or 'has them in another order'}."
            )
        return np.arange(len(own))

    def _places_of_ids(self, names: Array) -> Array:
        check_kind([self._names], names)
        found = [self._index.get(name, UNKNOWN) for name in names.tolist()]
        places = np.array(found, dtype=np.intp)
        new = places == UNKNOWN
        places[new] = len(self._names) + np.arange(new.sum())
        if new.any():
            join_ids([self._names, names[new]])  # raises if no type holds all of them
        return places

    def _check_memory(self, n_features: int, places: Array, shared: bool) -> None:
        """Raise if the Gram matrices would be too large once these tasks are added."""
        n_tasks = int(places.max(initial=-1)) + 1
        if not self._is_empty:
            n_tasks, shared = max(n_tasks, len(self._names)), shared and self._is_shared
        n_grams = 1 if shared else n_tasks
        size = 4 * n_grams * n_features * (n_features + 1)
        if size > self.memory_limit:
            raise ValueError(
                f"{n_grams} Gram matrices of {n_features} features take {size / 2**30:.3g} GiB, "
                f"more than memory_limit, which is {self.memory_limit / 2**30:.3g} GiB. Fit the "
                f"rows themselves (fit needs no Gram matrices), keep fewer features, or raise "
                f"memory_limit; in the shared layout complete labels need one Gram matrix only."
            )

    def _merge(self, layout: str, names: Array, places: Array, part: Sums) -> None:
        """Add the sums of the tasks at some positions."""
        if self._is_empty:
            self._layout, self._names, self._sums = layout, names, part
            self._index = {name: place for place, name in enumerate(names.tolist())}
            return
        new = places >= len(self._names)
        if new.any():
            self._index.update(zip(names[new].tolist(), places[new].tolist(), strict=True))
            self._names = join_ids([self._names, names[new]])
        if self._is_shared and part.n_grams == 1:
            self._sums = self._sums.merged(part)
            return
        if layout != "stacked":
            self._sums, part = self._sums.separate(), part.separate()
        if len(self._names) > self._sums.n_tasks:
            # With room for more, so that a stream of new tasks is not copied for each batch.
            self._sums = self._sums.padded(max(len(self._names), self._sums.n_tasks * 3 // 2))
        self._sums.put(places, self._sums.take(places).merged(part))
