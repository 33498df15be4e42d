"""benchmarks.stream reads what it writes, as often as necessary."""

import json

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")

from benchmarks import stream
from skmtl.design import TaskStatistics
from skmtl.io import batches_from_parquet


def test_a_small_stream(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stream, "_FILE_BYTES", 20_000)
    raw = tmp_path / "raw.json"
    small = ["--gigabytes", "5e-5", "--tasks", "7", "--features", "3", "--json", str(raw)]
    record = stream.main(small)
    assert json.loads(raw.read_text()) == record
    assert record["rows"] >= 5e-5 * 1e9 / 32 and record["rows"] % (20_000 // 32) == 0
    assert record["gigabytes"] == pytest.approx(record["rows"] * 32e-9)
    assert record["gap"] < 1e-3 and record["peak_megabytes"] > 0
    assert "| 7 " in capsys.readouterr().out.replace("     ", " ")


def test_rows_are_related_tasks(tmp_path):
    stream.write(tmp_path / "rows.parquet", 3000, 5, 3)
    batches = batches_from_parquet(
        tmp_path / "rows.parquet", features=["x0", "x1", "x2"], target="y", task="task"
    )
    statistics = TaskStatistics.from_batches(batches, task_column="task")
    assert statistics.label_counts_.sum() == 3000 and len(statistics.tasks_) == 5
    xx, xy, yy = statistics.scatter("shop-00000")
    noise = (yy - xy @ np.linalg.solve(xx, xy)) / statistics.label_counts_[0]
    assert noise == pytest.approx(1.0, rel=0.2)
