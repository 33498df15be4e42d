"""The methods that benchmarks compare: how each is tuned, and how all of them are run."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from threadpoolctl import threadpool_limits

import skmtl
from benchmarks._progress import ProgressBar
from benchmarks._report import Record
from benchmarks._tuning import Array, Path, Problem, Rule, one_for_all, refit, search
from skmtl import pretraining
from skmtl.datasets import make_clustered_tasks


@dataclass(frozen=True)
class Method:
    """An estimator, and how its alpha and other parameters are selected.

    Parameters
    ----------
    name : str
        Its row of the table.
    family : str
        The name of the estimator without the ending Regressor or Classifier.
    path : Path
        The strengths to try.
    fixed : dict
        Parameters with fixed values.
    grid : dict
        Candidate values of parameters that are also selected; a quick run uses the first value.
    rule : Rule
        How alpha is selected from the path.
    also : dict
        Further rows of the table from the same path, by other rules.
    """

    name: str
    family: str
    path: Path
    fixed: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    rule: Rule = one_for_all
    also: dict[str, Rule] = field(default_factory=dict)

    @property
    def rules(self) -> dict[str, Rule]:
        """The rows of the table, and the rule that selects alpha for each."""
        return {self.name: self.rule} | self.also

    def make(self, *, stacked: bool = True, classes: bool = False, **options: Any) -> Any:
        """The estimator for a layout of the data, a classifier if the labels are classes."""
        name = self.family + ("Classifier" if classes else "Regressor")
        kind = getattr(pretraining if name in pretraining.__all__ else skmtl, name)
        return kind(task_column=-1 if stacked else None, **self.fixed | options)


def by_name(*methods: Method) -> dict[str, Method]:
    """A table of methods, in the order of its rows."""
    return {method.name: method for method in methods}


def grids(methods: Mapping[str, Method]) -> str:
    """The parameters selected in addition to alpha and their values, as a sentence."""
    text = "; ".join(
        f"{name}: " + ", ".join(f"{key} {'/'.join(map(str, v))}" for key, v in method.grid.items())
        for name, method in methods.items()
        if method.grid
    )
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Tuned:
    """A fitted row of the table: coefficients (n_tasks, n_features), parameters and seconds."""

    method: str
    coef: Array
    intercept: Array
    alpha: Array
    setting: dict[str, Any]
    seconds: float

    @property
    def n_used(self) -> int:
        """The number of features with a non-zero coefficient in some task."""
        return int(self.coef.any(axis=0).sum())

    def record(self) -> Record:
        """All except the coefficients, for the raw numbers; alpha is a scalar if tasks share it."""
        alpha = self.alpha.tolist()
        return {
            "method": self.method,
            "alpha": alpha[0] if len(set(alpha)) == 1 else alpha,
            "setting": self.setting,
            "seconds": self.seconds,
        }


def tune(method: Method, problem: Problem, *, quick: bool = False) -> list[Tuned]:
    """Fit a method's rows of the table, with parameters selected on the problem's rows alone.

    The seconds are processor time, which does not depend on other load of the machine, of the paths
    and of the final fit. They leave out the selection from the path, which takes no time except in
    one_for_all_or_each, whose nested cross-validation serves only the comparison.
    """
    grid = {name: values[:1] if quick else values for name, values in method.grid.items()}
    start = time.process_time()
    held_out = search(problem, grid)
    shared = time.process_time() - start
    setting = {name: getattr(held_out.problem.estimator, name) for name in grid}
    rows = []
    for name, rule in method.rules.items():
        alpha = rule(held_out)
        start = time.process_time()
        coef, intercept = refit(held_out.problem, alpha)
        seconds = shared + time.process_time() - start
        rows.append(Tuned(name, coef, intercept, alpha, setting, seconds))
    return rows


def run_all(
    run: Callable[..., Any],
    units: Sequence[tuple[Any, ...]],
    methods: Mapping[str, Method],
    jobs: int,
    label: str,
) -> list[Any]:
    """Return ``run(*unit)`` of all units in their order, ``jobs`` of them at a time.

    Each runs on one thread: operations on matrices this small are slower on several threads, some
    of them many times. Processes are spawned, not forked, because BLAS threads do not survive a
    fork on every platform. ``label`` is the format of a unit's name in the bar that shows progress.
    """
    with ProgressBar(len(units)) as bar:

        def done(position: int) -> None:
            bar.advance(label.format(*units[position]))

        if jobs > 1:
            return _run_in_processes(run, units, methods, jobs, done)
        _warm_up(methods)
        found = []
        for position, unit in enumerate(units):
            found.append(_on_one_thread(run, unit))
            done(position)
        return found


def _run_in_processes(
    run: Callable[..., Any],
    units: Sequence[tuple[Any, ...]],
    methods: Mapping[str, Method],
    jobs: int,
    done: Callable[[int], None],
) -> list[Any]:
    """The same in several processes; ``done`` is called with the position of each unit."""
    found: dict[int, Any] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn"), _warm_up, (methods,)) as pool:
        futures = {pool.submit(_on_one_thread, run, unit): k for k, unit in enumerate(units)}
        try:
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                done(futures[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [found[position] for position in range(len(units))]


def _on_one_thread(run: Callable[..., Any], unit: tuple[Any, ...]) -> Any:
    with threadpool_limits(limits=1):
        return run(*unit)


def _warm_up(methods: Mapping[str, Method]) -> None:
    """Fit each method once, so that loading compiled code does not count in its time."""
    stacked = make_clustered_tasks(8, 3, 4, layout="stacked", random_state=0)
    shared = make_clustered_tasks(12, 3, 4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in methods.values():
            method.make().fit(stacked.data, stacked.target)
            method.make(stacked=False).fit(shared.data, shared.target)
