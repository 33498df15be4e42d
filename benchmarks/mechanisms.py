"""Five mechanisms by which tasks are said to help each other, each measured on its own.

``python -m benchmarks.mechanisms [--seeds 20] [--jobs N] [--plot F] [--json F]``

Caruana (1997, https://doi.org/10.1023/A:1007379606734) names four: data amplification, attribute
selection (attention), eavesdropping and representation bias. The fifth is regularisation. Each is
measured on simulated linear tasks with known coefficients and standard normal features. Every task
has rows of its own.

Protocol, written before any of the reported seeds was run (the experiments were designed on seeds
1000 and above):

- Seeds 0 to 19. "alone": without other tasks. "related": together with tasks that share what the
  experiment is about. "unrelated": the control, in which they do not share it, so that sharing
  should not help. "known": the result if the shared structure did not have to be learned.
- Strengths are selected by five-fold cross-validation, on the held-out labels of the tasks whose
  error is reported; for directions of low rank, on those of all tasks from which they are learned.
- The gain is the improvement over "alone" on the same draw, with 95% t intervals over seeds. A
  mechanism shows if, at the point given here as primary, the interval of the related tasks' gain is
  above zero, and so is that of the difference between their gain and the unrelated tasks' gain.

Data amplification (primary: 20 labels; 32 tasks). 20 features, coefficients with a correlation of
0.8 between tasks (unrelated: 0), noise of standard deviation 4. TaskRelationRegressor against a
ridge for each task: the mean excess error divided by the tasks' mean squared norm, against the
number of labels of each of 8 tasks, and against the number of tasks with 20 labels.

Attention (primary: noise 2). 100 features, of which 5 are informative; 60 labels a task. The noise
of the main task varies; those of the 7 others have standard deviation 1. The others use the main
task's 5 features, or (unrelated) the same 5 of their own. BlockSparseRegressor, which on the main
task alone is the lasso: the average precision with which the main task's absolute coefficients rank
its informative features.

Eavesdropping, weak feature (primary: effect 0.5). 8 tasks with 50 labels, noise 1 and coefficients
of -1 or 1 on the same 5 of 100 features. A sixth feature has a coefficient between 0 and 1 in the
main task and -1 or 1 in the others, which in the control use a seventh instead.
BlockSparseRegressor: the squared error of the sixth feature's coefficient in the main task.

Eavesdropping, product (primary: 80 labels). Of 20 features, two directions matter. The main task is
their product plus noise of standard deviation 0.5, so that it shows neither of them linearly; 7
other tasks with 60 labels are linear in them (unrelated: in two others). Alone: a ridge on all
products of two features. With others: the directions that LowRankRegressor learns from all tasks,
then a ridge on their products. The squared error on 2000 fresh rows; the variance is 1.

Representation bias (primary: 20 labels). A new task and 20 others with 60 labels have 30 features,
3 common directions and noise of standard deviation 3 (unrelated: the others have 3 directions of
their own). LowRankRegressor learns directions without the new task; then a ridge is fitted to the
new task in them (alone: to its features). The excess error divided by the task's squared norm,
against the new task's number of labels.

Regularisation (primary: strengths selected). 10 tasks with 30 labels, 20 features, 2 common
directions (unrelated: independent coefficients), noise of standard deviation 3. LowRankRegressor,
joint and on each task separately (with the squared norm: a ridge). Two measures: test error minus
training error, divided by the noise variance; and the share of the variance that the same model
fits in training if labels are shuffled within tasks. Four comparisons: the joint fit's selected
strength used for both, with the trace norm and with half its square; separate ridges whose strength
gives the joint fit's training error; and the strengths selected for each.

Outcome on seeds 0 to 19: all but representation bias show at their primary points. With 20 labels
the new task's gain is 0.14 ± 0.25; it shows from 40 labels on. The mean at 20 labels depends on one
draw of a weak task, whose error is divided by a small norm: 17 of the 20 draws gain, and the median
error falls from 0.95 to 0.63 (looked at afterwards). Eavesdropping costs something if there is
nothing to hear: at effect 0 the squared error rises by 0.023 ± 0.015. Whether the joint fit is a
stronger regulariser at the same strength depends on how the penalty is written: with the trace norm
it fits more of the random labels, since the trace norm of the tasks together is at most the sum of
their own norms; with half the square it fits less of them, also if the tasks are unrelated.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import _mechanisms as experiments
from benchmarks._command import Command
from benchmarks._mechanisms import EQUAL, SELECTED, SQUARE, TRACE, Experiment
from benchmarks._report import Record, bullets, half_width, say, table, write_raw

Array = NDArray[Any]


@dataclass(frozen=True)
class Measure:
    """A table: its title, what varies, the quantity, the primary point, and its description."""

    title: str
    varies: str
    quantity: str
    primary: Any
    at: str
    larger_is_better: bool = False


MEASURES = {
    "amplification, labels": Measure(
        "Data amplification, 8 tasks", "labels a task", "excess error", 20, "20 labels a task"
    ),
    "amplification, tasks": Measure(
        "Data amplification, 20 labels a task", "tasks", "excess error", 32, "32 tasks"
    ),
    "attention": Measure(
        "Attention", "noise", "average precision of the features", 2.0, "noise 2", True
    ),
    "eavesdropping, weak": Measure(
        "Eavesdropping, weak feature", "effect", "squared error of the effect", 0.5, "effect 0.5"
    ),
    "eavesdropping, product": Measure(
        "Eavesdropping, product", "labels", "squared error", 80, "80 labels"
    ),
    "representation": Measure(
        "Representation bias", "labels of the new task", "excess error", 20, "20 labels"
    ),
    "regularisation, gap": Measure(
        "Regularisation, gap",
        "comparison",
        "test error - training error",
        SELECTED,
        SELECTED,
    ),
    "regularisation, random labels": Measure(
        "Regularisation, random labels", "comparison", "share fitted", SELECTED, SELECTED
    ),
}
# Each with the values of what varies, and the one that a quick run uses.
EXPERIMENTS: tuple[tuple[Experiment, tuple[Any, ...], Any], ...] = (
    (experiments.amplification_by_labels, (10, 20, 40, 80, 160), 20),
    (experiments.amplification_by_tasks, (2, 8, 32), 32),
    (experiments.attention, (1.0, 2.0, 4.0), 2.0),
    (experiments.eavesdropping_weak, (0.0, 0.5, 1.0), 0.5),
    (experiments.eavesdropping_product, (40, 80, 160, 320), 80),
    (experiments.representation, (10, 20, 40, 80, 160, 320), 20),
    (experiments.regularisation, (TRACE, SQUARE, EQUAL, SELECTED), SELECTED),
)
# The strengths of the separate fits, as labels of an axis.
SHORT = {
    TRACE: "same\n(trace norm)",
    SQUARE: "same\n(squared)",
    EQUAL: "same\ntraining error",
    SELECTED: "selected",
}
# The panels of the figure: measure, title, and the labels of the axes.
DRAWN = (
    ("amplification, labels", "1a. Data amplification, 8 tasks", "labels a task", "excess error"),
    ("amplification, tasks", "1b. Data amplification, 20 labels", "tasks", "excess error"),
    (
        "attention",
        "2. Attention",
        "noise of the main task",
        "features found (average precision)",
    ),
    ("eavesdropping, product", "3. Eavesdropping", "labels of the main task", "squared error"),
    ("representation", "4. Representation bias", "labels of the new task", "excess error"),
    (
        "regularisation, random labels",
        "5. Regularisation",
        "strength of the separate fits",
        "decrease in random labels fitted",
    ),
)


def main(argv: Sequence[str] | None = None) -> dict[str, list[dict[str, Any]]]:
    """Run the experiments, print the tables, and return their rows by measure."""
    command = Command("mechanisms", __doc__)
    command.common("seeds", default=20, help="number of draws of each experiment")
    command.common("jobs", default=1, help="number of processes")
    command.common("json", "plot")
    command.common("quick", help="the primary points only")
    command.add_argument("--first-seed", type=int, default=0, metavar="N", help="default: 0")
    arguments = command.read(argv)
    records = _run(arguments)
    rows = summarise(records)
    print(_report(rows, arguments.seeds))
    write_raw(arguments, ("seeds", "first_seed", "quick"), {"records": records})
    if arguments.plot:
        draw(arguments.plot, rows)
    return rows


def _run(arguments: argparse.Namespace) -> list[Record]:
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    records: list[Record] = []
    with joblib.Parallel(arguments.jobs) as run:
        for function, points, primary in EXPERIMENTS:
            start = time.perf_counter()
            chosen = (primary,) if arguments.quick else points
            found = run(joblib.delayed(_one)(function, chosen, seed) for seed in seeds)
            records += [record for part in found for record in part]
            say(f"{function.__name__}: {time.perf_counter() - start:.0f} s")
    return records


def _one(function: Experiment, points: tuple[Any, ...], seed: int) -> list[Record]:
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # With very few labels the best strength is often the largest of the grid.
        warnings.simplefilter("ignore")
        return function(points, seed)


def summarise(records: list[Record]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each measure's table: means over seeds, and gains with their intervals."""
    groups: dict[tuple[str, Any], list[Record]] = {}
    for record in records:
        groups.setdefault((record["measure"], record["point"]), []).append(record)
    rows: dict[str, list[dict[str, Any]]] = {}
    for (name, point), found in groups.items():
        sign = 1.0 if MEASURES[name].larger_is_better else -1.0
        values = {
            key: np.array([record[key] for record in found], dtype=float)
            for key in found[0]
            if key not in ("measure", "point", "seed")
        }
        alone = values["alone"]
        gain = sign * (values["related"] - alone)
        control = sign * (values["unrelated"] - values.get("alone_unrelated", alone))
        row: dict[str, Any] = {"point": point}
        row |= {key: float(value.mean()) for key, value in values.items()}
        row |= {f"{key}_half": float(half_width(value)) for key, value in values.items()}
        for key, value in (("gain", gain), ("control", control), ("contrast", gain - control)):
            row |= {key: float(value.mean()), f"{key}_half": float(half_width(value))}
        rows.setdefault(name, []).append(row)
    return rows


def shows(row: dict[str, Any]) -> bool:
    """Whether related tasks help, and more than unrelated ones, beyond noise."""
    return bool(row["gain"] > row["gain_half"] and row["contrast"] > row["contrast_half"])


def verdict(name: str, rows: list[dict[str, Any]]) -> str:
    """Whether the mechanism shows at the primary point, what unrelated tasks do, other points."""
    measure = MEASURES[name]
    row = next(row for row in rows if row["point"] == measure.primary)
    if shows(row):
        shown = "shows"
    elif row["gain"] > row["gain_half"]:
        shown = "does not show, since related tasks help no more than unrelated ones beyond noise"
    else:
        shown = "does not show, since related tasks bring no gain beyond noise"
    if abs(row["control"]) <= row["control_half"]:
        control = "make no difference beyond noise"
    else:
        control = "help too" if row["control"] > 0 else "hurt"
    text = (
        f"{measure.title} ({measure.at}): {shown}. {measure.quantity.capitalize()} "
        f"alone {row['alone']:.3f}, with related tasks {row['related']:.3f}; gain "
        f"{_interval(row, 'gain')}. Unrelated tasks {control} ({_interval(row, 'control')})."
    )
    if len(rows) == 1:
        return text
    points = "; ".join(str(row["point"]) for row in rows if shows(row)) or "none"
    return f"{text} Points at which it shows by the same rule ({measure.varies}): {points}."


def _interval(row: dict[str, Any], key: str) -> str:
    return f"{row[key]:+.3f} ± {row[f'{key}_half']:.3f}"


def _report(rows: dict[str, list[dict[str, Any]]], n_seeds: int) -> str:
    parts = []
    for name, found in rows.items():
        measure = MEASURES[name]
        columns = {
            measure.varies: lambda row: str(row["point"]),
            "alone": "{alone:.3f}",
            "related": "{related:.3f}",
            "unrelated": "{unrelated:.3f}",
            "known": lambda row: f"{row['known']:.3f}" if "known" in row else "-",
            "gain, related": lambda row: _interval(row, "gain"),
            "gain, unrelated": lambda row: _interval(row, "control"),
        }
        if "known" not in found[0]:
            del columns["known"]
        better = "larger" if measure.larger_is_better else "smaller"
        parts.append(
            f"### {measure.title}\n\nThe {measure.quantity} ({better} is better), means over "
            f"{n_seeds} seeds\n\n{table(found, columns, n_left=1)}"
        )
    verdicts = bullets("\n\n".join(verdict(name, found) for name, found in rows.items()))
    return "\n\n".join([*parts, f"### Verdicts at the primary points\n\n{verdicts}"])


def draw(path: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Draw a panel for each measure that DRAWN names, with intervals."""
    from benchmarks._plots import BLUE, GREY, PALETTE, VERMILION, panels, save, tidy

    means = {
        "alone": ("alone", PALETTE[1], "s"),
        "related": ("with related tasks", VERMILION, "o"),
        "unrelated": ("with unrelated tasks", GREY, "D"),
        "known": ("shared structure known", BLUE, "^"),
    }
    gains = {"gain": ("", VERMILION, "o"), "control": ("", GREY, "D")}
    figure, axes = panels(len(DRAWN), 3, (12, 7))
    for ax, (name, title, x_label, y_label) in zip(axes.flat, DRAWN, strict=True):
        points = [row["point"] for row in rows[name]]
        if isinstance(points[0], str):
            _draw_lines(ax, rows[name], np.arange(len(points)), gains, line="")
            ax.axhline(0, color=PALETTE[1], lw=1, zorder=1)
            ax.set_xlim(-0.6, len(points) - 0.4)
            ax.set_xticks(range(len(points)), [SHORT[point] for point in points], fontsize=8)
        else:
            _draw_lines(ax, rows[name], np.array(points, dtype=float), means, line="-")
            ax.set_xscale("log")
            ax.set_xticks(points, [f"{point:g}" for point in points])
        if name == "representation":
            ax.set_yscale("log", nonpositive="clip")
            ax.set_ylim(bottom=0.004)
            ax.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
        ax.minorticks_off()
        ax.set(title=title, xlabel=x_label, ylabel=y_label)
        tidy(ax)
    handles, labels = axes[1, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    save(figure, path, dpi=100)


def _draw_lines(
    ax: Any,
    rows: list[dict[str, Any]],
    x: Array,
    styles: dict[str, tuple[str, str, str]],
    line: str,
) -> None:
    """Draw those of the quantities that the rows have, with their intervals."""
    for k, (key, (label, colour, marker)) in enumerate(styles.items()):
        if key in rows[0]:
            ax.errorbar(
                # Without lines the intervals would lie on top of each other.
                x + (0 if line else 0.2 * k - 0.1),
                [row[key] for row in rows],
                [row[f"{key}_half"] for row in rows],
                label=label,
                color=colour,
                marker=marker,
                linestyle=line,
                capsize=2.5,
            )


if __name__ == "__main__":
    main()
