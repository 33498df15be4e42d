"""Which schools belong together? ``group_tasks`` and ``task_affinity`` on the School data.

``python -m benchmarks.school_affinity [--data-home DIR] [--plot F] [--groups K] [--jobs N]``

Prints the number of groups that predicts best, with the losses of all numbers compared, and how
often leaving out a school would raise the loss of another. ``--plot`` draws the learned
correlation, ordered by the groups; ``--groups`` sets their number.
"""

import time
from collections.abc import Sequence

import numpy as np

from benchmarks._command import Command
from skmtl import TaskRelationRegressor
from skmtl.datasets import load_npz
from skmtl.inspection import TaskGroups, group_tasks, task_affinity


def main(argv: Sequence[str] | None = None) -> TaskGroups:
    """Group the schools, print the groups, and return them."""
    command = Command("school_affinity", __doc__)
    command.common("data-home", "plot")
    command.common("jobs", default=2, help="number of processes")
    command.add_argument("--groups", type=int, metavar="K", help="number of groups in the figure")
    arguments = command.read(argv)

    school = load_npz(arguments.data_home / "school.npz", stack=True)
    data = TaskRelationRegressor(task_column=-1), school.data, school.target
    start = time.perf_counter()
    found = group_tasks(*data, n_jobs=arguments.jobs, random_state=0)
    print(found)
    for k, loss, error in zip(found.candidates, found.losses, found.errors, strict=True):
        groups = "group" if k == 1 else "groups"
        print(f"{k:3d} {groups}: loss {loss:.2f} (standard error of the difference {error:.2f})")
    gains = task_affinity(*data, kind="leave_one_out", n_jobs=arguments.jobs, random_state=0)
    print(gains)
    correlation = found.affinity.matrix[np.triu_indices(len(found.tasks), 1)]
    print(f"median correlation {np.median(correlation):.2f}")
    print(f"({time.perf_counter() - start:.0f} s, {arguments.jobs} processes)")
    if arguments.plot:
        from benchmarks._plots import save

        drawn = found
        if arguments.groups:
            drawn = group_tasks(*data, n_groups=arguments.groups, random_state=0)
        save(drawn.plot().figure_, arguments.plot, dpi=80, bbox_inches="tight")
    return found


if __name__ == "__main__":
    main()
