"""Compose the docstring of a class from its own, those of its bases, and its parameters."""

import inspect
import re
from typing import Any

import numpy as np

# In the order in which they are shown.
_SECTIONS = (
    "Parameters",
    "Attributes",
    "Raises",
    "See Also",
    "Notes",
    "References",
    "Examples",
)
_OWN = "_own_doc"
# A class with this attribute replaces the notes of its bases by its own.
_REPLACES_NOTES = "_replaces_notes"


def keep_text(cls: type) -> None:
    """Store the own text of a class, which the docstrings of its subclasses include."""
    if cls.__doc__ is not None:  # python -OO drops it
        setattr(cls, _OWN, _split(inspect.cleandoc(cls.__doc__)))


def compose(cls: type, parameters: dict[str, tuple[str, Any, str]]) -> None:
    """Set the docstring of a class: its own text, and the sections of its bases.

    The summary and the examples are those of the class. Its description is followed by the
    descriptions of its bases, first that of the estimator in ``cls._plain``, which states the
    objective. Attributes are listed once, as described by the first class in the method resolution
    order.

    Parameters
    ----------
    cls : type
    parameters : dict of str to (type, default, text)
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
    """The texts of a class and its bases, except bases whose notes are replaced."""
    replaced = {
        behind
        for base in cls.__mro__
        if _REPLACES_NOTES in vars(base)
        for behind in base.__mro__[1:]
    }
    return [vars(base)[_OWN] for base in cls.__mro__ if _OWN in vars(base) and base not in replaced]


def _split(doc: str) -> dict[str, str]:
    """The sections of a docstring by title; the text before them has the empty title."""
    titles = "|".join(_SECTIONS)
    pieces = re.split(rf"(?m)^({titles})\n-+\n", doc)
    pairs = zip(pieces[1::2], pieces[2::2], strict=True)
    return {"": pieces[0].strip("\n"), **{title: text.strip("\n") for title, text in pairs}}


def _description(text: str) -> str:
    """The text after the summary line."""
    return text.partition("\n\n")[2]


def _entries(section: str) -> dict[str, str]:
    """The entries of a section, such as Attributes, by name."""
    entries = re.split(r"(?m)^(?=\S)", section)[1:] if section else []
    return {entry.split(" :")[0]: entry.rstrip("\n") for entry in entries}


def _titled(title: str, text: str) -> str:
    """A section with its title."""
    return f"{title}\n{'-' * len(title)}\n{text}"


def _indented(text: str) -> str:
    """A text indented by four spaces, except for empty lines."""
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))


def _shown(default: Any) -> str:
    """A default value as it appears in a docstring."""
    if isinstance(default, float) and 0 < default < 1e-2:
        return np.format_float_scientific(default, trim="-", exp_digits=1)
    return f'"{default}"' if isinstance(default, str) else repr(default)
