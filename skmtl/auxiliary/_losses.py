"""The losses of auxiliary tasks, and their labels as these losses take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from skmtl.design import ColumnsAside
from skmtl.losses import LOSS_NAMES, Loss, loss_by_name

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
    main = model.loss if isinstance(model.loss, str) else "squared"
    defaults = [main] * len(auxiliary)
    if isinstance(model, ClassifierMixin):
        defaults = [main if _are_classes(column) else "squared" for column in targets.T]
    names, labels, found = _names(losses, auxiliary, defaults), targets, {}
    for name in dict.fromkeys(names):
        chosen = [k for k, other in enumerate(names) if other == name]
        if name not in LOSS_NAMES:
            raise ValueError(
                f"The loss of the auxiliary column {columns.names[chosen[0]]!r} must be one of "
                f"{', '.join(map(repr, LOSS_NAMES))}; got {name!r}."
            )
        loss = own if name == model.loss else loss_by_name(model, name)
        values = targets if len(chosen) == len(names) else targets[:, chosen]
        if not loss.takes_all_numbers:
            _check_labels(name, loss, values, [columns.names[k] for k in chosen])
        if loss.signed:
            labels = targets.copy() if labels is targets else labels
            labels[:, chosen] = 2 * values - 1
        found[name] = loss
    return [found[name] for name in names], labels


def _check_labels(name: str, loss: Loss, values: Array, columns: list[Any]) -> None:
    """Raise if labels (n_samples, n_columns) that are not missing are outside the loss's domain."""
    wrong = loss.refuses(values) & ~np.isnan(values)
    if wrong.any():
        first = int(wrong.any(axis=0).argmax())
        raise ValueError(
            f"loss={name!r} needs {loss.label_rule}; the auxiliary column {columns[first]!r} holds "
            f"{values[wrong[:, first], first][0]:.4g}. Pass another loss for it in losses."
        )


def _are_classes(labels: Array) -> bool:
    """Whether all labels that are not missing are 0 or 1."""
    return bool(np.isin(labels[~np.isnan(labels)], (0.0, 1.0)).all())


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
