"""Penalties on rows of W made of others: a factor for each feature, signs, entries left out."""

from typing import Any, ClassVar

import numpy as np

from skmtl.penalties._base import Array, Penalty


class WeightedRows(Penalty):
    r"""A norm's rows weighted: :math:`\sum_j f_j \, \omega(W_{j\cdot})`.

    Its prox is the norm's with a step for each row; its dual norm the largest of
    :math:`\omega^*(G_{j\cdot}) / f_j`. A row with :math:`f_j = 0` is free: where its slopes do not
    vanish, the dual norm is infinite.

    Parameters
    ----------
    penalty : Penalty
        A norm :math:`\sum_j \omega(W_{j\cdot})` of the rows: L1, L21, L1Inf, SparseGroup.
    weights : ndarray of shape (n_features,)
        The factors f, not negative.

    References
    ----------
    H. Zou, "The adaptive lasso and its oracle properties", JASA 101, 2006,
    https://doi.org/10.1198/016214506000000735
    """

    separates_over_rows = True

    def __init__(self, penalty: Penalty, weights: Array) -> None:
        self.penalty = penalty
        self.weights = weights

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        rows = isinstance(self.penalty, Penalty) and self.penalty.separates_over_rows
        if not rows or self.penalty.leaves_mean_free:
            raise ValueError(
                f"The 'penalty' parameter of WeightedRows must be a norm of the rows (L1, L21, "
                f"L1Inf, SparseGroup). Got {self.penalty!r} instead."
            )
        self.penalty.check(n_features, n_tasks)
        try:
            weights = np.asarray(self.weights, dtype=np.float64)
        except (TypeError, ValueError):
            weights = np.empty(0)
        if weights.shape != (n_features,) or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(
                f"The 'weights' parameter of WeightedRows must be finite numbers >= 0, one for "
                f"each of the {n_features} features. Got {self.weights!r} instead."
            )

    @property
    def is_norm(self) -> bool:
        return bool(np.any(self.weights))

    @property
    def is_absolute(self) -> bool:
        return self.penalty.is_absolute

    @property
    def is_zero(self) -> bool:
        return self.penalty.is_zero

    @property
    def free_rows(self) -> Array | None:
        free = np.asarray(self.weights) == 0
        return free if free.any() else None

    @property
    def row_thresholds(self) -> tuple[float | Array, float | Array] | None:
        thresholds = self.penalty.row_thresholds
        if thresholds is None or self.free_rows is not None:
            return None
        weights = np.asarray(self.weights, dtype=np.float64)
        return thresholds[0] * weights, thresholds[1] * weights

    def of_rows(self, features: Array) -> "WeightedRows":
        return WeightedRows(self.penalty.of_rows(features), np.asarray(self.weights)[features])

    def scaled(self, factor: float) -> "WeightedRows":
        return WeightedRows(self.penalty.scaled(factor), self.weights)

    def for_tasks(self, chosen: Array) -> "WeightedRows":
        return WeightedRows(self.penalty.for_tasks(chosen), self.weights)

    def value(self, W: Array) -> float:
        return self.penalty.value(W * self._column.astype(W.dtype))

    def prox(self, V: Array, step: float | Array) -> Array:
        return self.penalty.prox(V, step * self._column)

    def dual_norm(self, G: Array) -> float:
        held = self._column[:, 0] > 0
        if G[~held].any():
            return np.inf
        return self.penalty.dual_norm(G[held] / self._column[held])

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        # Norms: a factor of a row is a factor of its norm.
        return self.penalty.to_cvxpy(cp.multiply(np.repeat(self._column, W.shape[1], axis=1), W))

    @property
    def _column(self) -> Array:
        return np.asarray(self.weights, dtype=np.float64)[:, None]


class Positive(Penalty):
    r"""A penalty on coefficients that may not be negative: infinite elsewhere.

    The prox and the dual norm are the penalty's, of the positive parts. That holds for a penalty
    which depends on the absolute values of the entries alone and does not fall where one of them
    grows: L1, L21, L1Inf, SparseGroup, TaskGroup, TreeGroup, and WeightedRows of them, but no
    spectral norm.

    Parameters
    ----------
    penalty : Penalty
        One whose ``is_absolute`` is true: a class of your own declares it.

    References
    ----------
    N. Parikh and S. Boyd, "Proximal algorithms", Found. Trends Optim. 1(3), 2014, section 6,
    https://doi.org/10.1561/2400000003
    """

    is_positive = True

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = penalty

    @property
    def separates_over_rows(self) -> bool:
        return self.penalty.separates_over_rows

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        known = isinstance(self.penalty, Penalty)
        if known:
            self.penalty.check(n_features, n_tasks)
        if not known or not self.penalty.is_absolute or not self.penalty.has_prox:
            raise ValueError(
                f"The 'penalty' parameter of Positive must be a norm that takes absolute values "
                f"of the entries (L1, L21, L1Inf, SparseGroup, TaskGroup, TreeGroup, or "
                f"WeightedRows of one). Got {self.penalty!r} instead. If it is a norm of your own "
                f"that does not change where entries of W change their signs, nor falls where one "
                f"of them grows, declare it: set is_absolute = True in its class."
            )
        if self.penalty.is_zero:
            raise ValueError(
                "The norm of Positive must have a strength > 0, or nothing holds positive "
                "coefficients back. Choose a small alpha."
            )

    @property
    def is_norm(self) -> bool:
        return self.penalty.is_norm

    @property
    def free_rows(self) -> Array | None:
        return self.penalty.free_rows

    @property
    def row_thresholds(self) -> tuple[float | Array, float | Array] | None:
        return self.penalty.row_thresholds

    def of_rows(self, features: Array) -> "Positive":
        return Positive(self.penalty.of_rows(features))

    def scaled(self, factor: float) -> "Positive":
        return Positive(self.penalty.scaled(factor))

    def for_tasks(self, chosen: Array) -> "Positive":
        return Positive(self.penalty.for_tasks(chosen))

    def value(self, W: Array) -> float:
        return self.penalty.value(W) if (W >= 0).all() else np.inf

    def prox(self, V: Array, step: float | Array) -> Array:
        return self.penalty.prox(np.maximum(V, 0), step)

    def dual_norm(self, G: Array) -> float:
        return self.penalty.dual_norm(np.maximum(G, 0))

    def conjugate(self, G: Array) -> float:
        return self.penalty.conjugate(np.maximum(G, 0))

    def dual_scale(self, G: Array) -> float:
        return self.penalty.dual_scale(np.maximum(G, 0))

    def to_cvxpy(self, W: Any) -> Any:
        value, constraints = self.penalty.stated(W)
        return value, [*constraints, W >= 0]


class ChosenEntries(Penalty):
    """Nothing on some entries of W, which may be kept from being negative; the others are zero.

    Its conjugate is infinite where the slopes of a chosen entry do not vanish (are positive): it
    certifies beside a ridge alone.

    Parameters
    ----------
    chosen : bool array of shape (n_features, n_tasks)
    positive : bool, default=False
    """

    separates_over_rows = True
    is_norm = False

    def __init__(self, chosen: Array, positive: bool = False) -> None:
        self.chosen = chosen
        self.positive = positive

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"positive": ["boolean"]}

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        chosen = self.chosen
        if not isinstance(chosen, np.ndarray) or chosen.dtype != bool or chosen.ndim != 2:
            raise ValueError(
                f"The 'chosen' parameter of ChosenEntries must be a bool array of shape "
                f"({n_features}, {n_tasks}). Got {chosen!r:.200} instead."
            )
        if chosen.shape != (n_features, n_tasks):
            raise ValueError(
                f"The 'chosen' parameter of ChosenEntries must be of shape ({n_features}, "
                f"{n_tasks}), the features and the tasks. Got the shape {chosen.shape} instead."
            )

    @property
    def is_positive(self) -> bool:
        return self.positive

    def of_rows(self, features: Array) -> "ChosenEntries":
        return ChosenEntries(self.chosen[features], self.positive)

    def scaled(self, factor: float) -> "ChosenEntries":
        return self

    def for_tasks(self, chosen: Array) -> "ChosenEntries":
        return ChosenEntries(self.chosen[:, chosen], self.positive)

    def value(self, W: Array) -> float:
        outside = W[~self.chosen].any() or (self.positive and (W < 0).any())
        return np.inf if outside else 0.0

    def prox(self, V: Array, step: float | Array) -> Array:
        return np.where(self.chosen, np.maximum(V, 0) if self.positive else V, V.dtype.type(0))

    def conjugate(self, G: Array) -> float:
        slopes = G[self.chosen]
        return np.inf if ((slopes > 0) if self.positive else (slopes != 0)).any() else 0.0

    def dual_scale(self, G: Array) -> float:
        return 1.0 if self.conjugate(G) == 0 else 0.0

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        kept = [cp.multiply(~self.chosen, W) == 0]
        return cp.Constant(0.0), [*kept, W >= 0] if self.positive else kept
