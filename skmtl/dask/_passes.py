"""Passes over the blocks of Dask collections."""

from dataclasses import dataclass
from typing import Any, TypeVar

from skmtl.dask._blocks import Block
from skmtl.dask._sums import Sums, sum_over
from skmtl.design import Additive, Passes, PassWork

Total = TypeVar("Total", bound=Additive)


class BlockPasses(Passes):
    """Passes over blocks, of which each worker reads its own.

    On a cluster, the workers hold the blocks between the passes, until this object is deleted.

    Parameters
    ----------
    blocks : list of delayed blocks
        See :func:`skmtl.dask._blocks.read_blocks`.
    weight : float or None
        That of all rows, if the blocks have none.
    client : distributed.Client or None
        None: that in use, if there is one.
    """

    def __init__(self, blocks: list[Any], weight: float | None, client: Any) -> None:
        self._blocks, self._weight, self._client = blocks, weight, client
        self._n_rows: int | None = None
        cluster = _cluster(client)
        if cluster is not None:
            self._blocks = list(cluster.persist(blocks))

    def total(self, work: PassWork[Total]) -> Total:
        """One pass: the sums over all blocks.

        Raises
        ------
        TypeError, ValueError
            If a block is not valid or does not match the others; the message gives its number.
            Also if the numbers of rows differ between passes.
        """
        import dask

        self.n_passes += 1
        lazy = sum_over(self._blocks, _Pass(work), self._weight)
        sums: Sums = dask.compute(lazy, scheduler=self._client)[0]
        if self._n_rows not in (None, sums.n_rows):
            raise ValueError(
                f"Pass {self.n_passes} has {sums.n_rows} rows, the first pass had {self._n_rows}: "
                f"the blocks must be the same in each pass. Call persist() on X and y first."
            )
        self._n_rows = sums.n_rows
        total: Total = sums.value
        return total


@dataclass(frozen=True)
class _Pass:
    """The work of a pass, as :class:`skmtl.dask._sums.BlockWork`."""

    work: PassWork[Any]

    def start(self) -> Any:
        return self.work.start()

    def sums_of(self, number: int, block: Block) -> Any:
        sums = self.work.start()
        self.work.add(sums, block["X"], block["y"], block.get("sample_weight"))
        return sums


def _cluster(client: Any) -> Any:
    """The client of the cluster that computes; None if dask's local scheduler does."""
    from dask.base import get_scheduler

    found = getattr(get_scheduler(scheduler=client), "__self__", None)
    return found if hasattr(found, "persist") else None
