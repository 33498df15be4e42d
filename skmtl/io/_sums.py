"""The sums that an engine computes for each task, and the statistics made of them.

The engines rename the columns: s is the weight, x0, x1, ... are the features and y0, y1, ... the
targets, and g is the group of a row: its task. All sums are over differences from origins that are
close to the means, so that large means cost no precision.
"""

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl.design import TaskStatistics, statistics_from_sums
from skmtl.io._roles import Roles, refuse_infinite, refuse_missing, refuse_negative

Array = NDArray[Any]

# The number of columns of an aggregation grows with the square of the number of features.
MOST_FEATURES = 60


def check_features(roles: Roles, remedy: str) -> None:
    """Raise if there are too many features for an aggregation."""
    if len(roles.features) > MOST_FEATURES:
        raise ValueError(
            f"An aggregation over the pairs of {len(roles.features)} features is too large for a "
            f"query engine; up to {MOST_FEATURES} are possible. {remedy}"
        )


def pairs(roles: Roles, n_targets: int) -> dict[str, tuple[str, str]]:
    """The factors of each sum of products, by its name."""
    x = [f"x{i}" for i in range(len(roles.features))]
    y = [f"y{k}" for k in range(n_targets)]
    found = {f"{a}_{b}": (a, b) for a, b in combinations_with_replacement(x, 2)}
    found |= {f"{a}_{b}": (a, b) for a in x for b in y}
    return found | {f"{b}_{b}": (b, b) for b in y}


def check_groups(roles: Roles, found: dict[str, Array], n_targets: int) -> None:
    """Raise if features or weights are missing or not finite, or there are no labels.

    ``found`` holds for each group the number of rows n, and of each column c its number of values
    ``n_c`` and its sum ``sum_c``, and the least weight ``least``.
    """
    if len(found["n"]) == 0:
        raise ValueError("There are no rows with a label of positive weight.")
    names = {f"x{i}": name for i, name in enumerate(roles.features)}
    weight = {} if roles.weight is None else {"s": roles.weight}

    def has_gaps(key: str) -> bool:
        return bool((found[f"n_{key}"] < found["n"]).any())

    def is_infinite(key: str) -> bool:
        return not np.isfinite(found[f"sum_{key}"]).all()

    refuse_missing([name for key, name in (weight | names).items() if has_gaps(key)])
    # With such weights the other sums are not finite either.
    refuse_infinite([name for key, name in weight.items() if is_infinite(key)])
    if weight and (found["least"] < 0).any():
        refuse_negative(roles.weight)
    if n_targets == len(roles.targets):
        names |= {f"y{k}": name for k, name in enumerate(roles.targets)}
    refuse_infinite([name for key, name in names.items() if is_infinite(key)])
    if n_targets < len(roles.targets):  # each is a group
        wrong = np.flatnonzero(~np.isfinite(found["sum_y0"]))
        refuse_infinite([roles.targets[k] for k in wrong])


def build(
    roles: Roles,
    found: dict[str, Array],
    groups: Array,
    n_targets: int,
    categories: list[Any] | None = None,
) -> TaskStatistics:
    """The statistics made of sums around origins.

    Parameters
    ----------
    roles : Roles
    found : dict of arrays of shape (n_groups,)
        The number of rows ``n``, the sum of weights ``s``, the origins ``origin_x0``, ..., and the
        weighted sums of differences from them (``x0``, ..., ``y0``, ...) and of products of those.
    groups : array of shape (n_groups,)
        The tasks; with several targets in one group, anything.
    n_targets : int
        The number of targets of each group: 1, or all in one group.
    categories : list or None
    """
    d, totals = len(roles.features), found["s"]

    def columns(names: list[str]) -> Array:
        return np.column_stack([found[name] for name in names])

    x, y = [f"x{i}" for i in range(d)], [f"y{k}" for k in range(n_targets)]
    dx, dy = columns(x) / totals[:, None], columns(y) / totals[:, None]
    rows, others = np.triu_indices(d)
    products = columns([f"x{i}_x{j}" for i, j in zip(rows, others, strict=True)])
    products -= totals[:, None] * dx[:, rows] * dx[:, others]
    xx = np.empty((len(totals), d, d))
    xx[:, rows, others] = xx[:, others, rows] = products
    cross = np.stack([columns([f"{a}_{b}" for a in x]) for b in y], axis=1)
    cross -= totals[:, None, None] * dy[:, :, None] * dx[:, None, :]
    squares = columns([f"{b}_{b}" for b in y]) - totals[:, None] * dy**2
    one = n_targets > 1
    origins = columns([f"origin_{a}" for a in x])
    tasks = np.array(roles.targets) if roles.in_columns else groups
    return statistics_from_sums(
        counts=np.repeat(found["n"], n_targets),
        weight_sums=np.repeat(totals, n_targets),
        x_means=dx[0] if one else dx,
        y_means=dy.ravel(),
        x_origins=origins[0] if one else origins,
        y_origins=columns([f"origin_{b}" for b in y]).ravel(),
        xx=xx[0] if one else xx,
        xy=cross.reshape(-1, d),
        yy=np.maximum(squares, 0.0).ravel(),
        tasks=None if roles.task is None and not roles.in_columns else tasks,
        columns=roles.inputs,
        categories=categories,
        task_column=roles.task,
    )


def check_labels(roles: Roles, counts: dict[str, Array]) -> bool:
    """Whether all rows with a label have all; raise if a target has none."""
    labels = np.array([int(counts[f"n_y{k}"][0]) for k in range(len(roles.targets))])
    if (labels == 0).any():
        empty = [name for name, n in zip(roles.targets, labels.tolist(), strict=True) if n == 0]
        raise ValueError(f"The targets {empty[:10]} have no label of positive weight. Drop them.")
    return bool((labels == int(counts["n"][0])).all())
