"""Rules for imports, import cost, typing and the length of functions."""

import ast
import importlib
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skmtl
from docs.house import (
    DRAWING,
    FILES,
    FORBIDDEN,
    FREE,
    MOVED,
    PACKAGE,
    SIBLINGS,
    drawn,
    floor_of,
    imports_of,
    package_of,
    packages_imported,
)

if not FILES:
    pytest.skip("reads the sources, which are not beside the tests", allow_module_level=True)

# Without parameters of type Any in the contract between them.
CORE = ("design", "penalties", "solvers", "objective")
CONTRACT = {"objective", "start", "point", "model", "penalty", "solver", "old", "new"}


each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))


@each_file
def test_imports_go_down(path):
    package = package_of(path)
    if package in MOVED | FREE:
        return
    for other in packages_imported(path):
        assert other not in FORBIDDEN.get(package, ()), f"{package} must not know {other}"
        lower = floor_of(other) < floor_of(package)
        assert lower or (package, other) in SIBLINGS, f"{package} must not import {other}"


@each_file
def test_other_packages_are_known_by_their_exports(path):
    if package_of(path) in MOVED:
        return
    for module, names in imports_of(path):
        parts = module.split(".")
        if parts[1:2] in ([], ["_version"], [package_of(path)]):
            continue
        assert len(parts) == 2, f"import from skmtl.{parts[1]}, not from {module}"
        exported = getattr(importlib.import_module(module), "__all__", None)
        for name in names:
            assert not name.startswith("_") if exported is None else name in exported, name


def test_drawing_is_current():
    text = DRAWING.read_text()
    assert drawn(text) == text, "regenerate it by python docs/house.py"


def test_imports_between_files_have_no_cycle():
    def name_of(path):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    modules = {name_of(path) for path in FILES}
    imports = {}
    for path in FILES:
        found = imports[name_of(path)] = set()
        for module, names in imports_of(path):
            # Names are either modules of the package or its exports.
            inside = {f"{module}.{name}" for name in names} & modules
            found |= inside or {module} & modules
        found.discard(name_of(path))
    # Raises CycleError, which names the cycle.
    tuple(TopologicalSorter(imports).static_order())


def test_core_is_typed():
    loose = []
    for path in FILES:
        if path.relative_to(PACKAGE).parts[0] in CORE:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.arg) and getattr(node.annotation, "id", None) == "Any":
                    loose.append((path.name, node.arg))
    # Other parameters may be Any: dense or sparse matrices, dtypes, cvxpy expressions.
    assert not [pair for pair in loose if pair[1] in CONTRACT]


def test_types_are_checked_strictly():
    with open(PACKAGE.parent / "pyproject.toml", "rb") as file:
        mypy = tomllib.load(file)["tool"]["mypy"]
    assert mypy["strict"] and mypy["packages"] == ["skmtl"]


@each_file
def test_functions_are_short(path):
    # Kernels call only kernels of the same file, and may be longer; a constructor has a line
    # for each parameter.
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
import skmtl.inspection, skmtl.model_selection, skmtl.onnx, skmtl.io, skmtl.dask
new = {name.split(".")[0] for name in set(sys.modules) - before}
optional = {"cvxpy", "dask", "distributed", "duckdb", "matplotlib", "onnx", "pandas", "polars"}
optional |= {"pyarrow", "skl2onnx"}
print(sorted(new & optional))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_public_names_have_docstrings_with_their_sections():
    for name in skmtl.__all__:
        if name[0].isupper():
            doc = getattr(skmtl, name).__doc__
            for section in ("math::", "Parameters\n", "Attributes\n", "Notes\n", "References\n"):
                assert section in doc, f"{name} lacks {section}"
            assert "doi.org" in doc
