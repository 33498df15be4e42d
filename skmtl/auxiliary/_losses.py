"""The losses of auxiliary tasks, and their labels as these losses take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from skmtl.design import ColumnsAside
from skmtl.losses import Loss, losses_by_name

Array = NDArray[Any]


def read_losses(
    losses: Any,
    model: Any,
    own: Loss,
    auxiliary: list[Any],
    columns: ColumnsAside,
    targets: Array,
) -> tuple[list[Loss], Array]:
    """The loss of each auxiliary column, and the labels (n_samples, n_columns) that it takes.

    Parameters
    ----------
    losses : None, str or dict
        By column, as in ``auxiliary``.
    model : estimator
        Of the main tasks.
    own : Loss
        The estimator's. Columns with the same loss get this object, since losses are equal only if
        they are the same object.
    auxiliary : list
        The columns as the user gave them.
    columns : ColumnsAside
    targets : array of shape (n_samples, n_columns)
        NaN where a label is missing.
    """
    known = losses_by_name(model)
    main = model.loss if isinstance(model.loss, str) else "squared"
    if isinstance(model.loss, str):
        known[main] = own
    names = _names(losses, auxiliary, [_default(model, main, column) for column in targets.T])
    labels = targets.copy()
    for k, (column, name) in enumerate(zip(columns.names, names, strict=True)):
        if name not in known:
            raise ValueError(
                f"The loss of the auxiliary column {column!r} must be one of "
                f"{', '.join(map(repr, known))}; got {name!r}."
            )
        loss, values = known[name], targets[:, k]
        wrong = loss.refuses(values)
        if wrong.any():
            wrong &= ~np.isnan(values)
        if wrong.any():
            raise ValueError(
                f"loss={name!r} needs {loss.label_rule}; the auxiliary column {column!r} holds "
                f"{values[wrong][0]:.4g}. Pass another loss for it in losses."
            )
        if loss.signed:
            labels[:, k] = 2 * values - 1
    return [known[name] for name in names], labels


def _default(model: Any, own: str, labels: Array) -> str:
    """The loss of a column that the user has not given one for."""
    if not isinstance(model, ClassifierMixin):
        return own
    return own if np.isin(labels[~np.isnan(labels)], (0.0, 1.0)).all() else "squared"


def _names(losses: Any, auxiliary: list[Any], defaults: list[str]) -> list[str]:
    """The name of the loss of each auxiliary column."""
    if losses is None:
        return defaults
    if isinstance(losses, str):
        return [losses] * len(auxiliary)
    unknown = [column for column in losses if column not in auxiliary]
    if unknown:
        raise ValueError(
            f"losses must give a loss for columns in auxiliary, {auxiliary}; got {unknown}. "
            f"Use the same names or positions in both."
        )
    return [
        losses.get(column, default) for column, default in zip(auxiliary, defaults, strict=True)
    ]
