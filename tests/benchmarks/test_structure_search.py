"""benchmarks.structure_search and benchmarks.school_structures run, and test what they state."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import school_structures, structure_search
from benchmarks._tour_data import SARCOS, SCHOOL, SOURCES
from skmtl.datasets import make_clustered_tasks

NAMES = ["independent", "pooled", "block_sparse"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two small data sets, and make the splits small."""
    made = make_clustered_tasks(16, 4, 6, n_clusters=2, layout="stacked", random_state=0)
    task = 10 * made.data[:, -1].astype(int)
    np.savez(tmp_path / SOURCES[SCHOOL].file, X=made.data[:, :-1], y=made.target, task=task)
    made = make_clustered_tasks(40, 4, 3, n_clusters=1, random_state=1)
    np.savez(tmp_path / SOURCES[SARCOS].file, X=made.data, Y=made.target)
    monkeypatch.setitem(SOURCES, SARCOS, replace(SOURCES[SARCOS], n_splits=2, n_train=12))
    monkeypatch.setitem(SOURCES, SCHOOL, replace(SOURCES[SCHOOL], n_splits=2, parts=2))
    return tmp_path


def test_search_and_single_structures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = folder / "raw.json"
    options = ["--data-home", str(folder), "--jobs", "1", "--json", str(raw)]
    structure_search.main([*options, "--structures", *NAMES])
    records = json.loads(raw.read_text(encoding="utf-8"))["structure_search"]
    assert {record["data"] for record in records} == {SCHOOL, SARCOS}
    assert len(records) == 2 * 2 * (len(NAMES) + 2)
    for record in records:
        assert record["error"] == pytest.approx(np.mean(record["task_errors"]))
        twin = [
            other["error"]
            for other in records
            if other["method"] == record["structure"]
            and (other["data"], other["split"]) == (record["data"], record["split"])
        ]
        assert twin == [record["error"]]
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("against the best single structure") == 4
    assert printed.count("against the better baseline") == 4
    assert printed.count("passed") + printed.count("failed") == 8


def test_difference_is_over_splits_or_over_many_tasks() -> None:
    ours = [{"task_errors": [1.0, 2.0]}, {"task_errors": [2.0, 2.0]}]
    theirs = [{"task_errors": [1.0, 1.0]}, {"task_errors": [1.0, 1.0]}]
    mean, error, half = structure_search.difference(ours, theirs)
    assert (mean, error) == (0.75, 0.25) and half == pytest.approx(12.706205 * 0.25)
    many = [{"task_errors": [float(k % 2) for k in range(40)]}]
    mean, error, _ = structure_search.difference(many, [{"task_errors": [0.0] * 40}])
    assert mean == 0.5 and error == pytest.approx(np.sqrt(0.25 / 39))


def test_school(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data-home", str(folder), "--structures", *NAMES]
    if importlib.util.find_spec("matplotlib"):
        options += ["--plot", str(folder / "picture.png")]
    search = school_structures.main(options)
    printed = capsys.readouterr().out
    assert search.report() in printed and "s of processor time" in printed
    if "--plot" in options:
        assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
