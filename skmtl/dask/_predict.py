"""Predictions for the blocks of dask collections."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.dask._blocks import is_array, one_chunk_wide

Array = NDArray[Any]


def predict_lazily(model: Any, X: Any) -> Any:
    """The predictions of a fitted estimator, in the blocks of X and with its index.

    Parameters
    ----------
    model : estimator
    X : dask array or data frame
    """
    import dask

    tasks = model.tasks_ if model._layout == "shared" else None
    none = np.empty((0,) if tasks is None else (0, len(tasks)), np.asarray(model.coef_).dtype)
    # A delayed estimator is sent to each worker once.
    shipped = dask.delayed(model)
    if is_array(X):
        return _predict_array(one_chunk_wide(X), shipped, none)
    return _predict_frame(X, shipped, none, tasks)


def _predict_array(X: Any, model: Any, none: Array) -> Any:
    import dask.array as da

    return da.map_blocks(
        _predicted,
        X,
        model=model,
        none=none,
        meta=none,
        chunks=(X.chunks[0], *((size,) for size in none.shape[1:])),
        drop_axis=None if none.ndim == 2 else [1],
    )


def _predict_frame(X: Any, model: Any, none: Array, tasks: Array | None) -> Any:
    meta = _labelled(none, X._meta.index[:0], tasks)
    return X.map_partitions(_predicted_frame, model, none, tasks, meta=meta)


def _predicted(X: Any, model: Any, none: Array) -> Array:
    """The predictions of a block; ``none`` is that of a block without rows."""
    return np.asarray(model.predict(X), none.dtype) if X.shape[0] else none


def _predicted_frame(X: Any, model: Any, none: Array, tasks: Array | None) -> Any:
    return _labelled(_predicted(X, model, none), X.index, tasks)


def _labelled(values: Array, index: Any, tasks: Array | None) -> Any:
    """A Series, or a data frame with a column for each task."""
    import pandas as pd

    if tasks is None:
        return pd.Series(values, index=index)
    return pd.DataFrame(values, index=index, columns=tasks)
