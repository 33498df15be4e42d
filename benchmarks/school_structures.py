"""Which structure do the schools share? StructureSearchRegressorCV on the School data.

``python -m benchmarks.school_structures [--data-home DIR] [--plot F] [--jobs N] [--nested]``

Prints the scores of all structures and the report; ``--plot`` draws each structure's gain over the
better baseline.
"""

import time
import warnings
from collections.abc import Sequence

from benchmarks._command import Command
from skmtl import StructureSearchRegressorCV
from skmtl.datasets import load_npz
from skmtl.model_selection import StructureSearchDisplay


def main(argv: Sequence[str] | None = None) -> StructureSearchRegressorCV:
    """Run the search, print its results, and return it."""
    command = Command("school_structures", __doc__)
    command.add_argument("--nested", action="store_true", help="nested cross-validation")
    command.add_argument(
        "--structures", nargs="+", metavar="NAME", default="auto", help="structures to compare"
    )
    command.common("data-home", "plot")
    command.common("jobs", default=1, help="number of threads")
    arguments = command.read(argv)

    school = load_npz(arguments.data_home / "school.npz", stack=True)
    search = StructureSearchRegressorCV(
        arguments.structures,
        nested=arguments.nested,
        n_jobs=arguments.jobs,
        random_state=0,
        task_column=-1,
    )
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(school.data, school.target)
    print(search.results_)
    print(search.report())
    print(f"({time.process_time() - start:.0f} s of processor time)")
    if arguments.plot:
        from benchmarks._plots import save

        display = StructureSearchDisplay.from_estimator(search)
        save(display.figure_, arguments.plot, dpi=110)
    return search


if __name__ == "__main__":
    main()
