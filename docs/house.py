"""The layers (floors) of skmtl's packages, and the imports between them.

``python docs/house.py`` draws them into CONTRIBUTING.md, and ``developer/house.rst`` shows them as
an SVG; tests/test_house.py enforces the rules.
"""

import ast
import math
from collections.abc import Iterator
from functools import cache
from html import escape
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
        *("_site", "_variance_prior", "_warnings"),
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


def known_to(package: str) -> list[str]:
    """The packages that a package imports, from the highest floor down."""
    known = set().union(*(packages_imported(p) for p in FILES if package_of(p) == package))
    return sorted(known, key=lambda name: (-floor_of(name), name))


def draw() -> str:
    """The floors from the top down: each package with its summary and its imports."""
    lines = []
    for floor in reversed(range(len(FLOORS))):
        lines.append(f"{floor}  {'─' * 96}")
        for package in FLOORS[floor]:
            below = known_to(package)
            name = "skmtl" if package == "__init__" else package
            lines.append(f"   {name:<16} {_summary(package)}")
            if below and package != "__init__":
                lines.append(f"   {'':<16} ← {', '.join(below)}")
    return "\n".join(lines)


def _summary(package: str) -> str:
    path = PACKAGE / package / "__init__.py"
    text = (path if path.exists() else PACKAGE / f"{package}.py").read_text()
    return (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].split(": ``")[0].rstrip(".")


# The drawing as an SVG, in its units.
_WIDTH, _MARGIN, _BOX_WIDTH, _BOX_HEIGHT, _ROW, _PER_ROW = 764, 28, 116, 30, 62, 6
STYLE = """
.house { overflow-x: auto; margin: 1rem 0; }
.house svg { width: 100%; min-width: 600px; height: auto; font-size: 12px; }
.house text { fill: var(--pst-color-text-base, currentColor); text-anchor: middle;
  dominant-baseline: central; font-family: var(--pst-font-family-monospace, monospace); }
.house rect { fill: var(--pst-color-surface, none); stroke: var(--pst-color-border, currentColor); }
.house .floor { stroke: var(--pst-color-border, currentColor); stroke-opacity: 0.5; }
.house .import { fill: none; stroke: var(--pst-color-text-muted, currentColor);
  stroke-opacity: 0.16; }
.house g:hover .import { stroke: var(--pst-color-primary, currentColor); stroke-opacity: 1;
  stroke-width: 1.5; }
.house g:hover rect { stroke: var(--pst-color-primary, currentColor); stroke-width: 2; }
"""


def _positions() -> tuple[dict[str, tuple[float, float]], list[float], float]:
    """The centre of each package's box, the top of each floor from the highest, and the height."""
    places, tops, y = {}, [], 0.0
    for packages in reversed(FLOORS):
        tops.append(y)
        for k in range(math.ceil(len(packages) / _PER_ROW)):
            row = packages[k * _PER_ROW : (k + 1) * _PER_ROW]
            pitch = (_WIDTH - _MARGIN) / len(row)
            for j, package in enumerate(row):
                places[package] = _MARGIN + pitch * (j + 0.5), y + _ROW / 2
            y += _ROW
    return places, tops, y


def draw_svg() -> str:
    """The floors as an SVG with a style: each package's box, and lines to those that it imports."""
    places, tops, height = _positions()
    parts = []
    for k, top in enumerate(tops):
        if k:
            parts.append(f'<path class="floor" d="M 0 {top:g} H {_WIDTH}"/>')
        parts.append(f'<text x="10" y="{top + _ROW / 2:g}">{len(tops) - 1 - k}</text>')
    for package, (x, y) in places.items():
        known = [] if package == "__init__" else known_to(package)
        lines = ""
        for other in known:
            u, v = places[other]
            # From below the box to above the other, or around it on the same floor.
            start, end = (y + _BOX_HEIGHT / 2, v - _BOX_HEIGHT / 2) if v > y else (y, v)
            bend = (start + end) / 2
            lines += (
                f'<path class="import" d="M {x:g} {start:g} C {x:g} {bend:g} {u:g} {bend:g} '
                f'{u:g} {end:g}"/>'
            )
        name = "skmtl" if package == "__init__" else package
        text = f"{_summary(package)}\nimports {', '.join(known)}" if known else _summary(package)
        parts.append(
            f"<g><title>{escape(text)}</title>{lines}"
            f'<rect x="{x - _BOX_WIDTH / 2:g}" y="{y - _BOX_HEIGHT / 2:g}" width="{_BOX_WIDTH}" '
            f'height="{_BOX_HEIGHT}" rx="5"/><text x="{x:g}" y="{y:g}">{name}</text></g>'
        )
    described = "The packages of skmtl on their floors, and the imports between them"
    return (
        f'<style>{STYLE}</style><div class="house"><svg viewBox="0 0 {_WIDTH} {height:g}" '
        f'xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{described}">'
        f"{''.join(parts)}</svg></div>"
    )


def table() -> str:
    """The floors as a table in reStructuredText, from the top down."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 6 18 46 30", ""]
    rows = [("Floor", "Package", "What it holds", "Imports")]
    for floor in reversed(range(len(FLOORS))):
        for package in FLOORS[floor]:
            name = "skmtl" if package == "__init__" else package
            known = [] if package == "__init__" else known_to(package)
            names = ", ".join(f"``{other}``" for other in known)
            rows.append((str(floor), f"``{name}``", _summary(package), names))
    for row in rows:
        for k, cell in enumerate(row):
            lines.append(f"   {'*' if k == 0 else ' '} - {cell}".rstrip())
    return "\n".join(lines) + "\n"


def drawn(text: str) -> str:
    """A text with the current drawing between its two markers."""
    before, rest = text.split("<!-- house -->\n")
    after = rest[rest.index("<!-- end -->") :]
    return f"{before}<!-- house -->\n```text\n{draw()}\n```\n{after}"


if __name__ == "__main__":
    DRAWING.write_text(drawn(DRAWING.read_text()))
