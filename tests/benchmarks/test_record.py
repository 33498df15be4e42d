"""What a benchmark printed, kept for the documentation, and its page."""

import json

import numpy as np
import pytest

from benchmarks import learning_curves, record
from benchmarks._report import markdown_table, section
from benchmarks._tour_data import Data

TABLE = markdown_table(["method", "error, %"], [["pooled", "1.5 ± 0.1"], ["", "**2**"]])
PRINTED = f"{section('A title', TABLE, 'One note.' + 2 * chr(10) + 'Another.')}\n\n plain\n text\n"


def test_blocks_are_what_was_printed():
    assert record.blocks(PRINTED) == [
        {"title": "A title"},
        {"table": [["pooled", "1.5 ± 0.1"], ["", "**2**"]], "header": ["method", "error, %"]},
        {"notes": ["One note.", "Another."]},
        {"text": " plain\n text"},
    ]


def test_output_is_kept_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    (tmp_path / "printed").write_text(PRINTED, encoding="utf-8")
    record.main(["--printed", str(tmp_path / "printed"), "--as", "kept", "tour", "--seeds", "2"])
    found = json.loads((tmp_path / "results" / "kept.json").read_text(encoding="utf-8"))
    assert found == {
        "command": "python -m benchmarks.tour --seeds 2",
        "report": record.blocks(PRINTED),
    }


@pytest.mark.slow
def test_a_run_is_kept_with_its_date_and_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    record.main(["tour", "--help"])
    found = json.loads((tmp_path / "tour.json").read_text(encoding="utf-8"))
    assert {"date", "versions", "machine", "cores"} <= found.keys()
    assert "usage: python -m benchmarks.tour" in found["report"][0]["text"]


@pytest.mark.parametrize("stacked", [True, False])
def test_training_parts_are_nested_and_apart_from_test_rows(stacked):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(60, 2)), np.repeat([0, 1, 2], 20)])
    data = Data(X, rng.normal(size=60)) if stacked else Data(X[:, :2], rng.normal(size=(60, 2)))
    sizes = (3, 6)
    small, test = learning_curves.rows_of(data, sizes, 3, seed=1)
    large, same = learning_curves.rows_of(data, sizes, 6, seed=1)
    assert set(small) < set(large) and not set(large) & set(test)
    np.testing.assert_array_equal(test, same)
    if stacked:
        np.testing.assert_array_equal(np.bincount(X[large, -1].astype(int)), [6, 6, 6])
    assert len(large) + len(test) == 60
