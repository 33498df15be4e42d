"""The docstrings of the documented classes and functions, checked by numpydoc."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

numpydoc = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed")

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api" / "index.rst"
NAMES = sorted(set(re.findall(r"^   (skmtl\.[\w.]+)$", PAGE.read_text(), re.MULTILINE)))

# numpydoc's codes for what every docstring must satisfy: the layout, known sections in their order
# (GL), a summary of one line that ends with a period (SS), and parameters that exist, in the order
# of the signature, with types that numpydoc can read (PR). Not selected: a line break before the
# summary (GL01), sentences without a verb, or that begin with a symbol (SS02, SS05, PR08, RT04),
# parameters whose type says all, such as X and y (PR07), named return values (RT02), and extended
# summaries, cross references and examples where there is nothing to add (ES01, SA01, EX01).
LAYOUT = {
    *("GL02", "GL03", "GL05", "GL06", "GL07", "GL09", "GL10"),
    *("SS01", "SS03", "SS04", "SS06", "SA02", "SA03"),
    *("PR02", "PR03", "PR05", "PR06", "PR10"),
}
# The docstring exists, and describes all parameters with their types, and what is returned.
CONTENT = {"GL08", "PR01", "PR04", "RT01", "YD01"}
# Methods of these implement the protocols that their base classes document.
PROTOCOLS = ("skmtl.losses.", "skmtl.penalties.", "skmtl.solvers.")
# Bases of users' own losses and penalties: CONTRIBUTING.md and the developer guide derive classes.
ABSTRACT = {"skmtl.losses.Loss", "skmtl.penalties.Penalty", "skmtl.penalties.Quadratic"}


def load(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def is_result(cls):
    """Whether the class holds what a function returns; its attributes may be documented instead."""
    if hasattr(cls, "_fields"):
        return True
    return hasattr(cls, "__dataclass_fields__") and "Attributes\n---" in inspect.getdoc(cls)


def methods(name, cls):
    """The names of the public methods and properties that skmtl defines, for numpydoc."""
    for attribute in dir(cls):
        found = inspect.getattr_static(cls, attribute)
        defined = getattr(found, "fget", None) or getattr(found, "__func__", found)
        if attribute.startswith("_") or not inspect.isfunction(defined):
            continue
        if defined.__module__.startswith("skmtl"):
            yield f"{name}.{attribute}", defined, found


def problems(name, codes):
    """The complaints of numpydoc with one of the codes."""
    found = numpydoc.validate(name)["errors"]
    return [f"{name}: {code} {text}" for code, text in found if code in codes]


def test_classes_and_functions():
    found = []
    for name in NAMES:
        codes = LAYOUT | CONTENT | {"EX01"}
        # Fits construct solvers, which users select by name, and functions return results.
        if name.startswith("skmtl.solvers.") or is_result(load(name)):
            codes -= {"EX01", "PR01"}
        if name in ABSTRACT:
            codes -= {"EX01"}
        found += problems(name, codes)
    assert not found, "\n".join(found)


def test_methods():
    found = []
    for name in (name for name in NAMES if inspect.isclass(load(name))):
        for method, function, attribute in methods(name, load(name)):
            codes = LAYOUT | CONTENT
            if isinstance(attribute, property):
                codes = LAYOUT | {"GL08"}
            if name.startswith(PROTOCOLS):
                codes = LAYOUT if function.__doc__ else set()
            found += problems(method, codes)
    assert not found, "\n".join(found)
