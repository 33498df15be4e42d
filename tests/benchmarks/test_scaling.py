"""benchmarks.scaling measures what it states."""

import numpy as np
import pytest

from benchmarks import scaling
from benchmarks._memory import held_now, peak_since, reset_peak
from benchmarks._scaling_cases import SERIES, blocks, stacked
from benchmarks._scaling_dask import by_workers, logistic
from skmtl.design import TaskStatistics


@pytest.mark.turns(2)
@pytest.mark.parametrize("name", [name for name in SERIES if not name.startswith("dask")])
def test_every_series_runs_at_its_smallest_size(name):
    found = scaling.measure(name, SERIES[name].quick[0])
    assert found["seconds"] >= 0 and found["peak_bytes"] >= 0


@pytest.mark.slow
def test_dask_on_two_workers():
    pytest.importorskip("distributed", reason="pip install skmtl[dask]")
    call, n_bytes = by_workers(logistic, 4_000, 8)(2)
    found = call()
    assert n_bytes == 4_000 * 42 * 8
    assert found["passes"] > 2
    times = ("seconds", "wall", "scheduling_seconds", "scheduling_wall")
    assert all(found[name] > 0 for name in times)


def test_scheduling_has_its_own_table(capsys, monkeypatch):
    def measured(name, size, limit):
        times = {"seconds": 3.0, "wall": 2.0, "scheduling_seconds": 0.25, "scheduling_wall": 0.125}
        return times | {"peak_bytes": 2**20, "input_bytes": 1, "passes": 4}

    monkeypatch.setattr(scaling, "_in_process", measured)
    (record,) = scaling.main(["--series", "dask-passes"])
    assert record["slope"] == pytest.approx(0.0)
    printed = capsys.readouterr().out.split("Scheduling by Dask")[1]
    assert "workers 1 2" in printed and "0.25 0.25" in printed and "0.125 0.125" in printed


def test_a_run_prints_slopes_and_what_failed(tmp_path, capsys, monkeypatch):
    def measured(name, size, limit):
        if size > 100 and name == "gather":
            return {"error": "killed by signal 9"}
        return {"seconds": size**1.5, "peak_bytes": 2**20, "input_bytes": 1}

    monkeypatch.setattr(scaling, "_in_process", measured)
    options = ["--series", "predict", "gather", "--quick", "--plot", str(tmp_path / "a.png")]
    records = scaling.main([*options, "--json", str(tmp_path / "a.json")])
    printed = capsys.readouterr().out
    assert records[0]["slope"] == pytest.approx(1.5)
    assert "300: killed by signal 9" in printed and (tmp_path / "a.json").exists()


def test_short_calls_are_repeated_and_the_median_counts(monkeypatch):
    seconds = {100: [0.5, 0.1, 9.0, 0.2, 0.3], 300: [5.0, 7.0, 3.0]}
    left = {size: iter(each) for size, each in seconds.items()}

    def measured(name, size, limit):
        return {"seconds": next(left[size]), "peak_bytes": 1, "input_bytes": 1}

    monkeypatch.setattr(scaling, "_in_process", measured)
    record = scaling.main(["--series", "pooled", "--quick"])[0]
    assert record["seconds"] == [0.3, 5.0] and record["repeats"] == [5, 3]
    assert all(next(each, None) is None for each in left.values())


def test_the_stream_has_the_rows_it_says():
    statistics = TaskStatistics.from_batches(blocks(2_500, 4, 3, 1_000), task_column=-1)
    assert statistics.label_counts_.sum() == 2_500 and statistics.n_batches_ == 3
    X, y = stacked(7)
    assert X.shape == (140, 21) and len(np.unique(X[:, -1])) == 7 and len(y) == 140


def test_peak_memory_sees_what_is_freed_again():
    reset_peak()
    held = held_now()
    np.ones(2**24).sum()
    assert peak_since() - held > 2**26
