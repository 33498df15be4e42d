"""benchmarks.coverage runs, and counts what it states."""

import json

import numpy as np
import pytest

from benchmarks import coverage


def test_quick_run_counts_the_labels_inside(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(coverage, "simulate", small)
    raw = tmp_path / "raw.json"
    options = ["--data", "simulated", "--quick", "--jobs", "1", "--json", str(raw)]
    records = coverage.main(options)
    printed = capsys.readouterr().out
    assert "Coverage at level 0.9: simulated" in printed
    assert json.loads(raw.read_text())["records"] == records
    by_name = {record["method"]: record for record in records}
    problem = small(0)
    ends = dict(coverage.intervals(problem, 0.9, 0))["cv+, shared"]
    inside = (ends[:, 0] <= problem.y_test) & (problem.y_test <= ends[:, 1])
    assert by_name["cv+, shared"]["covered"] == pytest.approx(inside.mean())
    assert by_name["split, task"]["infinite"] > 0.5
    assert by_name["split, shrunk"]["infinite"] == 0


def test_new_tasks_and_sets(monkeypatch, capsys):
    monkeypatch.setattr(coverage, "simulate", small)
    records = coverage.main(["--data", "new", "sets", "--quick", "--jobs", "1"])
    assert "| cv+, hierarchical" in capsys.readouterr().out
    by_name = {(record["data"], record["method"]): record for record in records}
    # Ten known tasks: nine are needed, and "split" holds out three.
    assert by_name["new", "split, hierarchical"]["infinite"] == 1
    assert by_name["new", "cv+, hierarchical"]["infinite"] == 0
    assert 1 < by_name["sets", "cv+, shared"]["width"] < 2
    assert {n for n, _ in by_name["new", "cv+, approximate"]["tasks"]} == {0}


def small(seed, copies=2, classes=False):
    """A few tasks of each size, with few test rows."""
    return SIMULATE(seed, n_test=20, copies=4 if copies == 24 else 2, classes=classes)


SIMULATE = coverage.simulate


def test_intervals_of_the_mixed_model_and_of_single_tasks():
    problem = small(1)
    found = dict(coverage.intervals(problem, 0.8, 1))
    for name in {"mixed model", "mapie, each task"} & set(found):
        ends = found[name]
        known = ~np.isnan(ends[:, 0])
        inside = (ends[:, 0] <= problem.y_test) & (problem.y_test <= ends[:, 1])
        assert 0.6 < inside[known].mean() < 0.95
