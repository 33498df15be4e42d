"""The blocks of Dask collections, and sums over them in a tree."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np


def is_lazy(data: Any) -> bool:
    """Whether these are blocks of Dask, without importing it."""
    return hasattr(data, "__dask_graph__")


Block = dict[str, Any]


def read_blocks(X: Any, y: Any, **others: Any) -> list[Any]:
    """The blocks of X, y and others that are not None, each of them a delayed dict by name.

    All of them are one graph, so that a block from which both X and y are computed is read once.

    Raises
    ------
    TypeError
        If some are Dask collections and others are not, or they are of other types.
    ValueError
        If they are not divided into the same blocks.
    """
    given = {"X": X, "y": y}
    given |= {name: data for name, data in others.items() if data is not None}
    for name, data in given.items():
        _check_kind(name, data)
    if all(is_array(data) for data in given.values()):
        return _blocks_of_arrays(given)
    parts = [one_chunk_wide(data) for data in given.values()]
    for name, part in zip(given, parts, strict=True):
        if part.npartitions != parts[0].npartitions:
            raise ValueError(
                f"X has {parts[0].npartitions} partitions and {name} has {part.npartitions}. Take "
                f"both from one data frame, or divide them alike by repartition or rechunk."
            )
    if not any(is_array(part) for part in parts):
        return _blocks_of_frames(list(given), parts)
    import dask

    join = dask.delayed(_join, pure=True)
    delayed = [np.ravel(part.to_delayed()) for part in parts]
    return [join(list(given), *block) for block in zip(*delayed, strict=True)]


def is_array(data: Any) -> bool:
    return hasattr(data, "chunks") and hasattr(data, "rechunk")


def _check_kind(name: str, data: Any) -> None:
    if not is_lazy(data):
        raise TypeError(
            f"X and y must both be Dask collections or both be in memory, got a "
            f"{type(data).__name__} for {name}. Convert it by dask.array.from_array with the "
            f"chunks of the others."
        )
    # Delayed objects have every attribute, delayed too.
    if not (hasattr(data, "npartitions") and isinstance(getattr(data, "ndim", None), int)):
        raise TypeError(
            f"{name} must be a Dask array, data frame or Series, got a {type(data).__name__}. "
            f"Convert it by dask.array.from_delayed or dask.dataframe.from_delayed."
        )


def one_chunk_wide(data: Any) -> Any:
    """The data, whose blocks have all columns."""
    wide = is_array(data) and data.ndim == 2 and len(data.chunks[1]) > 1
    return data.rechunk({1: -1}) if wide else data


def _blocks_of_arrays(given: dict[str, Any]) -> list[Any]:
    import dask.array as da

    X = one_chunk_wide(given["X"])
    if X.ndim != 2:
        raise ValueError(f"X must be (n_samples, n_features), got {X.ndim} dimensions.")
    parts = [X]
    for name, data in list(given.items())[1:]:
        parts.append(_with_chunks_of(X, one_chunk_wide(data), name))
    pairs: list[Any] = [list(given), None]
    for part, axes in zip(parts, ("ij", "ik", "il", "im"), strict=False):
        pairs += [part, axes[: part.ndim]]
    blocks = da.blockwise(
        _join,
        "i",
        *pairs,
        concatenate=True,
        align_arrays=False,
        dtype=object,
        meta=np.empty(0, object),
    )
    return list(blocks.to_delayed())


def _with_chunks_of(X: Any, data: Any, name: str) -> Any:
    """The data with the rows of X in each block, as far as these are known."""
    own, theirs = data.chunks[0], X.chunks[0]
    known = not np.isnan(own).any() and not np.isnan(theirs).any()
    if known and sum(own) != sum(theirs):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {sum(theirs)} "
            f"rows and {name} has {sum(own)}."
        )
    if known:
        return data if own == theirs else data.rechunk({0: theirs})
    if len(own) != len(theirs):
        raise ValueError(
            f"X has {len(theirs)} blocks of rows and {name} has {len(own)}, and their sizes are "
            f"not known. Divide them alike, or call compute_chunk_sizes() on both."
        )
    return data


def _blocks_of_frames(names: list[str], frames: list[Any]) -> list[Any]:
    import dask.dataframe as dd
    import pandas as pd

    # One expression, so that Dask reads a common source once and only the columns in use.
    blocks = dd.map_partitions(
        partial(_join, names),
        *frames,
        meta=pd.Series(dtype=object),
        align_dataframes=False,
        enforce_metadata=False,
    )
    return list(blocks.to_delayed())


def _join(names: list[str], *parts: Any) -> Block:
    return dict(zip(names, parts, strict=True))


def reduce_blocks(leaves: list[Any], combine: Callable[[list[Any]], Any], split_every: int) -> Any:
    """Combine delayed values in a tree, ``split_every`` neighbours at a time."""
    import dask

    node = dask.delayed(combine, pure=True)
    while len(leaves) > 1:
        starts = range(0, len(leaves), split_every)
        leaves = [node(leaves[k : k + split_every]) for k in starts]
    return leaves[0]
