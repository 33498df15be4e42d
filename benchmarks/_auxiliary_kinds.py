"""The settings of benchmarks.auxiliary: six kinds of auxiliary task, and useless ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._auxiliary_fits import Effort
from benchmarks._auxiliary_future import CITIES, CUTS, PM25, future
from benchmarks._auxiliary_real import (
    COMMON_LABELS,
    RAND,
    SARCOS,
    SCHOOL,
    YEAST,
    expenses,
    schools,
    torques,
    yeast,
)
from benchmarks._auxiliary_simulated import attention, hints, representation, useless
from benchmarks._auxiliary_sites import MEASURES, WORLDS, insured_sites, simulated_sites

KINDS = {
    "related": "A related task",
    "hints": "Hints",
    "representation": "Representation",
    "attention": "Attention",
    "future": "The future predicts the present",
    "nuisance": "Nuisance",
    "useless": "Useless auxiliary tasks",
}
SEEDS = 15


@dataclass(frozen=True)
class Setting:
    """A row of a table.

    Parameters
    ----------
    kind, name : str
    run : callable
        Returns the test error of each method, given ``unit``, ``effort``, ``given`` and, if there
        is a file, ``folder``.
    given : dict
    n_groups : int
        The groups of units over which the interval is: seeds, or units with data of their own.
    n_repeats : int
        The units of a group, whose errors are averaged first. Unit u is in group u % n_groups.
    file : str or None
        The data; None: simulated.
    """

    kind: str
    name: str
    run: Callable[..., dict[str, float]]
    given: dict[str, Any] = field(default_factory=dict)
    n_groups: int = SEEDS
    n_repeats: int = 1
    file: str | None = None

    def units(self, quick: bool) -> list[int]:
        """The units to run."""
        n_units = self.n_groups * self.n_repeats
        return list(range(min(n_units, 2) if quick else n_units))

    def errors(self, folder: Path, unit: int, effort: Effort) -> dict[str, float]:
        """The test error of each method in a unit."""
        given = self.given if self.file is None else self.given | {"folder": folder}
        return self.run(unit=unit, effort=effort, **given)


def _all() -> list[Setting]:
    rows = [
        Setting("related", f"SARCOS torques, {n} labels", torques, {"n": n}, 7, 2, SARCOS)
        for n in (20, 50)
    ]
    rows += [Setting("hints", f"simulated, {n} labels", hints, {"n": n}) for n in (30, 100)]
    rows += [Setting("hints", "yeast, 100 labels", yeast, {"n": 100}, COMMON_LABELS, 1, YEAST)]
    rows += [
        Setting(
            "representation",
            f"simulated, {what}, {n} labels",
            representation,
            {"n": n, "inside": s},
        )
        for what, s, n in (
            ("same subspace", 1.0, 10),
            ("same subspace", 1.0, 50),
            ("half outside", 0.5, 50),
        )
    ]
    rows += [
        Setting("representation", f"School, {n} labels", schools, {"n": n}, 120, 1, SCHOOL)
        for n in (10, 20)
    ]
    rows += [
        Setting(
            "attention", f"simulated, {what}, {n} labels", attention, {"n": n, "common": common}
        )
        for what, common, n in (
            ("same features", True, 30),
            ("same features", True, 60),
            ("other features", False, 60),
        )
    ]
    rows += [
        Setting("attention", f"RAND expense, {n} rows", expenses, {"n": n}, 8, 1, RAND)
        for n in (150, 500)
    ]
    rows += [
        Setting(
            "future",
            f"{horizon} h ahead, {n} training hours",
            future,
            {"horizon": horizon, "n": n},
            len(CITIES),
            len(CUTS),
            PM25,
        )
        for horizon in (6, 12, 24)
        for n in (50, 200, 1000)
    ]
    rows += [
        Setting("nuisance", f"simulated, {world}", simulated_sites, {"world": world})
        for world in WORLDS
    ]
    rows += [
        Setting(
            "nuisance",
            f"RAND any expense, {measure}",
            insured_sites,
            {"measure": measure},
            6,
            1,
            RAND,
        )
        for measure in MEASURES
    ]
    rows += [
        Setting("useless", f"{structure}, {n} labels", useless, {"n": n, "sparse": sparse}, 20)
        for structure, sparse in (("block-sparse", True), ("low rank", False))
        for n in (30, 100)
    ]
    return rows


SETTINGS = _all()
