"""Are planted groups and planted helpers found? And is it more than counting labels?

``python -m benchmarks.affinity [--seeds 10] [--jobs N] [--json F]``

Worlds. Stacked linear tasks: 10 standard normal features, an intercept N(0, 1) for each task, noise
of standard deviation 2. Tasks of a group have a common centre N(0, I) plus N(0, 0.4^2 I) of their
own. A task without a group has a centre of its own. Numbers of labels are drawn uniformly from
15..45, in all worlds but those named otherwise. Seed k is the seed of the world and of the folds.

Control. Everything is also computed from a score that sees only the tasks' numbers of labels: two
tasks are as similar as their numbers of labels, a helper is as good as its number of labels, and
groups are those of k-means on the numbers of labels. In the worlds where numbers of labels depend
on the role of a task this control is informative, in the others it is not.

Groups (40 tasks): ``group_tasks`` with TaskRelationRegressor.

- AUC: the learned correlation as a score of the pairs that are in one group.
- ARI: the adjusted Rand index of the groups found, with the true number of groups and with the
  selected number.
- The same for ClusteredTaskRegressor with the true number of groups.

Helpers (30 tasks, of which 8 are a group and 22 have no group): ``task_affinity`` with
``kind="leave_one_out"`` and TaskRelationRegressor.

- AUC: for each task of the group, its gains as a score of the other tasks of the group. The same
  for ClusteredTaskRegressor with its default number of clusters.
- Direction: how often the gain is positive, for pairs that are truly helped and for pairs that are
  not. The truth is the exact risk of the estimator, refitted to all labels without the helper,
  minus that with it: above 1% of the task's excess risk, or not above 0. The control calls a gain
  positive if the helper has more labels than the median task.

Auxiliary tasks (20 tasks, of which 6 are a group): ``select_auxiliary_tasks`` with
ClusteredTaskRegressor(n_clusters=1), for a main task with 30 labels, which is in the group or, in
the world without helpers, is not.

- Tasks selected, and the share of them that are in the main task's group.
- True gain: the exact risk (excess over the noise) of the main task's separate fit minus that of
  the estimator fitted to the main and the selected tasks, relative to the former. The same for all
  tasks, for all tasks of the group (not known in practice), and for the control: as many tasks as
  were selected, but at least one, with the most labels.
- Estimated gain, in units of the exact risk, and how often its 95% interval contains the true gain.

Intervals are 95% t intervals over seeds.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from benchmarks._command import Command
from benchmarks._progress import track
from benchmarks._report import half_width, table, write_json
from skmtl import ClusteredTaskRegressor, IndependentTaskRegressor, TaskRelationRegressor
from skmtl.inspection import group_tasks, select_auxiliary_tasks, task_affinity
from skmtl.model_selection import AlphaSearchCV

Array = NDArray[Any]

N_ALPHAS = 13


@dataclass(frozen=True)
class World:
    """Simulated tasks; see the docstring of the module.

    Parameters
    ----------
    sizes : tuple of int
        The sizes of the groups; a task without a group is a group of its own.
    labels : tuple of int
        The least and the largest number of labels.
    by_group : bool
        Whether all tasks of a group have the same number of labels.
    rich : int
        Labels of the tasks of the first group; 0: as those of others.
    """

    sizes: tuple[int, ...]
    labels: tuple[int, int] = (15, 45)
    by_group: bool = False
    rich: int = 0
    n_features: int = 10
    own: float = 0.4
    noise: float = 2.0

    def draw(self, seed: int, main: int | None = None, n_main: int = 30) -> "Tasks":
        """Draw the tasks; task ``main`` is of that group and has ``n_main`` labels."""
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        rng.shuffle(group)
        n_tasks = len(group)
        centres = rng.standard_normal((len(self.sizes), self.n_features))
        coef = centres[group] + self.own * rng.standard_normal((n_tasks, self.n_features))
        counts = rng.integers(self.labels[0], self.labels[1] + 1, n_tasks)
        if self.by_group:
            counts = rng.integers(self.labels[0], self.labels[1] + 1, len(self.sizes))[group]
        if self.rich:
            counts[group == 0] = self.rich
        first = 0 if main is None else int(np.flatnonzero(group == main)[0])
        if main is not None:
            counts[first] = n_main
        codes = np.repeat(np.arange(n_tasks), counts)
        X = rng.standard_normal((len(codes), self.n_features))
        intercept = rng.standard_normal(n_tasks)
        y = (X * coef[codes]).sum(axis=1) + intercept[codes]
        y += self.noise * rng.standard_normal(len(codes))
        return Tasks(np.column_stack([X, codes]), y, group, coef, intercept, counts, first)


@dataclass(frozen=True)
class Tasks:
    """Drawn tasks: data, the group of each, and the truth."""

    X: Array
    y: Array
    group: Array
    coef: Array
    intercept: Array
    counts: Array
    main: int

    def excess(self, model: Any) -> dict[int, float]:
        """The exact excess risk of a fitted model for each of its tasks."""
        tasks = model.tasks_.astype(int)
        error = model.coef_ - self.coef[tasks]
        excess = (error**2).sum(axis=1) + (model.intercept_ - self.intercept[tasks]) ** 2
        return dict(zip(tasks.tolist(), excess.tolist(), strict=True))

    def fit(self, model: Any, chosen: Array) -> dict[int, float]:
        """The excess risks of a model fitted to the rows of some tasks (n_tasks,)."""
        rows = chosen[self.X[:, -1].astype(int)]
        return self.excess(model.fit(self.X[rows], self.y[rows]))


def groups(world: World, seed: int) -> dict[str, Any]:
    """Planted groups: AUC and adjusted Rand index, and the control's."""
    tasks = world.draw(seed)
    n_groups = len(world.sizes)
    pairs = np.triu_indices(len(tasks.group), 1)
    same = (tasks.group[:, None] == tasks.group)[pairs]
    relation = TaskRelationRegressor(task_column=-1)
    start = time.process_time()
    found = group_tasks(relation, tasks.X, tasks.y, random_state=seed)
    record: dict[str, Any] = {"seconds": time.process_time() - start, "n_found": found.n_groups}
    record["ari_selected"] = adjusted_rand_score(tasks.group, found.labels)
    known = group_tasks(relation, tasks.X, tasks.y, n_groups=n_groups, random_state=seed)
    counts = tasks.counts[:, None].astype(float)
    by_count = KMeans(n_groups, n_init=5, random_state=0).fit(counts).labels_
    record["ari_known"] = adjusted_rand_score(tasks.group, known.labels)
    record["ari_control"] = adjusted_rand_score(tasks.group, by_count)
    if n_groups > 1:
        cluster = ClusteredTaskRegressor(n_clusters=n_groups, task_column=-1)
        other = group_tasks(cluster, tasks.X, tasks.y, n_groups=n_groups, random_state=seed)
        record["auc"] = roc_auc_score(same, found.affinity.matrix[pairs])
        record["auc_clustered"] = roc_auc_score(same, other.affinity.matrix[pairs])
        record["ari_clustered"] = adjusted_rand_score(tasks.group, other.labels)
        record["auc_control"] = roc_auc_score(same, -np.abs(np.log(counts / counts.T))[pairs])
    return record


def helpers(world: World, seed: int) -> dict[str, Any]:
    """Planted helpers: AUC and direction of leave-one-out gains, and the control's."""
    tasks = world.draw(seed)
    model = TaskRelationRegressor(task_column=-1)
    start = time.process_time()
    affinity = task_affinity(model, tasks.X, tasks.y, kind="leave_one_out", random_state=seed)
    seconds = time.process_time() - start
    n_tasks = len(tasks.group)
    everyone = np.ones(n_tasks, dtype=bool)
    model.set_params(alpha=affinity.alpha)
    full = tasks.fit(model, everyone)
    true = np.full((n_tasks, n_tasks), np.nan)
    for s in range(n_tasks):
        for t, excess in tasks.fit(model, np.arange(n_tasks) != s).items():
            true[t, s] = (excess - full[t]) / full[t]
    cluster = ClusteredTaskRegressor(task_column=-1)
    other = task_affinity(cluster, tasks.X, tasks.y, kind="leave_one_out", random_state=seed)
    aucs = []
    for t in np.flatnonzero(tasks.group == 0):
        others = np.arange(n_tasks) != t
        helper = tasks.group[others] == 0
        scores = affinity.matrix[t, others], other.matrix[t, others], tasks.counts[others]
        aucs.append([roc_auc_score(helper, score) for score in scores])
    auc, auc_clustered, auc_control = np.mean(aucs, axis=0)
    positive = affinity.matrix > 0
    by_count = np.broadcast_to(tasks.counts > np.median(tasks.counts), positive.shape)
    helped, unhelped = true > 0.01, true <= 0
    return {
        "seconds": seconds,
        "auc": auc,
        "auc_clustered": auc_clustered,
        "auc_control": auc_control,
        "helped": positive[helped].mean(),
        "unhelped": positive[unhelped].mean(),
        "helped_control": by_count[helped].mean(),
        "unhelped_control": by_count[unhelped].mean(),
    }


def auxiliary(world: World, seed: int, main_group: int = 0) -> dict[str, Any]:
    """Selected auxiliary tasks: their true and estimated gain, and the control's."""
    tasks = world.draw(seed, main=main_group)
    main, n_tasks = tasks.main, len(tasks.group)
    model = ClusteredTaskRegressor(n_clusters=1, task_column=-1)
    start = time.process_time()
    found = select_auxiliary_tasks(model, tasks.X, tasks.y, main=main, random_state=seed)
    seconds = time.process_time() - start
    selected = found.tasks.astype(int)
    own = np.arange(n_tasks) == main
    alone = tasks.fit(IndependentTaskRegressor("cv", task_column=-1), own)[main]

    def gain(others: Array) -> float:
        chosen = own.copy()
        chosen[others] = True
        if chosen.sum() == 1:
            return 0.0
        return alone - tasks.fit(AlphaSearchCV(model, alphas=N_ALPHAS), chosen)[main]

    related = tasks.group == main_group
    ranked = np.argsort(-np.where(own, 0, tasks.counts), kind="stable")
    gains = {
        "selected": gain(selected),
        "all": gain(np.arange(n_tasks)),
        "group": gain(np.flatnonzero(related)),
        "control": gain(ranked[: max(1, len(selected))]),
    }
    record = {f"gain_{name}": value / alone for name, value in gains.items()}
    return record | {
        "seconds": seconds,
        "n_selected": len(selected),
        "n_right": int(related[selected].sum()),
        "true": gains["selected"],
        "estimate": found.gain,
        "error": found.gain - gains["selected"],
        "covered": found.low <= gains["selected"] <= found.high,
    }


ALONE = (1,) * 22
GROUPS = {
    "5 equal groups": World((8,) * 5),
    "groups of 16, 10, 6, 4, 4": World((16, 10, 6, 4, 4)),
    "5 equal groups, 10..20 labels": World((8,) * 5, labels=(10, 20)),
    "5 equal groups, labels by group": World((8,) * 5, by_group=True),
    "one group": World((40,)),
}
HELPERS = {
    "15..45 labels": World((8, *ALONE)),
    "25 labels each": World((8, *ALONE), labels=(25, 25)),
    "helpers 45, others 25 labels": World((8, *ALONE), labels=(25, 25), rich=45),
}
FEW = (1,) * 14
AUXILIARY = {
    "5 helpers": (World((6, *FEW)), 0),
    "5 helpers with 45, others 25 labels": (World((6, *FEW), labels=(25, 25), rich=45), 0),
    "no helper": (World((6, *FEW)), 1),
}


def run(
    function: Callable[..., dict[str, Any]], worlds: dict[str, tuple[Any, ...]], n_seeds: int,
    n_jobs: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """The records of all worlds and seeds."""
    jobs = [(name, world, seed) for name, world in worlds.items() for seed in range(n_seeds)]
    coming = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(_quietly)(function, world[0], seed, *world[1:]) for _, world, seed in jobs
    )
    found = list(track(coming, function.__name__, len(jobs)))
    return [
        {"world": name, "seed": seed} | record
        for (name, _, seed), record in zip(jobs, found, strict=True)
    ]


def _quietly(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # strengths at the edge of a grid, clusters that overlap
        return function(*arguments)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark, print the tables, and return the records of all seeds."""
    command = Command("affinity", __doc__)
    command.common("seeds", default=10, help="number of data sets per row")
    command.common("jobs", default=2, help="number of processes")
    command.common("json")
    command.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = command.read(argv)
    records = {}
    for part in arguments.parts:
        function, worlds, columns = PARTS[part]
        records[part] = run(function, worlds, arguments.seeds, arguments.jobs)
        by_world = [
            [record for record in records[part] if record["world"] == name] for name in worlds
        ]
        header = f"{part}, {arguments.seeds} seeds"
        print(table(by_world, {header: _world} | columns, n_left=1) + "\n", flush=True)
    write_json(arguments.json, records)
    return records


def _world(records: list[dict[str, Any]]) -> str:
    return str(records[0]["world"])


def _mean(name: str, digits: int = 2) -> Callable[[list[dict[str, Any]]], str]:
    """A column with the mean of a quantity over seeds, and its interval."""

    def cell(records: list[dict[str, Any]]) -> str:
        values = np.array([record[name] for record in records if name in record], dtype=float)
        values = values[~np.isnan(values)]
        if not len(values):
            return "-"
        return f"{values.mean():.{digits}f} ± {half_width(values):.{digits}f}"

    return cell


def _right(records: list[dict[str, Any]]) -> str:
    """The share of the selected tasks that are in the main task's group, over all seeds."""
    selected = sum(record["n_selected"] for record in records)
    return f"{sum(record['n_right'] for record in records)} of {selected}"


PARTS: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, Any], dict[str, Any]]] = {
    "groups": (
        groups,
        {name: (world,) for name, world in GROUPS.items()},
        {
            "AUC": _mean("auc"),
            "control": _mean("auc_control"),
            "clustered, true k": _mean("auc_clustered"),
            "ARI, true k": _mean("ari_known"),
            "control ": _mean("ari_control"),
            "clustered": _mean("ari_clustered"),
            "ARI, selected k": _mean("ari_selected"),
            "selected k": _mean("n_found", 1),
            "CPU s": _mean("seconds", 1),
        },
    ),
    "helpers": (
        helpers,
        {name: (world,) for name, world in HELPERS.items()},
        {
            "AUC": _mean("auc"),
            "clustered": _mean("auc_clustered"),
            "control": _mean("auc_control"),
            "gain > 0: helped": _mean("helped"),
            "unhelped": _mean("unhelped"),
            "control: helped": _mean("helped_control"),
            "unhelped ": _mean("unhelped_control"),
            "CPU s": _mean("seconds", 1),
        },
    ),
    "auxiliary": (
        auxiliary,
        AUXILIARY,
        {
            "selected": _mean("n_selected", 1),
            "in group": _right,
            "true gain": _mean("gain_selected"),
            "control": _mean("gain_control"),
            "all tasks": _mean("gain_all"),
            "whole group": _mean("gain_group"),
            "estimate - truth": _mean("error"),
            "covered": _mean("covered"),
            "CPU s": _mean("seconds", 1),
        },
    ),
}


if __name__ == "__main__":
    main()
