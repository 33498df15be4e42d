"""Rules for imports, import cost, typing and the length of functions."""

import ast
import importlib
import importlib.metadata
import os
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


def test_imports_go_down():
    wrong = []
    for path in FILES:
        package = package_of(path)
        for other in set() if package in MOVED | FREE else packages_imported(path):
            lower = floor_of(other) < floor_of(package) or (package, other) in SIBLINGS
            if not lower or other in FORBIDDEN.get(package, ()):
                wrong.append(f"{path}: {package} must not import {other}")
    assert not wrong


def test_other_packages_are_known_by_their_exports():
    wrong = []
    for path in FILES:
        for module, names in [] if package_of(path) in MOVED else imports_of(path):
            parts = module.split(".")
            if parts[1:2] in ([], ["_version"], [package_of(path)]):
                continue
            if len(parts) != 2:
                wrong.append(f"{path}: import from skmtl.{parts[1]}, not from {module}")
            exported = getattr(importlib.import_module(module), "__all__", None)
            for name in names:
                if name.startswith("_") if exported is None else name not in exported:
                    wrong.append(f"{path}: {module} does not export {name}")
    assert not wrong


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


def test_functions_are_short():
    # Kernels call only kernels of the same file, and may be longer; a constructor has a line
    # for each parameter.
    long = []
    for path in (path for path in FILES if "_numerics" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name != "__init__":
                documented = len((ast.get_docstring(node) or "").splitlines())
                length = node.end_lineno - node.lineno + 1 - documented
                if length > 60:
                    long.append(f"{path}: {node.name} has {length} lines")
    assert not long


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


def test_is_imported_beside_a_directory_of_its_name(tmp_path):
    # Such as a checkout: Python takes any directory for a package if it finds no other.
    try:
        importlib.metadata.distribution("skmtl")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs skmtl to be installed: pip install -e .")
    (tmp_path / "skmtl" / "skmtl").mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text("from importlib.util import find_spec\nprint(find_spec('skmtl').origin)\n")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(script)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert out.returncode == 0, out.stderr
    assert out.stdout.strip().endswith("__init__.py")


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
