"""What a search over structures has found, in sentences."""

from collections.abc import Sequence

import numpy as np

from skmtl.model_selection._structure_results import Difference, NestedEstimate, StructureResults

_BASELINE_TEXTS = {"independent": "separate models", "pooled": "one pooled model"}


def report(results: StructureResults, nested: NestedEstimate | None) -> str:
    """What was found, in plain sentences."""
    sentences = [_gain(results, nested), _best(results)]
    if results.selected != results.best:
        sentences.append(
            f"The refitted structure is {results.selected}, the simplest within one standard error "
            f"of the best."
        )
    dropped = [row.structure for row in results.structures if not row.is_complete]
    if dropped:
        sentences.append(
            f"To keep to the budget, {_listed(dropped)} {'was' if len(dropped) == 1 else 'were'} "
            f"dropped after rounds with only part of the training rows."
        )
    if nested is not None:
        counts = {name: nested.selected.count(name) for name in dict.fromkeys(nested.selected)}
        chosen = ", ".join(f"{name} {count}x" for name, count in counts.items())
        sentences.append(
            f"The gain is that of nested cross-validation: in each of {len(nested.scores)} outer "
            f"folds the search selected a structure and a baseline from the training rows alone "
            f"({chosen})."
        )
    elif results.selected not in _BASELINE_TEXTS:
        sentences.append(
            "The gain is from the folds that selected the structure and its strengths, and is "
            "optimistic; nested=True estimates it on rows that took no part in the selection."
        )
    return " ".join(sentences)


def baseline_text(results: StructureResults, name: str) -> str:
    """A baseline in a sentence. That of a single task is a structure like the others."""
    return f"the {name} structure" if results.single else _BASELINE_TEXTS[name]


def _gain(results: StructureResults, nested: NestedEstimate | None) -> str:
    """The sentence on the difference from the better baseline."""
    what = "sharing"
    if nested is not None:
        names = [baseline_text(results, name) for name in dict.fromkeys(nested.baselines)]
        gain, relative, against = nested.difference, nested.relative, " or ".join(names)
        what = "the search" if results.single else what
    elif results.selected in _BASELINE_TEXTS:
        return _no_gain(results)
    else:
        gain, relative = results.difference(results.selected), results.relative(results.selected)
        against = baseline_text(results, results.baseline)
        what = f"the {results.selected} structure" if results.single else what
    if gain.mean == 0 and not gain.se > 0:
        return f"With {what} the {results.error or 'score'} equals that of {against}."
    text = f"{what[0].upper()}{what[1:]} {_size(gain, relative, results.error)} against {against}"
    if np.isnan(gain.se):
        text += "; a single fold gives no interval"
    elif not gain.is_clear:
        text += ", which is not distinguishable from no change"
        if nested is None and not _is_any_better(results):
            text += ": no structure is better by more than its interval"
    return f"{text}."


def _is_any_better(results: StructureResults) -> bool:
    """Whether a structure is better than the better baseline by more than its interval."""
    rows = [row for row in results.structures if row.is_complete and row.eligible]
    return any(results.difference(row.structure).low > 0 for row in rows)


def _size(gain: Difference, relative: Difference, error: str | None) -> str:
    """For example "lowers the mean squared error by 4.1% [2.0, 6.2]"."""
    in_percent = error is not None and not np.isnan(relative.mean)
    shown, rule = (relative / 0.01, ".1f") if in_percent else (gain, ".3g")
    better = gain.mean >= 0
    verb = "lowers" if better == (error is not None) else "raises"
    text = f"{verb} the {error or 'score'} by {abs(shown.mean):{rule}}{'%' if in_percent else ''}"
    ends = (shown.low, shown.high) if better else (-shown.high, -shown.low)
    return text if np.isnan(gain.se) else f"{text} [{ends[0]:{rule}}, {ends[1]:{rule}}]"


def _no_gain(results: StructureResults) -> str:
    """The sentence for a search that has selected a baseline."""
    selected = baseline_text(results, results.selected)
    if results.best == results.selected:
        return f"No structure has a better score than {selected}."
    text = f"No structure is better than {selected} by more than one standard error"
    if results.best == results.baseline:
        return f"{text}."
    size = _size(results.difference(results.best), results.relative(results.best), results.error)
    return f"{text}: the best {size} against {baseline_text(results, results.baseline)}."


def _best(results: StructureResults) -> str:
    """The sentence on the best structure and its ties."""
    ties = results.ties
    text = f"The best score is that of {results.best}"
    if np.isnan(results.difference(results.best).se):
        return f"{text}."
    if not ties:
        others = sum(row.is_complete and row.eligible for row in results.structures) - 1
        return f"{text}{', clearly ahead of all others' if others else ''}."
    return f"{text}, not distinguishable from {_listed(ties)}."


def _listed(names: Sequence[str]) -> str:
    """The names as a phrase: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
