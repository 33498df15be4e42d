"""Batches that are read again in each pass over the data."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, Self, TypeVar

_FACTORY = (
    "Pass a function that returns a fresh iterable in each call, such as lambda: read_batches(path)"
)


class Additive(Protocol):
    """Sums over some batches, which add up to the sums over all."""

    def __add__(self, other: Self, /) -> Self:
        """The sums over both, which are not changed."""


Sums = TypeVar("Sums", bound=Additive)


class PassWork(Protocol[Sums]):
    """What is computed of each batch; it can be pickled and sent to other processes."""

    def start(self) -> Sums:
        """The sums over no batch."""

    def add(self, sums: Sums, X: Any, y: Any, sample_weight: Any, /) -> None:
        """Add a batch to the sums."""


class Passes(ABC):
    """Data that are read again in each pass.

    Attributes
    ----------
    n_passes : int
        The number of passes begun.
    """

    n_passes = 0

    @abstractmethod
    def total(self, work: PassWork[Sums]) -> Sums:
        """One pass: the sums over all rows."""


class BatchPasses(Passes):
    """Passes over the same batches, of which one at a time is in memory.

    Parameters
    ----------
    batches : callable or iterable
        A function without arguments that returns an iterable of (X, y) or (X, y, sample_weight),
        or such an iterable that can be iterated over several times.

    Raises
    ------
    TypeError
        If it is something else, such as a generator, which can be read only once.
    """

    def __init__(self, batches: Any) -> None:
        self._n_rows: list[int] = []
        self._open: Callable[[], Iterable[Any]] = batches
        if callable(batches):
            return
        if not hasattr(batches, "__iter__"):
            raise TypeError(f"batches is a {type(batches).__name__}. {_FACTORY}.")
        if iter(batches) is batches:
            raise TypeError(
                f"batches is a {type(batches).__name__}, which can be read only once, but a fit "
                f"takes several passes. {_FACTORY}."
            )
        self._open = lambda: batches

    def total(self, work: PassWork[Sums]) -> Sums:
        """One pass: the sums over all batches.

        Raises
        ------
        TypeError
            If a batch is no tuple (X, y) or (X, y, sample_weight).
        ValueError
            If a batch is not valid, or the batches are not those of the first pass; the message
            gives the numbers of the batch and of the pass.
        """
        self.n_passes += 1
        sums, number = work.start(), 0
        for batch in self._batches():
            self._add(batch, number, partial(work.add, sums))
            # The next batch is read into memory only after this one is released.
            del batch
            number += 1
        if self.n_passes > 1 and number != len(self._n_rows):
            raise ValueError(
                f"Pass {self.n_passes} has {number} batches, the first pass had "
                f"{len(self._n_rows)}: the batches must be the same in each pass. {_FACTORY}."
            )
        return sums

    def _batches(self) -> Iterator[Any]:
        try:
            return iter(self._open())
        except TypeError as error:
            raise TypeError(f"batches returned no iterable ({error}). {_FACTORY}.") from error

    def _add(self, batch: Any, number: int, add: Callable[..., None]) -> None:
        what = f"Batch {number} of pass {self.n_passes}"
        if not (isinstance(batch, (tuple, list)) and len(batch) in (2, 3)):
            raise TypeError(
                f"{what} is a {type(batch).__name__}; pass tuples (X, y) or (X, y, sample_weight)."
            )
        self._check_rows(batch[0], number, what)
        try:
            add(*batch, *[None] * (3 - len(batch)))
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error

    def _check_rows(self, X: Any, number: int, what: str) -> None:
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if self.n_passes == 1:
            self._n_rows.append(n_rows)
            return
        if number >= len(self._n_rows):
            problem = f"was not in the first pass, which had {number} batches"
        elif self._n_rows[number] != n_rows:
            problem = f"has {n_rows} rows, and {self._n_rows[number]} in the first pass"
        else:
            return
        raise ValueError(
            f"{what} {problem}: the batches must be the same in each pass. {_FACTORY}."
        )
