"""Sphinx extension for the pages of the API reference, one for each class and function.

It shows the constructors' parameters as signatures, and tells the template of a class,
``_templates/autosummary/class.rst``, which methods and properties to print below the docstring.
"""

import functools
import importlib
import inspect
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.inspect import safe_getattr
from sphinx.util.inspect import stringify_signature as as_text

# A link to a label, with or without a text of its own.
_LABEL = re.compile(r":ref:`(?:([^`<]*[^`<\s])\s*<[^`]*>|([^`<]*))`")


def methods_of(fullname: str) -> list[str]:
    """The names of the public methods of a class, inherited ones too."""
    cls = _find(fullname)
    return [
        name
        for name in sorted(dir(cls))
        if not name.startswith("_")
        and not name.endswith("_request")
        and inspect.isroutine(safe_getattr(cls, name, None))
        and not _is_builtin(cls, name)
    ]


def _find(fullname: str) -> type:
    module, _, name = fullname.rpartition(".")
    cls: type = getattr(importlib.import_module(module), name)
    return cls


def _is_builtin(cls: type, name: str) -> bool:
    """Whether a method is that of a tuple or another built-in type."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__module__ == "builtins"


def properties_of(fullname: str) -> list[str]:
    """The names of the public properties of a class that its docstring does not describe."""
    cls = _find(fullname)
    doc = inspect.getdoc(cls) or ""
    return [
        name
        for name in sorted(dir(cls))
        if not name.startswith("_")
        and isinstance(inspect.getattr_static(cls, name), property | functools.cached_property)
        and f"{name} : " not in doc
        and f"{name}, " not in doc
    ]


def _sign(app: Sphinx, what: str, name: str, obj: Any, *_: Any) -> tuple[str, None] | None:
    """The signature of a class: that of its ``__init__``, not of a ``__new__`` of its bases."""
    if what != "class" or not isinstance(obj, type):
        return None
    try:
        signature = inspect.signature(obj)
    except (TypeError, ValueError):
        return None
    return as_text(signature, show_annotation=False, show_return_annotation=False), None


def _unlink(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace links to labels of scikit-learn's documentation by their texts."""
    if getattr(obj, "__module__", "").startswith("sklearn."):
        lines[:] = [_LABEL.sub(lambda found: found[1] or found[2], line) for line in lines]


def _inform(app: Sphinx, config: Any) -> None:
    config.autosummary_context = {"methods_of": methods_of, "properties_of": properties_of}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("config-inited", _inform)
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-process-docstring", _unlink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
