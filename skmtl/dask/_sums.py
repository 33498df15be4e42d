"""Sums over blocks, which are added up in a tree: what runs on the workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from skmtl.dask._blocks import Block, reduce_blocks
from skmtl.design import Additive

# Neighbours whose sums are added in one step.
_SPLIT_EVERY = 8


class BlockWork(Protocol):
    """What is computed of each block; it can be pickled and sent to the workers."""

    def start(self) -> Additive:
        """The sums over no rows."""

    def sums_of(self, number: int, block: Block) -> Additive:
        """The sums over the rows of a block, given its number."""


@dataclass(frozen=True)
class Sums:
    """The sums over successive blocks.

    Attributes
    ----------
    first, last : int
        The numbers of the blocks.
    n_rows : int
    value : object
        The sums over their rows, which can be added to others.
    """

    first: int
    last: int
    n_rows: int
    value: Any


def sum_over(blocks: list[Any], work: BlockWork, weight: float | None) -> Any:
    """The delayed sums over all blocks, from a tree over neighbours.

    Parameters
    ----------
    blocks : list of delayed blocks
    work : BlockWork
    weight : float or None
        That of all rows, if the blocks have none.
    """
    import dask

    read = dask.delayed(sum_block, pure=True)
    # A delayed object is sent to each worker once.
    shipped = dask.delayed(work, pure=True, traverse=False)
    leaves = [read(number, block, shipped, weight) for number, block in enumerate(blocks)]
    return reduce_blocks(leaves, add_sums, _SPLIT_EVERY)


def sum_block(number: int, block: Block, work: BlockWork, weight: float | None = None) -> Sums:
    """The sums over a block, which may have no rows.

    Parameters
    ----------
    number : int
    block : dict
        X, y, and possibly sample_weight and groups.
    work : BlockWork
    weight : float, optional
        That of all rows, if the block has none.

    Raises
    ------
    TypeError, ValueError
        If the block is not valid; the message gives its number.
    """
    lengths = {name: _n_rows(part) for name, part in block.items()}
    n_rows = lengths["X"]
    if weight is not None:
        block = {"sample_weight": weight, **block}
    try:
        if len(set(lengths.values())) > 1:
            *names, last = lengths
            raise ValueError(
                f"{', '.join(names)} and {last} have {list(lengths.values())} rows. Take all of "
                f"them from one collection, or divide them into the same blocks."
            )
        value = work.sums_of(number, block) if n_rows else work.start()
    except (TypeError, ValueError) as error:
        raise type(error)(f"Block {number}: {error}") from error
    return Sums(number, number, n_rows, value)


def _n_rows(part: Any) -> int:
    return int(part.shape[0]) if hasattr(part, "shape") else len(part)


def add_sums(summands: Sequence[Sums]) -> Sums:
    """The sum over successive blocks.

    Raises
    ------
    ValueError
        If they do not match, for example in their columns; the message gives the blocks' numbers.
    """
    total = summands[0]
    for more in summands[1:]:
        try:
            value = total.value + more.value
        except ValueError as error:
            raise ValueError(
                f"{_blocks(total).capitalize()} and {_blocks(more)}: {error}"
            ) from error
        total = Sums(total.first, more.last, total.n_rows + more.n_rows, value)
    return total


def _blocks(part: Sums) -> str:
    one = part.first == part.last
    return f"block {part.first}" if one else f"blocks {part.first} to {part.last}"
