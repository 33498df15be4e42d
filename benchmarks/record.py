"""Keep what a benchmark printed, for the documentation.

``python -m benchmarks.record NAME [OPTIONS]`` runs ``python -m benchmarks.NAME OPTIONS`` and writes
its tables and notes to docs/results/NAME.json, beside the command, the date and the versions.
``--as`` writes to a file of another name; ``--printed FILE`` keeps the output of an earlier run.
The pages of docs/benchmarks show these files.
"""

import json
import re
import shlex
import subprocess
import sys
from argparse import REMAINDER
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks._command import Command
from benchmarks._report import environment

RESULTS = Path(__file__).parents[1] / "docs" / "results"
Block = dict[str, Any]


def cells(line: str) -> list[str]:
    """The cells of one line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def blocks(text: str) -> list[Block]:
    """Split what a benchmark printed into titles, tables, notes and other text."""
    found: list[Block] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.splitlines()
        if lines[0].startswith("#"):
            found.append({"title": lines.pop(0).lstrip("# ")})
        if not lines:
            continue
        if lines[0].startswith("|"):
            header, _, *rows = map(cells, lines)
            found.append({"table": rows, "header": header})
        elif lines[0].startswith("- "):
            notes = re.split(r"\n(?=- )", "\n".join(lines))
            found.append({"notes": [" ".join(note[2:].split()) for note in notes]})
        else:
            found.append({"text": "\n".join(lines)})
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run a benchmark and keep what it printed."""
    parser = Command("record", __doc__)
    parser.add_argument("--as", dest="target", metavar="NAME")
    parser.add_argument("--printed", type=Path, metavar="FILE")
    parser.add_argument("name")
    parser.add_argument("options", nargs=REMAINDER)
    arguments = parser.read(argv)
    module = ["-m", f"benchmarks.{arguments.name}", *arguments.options]
    record: dict[str, Any] = {"command": shlex.join(["python", *module])}
    if arguments.printed is None:
        printed = subprocess.check_output([sys.executable, *module], text=True)
        record |= {"date": date.today().isoformat()} | environment()
    else:
        printed = arguments.printed.read_text(encoding="utf-8")
    record["report"] = blocks(printed)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{arguments.target or arguments.name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
