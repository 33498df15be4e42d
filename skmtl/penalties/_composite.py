"""Penalties made of others: sums on one W, superpositions of several."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from skmtl.penalties._base import Array, Penalty, Quadratic
from skmtl.penalties._by_feature import WeightedRows
from skmtl.penalties._coupling import QuadraticSum
from skmtl.penalties._entries import L1
from skmtl.penalties._fusion import Fusion
from skmtl.penalties._rows import L21
from skmtl.penalties._sparse_group import SparseGroup
from skmtl.penalties._terms import Terms

# Differences between tasks whose prox goes on with that of L1, then of L21.


class Composite(Penalty):
    """Penalties by the lower-case names of their classes, for nested parameters.

    Parameters
    ----------
    parts : sequence of Penalty
        Of two or more of the same class the names end in -1, -2, ...
    """

    has_prox = False
    parts: Sequence[Penalty]

    def _with(self, parts: Sequence[Penalty]) -> Self:
        """The same with other parts."""
        raise NotImplementedError

    @property
    def named_parts(self) -> dict[str, Penalty]:
        """The parts by name."""
        names = [type(part).__name__.lower() for part in self.parts]
        counts, seen = Counter(names), Counter[str]()
        named = {}
        for name, part in zip(names, self.parts, strict=True):
            seen[name] += 1
            named[name if counts[name] == 1 else f"{name}-{seen[name]}"] = part
        return named

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        named: dict[str, Any] = dict(self.named_parts)
        if deep:
            for name, part in self.named_parts.items():
                named |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return named

    def set_params(self, **params: Any) -> Self:
        named = self.named_parts
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in named:
                raise ValueError(
                    f"{self!r} has no part {name!r}; its parts are {', '.join(named)}."
                )
            # A part is never mutated: others may hold it too.
            named[name] = clone(named[name]).set_params(**{rest: value}) if rest else value
        self.parts = self._with(list(named.values())).parts
        return self

    def __sklearn_clone__(self) -> Self:
        return self._with([clone(part) for part in self.parts])

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return []

    def check(self, n_features: int, n_tasks: int) -> None:
        for part in self.parts:
            part.check(n_features, n_tasks)

    def scaled(self, factor: float) -> Self:
        return self._with([part.scaled(factor) for part in self.parts])

    def for_tasks(self, chosen: Array) -> Self:
        return self._with([part.for_tasks(chosen) for part in self.parts])


def without_zeros(penalty: Penalty) -> Penalty | None:
    """The penalty without the parts of strength 0, None where nothing is left.

    A superposition with a part that costs nothing costs nothing.
    """
    if isinstance(penalty, WeightedRows):
        return None if without_zeros(penalty.penalty) is None else penalty
    if isinstance(penalty, Fusion) and not (penalty.fused or penalty.sparse or penalty.block):
        return None
    if not isinstance(penalty, Composite):
        # An array of strengths may have zeros.
        alpha = getattr(penalty, "alpha", 1.0)
        return None if np.ndim(alpha) == 0 and alpha == 0 else penalty
    parts = [part for part in map(without_zeros, penalty.parts) if part is not None]
    if isinstance(penalty, Superposition):
        return penalty if len(parts) == len(penalty.parts) else None
    return PenaltySum(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None


class PenaltySum(Composite):
    """A sum of penalties on the same W, written ``L21(0.1) + Ridge(0.01)``.

    Quadratic parts join the loss. L1, L21 and FusedTasks or PairwiseFusion together have a prox;
    of the others one alone keeps its own. Several are minimised by splitting, with a dual point
    for each.
    """

    def __init__(self, parts: tuple[Penalty, ...]) -> None:
        self.parts = parts
        if not parts or not all(isinstance(part, Penalty) for part in parts):
            raise ValueError(f"A sum needs penalties, one at least; got {parts!r}.")
        if any(isinstance(part, PenaltySum) for part in parts):
            flat = [part.parts if isinstance(part, PenaltySum) else [part] for part in parts]
            self.parts = tuple(part for each in flat for part in each)

    def _with(self, parts: Sequence[Penalty]) -> Self:
        return type(self)(tuple(parts))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return " + ".join(repr(part) for part in self.parts)

    def value(self, W: Array) -> float:
        return sum(part.value(W) for part in self.parts)

    def to_cvxpy(self, W: Any) -> Any:
        stated = [part.to_cvxpy(W) for part in self.parts]
        pairs = [part if isinstance(part, tuple) else (part, []) for part in stated]
        return sum(value for value, _ in pairs), [c for _, extra in pairs for c in extra]

    def split(self) -> tuple[Penalty | None, Quadratic | None]:
        pairs = [part.split() for part in self.parts]
        proximal = [pair[0] for pair in pairs if pair[0] is not None]
        quadratic = [pair[1] for pair in pairs if pair[1] is not None]
        smooth = quadratic[0] if len(quadratic) == 1 else QuadraticSum(tuple(quadratic))
        if len(proximal) <= 1:
            return proximal[0] if proximal else None, smooth if quadratic else None
        terms: list[Penalty] = []
        for part in proximal:
            if isinstance(part, Superposition):
                raise ValueError(
                    f"{self!r} adds a superposition to another norm. A superposition stands "
                    f"alone, or with quadratic penalties (Ridge, TaskQuadratic)."
                )
            if part.is_positive:
                raise ValueError(
                    f"{self!r} adds {part!r} to another norm, which are solved one beside the "
                    f"other: neither keeps the other's signs. Use one norm (SparseGroup) within "
                    f"Positive, alone or with a ridge."
                )
            terms.extend(part.parts if isinstance(part, Terms) else [part])
        terms = _composed(terms)
        found = terms[0] if len(terms) == 1 and terms[0].has_prox else Terms(tuple(terms))
        return found, smooth if quadratic else None


def _composed(terms: list[Penalty]) -> list[Penalty]:
    """The terms, those on entries, rows and differences as one where its prox is known."""
    entries = sum(float(term.alpha) for term in terms if type(term) is L1)
    rows = sum(float(term.alpha) for term in terms if type(term) is L21)
    fusions = [term for term in terms if isinstance(term, Fusion)]
    others = [t for t in terms if type(t) not in (L1, L21) and not isinstance(t, Fusion)]
    if len(fusions) > 1 or entries + rows == 0:
        return terms
    if fusions:
        one = fusions[0]
        fused, sparse, block = (
            float(one.alpha * strength) for strength in (one.fused, one.sparse, one.block)
        )
        strengths = {"alpha": 1.0, "fused": fused, "sparse": sparse + entries}
        params = {**one.get_params(deep=False), **strengths, "block": block + rows}
        return [type(one)(**params), *others]
    # Twice the same norm is that norm, too.
    if rows == 0 or entries == 0:
        return [L1(entries) if rows == 0 else L21(rows), *others]
    return [SparseGroup(entries + rows, entries / (entries + rows)), *others]


class Superposition(Composite):
    r"""W as a sum of parts, each with its own penalty.

    .. math:: \Omega(W) = \min_{W = P_1 + \dots + P_K} \; \sum_k \Omega_k(P_k)

    All parts share one gradient, so that a step in all of them together is K times too long.
    The conjugate is the sum of the parts' conjugates; the dual norm the largest of theirs.

    Parameters
    ----------
    *parts : Penalty
        Two or more, each with a prox.

    References
    ----------
    A. Jalali, S. Sanghavi, C. Ruan and P. Ravikumar, "A dirty model for multi-task learning",
    NeurIPS 2010,
    https://papers.nips.cc/paper/2010/hash/00e26af6ac3b1c1c49d7c3d79c60d000-Abstract.html
    """

    def __init__(self, *parts: Penalty) -> None:
        self.parts = parts
        if len(parts) < 2 or not all(isinstance(part, Penalty) for part in parts):
            raise ValueError(
                f"A superposition needs penalties, two at least; got {parts!r}. Pass one penalty "
                f"as it is."
            )
        for part in parts:
            if not part.has_prox:
                raise ValueError(
                    f"A part of a superposition needs a prox of its own; {part!r} has none. Pass "
                    f"its parts one by one, or one penalty that stands for them (SparseGroup)."
                )

    def _with(self, parts: Sequence[Penalty]) -> Self:
        return type(self)(*parts)

    def check(self, n_features: int, n_tasks: int) -> None:
        super().check(n_features, n_tasks)
        for part in self.parts:
            if part.free_rows is not None:
                raise ValueError(
                    f"{part!r} leaves features free, which a part of a superposition cannot: its "
                    f"weights must be positive."
                )

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return f"Superposition({', '.join(repr(part) for part in self.parts)})"

    @property
    def separates_over_rows(self) -> bool:  # type: ignore[override]
        return all(part.separates_over_rows for part in self.parts)

    @property
    def leaves_mean_free(self) -> bool:  # type: ignore[override]
        return any(part.leaves_mean_free for part in self.parts)

    @property
    def is_norm(self) -> bool:  # type: ignore[override]
        return all(part.is_norm for part in self.parts)

    def value_of_parts(self, parts: Array) -> float:
        """The sum of the penalties at parts (n_parts, n_features, n_tasks)."""
        return sum(part.value(P) for part, P in zip(self.parts, parts, strict=True))

    def prox_of_parts(self, parts: Array, step: float | Array) -> Array:
        """The prox of each part (n_parts, n_features, n_tasks)."""
        return np.stack([part.prox(P, step) for part, P in zip(self.parts, parts, strict=True)])

    def dual_norm(self, G: Array) -> float:
        return max(part.dual_norm(G) for part in self.parts)

    def conjugate(self, G: Array) -> float:
        return sum(part.conjugate(G) for part in self.parts)

    def dual_scale(self, G: Array) -> float:
        return min(part.dual_scale(G) for part in self.parts)

    def to_cvxpy(self, W: Any) -> Any:
        import cvxpy as cp

        parts = [cp.Variable(W.shape) for _ in self.parts]
        stated = [part.to_cvxpy(P) for part, P in zip(self.parts, parts, strict=True)]
        pairs = [each if isinstance(each, tuple) else (each, []) for each in stated]
        constraints = [c for _, extra in pairs for c in extra]
        return sum(value for value, _ in pairs), [W == sum(parts), *constraints]
