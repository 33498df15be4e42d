"""One BLAS thread while small matrices are worked on: a second costs more than it brings."""

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
    """Limit BLAS to one thread; afterwards it has as many as before.

    Some libraries keep the number for each thread of Python, some for the process. Where several
    threads overlap, the last to leave brings back what the first had found.
    """
    global _inside, _first, _controller
    with _lock:
        if _controller is None:
            # It looks for the libraries, which takes longer than a small fit.
            _controller = ThreadpoolController().select(user_api="blas")
        alone = _inside == 0 and all(each.num_threads == 1 for each in _controller.lib_controllers)
        if alone or getattr(_own, "inside", False):
            own = None  # asking costs next to nothing, setting as much as a small product
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
