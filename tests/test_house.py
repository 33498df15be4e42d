"""The house: which module may import which, what an import costs, how long functions may be."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skmtl

PACKAGE = Path(skmtl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Each floor may import from those below it, never from its own siblings unless listed.
FLOORS = [
    {"_version", "_numerics", "losses", "_folds", "_graphs", "_parallel", "_warnings"},
    {"design", "penalties"},
    {"solvers", "objective"},
    {"estimators", "preprocessing", "kernels", "metrics", "datasets"},
    {"model_selection"},
    {"inspection", "reference"},
    {"warmup", "spectrum", "certificate"},  # the latter two have moved, and warn
]
SIBLINGS = {
    ("_parallel", "_warnings"),
    ("datasets", "preprocessing"),  # data in the stacked layout
    ("estimators", "metrics"),  # score
}
# Solvers see an objective only, by what they ask of it.
FORBIDDEN = {"solvers": {"losses", "design", "penalties"}}

# What these export is for the packages above them; the others' exports are the user's.
INTERNAL = {"_numerics", "design", "objective", "solvers"}


def _imports(path):
    """The modules of skmtl that a file imports at any depth, by their first name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skmtl":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("skmtl.")}
    return found


def _level(module):
    (level,) = [k for k, floor in enumerate(FLOORS) if module in floor]
    return level


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if module == "__init__":
        return
    for other in _imports(path) - {module}:
        assert other not in FORBIDDEN.get(module, set()), f"{module} must not know {other}"
        lower = _level(other) < _level(module)
        assert lower or (module, other) in SIBLINGS, f"{module} must not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_other_packages_are_known_by_their_exports(path):
    module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for node in ast.walk(ast.parse(path.read_text())):
        parts = (getattr(node, "module", None) or "").split(".")
        if isinstance(node, ast.ImportFrom) and parts[0] == "skmtl" and len(parts) > 2:
            assert parts[1] not in INTERNAL - {module}, f"import from {parts[0]}.{parts[1]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_functions_are_short(path):
    # A kernel calls kernels of its own file alone, which keeps more of them together; a
    # constructor has a line for each parameter.
    if "_numerics" in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            documented = len((ast.get_docstring(node) or "").splitlines())
            length = node.end_lineno - node.lineno + 1 - documented
            assert length <= 60, f"{node.name}: {length} lines"


def test_numba_lives_in_kernels_alone():
    for path in FILES:
        if "_numerics" not in path.parts:
            assert "numba" not in {
                name.split(".")[0]
                for node in ast.walk(ast.parse(path.read_text()))
                for name in (
                    [a.name for a in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
            }


def test_tests_mirror_the_package():
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    for package in (path.parent for path in PACKAGE.glob("*/__init__.py")):
        assert package.name.lstrip("_") in folders, f"tests lack a folder for {package.name}"


def test_import_brings_no_optional_package():
    code = """
import sys
import sklearn.linear_model, numba
before = set(sys.modules)
import skmtl, skmtl.reference, skmtl.datasets, skmtl.metrics, skmtl.preprocessing
import skmtl.inspection, skmtl.model_selection
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(new & {"cvxpy", "matplotlib", "pandas", "polars"}))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_public_names_have_docstrings_with_their_sections():
    for name in skmtl.__all__:
        if name[0].isupper():
            doc = getattr(skmtl, name).__doc__
            for section in ("math::", "Parameters\n", "Attributes\n", "Notes\n", "References\n"):
                assert section in doc, f"{name} lacks {section}"
            left = re.findall(r"\{(?:common|attributes|notes|symbols|class\w*|one_class)\}", doc)
            assert not left
            assert "doi.org" in doc
