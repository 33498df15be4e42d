"""The normal form of a penalty: what an objective adds to the loss, and what it takes proxes of."""

import numpy as np

from skmtl.penalties._base import Penalty, Quadratic
from skmtl.penalties._forms import QuadraticSum
from skmtl.penalties._terms import Terms
from skmtl.penalties._thresholds import RowThresholds


def split(penalty: Penalty) -> tuple[Penalty | None, Quadratic | None]:
    """The part of a penalty for a prox, and its smooth quadratic part; None where there is none.

    The former has a prox, or is a superposition, or :class:`Terms`.

    Raises
    ------
    ValueError
        If it adds to a norm what does not go together with another.
    """
    forms = [part.quadratic_form for part in penalty.summands]
    quadratics = [form for form in forms if form is not None]
    pairs = zip(penalty.summands, forms, strict=True)
    rough = _together(penalty, [part for part, form in pairs if form is None])
    if len(quadratics) > 1:
        return rough, QuadraticSum(tuple(quadratics))
    return rough, quadratics[0] if quadratics else None


def _together(whole: Penalty, parts: list[Penalty]) -> Penalty | None:
    """The sum of the parts of a penalty that are not quadratic."""
    if len(parts) > 1:
        _refuse_unsolved(whole, parts)
        parts = _merged(parts)
    if len(parts) == 1 and (parts[0].has_prox or parts[0].n_superposed > 1):
        return parts[0]
    return Terms(tuple(parts)) if parts else None


def _refuse_unsolved(whole: Penalty, parts: list[Penalty]) -> None:
    """Refuse a part that has to stand alone."""
    for part in parts:
        if part.n_superposed > 1:
            raise ValueError(
                f"{whole!r} adds a superposition to another norm. A superposition stands "
                f"alone, or with quadratic penalties (Ridge, TaskQuadratic)."
            )
        if part.is_positive:
            raise ValueError(
                f"{whole!r} adds {part!r} to another norm, which are solved one beside the "
                f"other: neither keeps the other's signs. Use one norm (SparseGroup) within "
                f"Positive, alone or with a ridge."
            )


def _merged(parts: list[Penalty]) -> list[Penalty]:
    """The parts, those that threshold entries and rows as one, with one that can add these.

    The merged one comes first.
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
    # Rounded as in SparseGroup(total, share), which then gives the same fit to the last digit.
    return [RowThresholds(total * share, total * (1 - share)), *others]


def _has_thresholds(part: Penalty) -> bool:
    """Whether it is the same norm of all rows and their entries, and nothing else."""
    thresholds = part.row_thresholds
    if thresholds is None or part.adds_row_norms:
        return False
    return all(np.ndim(threshold) == 0 for threshold in thresholds)


def _summed(parts: list[Penalty]) -> tuple[float, float]:
    """The thresholds of a sum of parts that have any."""
    pairs = [part.row_thresholds for part in parts]
    known = [pair for pair in pairs if pair is not None]
    return sum(float(a) for a, _ in known), sum(float(b) for _, b in known)
