"""Predictions for the blocks of Dask collections."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.dask._blocks import is_array, one_chunk_wide

Array = NDArray[Any]


def predict_lazily(model: Any, method: str, X: Any) -> Any:
    """What a method of a fitted estimator predicts, in the blocks of X and with its index.

    Parameters
    ----------
    model : estimator
    method : {"predict", "predict_proba", "decision_function"}
    X : Dask array or data frame
    """
    import dask

    columns, dtype = _outline(model, method)
    none = np.empty((0,) if columns is None else (0, len(columns)), dtype)
    # A delayed estimator is sent to each worker once.
    shipped = dask.delayed(model, traverse=False)
    if is_array(X):
        return _predict_array(one_chunk_wide(X), shipped, method, none)
    return _predict_frame(X, shipped, method, none, columns)


def _outline(model: Any, method: str) -> tuple[Array | None, Any]:
    """The names of the columns that a method returns, None if it returns a vector, and the type."""
    real = np.asarray(model.coef_).dtype
    classes = vars(model).get("classes_")
    if model._layout == "shared":
        labels = classes is not None and method == "predict"
        return model.tasks_, np.dtype(np.intp) if labels else real
    if classes is None or method == "predict":
        return None, real if classes is None else classes.dtype
    several = len(classes) > 2 or method == "predict_proba"
    return classes if several else None, real


def _predict_array(X: Any, model: Any, method: str, none: Array) -> Any:
    import dask.array as da

    return da.map_blocks(
        _predicted,
        X,
        model=model,
        method=method,
        none=none,
        meta=none,
        chunks=(X.chunks[0], *((size,) for size in none.shape[1:])),
        drop_axis=None if none.ndim == 2 else [1],
    )


def _predict_frame(X: Any, model: Any, method: str, none: Array, columns: Array | None) -> Any:
    meta = _labelled(none, X._meta.index[:0], columns)
    return X.map_partitions(_predicted_frame, model, method, none, columns, meta=meta)


def _predicted(X: Any, model: Any, method: str, none: Array) -> Array:
    """The predictions of a block; ``none`` is that of a block without rows."""
    return np.asarray(getattr(model, method)(X), none.dtype) if X.shape[0] else none


def _predicted_frame(X: Any, model: Any, method: str, none: Array, columns: Array | None) -> Any:
    return _labelled(_predicted(X, model, method, none), X.index, columns)


def _labelled(values: Array, index: Any, columns: Array | None) -> Any:
    """A Series, or a data frame with these columns."""
    import pandas as pd

    if columns is None:
        return pd.Series(values, index=index)
    return pd.DataFrame(values, index=index, columns=columns)
