"""The compilation of kernels: on the first call, without the GIL, cached on disk."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, overload

from numba import njit

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])

# Sums may be reordered, so that they vectorise; NaN and infinity are handled as usual.
FAST = {"reassoc", "contract", "arcp", "nsz"}


def _can_cache() -> bool:
    """Whether numba can write next to the package, or in the user's home directory.

    numba looks for a folder as soon as a function is decorated.
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
        "directory is writable: each process will compile the kernels it uses, which takes 5 to "
        "13 seconds. Set the environment variable NUMBA_CACHE_DIR to a writable folder.",
        stacklevel=2,
    )


@overload
def kernel(function: _Kernel) -> _Kernel: ...
@overload
def kernel(*, fastmath: Any) -> Callable[[_Kernel], _Kernel]: ...
def kernel(function: Callable[..., Any] | None = None, *, fastmath: Any = False) -> Any:
    """Compile a function for each combination of argument types it is called with."""
    if function is None:
        return njit(cache=_CACHED, nogil=True, fastmath=fastmath)
    return njit(function, cache=_CACHED, nogil=True, fastmath=fastmath)
