"""Doctests of the pages that need other packages, marked by ``+NEEDS_CELER`` and so on.

An example with such a flag is skipped if the package is not installed.
"""

import doctest
from importlib.metadata import PackageNotFoundError, version

import pytest

_PACKAGES = ("adelie", "celer", "mutar", "skglm")
_FLAGS = {name: doctest.register_optionflag(f"NEEDS_{name.upper()}") for name in _PACKAGES}


def _works(name: str) -> bool:
    """Whether a package is installed, and for adelie a NumPy that it supports."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return name != "adelie" or version("numpy").startswith("1.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the examples whose package is missing."""
    missing = [flag for name, flag in _FLAGS.items() if not _works(name)]
    for item in items:
        for example in getattr(getattr(item, "dtest", None), "examples", ()):
            if any(example.options.get(flag) for flag in missing):
                example.options[doctest.SKIP] = True
