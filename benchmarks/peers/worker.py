"""One peer in its own process, which reads commands from its standard input.

``python -m benchmarks.peers.worker PEER THREADS``. Only the standard library is imported before the
peer, so that the timed import of the peer includes all its dependencies. Messages in both
directions are pickles of built-in types, with arrays as the bytes of .npy files, since the two
processes may use different releases of NumPy.
"""

import gc
import io
import os
import pickle
import resource
import statistics
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.peers.solvers import PEERS

# Short runs are repeated within the process, and their median is reported, because the first run
# after a pause has cold caches.
_MOST_RUNS = 15


def main() -> None:
    """Import the peer, report it, and answer commands until the input ends."""
    commands, replies = sys.stdin.buffer, _private_output()
    threads = int(sys.argv[2])
    start = time.perf_counter()
    try:
        peer = PEERS[sys.argv[1]]
        solver = peer.solver()
    except Exception as error:  # a package built for another NumPy may raise any error
        _send(replies, {"missing": f"{type(error).__name__}: {error}"})
        return
    seconds = time.perf_counter() - start
    _send(replies, {"import_seconds": seconds, "versions": _versions(), "blas": _blas_threads()})
    current: Any = None
    while True:
        try:
            command, argument = pickle.load(commands)
        except EOFError:
            return
        reply: dict[str, Any]
        try:
            if command == "load":
                current = None  # free the last problem before loading the next
                current = solver(_load(argument), threads, **peer.options)
                reply = {}
            elif command == "memory":
                reply = _memory(current, argument)
            else:
                reply = _run(current, argument)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        _send(replies, reply)


def _run(solver: Any, argument: dict[str, Any]) -> dict[str, Any]:
    """Time the solver at a tolerance; the seconds are medians over the repeated runs."""
    wall, cpu = [], []
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        while True:
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            start, start_cpu = time.perf_counter(), time.process_time()
            solver.run(argument["tol"])
            cpu.append(time.process_time() - start_cpu)
            wall.append(time.perf_counter() - start)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu[-1] += after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
            if sum(wall) >= argument["at_least"] or len(wall) == _MOST_RUNS:
                break
    result = solver.result()
    return {
        "wall": statistics.median(wall),
        "cpu": statistics.median(cpu),
        "runs": len(wall),
        "support": int((result.coefs[-1] != 0).any(axis=0).sum()),
        "coefs": _to_bytes(result.coefs),
        "alphas": result.alphas,
        "more": result.more,
        "warnings": sorted({f"{each.category.__name__}: {each.message}" for each in caught}),
    }


def _memory(solver: Any, argument: dict[str, Any]) -> dict[str, Any]:
    """The bytes by which the peak memory of a run exceeds the memory used before it."""
    gc.collect()
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak
    except OSError as error:
        return {"error": f"the peak memory cannot be reset here: {error}"}
    before = _kilobytes(status, "VmRSS")
    solver.run(argument["tol"])
    return {"bytes": 1024 * (_kilobytes(status, "VmHWM") - before)}


def _kilobytes(status: Path, name: str) -> int:
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines[name].split()[0])


def _load(folder: str) -> Any:
    from benchmarks.peers.problem import Problem

    return Problem.load(Path(folder))


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    packages = {peer.distribution for peer in PEERS.values()} | {"numpy", "scipy", "numba"}
    for name in sorted(packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _blas_threads() -> dict[str, int] | None:
    """The number of threads of every pool; None without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return {str(pool["prefix"]): int(pool["num_threads"]) for pool in threadpool_info()}


def _private_output() -> BinaryIO:
    """Reserve standard output for messages; redirect what packages print to standard error."""
    private = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return private


def _to_bytes(array: Any) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array, dtype=np.float64))
    return buffer.getvalue()


def _send(replies: BinaryIO, message: dict[str, Any]) -> None:
    pickle.dump(message, replies)
    replies.flush()


if __name__ == "__main__":
    main()
