"""Warnings that point at the user's line, however deep in the library they arise."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

# A warning's text and category.
Message = tuple[str, type[Warning]]

# scikit-learn calls the fits that its callbacks follow.
_INSIDE = ("skmtl.", "sklearn.callback.")

# The collected warnings of this thread; None if they are issued at once.
_gathered: ContextVar[list[Message] | None] = ContextVar("gathered", default=None)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first frame outside the library."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append((message, category))
        return
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def gather_warnings() -> Iterator[list[Message]]:
    """Collect this library's warnings instead of issuing them.

    ``warnings.catch_warnings`` changes the filters of the whole process, and leaves them changed
    if several threads use it at the same time.
    """
    gathered: list[Message] = []
    token = _gathered.set(gathered)
    try:
        yield gathered
    finally:
        _gathered.reset(token)


def forward(old: str, package: ModuleType, names: tuple[str, ...]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module that takes moved names from a package, with a warning."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        warn(
            f"{old} is internal and will be removed in the next release: its {name} is now in "
            f"{package.__name__}.",
            FutureWarning,
        )
        return getattr(package, name)

    return get
