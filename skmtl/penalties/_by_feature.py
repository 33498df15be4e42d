"""Penalties with weights for features, sign constraints, or a fixed support."""

from typing import Any, ClassVar

import numpy as np

from skmtl.penalties._base import Array, Penalty
from skmtl.penalties._derivatives import Derivative, composed, of_kept
from skmtl.penalties._shrinkage import clip_signs
from skmtl.penalties._weights import read_weights


class WeightedRows(Penalty):
    r"""A norm with row weights, :math:`\sum_j f_j \, \omega(W_{j\cdot})`.

    Its prox is the norm's prox with a step for each row; its dual norm is the largest of
    :math:`\omega^*(G_{j\cdot}) / f_j`. Rows with :math:`f_j = 0` are unpenalised: the dual norm is
    infinite unless those rows of G are zero.

    Parameters
    ----------
    penalty : Penalty
        A norm :math:`\sum_j \omega(W_{j\cdot})` of the rows: L1, L21, L1Inf, SparseGroup.
    weights : ndarray of shape (n_features,)
        The weights f, non-negative.

    References
    ----------
    H. Zou, "The adaptive lasso and its oracle properties", JASA 101, 2006,
    https://doi.org/10.1198/016214506000000735

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L21, WeightedRows
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> WeightedRows(L21(1.0), np.array([2.0, 1.0])).value(W)  # 2 * 5
    10.0
    """

    separates_over_rows = True

    def __init__(self, penalty: Penalty, weights: Array) -> None:
        self.penalty = penalty
        self.weights = weights

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        known = isinstance(self.penalty, Penalty)
        if known:
            self.penalty.check(n_features, n_tasks)
        if not known or not _is_norm_of_rows(self.penalty):
            raise ValueError(
                f"The 'penalty' parameter of WeightedRows must be a norm of the rows (L1, L21, "
                f"L1Inf, SparseGroup) that penalises all of them. Got {self.penalty!r} instead. "
                f"For non-negative coefficients use Positive(WeightedRows(...))."
            )
        if read_weights(self.weights, n_features) is None:
            raise ValueError(
                f"The 'weights' parameter of WeightedRows must be finite numbers >= 0, one for "
                f"each of the {n_features} features. Got {self.weights!r} instead."
            )

    @property
    def ignores_task_rotations(self) -> bool:
        return self.penalty.ignores_task_rotations

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

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return self.penalty.prox_derivative(V, step * self._column)

    def dual_norm(self, G: Array) -> float:
        penalised = self._column[:, 0] > 0
        if G[~penalised].any():
            return np.inf
        norm = self.penalty.of_rows(np.flatnonzero(penalised))
        return norm.dual_norm(G[penalised] / self._column[penalised])

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        # Norms are homogeneous: scaling a row scales its norm.
        return self.penalty.to_cvxpy(cp.multiply(np.repeat(self._column, W.shape[1], axis=1), W))

    @property
    def _column(self) -> Array:
        return np.asarray(self.weights, dtype=np.float64)[:, None]


def _is_norm_of_rows(penalty: Penalty) -> bool:
    """Whether a penalty is a sum of norms of the rows, with a prox."""
    sums_norms = penalty.separates_over_rows and penalty.is_norm and penalty.has_prox
    partial = penalty.leaves_mean_free or penalty.free_rows is not None
    return sums_norms and not (partial or penalty.is_positive)


class Positive(Penalty):
    r"""A penalty on non-negative coefficients; infinite if a coefficient is negative.

    The prox and the dual norm are those of the given penalty, evaluated at the positive parts; with
    ``signs``, after entries of the wrong sign have been set to zero.
    This is valid for penalties that are non-decreasing functions of the absolute values of the
    entries: L1, L21, L1Inf, SparseGroup, TaskGroup, TreeGroup, and WeightedRows of these, but not
    for spectral norms.

    Parameters
    ----------
    penalty : Penalty
        Its ``is_absolute`` must be true; set this attribute in your own classes.
    signs : array-like of shape (n_features,), optional
        The sign of the coefficients of each feature: +1 (not negative), -1 (not positive), or 0
        (not restricted). All +1 if not given.

    References
    ----------
    N. Parikh and S. Boyd, "Proximal algorithms", Found. Trends Optim. 1(3), 2014, section 6,
    https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L1, Positive
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> Positive(L1(0.5)).value(W), Positive(L1(0.5)).value(-W)
    (3.5, inf)
    """

    is_positive = True

    def __init__(self, penalty: Penalty, signs: Any = None) -> None:
        self.penalty = penalty
        self.signs = signs

    @property
    def separates_over_rows(self) -> bool:
        return self.penalty.separates_over_rows

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        known = isinstance(self.penalty, Penalty)
        if known:
            self.penalty.check(n_features, n_tasks)
        if not known or not self.penalty.is_absolute or not self.penalty.has_prox:
            raise ValueError(
                f"The 'penalty' parameter of Positive must be a norm of the absolute values of "
                f"the entries (L1, L21, L1Inf, SparseGroup, TaskGroup, TreeGroup, or "
                f"WeightedRows of one). Got {self.penalty!r} instead. If it is your own norm, "
                f"and a non-decreasing function of the absolute values of the entries of W, set "
                f"is_absolute = True in its class."
            )
        check_signs(self.signs, n_features)
        if self.penalty.is_zero:
            raise ValueError(
                "The norm of Positive must have a strength > 0; otherwise positive coefficients "
                "are unpenalised. Use a small alpha."
            )

    @property
    def is_norm(self) -> bool:
        return self.penalty.is_norm

    @property
    def free_rows(self) -> Array | None:
        return self.penalty.free_rows

    @property
    def row_thresholds(self) -> tuple[float | Array, float | Array] | None:
        # Thresholds restrict all signs, to be positive.
        return self.penalty.row_thresholds if self.signs is None else None

    @property
    def row_groups(self) -> Array | None:
        return self.penalty.row_groups

    @property
    def has_nearness(self) -> bool:
        return self.penalty.has_nearness

    def nearness(self, G: Array) -> Array:
        return self.penalty.nearness(clip_signs(G, self.signs))

    def of_rows(self, features: Array) -> "Positive":
        return Positive(self.penalty.of_rows(features), signs_of(self.signs, features))

    def scaled(self, factor: float) -> "Positive":
        return Positive(self.penalty.scaled(factor), self.signs)

    def for_tasks(self, chosen: Array) -> "Positive":
        return Positive(self.penalty.for_tasks(chosen), self.signs)

    def clip_signs(self, W: Array) -> Array:
        return clip_signs(W, self.signs)

    def value(self, W: Array) -> float:
        return np.inf if has_wrong_signs(W, self.signs) else self.penalty.value(W)

    def prox(self, V: Array, step: float | Array) -> Array:
        return self.penalty.prox(clip_signs(V, self.signs), step)

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        allowed = clip_signs(V, self.signs)
        kept = of_kept(allowed != 0)
        return composed(kept, self.penalty.prox_derivative(allowed, step), kept)

    def dual_norm(self, G: Array) -> float:
        return self.penalty.dual_norm(clip_signs(G, self.signs))

    def conjugate(self, G: Array) -> float:
        return self.penalty.conjugate(clip_signs(G, self.signs))

    def dual_scale(self, G: Array) -> float:
        return self.penalty.dual_scale(clip_signs(G, self.signs))

    def to_cvxpy(self, W: Any) -> Any:
        value, constraints = self.penalty.stated(W)
        return value, [*constraints, *stated_signs(W, self.signs)]


def has_wrong_signs(W: Array, signs: Any) -> bool:
    """Whether some entry of W has a sign other than that of its row; None: all +1."""
    oriented = W if signs is None else np.asarray(signs, dtype=W.dtype)[:, None] * W
    return bool((oriented < 0).any())


def signs_of(signs: Any, features: Array) -> Any:
    """The signs of some rows."""
    return None if signs is None else np.asarray(signs)[features]


def stated_signs(W: Any, signs: Any) -> list[Any]:
    """The restriction of the signs for cvxpy."""
    if signs is None:
        return [W >= 0]
    signs = np.asarray(signs)
    sides = (signs > 0, 1), (signs < 0, -1)
    return [sign * W[np.flatnonzero(rows), :] >= 0 for rows, sign in sides if rows.any()]


def check_signs(signs: Any, n_features: int) -> None:
    """Raise unless there is +1, -1 or 0 for each feature, or None."""
    if signs is None:
        return
    known = np.asarray(signs)
    if known.shape != (n_features,) or not np.isin(known, (-1, 0, 1)).all():
        raise ValueError(
            f"The 'signs' parameter of Positive must be +1, -1 or 0 for each of the {n_features} "
            f"features. Got {signs!r:.200} instead."
        )


class ChosenEntries(Penalty):
    """The constraint that W is zero outside a given support, and optionally non-negative.

    Its conjugate is infinite unless the gradient vanishes on the support (with ``positive``:
    unless it is non-positive there). A certificate therefore requires a ridge.

    Parameters
    ----------
    chosen : bool array of shape (n_features, n_tasks)
        The support.
    positive : bool, default=False
        Whether entries must be non-negative.
    signs : array-like of shape (n_features,), optional
        With ``positive``: the sign of each row, +1, -1 or 0, as in :class:`Positive`.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import ChosenEntries
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> ChosenEntries(np.array([[True, False], [False, True]])).prox(W, 1.0)
    array([[3., 0.],
           [0., 0.]])
    """

    separates_over_rows = separates_over_entries = True
    is_norm = False

    def __init__(self, chosen: Array, positive: bool = False, signs: Any = None) -> None:
        self.chosen = chosen
        self.positive = positive
        self.signs = signs

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
                f"{n_tasks}), features by tasks. Got the shape {chosen.shape} instead."
            )
        check_signs(self.signs, n_features)

    @property
    def is_positive(self) -> bool:
        return self.positive

    def of_rows(self, features: Array) -> "ChosenEntries":
        signs = signs_of(self.signs, features)
        return ChosenEntries(self.chosen[features], self.positive, signs)

    def scaled(self, factor: float) -> "ChosenEntries":
        return self

    def for_tasks(self, chosen: Array) -> "ChosenEntries":
        return ChosenEntries(self.chosen[:, chosen], self.positive, self.signs)

    def clip_signs(self, W: Array) -> Array:
        return clip_signs(W, self.signs) if self.positive else W

    def value(self, W: Array) -> float:
        wrong = self.positive and has_wrong_signs(W, self.signs)
        return np.inf if wrong or W[~self.chosen].any() else 0.0

    def prox(self, V: Array, step: float | Array) -> Array:
        return np.where(self.chosen, self.clip_signs(V), V.dtype.type(0))

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return of_kept(self.chosen & (self.clip_signs(V) != 0) if self.positive else self.chosen)

    def conjugate(self, G: Array) -> float:
        return np.inf if self.clip_signs(G)[self.chosen].any() else 0.0

    def dual_scale(self, G: Array) -> float:
        return 1.0 if self.conjugate(G) == 0 else 0.0

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        kept = [cp.multiply(~self.chosen, W) == 0]
        return cp.Constant(0.0), [*kept, *stated_signs(W, self.signs)] if self.positive else kept
