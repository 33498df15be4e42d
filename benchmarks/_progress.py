"""A bar on stderr that shows how far a long benchmark is; nothing unless stderr is a terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, Self, TypeVar

Item = TypeVar("Item")


class ProgressBar:
    """A bar for ``total`` units of work, by tqdm or rich if one is installed, else in plain text.

    It is a context manager.
    """

    def __init__(self, total: int | None, name: str = "") -> None:
        self.total, self.name = total, name
        self.bar: Any = None
        if sys.stderr.isatty():
            self.bar = next(kind for kind in (_Tqdm, _Rich, _Plain) if kind.exists())(total, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, done: str = "") -> None:
        """Count a unit of work as done, and show its name."""
        if self.bar is not None:
            self.bar.advance(done)


def track(items: Iterable[Item], name: str = "", total: int | None = None) -> Iterator[Item]:
    """Yield the items, with a bar that counts those done."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)
    with ProgressBar(total, name) as bar:
        for item in items:
            yield item
            bar.advance()


class _Tqdm:
    def __init__(self, total: int | None, name: str) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc=name or None, dynamic_ncols=True, leave=False)

    @staticmethod
    def exists() -> bool:
        return find_spec("tqdm") is not None

    def advance(self, done: str) -> None:
        self.bar.set_postfix_str(done, refresh=False)
        self.bar.update()

    def close(self) -> None:
        self.bar.close()


class _Rich:
    def __init__(self, total: int | None, name: str) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self.name = name
        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task(name, total=total)
        self.bar.start()

    @staticmethod
    def exists() -> bool:
        return find_spec("rich") is not None

    def advance(self, done: str) -> None:
        self.bar.update(self.task, advance=1, description=f"{self.name} {done}".strip())

    def close(self) -> None:
        self.bar.stop()


class _Plain:
    def __init__(self, total: int | None, name: str) -> None:
        self.total, self.name, self.n_done, self.width = total, name, 0, 0
        self.start = time.perf_counter()

    @staticmethod
    def exists() -> bool:
        return True

    def advance(self, done: str) -> None:
        self.n_done += 1
        count = f"{self.n_done}" if self.total is None else f"{self.n_done}/{self.total}"
        seconds = time.perf_counter() - self.start
        line = " ".join(part for part in (self.name, f"{count}, {seconds:.0f} s", done) if part)
        # Spaces cover the rest of a longer line.
        sys.stderr.write(f"\r{line:<{self.width}}")
        sys.stderr.flush()
        self.width = len(line)

    def close(self) -> None:
        sys.stderr.write(f"\r{'':<{self.width}}\r")
        sys.stderr.flush()
