"""Run peers on problems with decreasing tolerances, then repeat the runs alternately."""

import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._report import Record, say
from benchmarks.peers.objectives import null_value, objective
from benchmarks.peers.problem import TARGET, Problem
from benchmarks.peers.problems import Missing, build
from benchmarks.peers.session import Session, TookTooLong
from benchmarks.peers.solvers import OURS, PEERS

Array = NDArray[Any]

_REFERENCE_TOL = 1e-8
_TIGHTEST = 1e-13
# The tolerance at which the reference scores of a cross-validation are computed.
_SCORES_TOL = 1e-7
# A cross-validation reaches the target only if the error of its scores is also at most this share
# of the largest score.
_SCORES_ERROR = 1e-3
_WORST = 1e300
# The optimum counts as known if its certified error is at most this share of the target.
_OPEN = 0.1
# If it is not known, peers run this many further tolerances after they seem to reach the target.
_BEYOND = 2
# A first run longer than this also counts as a timed one: compilation is a small part of it.
_LONG_SECONDS = 5.0
# Runs longer than this are not repeated: one measurement is accurate enough.
_SLOW_SECONDS = 30.0
# The time limit is this many times longer for first fits, which may compile, and references.
_PATIENCE = 3.0


@dataclass(frozen=True)
class Settings:
    """Settings of the runner.

    Attributes
    ----------
    threads : int
        Number of threads of every peer.
    repeats : int
        Number of timed runs after the first, alternating between the peers.
    limit : float
        Seconds after which a run is stopped; the peer then runs no tighter tolerance.
    repeat_below : float
        Slower runs, in seconds, are repeated only at the tolerance that reaches the target.
    at_least : float
        Shorter runs, in seconds, are repeated at once, and their median counts.
    quick : bool
        Whether to use small problems.
    pythons : tuple of str
        Interpreters that are searched for the peers.
    """

    threads: int = 1
    repeats: int = 5
    limit: float = 60.0
    repeat_below: float = 1.0
    at_least: float = 0.1
    quick: bool = False
    pythons: tuple[str, ...] = (sys.executable,)


class Runner:
    """Measures problems with all peers, and owns their processes. Use it in a with statement."""

    def __init__(self, settings: Settings, peers: Sequence[str] = tuple(PEERS)) -> None:
        self.settings = settings
        self.peers = [peer for peer in PEERS if peer in peers]
        self.sessions: dict[str, Session | None] = {}

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *error: object) -> None:
        for session in self.sessions.values():
            if session is not None:
                session.close()

    def run(self, names: Sequence[str]) -> Iterator[Record]:
        """Measure the problems of these names one by one; skip those that cannot be built."""
        for name in names:
            try:
                problem = build(name, self.settings.quick)
            except Missing as error:
                say(f"{name}: skipped: {error}")
                continue
            yield self.measure(problem)

    def measure(self, problem: Problem) -> Record:
        """Run every peer on one problem."""
        say(f"{problem.name}: {problem.shape}, {problem.kind}")
        measured = _Measured(problem)
        if OURS in self.peers:
            self._find_reference(measured)
        with problem.saved() as folder:
            present = [
                name
                for name in self.peers
                if PEERS[name].takes(problem) and self._load(name, folder) is not None
            ]
            if problem.what == "cv" and OURS in present:
                self._run(OURS, _SCORES_TOL, measured, repeat=-1)
            to_repeat = {name: self._descend(name, measured) for name in present}
            for repeat in range(1, self.settings.repeats + 1):
                for name, tols in to_repeat.items():
                    # A tolerance that failed once is not run again.
                    to_repeat[name] = [
                        tol for tol in tols if self._run(name, tol, measured, repeat) is not None
                    ]
        return measured.record()

    def _load(self, name: str, folder: Path) -> Session | None:
        """Load a problem into the peer's process; None if the peer is absent or cannot take it."""
        session = self._session(name)
        try:
            if session is not None:
                session.load(folder)
        except (Missing, TookTooLong) as error:
            say(f"  {name}: skipped: {error}")
            return None
        return session

    def _session(self, name: str) -> Session | None:
        """The peer's process, started when it is first needed; None if the peer is absent."""
        if name not in self.sessions:
            self.sessions[name] = self._start(name)
        return self.sessions[name]

    def _start(self, name: str) -> Session | None:
        if self.settings.quick and PEERS[name].compiles_long:
            say(f"  {name}: skipped in quick runs because of its long compilation")
            return None
        try:
            session = Session(name, self.settings.threads, self.settings.pythons)
        except Missing as error:
            say(f"  {name}: absent: {error}")
            return None
        pools = session.hello["blas"] or {}
        if set(pools.values()) - {self.settings.threads}:
            say(f"  {name}: not all thread pools have {self.settings.threads} threads: {pools}")
        return session

    def _find_reference(self, measured: "_Measured") -> None:
        """Estimate the optimum with skmtl, at a tight tolerance and with a certificate."""
        problem = measured.problem
        if problem.what == "cv":  # CV estimators return no certificates
            problem = replace(problem, what="path")
        with problem.saved() as folder:
            if self._load(OURS, folder) is None:
                return
            if problem is measured.problem:  # a loose first fit, as for every peer
                self._run(OURS, PEERS[OURS].loosest, measured, repeat=-2)
            self._run(OURS, _REFERENCE_TOL, measured, repeat=-1)
        if not measured.is_certified:
            say(f"  optimum not certified: peers run {_BEYOND} tolerances beyond the target")

    def _descend(self, name: str, measured: "_Measured") -> list[float]:
        """Tighten the peer's tolerance until it reaches the target; return those to repeat."""
        peer, target = PEERS[name], measured.problem.target(name)
        tol, beyond = peer.loosest, 0
        found: dict[float, Record] = {}
        first = measured.first(name) or self._run(name, tol, measured, repeat=-2)
        if first is None:
            return []
        while tol > _TIGHTEST and beyond < (1 if measured.is_certified else 1 + _BEYOND):
            record: Record | None
            if first["wall"] > _LONG_SECONDS and not found and not peer.compiles_long:
                record = measured.repeated(first)
            else:
                record = self._run(name, tol, measured, repeat=0)
            if record is None:
                break
            found[tol] = record
            beyond += measured.suboptimality(record) <= target
            tol /= peer.step
        # Compare again: a later run may have improved the best known objective.
        met = [tol for tol, record in found.items() if measured.suboptimality(record) <= target]
        if met and len(found) > 1:
            between = max(met) * np.sqrt(peer.step)  # may be cheaper, and tight enough
            record = self._run(name, between, measured, repeat=0)
            if record is not None:
                found[between] = record
                met += [between] * (measured.suboptimality(record) <= target)
        line = f"{found[max(met)]['cpu']:.4g} s (tol {max(met):.1g})" if met else "not reached"
        say(f"  {name}: {line}, {len(found)} tolerances")
        fast, target_tol = self.settings.repeat_below, max(met, default=None)
        return [
            tol
            for tol, record in found.items()
            if record["wall"] < (_SLOW_SECONDS if tol == target_tol else fast)
        ]

    def _run(self, name: str, tol: float, measured: "_Measured", repeat: int) -> Record | None:
        session = self.sessions[name]
        assert session is not None
        limit = self.settings.limit * measured.problem.patience
        if repeat < 0:
            limit *= _PATIENCE
        try:
            # A first run must not be averaged with later ones, which need no compilation.
            at_least = 0.0 if repeat < 0 else self.settings.at_least
            reply = session.run(tol, limit, at_least=at_least)
        except TookTooLong:
            say(f"  {name}: stopped after {limit:g} s at tol {tol:.1g}")
            measured.notes.append(f"{name}: more than {limit:g} s at tolerance {tol:.1g}")
            return None
        except Missing as error:
            say(f"  {name}: failed at tol {tol:.1g}: {error}")
            measured.notes.append(f"{name}: {error}")
            return None
        return measured.add(name, tol, repeat, reply)


class _Measured:
    """A problem's records, and the best objective met at every alpha."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.null = null_value(problem)
        self.best = np.full(len(problem.alphas), np.inf)
        self.lower = np.zeros(len(problem.alphas))
        self.records: list[Record] = []
        self.notes: list[str] = []
        self.scores: Array | None = None
        self.checked: dict[bytes, list[float]] = {}

    def add(self, name: str, tol: float, repeat: int, reply: dict[str, Any]) -> Record:
        """Evaluate the objective at the coefficients and keep the record."""
        content = reply.pop("coefs")
        positions = reply.pop("alphas")
        positions = list(range(len(self.best))) if positions is None else positions
        content_hash = hashlib.sha256(content).digest()
        if content_hash not in self.checked:  # repeats return equal coefficients
            coefs = np.load(io.BytesIO(content))
            alphas = self.problem.alphas[positions]
            self.checked[content_hash] = [
                _finite(objective(self.problem, coef.T, float(alpha)))
                for coef, alpha in zip(coefs, alphas, strict=True)
            ]
        values = self.checked[content_hash]
        self.best[positions] = np.fmin(self.best[positions], values)
        gaps = reply["more"].get("dual_gap")
        if gaps is not None:  # skmtl's gaps bound the optimum from below
            self.lower[positions] = np.fmax(self.lower[positions], np.subtract(values, gaps))
        scores = reply["more"].get("mse_path")
        if scores is not None and repeat == -1:
            self.scores = np.array(scores)
        what = {-2: "first", -1: "reference"}.get(repeat, "timed")
        record = {"peer": name, "tol": tol, "what": what, "repeat": repeat} | reply
        self.records.append(record | {"values": values, "alphas": positions})
        return self.records[-1]

    def first(self, name: str) -> Record | None:
        """The peer's first run on the problem, if there was one."""
        runs = (run for run in self.records if run["peer"] == name and run["what"] == "first")
        return next(runs, None)

    def repeated(self, record: Record) -> Record:
        """Keep a first run also as a timed one."""
        self.records.append(record | {"what": "timed", "repeat": 0})
        return self.records[-1]

    @property
    def open(self) -> float:
        """Bound on the best objective minus the optimum, relative to the null objective."""
        return _finite((self.best - self.lower).max() / self.null)

    @property
    def is_certified(self) -> bool:
        """Whether the optimum is known well enough to decide which runs reach the target."""
        return self.open <= _OPEN * TARGET

    def suboptimality(self, record: Record) -> float:
        """The largest suboptimality over the alphas, relative to the null objective.

        For cross-validation, at least the error of the scores, scaled to the target.
        """
        excess = np.array(record["values"]) - self.best[record["alphas"]]
        left = excess.max() / self.null
        if self.scores is not None and "mse_path" in record["more"]:
            error = np.abs(record["more"]["mse_path"] - self.scores).max() / self.scores.max()
            left = max(left, TARGET * error / _SCORES_ERROR)
        return _finite(left)

    def record(self) -> Record:
        """The raw numbers of all runs."""
        runs = [run | {"suboptimality": self.suboptimality(run)} for run in self.records]
        return self.problem.describe() | {
            "null_value": self.null,
            "best_values": [_finite(value) for value in self.best],
            "open": self.open,
            "notes": self.notes,
            "runs": runs,
        }


def _finite(value: Any) -> float:
    """The number, or a large finite one for NaN and infinity, which JSON does not represent."""
    return float(np.nan_to_num(value, nan=_WORST, posinf=_WORST))
