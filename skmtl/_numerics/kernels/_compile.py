"""How kernels are compiled: on the first call, releasing the GIL, cached on disk."""

import warnings
from collections.abc import Callable
from typing import Any

from numba import njit

# Sums in any order, so that they vectorise; NaN and infinity keep their meaning.
FAST = {"reassoc", "contract", "arcp", "nsz"}


def _can_cache() -> bool:
    """Whether numba can write next to the package, or in the user's home directory.

    It looks for a folder as soon as a function is decorated.
    """
    try:
        njit(cache=True)(lambda: None)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return False
    return True


_CACHED = _can_cache()
if not _CACHED:
    warnings.warn(
        "skmtl cannot cache compiled code, because neither its own folder nor the user's home "
        "directory is writable: each process will compile what it uses, which takes 5 to 13 "
        "seconds. Set the environment variable NUMBA_CACHE_DIR to a writable folder.",
        stacklevel=2,
    )


def kernel(function: Callable[..., Any] | None = None, *, fastmath: Any = False) -> Any:
    """Compile a function for each combination of argument types it is called with."""
    if function is None:
        return lambda declared: kernel(declared, fastmath=fastmath)
    return njit(function, cache=_CACHED, nogil=True, fastmath=fastmath)
