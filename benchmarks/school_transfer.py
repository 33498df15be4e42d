"""Did sharing help, school by school? ``transfer_gain`` on the School data.

``python -m benchmarks.school_transfer [--data-home DIR] [--repeats 2] [--plot F] [--jobs N]``

Clustered tasks against each school on its own and all schools as one, everything tuned by inner
folds. Prints the summary; ``--plot`` draws each school's gain over the first baseline.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

from skmtl import ClusteredTaskRegressor
from skmtl.datasets import load_npz
from skmtl.inspection import TransferGain, TransferGainDisplay, transfer_gain


def main(argv: list[str] | None = None) -> TransferGain:
    """Run the comparison, print it, and return it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    home = os.environ.get("SKMTL_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--data-home", type=Path, default=home, help="folder with school.npz")
    parser.add_argument("--repeats", type=int, default=2, help="times the five folds are drawn")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--plot", type=Path, help="write the picture to this file")
    arguments = parser.parse_args(argv)

    school = load_npz(arguments.data_home / "school.npz", stack=True)
    model = ClusteredTaskRegressor(n_clusters=2, between=0.3, mean=0.01, task_column=-1)
    start = time.perf_counter()
    with warnings.catch_warnings():
        # Some strengths of the grid are far from the one chosen.
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
        display = TransferGainDisplay.from_result(gain).plot()
        display.figure_.savefig(arguments.plot, dpi=110, bbox_inches="tight")
    return gain


if __name__ == "__main__":
    main()
