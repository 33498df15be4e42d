"""How kernels are compiled: when first called, without the interpreter's lock, kept on disk."""

import warnings
from collections.abc import Callable
from typing import Any

from numba import njit

# Sums in any order, so that they vectorise; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "arcp", "nsz"}


def _finds_folder() -> bool:
    """Whether numba can write beside the package, or in the user's home.

    It looks as soon as a function is declared; compiled code is kept by the function's file.
    """
    try:
        njit(cache=True)(lambda: None)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return False
    return True


_KEPT = _finds_folder()
if not _KEPT:
    warnings.warn(
        "skmtl finds no folder in which to keep compiled code, neither beside the package nor in "
        "the user's home: each process will compile what it uses, for 5 to 13 seconds. Set the "
        "environment variable NUMBA_CACHE_DIR to a folder that can be written to.",
        stacklevel=2,
    )


def kernel(function: Callable[..., Any] | None = None, *, fastmath: Any = False) -> Any:
    """Compile a function for each combination of argument types it is called with."""
    if function is None:
        return lambda declared: kernel(declared, fastmath=fastmath)
    return njit(function, cache=_KEPT, nogil=True, fastmath=fastmath)
