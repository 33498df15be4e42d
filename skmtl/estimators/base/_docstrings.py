"""A class's docstring from its own text, its bases' and its parameters'."""

import inspect
import re
from typing import Any

import numpy as np

# In the order in which they are shown.
_SECTIONS = (
    "Parameters",
    "Attributes",
    "Raises",
    "Notes",
    "References",
    "See Also",
    "Examples",
)
_OWN = "_own_doc"
# A class attribute: the notes of a class hold in place of those of its own bases.
_REPLACES_NOTES = "_replaces_notes"


def keep_text(cls: type) -> None:
    """Keep a class's own text, for those of the classes that are derived from it."""
    if cls.__doc__ is not None:  # python -OO drops it
        setattr(cls, _OWN, _split(inspect.cleandoc(cls.__doc__)))


def compose(cls: type, parameters: dict[str, tuple[str, Any, str]]) -> None:
    """Set a class's docstring: its own text, kept before, with what its bases say in each section.

    A class's summary and its examples are its own. Its description is followed by those of its
    bases, that of the estimator in ``cls._plain``, which states the objective, first. Attributes
    are listed once, as described by the class nearest in the method resolution order.

    Parameters
    ----------
    cls : type
    parameters : dict of str to (kind, default, text)
    """
    if cls.__doc__ is None:
        return
    known = [vars(base)[_OWN] for base in cls.__mro__ if _OWN in vars(base)]
    own, bases = known[0], known[1:]
    plain = vars(getattr(cls, "_plain", object)).get(_OWN)
    described = sorted(reversed(bases), key=lambda base: base is not plain)
    parts = {"": "\n\n".join([own[""], *(_description(base[""]) for base in described)])}
    parts["Parameters"] = "\n".join(
        f"{name} : {kind}, default={_shown(default)}\n{_indented(text)}"
        for name, (kind, default, text) in parameters.items()
    )
    attributes: dict[str, str] = {}
    for part in reversed(known):
        attributes |= _entries(part.get("Attributes", ""))
    parts["Attributes"] = "\n".join(attributes.values())
    notes = _texts_with_notes(cls)
    for title, order in (("Raises", known), ("Notes", notes), ("References", [*bases, own])):
        parts[title] = "\n\n".join(part[title] for part in order if title in part)
    for title in ("See Also", "Examples"):
        parts[title] = own.get(title, "")
    parts[""] = re.sub(r"\n{3,}", "\n\n", parts[""]).rstrip()
    text = [parts[""], *(_titled(title, parts[title]) for title in _SECTIONS if parts[title])]
    cls.__doc__ = "\n\n".join(text) + "\n"


def _texts_with_notes(cls: type) -> list[dict[str, str]]:
    """The texts of a class and its bases, without those whose notes another class replaces."""
    replaced = {
        behind
        for base in cls.__mro__
        if _REPLACES_NOTES in vars(base)
        for behind in base.__mro__[1:]
    }
    return [vars(base)[_OWN] for base in cls.__mro__ if _OWN in vars(base) and base not in replaced]


def _split(doc: str) -> dict[str, str]:
    """The sections of a docstring by title, what precedes them by the empty string."""
    titles = "|".join(_SECTIONS)
    pieces = re.split(rf"(?m)^({titles})\n-+\n", doc)
    pairs = zip(pieces[1::2], pieces[2::2], strict=True)
    return {"": pieces[0].strip("\n"), **{title: text.strip("\n") for title, text in pairs}}


def _description(text: str) -> str:
    """What follows the summary line."""
    return text.partition("\n\n")[2]


def _entries(section: str) -> dict[str, str]:
    """The entries of a section of names by name, each with its text."""
    entries = re.split(r"(?m)^(?=\S)", section)[1:] if section else []
    return {entry.split(" :")[0]: entry.rstrip("\n") for entry in entries}


def _titled(title: str, text: str) -> str:
    return f"{title}\n{'-' * len(title)}\n{text}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))


def _shown(default: Any) -> str:
    """A default as a docstring writes it."""
    if isinstance(default, float) and 0 < default < 1e-2:
        return np.format_float_scientific(default, trim="-", exp_digits=1)
    return f'"{default}"' if isinstance(default, str) else repr(default)
