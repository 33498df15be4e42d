"""CPU seconds and peak memory as rows, tasks, features, chunks and workers grow.

``python -m benchmarks.scaling [--series stream missing ...] [--quick] [--plot FILE]``

Every measurement has a process of its own, on one thread. A call of less than 1 second is measured
in 5 processes, and one of less than 10 seconds in 3; the medians are given. The memory is the peak
beyond what the process held before the call: libraries, compiled kernels and the data. The slope is
that of log seconds against log size, by least squares; where it is 1, twice the size costs twice
the time. The series of NumPy are controls: the work for each task does not depend on the number of
tasks, so that a slope above 1 is due to the memory of the machine.

With Dask, the seconds are those of all processes; each worker has one thread, and holds its chunks
before the fit. The peak is that of a worker. Scheduling is measured apart: the same graph over as
many chunks of a single row, of which nothing is computed. Wall-clock seconds ("wall") depend on
what else the machine does.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from benchmarks._command import Command
from benchmarks._memory import held_now, peak_since, reset_peak
from benchmarks._report import Record, number, say, section, table, write_json
from benchmarks._scaling_cases import SERIES
from benchmarks.peers.growth import slope

_SCHEDULING = ("passes", "scheduling_seconds", "scheduling_wall")
# Measurements of a size, by the seconds that the first takes.
_REPEATS = ((1.0, 5), (10.0, 3))
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main(argv: Sequence[str] | None = None) -> list[Record]:
    """Run the benchmark, and print and return its records."""
    arguments = _parse(argv)
    if arguments.one:
        name, size = arguments.one
        print(json.dumps(measure(name, int(size))))
        return []
    records = []
    for name in arguments.series:
        records.append(_series(name, arguments.quick, arguments.limit))
    notes = "\n\n".join(__doc__.split("\n\n")[2:])
    print(section("CPU seconds and peak memory", _table(records), notes))
    if clustered := [record for record in records if "scheduling_seconds" in record]:
        print("\n" + section("Scheduling by Dask", _scheduling_table(clustered), ""))
    if arguments.plot:
        from benchmarks._scaling_plot import draw_scaling

        draw_scaling(arguments.plot, records)
    write_json(
        arguments.json, {"benchmark": "scaling", "quick": arguments.quick, "records": records}
    )
    return records


def _parse(argv: Sequence[str] | None) -> Any:
    command = Command("scaling", __doc__)
    command.add_argument("--series", nargs="+", choices=[*SERIES], default=[*SERIES])
    command.add_argument("--limit", type=float, default=300, help="seconds for one measurement")
    command.add_argument("--one", nargs=2, metavar=("SERIES", "SIZE"), help="in this process")
    command.common("quick", help="small sizes")
    command.common("plot", "json")
    return command.read(argv)


def measure(name: str, size: int) -> Record:
    """CPU seconds and peak bytes of one call in this process."""
    call, input_bytes = SERIES[name].build(size)
    reset_peak()
    held = held_now()
    start, wall = time.process_time(), time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call()
    record = {
        "seconds": time.process_time() - start,
        "wall": time.perf_counter() - wall,
        "peak_bytes": max(peak_since() - held, 0),
        "input_bytes": input_bytes,
        "warnings": sorted({str(one.message)[:80] for one in caught}),
    }
    return record | found if isinstance(found, dict) else record


def _series(name: str, quick: bool, limit: float) -> Record:
    """The measurements of one series, up to the first that fails."""
    series = SERIES[name]
    found, failed = [], ""
    for size in series.quick if quick else series.sizes:
        one = _median(name, size, limit)
        if "error" in one:
            failed = f"{size:,}: {one['error']}"
            break
        found.append(one | {"size": size})
        say(f"{name} {size:,}: {one['seconds']:.2f} s, {one['peak_bytes'] / 2**20:.0f} MiB")
    record: Record = {"name": name, "label": series.label, "axis": series.axis, "failed": failed}
    for key in ("size", "seconds", "wall", "peak_bytes", "input_bytes", "repeats", *_SCHEDULING):
        if all(key in one for one in found):
            record[key] = [one[key] for one in found]
    if len(found) > 1:
        record["slope"] = slope(record["size"], record["seconds"])[0]
    return record


def _median(name: str, size: int, limit: float) -> Record:
    """The medians of the measurements of one size."""
    found = [_in_process(name, size, limit)]
    if "error" in found[0]:
        return found[0]
    repeats = next((n for below, n in _REPEATS if found[0]["seconds"] < below), 1)
    while len(found) < repeats and "error" not in found[-1]:
        found.append(_in_process(name, size, limit))
    if "error" in found[-1]:
        return found[-1]
    medians = {
        key: statistics.median(one[key] for one in found) for key in ("seconds", "peak_bytes")
    }
    return found[0] | medians | {"repeats": repeats}


def _in_process(name: str, size: int, limit: float) -> Record:
    """The measurement of one size in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--one", name, str(size)]
    one_thread = os.environ | dict.fromkeys(_THREADS, "1")
    try:
        done = subprocess.run(
            command, env=one_thread, capture_output=True, text=True, timeout=limit, check=True
        )
    except subprocess.TimeoutExpired:
        return {"error": f"more than {limit:g} s"}
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        return {"error": lines[-1][:200] if lines else f"killed by signal {-error.returncode}"}
    result: Record = json.loads(done.stdout.splitlines()[-1])
    return result


def _table(records: list[Record]) -> str:
    def listed(values: list[float], scale: float = 1.0) -> str:
        return " ".join(number(value / scale) for value in values)

    return table(
        records,
        {
            "": "{label}",
            "size": lambda one: f"{one['axis']} " + " ".join(f"{size:,}" for size in one["size"]),
            "CPU s": lambda one: listed(one["seconds"]),
            "peak beyond the data, MiB": lambda one: listed(one["peak_bytes"], 2**20),
            "slope": lambda one: number(one.get("slope")),
            "failed": lambda one: one["failed"] or "-",
        },
        n_left=2,
    )


def _scheduling_table(records: list[Record]) -> str:
    def listed(name: str) -> Any:
        return lambda one: " ".join(number(value) for value in one[name])

    return table(
        records,
        {
            "": "{label}",
            "size": lambda one: f"{one['axis']} " + " ".join(f"{size:,}" for size in one["size"]),
            "passes": listed("passes"),
            "CPU s": listed("seconds"),
            "scheduling alone, CPU s": listed("scheduling_seconds"),
            "wall s": listed("wall"),
            "scheduling alone, wall s": listed("scheduling_wall"),
        },
        n_left=2,
    )


if __name__ == "__main__":
    main()
