"""The normal form of a penalty: a part with a prox, and a smooth quadratic part."""

import numpy as np

from skmtl.penalties._base import Penalty, Quadratic
from skmtl.penalties._forms import QuadraticSum
from skmtl.penalties._terms import Terms
from skmtl.penalties._thresholds import RowThresholds


def split(penalty: Penalty) -> tuple[Penalty | None, Quadratic | None]:
    """Split a penalty into a non-smooth and a smooth quadratic part, either of which may be None.

    The former has a prox, or is a superposition or :class:`Terms`.

    Raises
    ------
    ValueError
        If a sum of norms contains one that cannot be combined with others.
    """
    forms = [part.quadratic_form for part in penalty.summands]
    quadratics = [form for form in forms if form is not None]
    pairs = zip(penalty.summands, forms, strict=True)
    rough = _together(penalty, [part for part, form in pairs if form is None])
    if len(quadratics) > 1:
        return rough, QuadraticSum(tuple(quadratics))
    return rough, quadratics[0] if quadratics else None


def _together(whole: Penalty, parts: list[Penalty]) -> Penalty | None:
    """The sum of the non-quadratic parts of a penalty."""
    if len(parts) > 1:
        _check_combinable(whole, parts)
        parts = _merged(parts)
    if len(parts) == 1 and (parts[0].has_prox or parts[0].n_superposed > 1):
        return parts[0]
    return Terms(tuple(parts)) if parts else None


def _check_combinable(whole: Penalty, parts: list[Penalty]) -> None:
    """Raise if one of several parts cannot be combined with others."""
    for part in parts:
        if part.n_superposed > 1:
            raise ValueError(
                f"{whole!r} adds a superposition to another norm. A superposition can be added "
                f"only to quadratic penalties (Ridge, TaskQuadratic)."
            )
        if part.is_positive:
            raise ValueError(
                f"{whole!r} adds {part!r} to another norm. These would be solved by splitting, "
                f"which does not preserve signs. Use a single norm (SparseGroup) within "
                f"Positive, alone or with a ridge."
            )


def _merged(parts: list[Penalty]) -> list[Penalty]:
    """Merge the parts that threshold entries and rows; the result comes first.

    A part that has a joint prox with such thresholds takes them over.
    """
    hosts = [part for part in parts if part.adds_row_norms]
    thresholds = [part for part in parts if _has_thresholds(part)]
    others = [part for part in parts if part not in hosts and part not in thresholds]
    entries, rows = _summed(thresholds)
    if len(hosts) > 1 or entries + rows == 0:
        return parts
    if hosts:
        return [hosts[0].plus_row_norms(entries, rows), *others]
    if len(thresholds) == 1:
        return [*thresholds, *others]
    total = entries + rows
    share = entries / total
    # The same arithmetic as in SparseGroup(total, share), so that fits agree bit for bit.
    return [RowThresholds(total * share, total * (1 - share)), *others]


def _has_thresholds(part: Penalty) -> bool:
    """Whether it consists of L1 and row norms alone, with the same strengths for all rows."""
    thresholds = part.row_thresholds
    if thresholds is None or part.adds_row_norms:
        return False
    return all(np.ndim(threshold) == 0 for threshold in thresholds)


def _summed(parts: list[Penalty]) -> tuple[float, float]:
    """The total thresholds of the parts that have thresholds."""
    pairs = [part.row_thresholds for part in parts]
    known = [pair for pair in pairs if pair is not None]
    return sum(float(a) for a, _ in known), sum(float(b) for _, b in known)
