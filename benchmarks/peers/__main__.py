"""skmtl and other packages: seconds to a suboptimality of 1e-6 times the null objective.

``python -m benchmarks.peers [--problem NAME ...] [--quick] [--threads 1|2] [--repeats N]
[--legacy-python PATH] [--json F] [--plot F]``

Installs nothing: peers that cannot be imported are reported and skipped. They are listed in
benchmarks/peers/requirements.txt and requirements-legacy.txt. The latter need an older NumPy and
run in the interpreter given by --legacy-python, alternating with all others. Instead of the
comparison, ``--growth`` measures how skmtl's time grows with the problem size, ``--families`` does
so for every convex estimator on School-sized tasks, and ``--memory`` measures the peak memory of
skmtl's fits.

Tables go to stdout as Markdown, progress to stderr.
"""

import os

# This process evaluates results between the timed runs; its idle threads must not disturb them.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

from benchmarks._command import Command  # noqa: E402
from benchmarks._report import write_json  # noqa: E402
from benchmarks.peers import families, growth, memory, summary  # noqa: E402
from benchmarks.peers.problems import PROBLEMS  # noqa: E402
from benchmarks.peers.runner import Runner, Settings  # noqa: E402
from benchmarks.peers.solvers import OURS, PEERS  # noqa: E402


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark with the options of the command line."""
    arguments = _read_arguments(argv)
    quick = arguments.quick
    pythons = (sys.executable, *filter(None, [arguments.legacy_python]))
    settings = Settings(
        threads=arguments.threads,
        repeats=arguments.repeats or (1 if quick else 5),
        limit=arguments.limit or (2.0 if quick else 60.0),
        repeat_below=0.05 if quick else 1.0,
        at_least=0.02 if quick else 0.1,
        quick=quick,
        pythons=pythons,
    )
    content = {"threads": settings.threads, "quick": quick, "repeats": settings.repeats}
    if arguments.growth:
        write_json(arguments.json, content | growth.run(settings, arguments.plot))
    elif arguments.families:
        write_json(arguments.json, content | families.run(settings))
    elif arguments.memory:
        write_json(arguments.json, content | memory.run(settings))
    else:
        _compare(settings, arguments, content)


def _compare(settings: Settings, arguments: argparse.Namespace, content: dict[str, Any]) -> None:
    clock, problems = arguments.clock, []
    with Runner(settings, arguments.peer) as runner:
        for problem in runner.run(arguments.problem):
            problems.append(problem)
            rows = [summary.compare(each, clock) for each in problems]
            sessions = {name: found for name, found in runner.sessions.items() if found}
            content |= summary.environment(sessions)
            content |= {"clock": clock, "ratios": rows, "problems": problems}
            write_json(arguments.json, content)  # each time, since a long run may be interrupted
    if not problems:
        return
    print(f"### {clock} seconds to the target, threads: {settings.threads}\n")
    print(summary.ratio_table(rows), end="\n\n")
    print(summary.peer_table(rows), end="\n\n")
    print(summary.process_table(sessions, problems))
    for problem in problems:
        for note in problem["notes"]:
            print(f"\n- {problem['name']}: {note}")
    if arguments.plot:
        from benchmarks.peers.plots import draw

        draw(arguments.plot, problems, clock)


def _read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    command = Command("peers", __doc__)
    add = command.add_argument
    # The names are checked below, since they may be prefixes.
    add("--problem", nargs="+", metavar="NAME", help=f"{', '.join(PROBLEMS)}, or a prefix")
    add("--peer", nargs="+", metavar="NAME", choices=list(PEERS), help=", ".join(PEERS))
    command.common("quick", help="short run: small problems, few repeats")
    add("--threads", type=int, choices=(1, 2), default=1, help="threads per peer (default 1)")
    command.common("repeats", help="number of timed runs (default 5, quick 1)")
    add("--limit", type=float, metavar="S", help="stop a run after S seconds (default 60, quick 2)")
    add("--clock", choices=("cpu", "wall"), help="time to report (default: cpu with one thread)")
    add("--legacy-python", metavar="PATH", help="interpreter with the peers that need NumPy 1")
    add("--growth", action="store_true", help="skmtl's time against n, d, T and support")
    add("--families", action="store_true", help="every convex estimator's time and its growth")
    add("--memory", action="store_true", help="skmtl's peak memory relative to its input")
    command.common("json", "plot")
    arguments = command.read(argv)
    if arguments.plot and (arguments.families or arguments.memory):
        command.error("--plot draws the comparison or --growth, not --families or --memory")
    selected: set[str] = set()
    for name in arguments.problem or PROBLEMS:
        named = {name} & PROBLEMS.keys() or {each for each in PROBLEMS if each.startswith(name)}
        if not named:
            command.error(f"--problem: unknown name {name}; known are {', '.join(PROBLEMS)}")
        selected |= named
    arguments.problem = [name for name in PROBLEMS if name in selected]
    arguments.peer = [OURS, *(arguments.peer or PEERS)]
    arguments.clock = arguments.clock or ("cpu" if arguments.threads == 1 else "wall")
    if arguments.limit is not None and arguments.limit <= 0:
        command.error(f"--limit must be positive, got {arguments.limit}")
    return arguments


if __name__ == "__main__":
    main()
