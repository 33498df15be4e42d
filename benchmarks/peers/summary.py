"""From raw numbers to each peer's time at the target, and the table of ratios."""

import os
import platform
import statistics

from benchmarks._report import Column, Record, markdown_table, number, table
from benchmarks.peers.problem import TARGET
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS, PEERS


def curve(problem: Record, peer: str, clock: str) -> list[tuple[float, float, float]]:
    """(tolerance, median seconds, suboptimality) of a peer, loosest first."""
    groups: dict[float, list[Record]] = {}
    for run in problem["runs"]:
        if run["peer"] == peer and run["what"] == "timed":
            groups.setdefault(run["tol"], []).append(run)
    return [
        (
            tol,
            statistics.median(run[clock] for run in runs),
            max(run["suboptimality"] for run in runs),
        )
        for tol, runs in sorted(groups.items(), reverse=True)
    ]


def seconds_at_target(problem: Record, peer: str, clock: str) -> float | None:
    """The median time of the loosest tolerance that meets the peer's target."""
    target = problem["loose"].get(peer, TARGET)
    for _, seconds, suboptimality in curve(problem, peer, clock):
        if suboptimality <= target:
            return seconds
    return None


def peers_of(problem: Record) -> list[str]:
    """The peers that were run, in the order of the table."""
    return list(dict.fromkeys(run["peer"] for run in problem["runs"] if run["what"] != "reference"))


def compare(problem: Record, clock: str) -> Record:
    """The times of all peers at the target, and the ratio of the best peer's time to skmtl's."""
    times = {peer: seconds_at_target(problem, peer, clock) for peer in peers_of(problem)}
    reached = {peer: s for peer, s in times.items() if s is not None and peer != OURS}
    best = min(reached, key=lambda peer: reached[peer]) if reached else None
    ours = times.get(OURS)
    ratio = reached[best] / ours if best and ours else None
    return {
        "problem": problem["name"],
        "best_peer": best,
        "best_seconds": reached[best] if best else None,
        "skmtl_seconds": ours,
        "ratio": ratio,
        "target_ratio": problem["speed"],
        "seconds": times,
    }


def ratio_table(rows: list[Record]) -> str:
    """The comparison as Markdown."""
    columns: dict[str, Column] = {
        "problem": "{problem}",
        "best peer": lambda row: row["best_peer"] or "-",
        "seconds": lambda row: number(row["best_seconds"]),
        "skmtl, seconds": lambda row: number(row["skmtl_seconds"]),
        "ratio": lambda row: "-" if row["ratio"] is None else f"{row['ratio']:.2g}",
        "target": "{target_ratio:g}",
    }
    return table(rows, columns)


def peer_table(rows: list[Record]) -> str:
    """Table of seconds at the target, with a column for each peer."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["seconds"]))
    cells = [
        [row["problem"], *(number(row["seconds"].get(peer)) for peer in peers)] for row in rows
    ]
    return markdown_table(["problem", *peers], cells, n_left=1)


def process_table(sessions: dict[str, Session], problems: list[Record]) -> str:
    """Table of each peer's release, import time and first fit, including compilation."""
    cells = []
    for name, session in sessions.items():
        release = session.hello["versions"].get(PEERS[name].distribution, "-")
        first = first_fit(problems, name)
        cells.append([name, release, number(session.hello["import_seconds"]), number(first)])
    return markdown_table(["peer", "release", "import, s", "first fit, s"], cells)


def first_fit(problems: list[Record], peer: str) -> float | None:
    """The seconds of the first fit of a peer's process."""
    for problem in problems:
        for run in problem["runs"]:
            if run["peer"] == peer:
                return float(run["wall"])
    return None


def environment(sessions: dict[str, Session]) -> Record:
    """The machine and the package versions of the measurement."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "peers": {name: session.hello for name, session in sessions.items()},
    }
