"""The command-line options that benchmarks have in common, declared and checked once."""

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib

_COMMON: dict[str, dict[str, Any]] = {
    "data-home": {"type": Path, "metavar": "DIR", "help": "folder with the data"},
    "jobs": {
        "type": int,
        "metavar": "N",
        "default": joblib.cpu_count(),
        "help": "number of processes (default: all cores)",
    },
    "json": {"type": Path, "metavar": "FILE", "help": "write the raw numbers"},
    "plot": {"type": Path, "metavar": "FILE", "help": "draw a figure in this file's format"},
    "quick": {"action": "store_true"},
    "repeats": {"type": int, "metavar": "N"},
    "seeds": {"type": int, "metavar": "N"},
}


def data_home() -> Path:
    """The folder with the real data: SKMTL_DATA, or ../shared/data beside the repository."""
    return Path(os.environ.get("SKMTL_DATA") or Path(__file__).parents[2] / "shared" / "data")


class Command(argparse.ArgumentParser):
    """The parser of ``python -m benchmarks.NAME``, to which a script adds its own options.

    Parameters
    ----------
    name : str
    doc : str or None
        The script's docstring.
    """

    def __init__(self, name: str, doc: str | None) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(f"python -m benchmarks.{name}", description=doc, formatter_class=formatter)

    def common(self, *names: str, **changes: Any) -> None:
        """Add common options; ``changes`` replaces their default, help or other settings."""
        for name in names:
            options = _COMMON[name] | changes
            if name == "data-home":
                options.setdefault("default", data_home())
            self.add_argument(f"--{name}", **options)

    def read(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Parse the command line, and reject arguments that would only fail after a long run."""
        arguments = self.parse_args(argv)
        given = {name: value for name, value in vars(arguments).items() if value is not None}
        for name in ("jobs", "repeats", "seeds"):
            if given.get(name, 1) < 1:
                self.error(f"--{name} must be at least 1, got {given[name]}")
        for name in ("json", "plot"):
            if name in given and not given[name].resolve().parent.is_dir():
                self.error(f"--{name}: there is no folder {given[name].parent}")
        if "plot" in given:
            if find_spec("matplotlib") is None:
                self.error('--plot needs matplotlib: pip install "skmtl[plot]"')
            from benchmarks._plots import check_format

            if wrong := check_format(arguments.plot):
                self.error(f"--plot: {wrong}")
        return arguments
