"""Did sharing help in each school? ``transfer_gain`` on the School data.

``python -m benchmarks.school_transfer [--data-home DIR] [--repeats 2] [--plot F] [--jobs N]``

Compares clustered tasks with separate fits of the schools and with one pooled fit, all tuned by
inner folds. Prints the summary; ``--plot`` draws each school's gain over the first baseline.
"""

import time
import warnings
from collections.abc import Sequence

from sklearn.exceptions import ConvergenceWarning

from benchmarks._command import Command
from skmtl import ClusteredTaskRegressor
from skmtl.datasets import load_npz
from skmtl.inspection import TransferGain, TransferGainDisplay, transfer_gain


def main(argv: Sequence[str] | None = None) -> TransferGain:
    """Run the comparison, print it, and return it."""
    command = Command("school_transfer", __doc__)
    command.common("data-home", "plot")
    command.common("repeats", default=2, help="repetitions of the five folds")
    command.common("jobs", default=2, help="number of processes")
    arguments = command.read(argv)

    school = load_npz(arguments.data_home / "school.npz", stack=True)
    model = ClusteredTaskRegressor(n_clusters=2, between=0.3, mean=0.01, task_column=-1)
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Fits may not converge at strengths far from the one selected, which does not matter here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        gain = transfer_gain(
            model,
            school.data,
            school.target,
            n_repeats=arguments.repeats,
            n_jobs=arguments.jobs,
            random_state=0,
        )
    print(gain)
    print(f"({time.perf_counter() - start:.0f} s, {arguments.jobs} processes)")
    if arguments.plot:
        from benchmarks._plots import save

        display = TransferGainDisplay.from_result(gain).plot()
        save(display.figure_, arguments.plot, dpi=110, bbox_inches="tight")
    return gain


if __name__ == "__main__":
    main()
