"""The benchmark of task affinities runs, and its control sees only numbers of labels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import affinity
from benchmarks.affinity import World, groups, helpers


def test_the_control_sees_numbers_of_labels() -> None:
    informative = groups(World((4, 3), by_group=True), 0)
    assert informative["auc_control"] == informative["ari_control"] == 1.0
    found = helpers(World((3, 1, 1, 1), labels=(20, 20)), 0)
    assert found["auc_control"] == 0.5 and found["helped_control"] == 0.0


def test_exact_risk_is_the_mean_over_many_rows() -> None:
    world = World((3, 2))
    tasks = world.draw(0, main=1)
    assert tasks.group[tasks.main] == 1 and tasks.counts[tasks.main] == 30
    model: Any = affinity.IndependentTaskRegressor(0.1, task_column=-1).fit(tasks.X, tasks.y)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200_000, 10))
    for t, excess in tasks.excess(model).items():
        error = X @ (model.coef_[t] - tasks.coef[t]) + model.intercept_[t] - tasks.intercept[t]
        assert abs(np.mean(error**2) / excess - 1) < 0.05


@pytest.mark.slow
def test_the_tables_are_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"groups": (World((4, 3)),), "helpers": (World((3, 1, 1)),)}
    small["auxiliary"] = (World((3, 1, 1)), 0)  # type: ignore[assignment]
    parts = {
        name: (function, {"small": small[name]}, columns)
        for name, (function, _, columns) in affinity.PARTS.items()
    }
    monkeypatch.setattr(affinity, "PARTS", parts)
    file = tmp_path / "raw.json"
    affinity.main(["--seeds", "2", "--jobs", "1", "--json", str(file)])
    printed = capsys.readouterr().out
    assert printed.count("| small ") == 3 and "control" in printed
    assert {len(records) for records in json.loads(file.read_text()).values()} == {2}
