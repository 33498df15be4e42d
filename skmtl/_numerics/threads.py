"""One BLAS thread for small matrices, for which extra threads cost more than they save."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0
_first: Any = None
_controller: ThreadpoolController | None = None
_own = threading.local()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the context, and restore the former number afterwards.

    Some libraries store the number per Python thread, some per process. If several threads
    overlap, the last to leave restores the number that the first had found.
    """
    global _inside, _first, _controller
    with _lock:
        if _controller is None:
            # Finding the libraries takes longer than a small fit, so it is done only once.
            _controller = ThreadpoolController().select(user_api="blas")
        alone = _inside == 0 and all(each.num_threads == 1 for each in _controller.lib_controllers)
        if alone or getattr(_own, "inside", False):
            # Reading the number is almost free, setting it costs as much as a small product.
            own = None
        else:
            own = _controller.limit(limits=1, user_api="blas")
            if _inside == 0:
                _first = own
            _inside += 1
    if own is None:
        yield
        return
    _own.inside = True
    try:
        yield
    finally:
        _own.inside = False
        with _lock:
            _inside -= 1
            own.restore_original_limits()
            if _inside == 0:
                _first.restore_original_limits()
