"""The layers (floors) of skmtl's packages, and the imports between them.

``python docs/house.py`` draws them into CONTRIBUTING.md; tests/test_house.py enforces the rules.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "skmtl"
FILES = sorted(PACKAGE.rglob("*.py"))
DRAWING = ROOT / "CONTRIBUTING.md"

# From the lowest floor up. A package may import from lower floors, and from its own floor only if
# the pair is listed in SIBLINGS.
FLOORS = (
    (
        *("_numerics", "losses", "_folds", "_graphs", "_parallel", "_plotting", "_resampling"),
        *("_site", "_warnings"),
    ),
    ("design", "penalties"),
    ("solvers", "objective"),
    ("estimators", "preprocessing", "kernels", "metrics", "datasets", "io"),
    ("model_selection", "auxiliary", "funnel", "pretraining"),
    ("inspection", "reference"),
    ("inference", "onnx", "dask"),
    ("__init__", "warmup"),
)
SIBLINGS = {
    ("_parallel", "_warnings"),
    ("_graphs", "_numerics"),  # graphs of many tasks
    ("losses", "_site"),
    ("objective", "solvers"),  # the protocols that solvers require
    ("datasets", "preprocessing"),  # data in the stacked layout
    ("estimators", "metrics"),  # score
    ("auxiliary", "model_selection"),  # folds
    ("warmup", "__init__"),
}
# Former public modules, which forward to the new place of their contents with a warning.
MOVED = {"base", "certificate", "spectrum"}
# Solvers access data, losses and penalties only through the objective.
FORBIDDEN = {"solvers": {"losses", "design", "penalties"}}
# Modules that every file may import.
FREE = {"_version"}


def package_of(path: Path) -> str:
    """The top-level package or module of skmtl that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(package: str) -> int:
    """The index of a package's floor."""
    (floor,) = (k for k, packages in enumerate(FLOORS) if package in packages)
    return floor


@cache
def imports_of(path: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The modules of skmtl that a file imports, at any level, and the names imported from each."""
    return tuple(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skmtl":
            assert node.module is not None
            yield node.module, tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            names = (alias.name for alias in node.names)
            yield from ((name, ()) for name in names if name.split(".")[0] == "skmtl")


def packages_imported(path: Path) -> set[str]:
    """The other top-level packages of skmtl that a file imports."""
    found = set()
    for module, names in imports_of(path):
        parts = module.split(".")
        if len(parts) > 1:
            found.add(parts[1])
        else:
            inside = {name for name in names if _is_module(name)}
            found |= inside if inside and len(inside) == len(names) else inside | {"__init__"}
    return found - {package_of(path)} - FREE


def _is_module(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


def draw() -> str:
    """The floors from the top down: each package with its summary and its imports."""
    lines = []
    for floor in reversed(range(len(FLOORS))):
        lines.append(f"{floor}  {'─' * 96}")
        for package in FLOORS[floor]:
            known = set().union(*(packages_imported(p) for p in FILES if package_of(p) == package))
            below = sorted(known, key=lambda name: (-floor_of(name), name))
            name = "skmtl" if package == "__init__" else package
            lines.append(f"   {name:<16} {_summary(package)}")
            if below and package != "__init__":
                lines.append(f"   {'':<16} ← {', '.join(below)}")
    return "\n".join(lines)


def _summary(package: str) -> str:
    path = PACKAGE / package / "__init__.py"
    text = (path if path.exists() else PACKAGE / f"{package}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].split(": ``")[0].rstrip(".")


def drawn(text: str) -> str:
    """A text with the current drawing between its two markers."""
    before, rest = text.split("<!-- house -->\n")
    after = rest[rest.index("<!-- end -->") :]
    return f"{before}<!-- house -->\n```text\n{draw()}\n```\n{after}"


if __name__ == "__main__":
    DRAWING.write_text(drawn(DRAWING.read_text()))
