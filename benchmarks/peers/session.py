"""The runner's side of a peer's process: start it, send commands, stop it after a time limit."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from benchmarks.peers.problems import Missing

_ROOT = Path(__file__).parents[2]
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_START_SECONDS = 120.0


class TookTooLong(Exception):
    """A run was stopped at its time limit."""


class Session:
    """A peer's process.

    Parameters
    ----------
    peer : str
    threads : int
        The number of threads of everything in the process.
    pythons : sequence of str
        Interpreters that are searched for the peer; the first that can import it is used.

    Raises
    ------
    Missing
        If none of the interpreters can import the peer.
    """

    def __init__(self, peer: str, threads: int, pythons: tuple[str, ...] = (sys.executable,)):
        self.peer, self.threads, self.pythons = peer, threads, pythons
        self.folder: str | None = None
        self._start()

    def load(self, folder: Path) -> None:
        """Load a saved problem, whose files must remain until another one is loaded."""
        self.folder = str(folder)
        self._ask("load", self.folder, _START_SECONDS)

    def run(self, tol: float, limit: float, *, at_least: float = 0.1) -> dict[str, Any]:
        """Run at a tolerance, repeatedly until ``at_least`` seconds have passed.

        See :mod:`benchmarks.peers.worker` for the reply.

        Raises
        ------
        TookTooLong
            After ``limit`` seconds. The process is replaced by a new one.
        Missing
            If the peer fails.
        """
        return self._ask("run", {"tol": tol, "at_least": at_least}, limit)

    def memory(self, tol: float, limit: float) -> int:
        """Bytes by which the peak memory of a fit exceeds the memory used before it."""
        return int(self._ask("memory", {"tol": tol}, limit)["bytes"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self) -> None:
        number = str(self.threads)
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, number)
        reason = ""
        for python in self.pythons:
            command = [python, "-m", "benchmarks.peers.worker", self.peer, number]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=_ROOT,
            )
            try:
                self.hello = self._receive(_START_SECONDS)
            except TookTooLong:
                reason = f"its import took more than {_START_SECONDS:g} s"
                continue
            if "missing" not in self.hello:
                self.pythons = (python,)
                return
            self.close()
            reason = self.hello["missing"]
        raise Missing(reason)

    def _ask(self, command: str, argument: Any, limit: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        pickle.dump((command, argument), self._process.stdin)
        self._process.stdin.flush()
        try:
            reply = self._receive(limit)
        except TookTooLong:
            self._start()
            if self.folder and command != "load":
                self._ask("load", self.folder, _START_SECONDS)
            raise
        if "error" in reply:
            raise Missing(reply["error"])
        return reply

    def _receive(self, limit: float) -> dict[str, Any]:
        """Receive the next message; kill the process if none arrives within the limit."""
        assert self._process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        try:
            message: dict[str, Any] = pickle.load(self._process.stdout)
            return message
        except EOFError:
            self.close()
            if late.is_set():
                raise TookTooLong from None
            return {"missing": "its process ended", "error": "its process ended"}
        finally:
            timer.cancel()
