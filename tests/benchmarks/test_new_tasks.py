"""The benchmark of new tasks: its splits, its baselines, and that it runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import new_tasks
from benchmarks.new_tasks import Rows, split


@pytest.fixture
def rows() -> Rows:
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(12), 30)
    X = rng.standard_normal((360, 3))
    w = 1 + 0.3 * rng.standard_normal((12, 3))
    return Rows(X, (X * w[task]).sum(axis=1) + 0.5 * rng.standard_normal(360), task)


def test_labels_are_nested_and_apart_from_the_tests(rows: Rows) -> None:
    parts = split(rows, "survey", 0)
    new = set(parts.test.task.tolist())
    assert len(new) == 3 and not new & set(parts.known.task.tolist())
    small, large = parts.labels(2), parts.labels(10)
    assert np.isin(small.y, large.y).all() and not np.isin(large.y, parts.test.y).any()
    assert len(parts.labels(0).y) == 0 and len(small.y) == 6 and len(parts.test.y) == 60
    assert not np.isin(parts.held_out.y, parts.known.y).any()


def test_the_tables_and_the_figure_are_made(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(new_tasks, "load", lambda data, home: rows)
    monkeypatch.setattr(new_tasks, "find_spec", lambda name: None)
    structures = {"clustered": new_tasks.ClusteredTaskRegressor}
    monkeypatch.setattr(new_tasks, "STRUCTURES", structures)
    figure, raw = tmp_path / "new.png", tmp_path / "new.json"
    arguments = ["--data", "survey", "--seeds", "1", "--jobs", "1"]
    new_tasks.main([*arguments, "--plot", str(figure), "--json", str(raw)])
    printed = capsys.readouterr().out
    assert "Computer survey: errors" in printed and "No mixed model" in printed
    (result,) = json.loads(raw.read_text())
    errors = result["errors"]
    assert errors["clustered"][-1] < errors["alone"][-1] and errors["clustered"][-1] < 0.7
    assert len(set(errors["mean task"])) == 1 and figure.stat().st_size > 0
