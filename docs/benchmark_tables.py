"""The Sphinx directive ``benchmark``: what a benchmark printed, from docs/results/NAME.json.

``python -m benchmarks.record`` writes these files.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).parent / "results"


def restructured(text: str) -> str:
    """Markdown's inline code in reStructuredText."""
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text).replace("||", r"\|\|")


def table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """The lines of a list-table."""
    yield from (".. list-table::", "   :header-rows: 1", "")
    for row in [header, *rows]:
        for k, cell in enumerate(row):
            yield f"   {'* -' if k == 0 else '  -'} {restructured(cell)}".rstrip()
    yield ""


def lines(record: dict[str, Any]) -> Iterator[str]:
    """A record as reStructuredText: the command, then its tables and notes."""
    yield from (".. code-block:: shell", "", f"   {record['command']}", "")
    for block in record["report"]:
        if "title" in block:
            yield from (f".. rubric:: {restructured(block['title'])}", "")
        elif "table" in block:
            yield from table(block["header"], block["table"])
        elif "notes" in block:
            for note in block["notes"]:
                yield from (f"- {restructured(note)}", "")
        elif block["text"].endswith(":") or "\n" not in block["text"]:
            yield from (restructured(block["text"]), "")
        else:
            yield from (".. code-block:: text", "")
            yield from (f"   {line}" for line in block["text"].splitlines())
            yield ""
    if "date" in record:
        versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
        machine = f"{record['machine']}, {record['cores']} cores"
        yield from (f"*Run on {record['date']}, {machine}; {versions}.*", "")


class Benchmark(SphinxDirective):
    """``.. benchmark:: NAME``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Insert the record of that name."""
        path = RESULTS / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        node = nodes.container()
        self.state.nested_parse(StringList(list(lines(record)), source=str(path)), 0, node)
        return node.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("benchmark", Benchmark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
