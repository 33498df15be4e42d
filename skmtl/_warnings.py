"""Warnings that point at the user's line, however deep in the library they arise."""

import sys
import warnings


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first frame outside the library."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("skmtl."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
