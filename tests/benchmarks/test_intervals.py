"""benchmarks.intervals runs, and counts what it states."""

import json

import numpy as np
import pytest

from benchmarks import intervals
from skmtl import BlockSparseRegressorCV
from skmtl.inference import coefficient_intervals


def test_quick_run_counts_coverage_and_false_discoveries(tmp_path, capsys, monkeypatch):
    world = intervals.World(40, 6, layouts=("shared", "missing", "stacked"))
    monkeypatch.setitem(intervals.WORLDS, "tall", world)
    raw = tmp_path / "raw.json"
    options = ["--worlds", "tall", "--quick", "--jobs", "1", "--json", str(raw)]
    records = intervals.main(options)
    printed = capsys.readouterr().out
    assert "Debiased intervals at level 0.95, 2 data sets" in printed
    assert json.loads(raw.read_text())["records"] == records
    assert [record["layout"] for record in records] == ["shared"] * 2 + ["missing"] * 2 + [
        "stacked"
    ] * 2
    X, Y, W = intervals.simulate(world, "shared", 1)
    result = coefficient_intervals(BlockSparseRegressorCV(30), X, Y)
    low, high = np.moveaxis(result.intervals, -1, 0)
    counts = {True: [], False: []}
    for j in range(6):
        counts[bool(W[j].any())] += [low[j, t] <= W[j, t] <= high[j, t] for t in range(4)]
    assert records[1]["active"] == pytest.approx(np.mean(counts[True]))
    assert records[1]["null"] == pytest.approx(np.mean(counts[False]))
    found = [j for j in range(6) if result.adjusted_p_values[j] <= 0.05]
    assert records[1]["fwer"] == any(not W[j].any() for j in found)
    assert records[1]["power"] == pytest.approx(sum(bool(W[j].any()) for j in found) / 5)


@pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
def test_simulated_noise(layout):
    """The noise has the stated correlations, and the labels the stated coefficients."""
    world = intervals.World(4000, 6)
    X, y, W = intervals.simulate(world, layout, 0)
    assert np.count_nonzero(W.any(axis=1)) == 5
    features = X[:, :-1] if layout == "stacked" else X
    assert np.corrcoef(features[:, 2], features[:, 4])[0, 1] == pytest.approx(0.25, abs=0.05)
    if layout == "stacked":
        codes = X[:, -1].astype(int)
        noise = y - (features * W.T[codes]).sum(axis=1)
        spreads = [noise[codes == t].std() for t in range(4)]
        np.testing.assert_allclose(spreads, intervals.NOISE, rtol=0.05)
        return
    noise = y - X @ W
    missing = np.isnan(noise).mean()
    assert missing == (0 if layout == "shared" else pytest.approx(0.1, abs=0.01))
    noise = noise[~np.isnan(noise).any(axis=1)]
    np.testing.assert_allclose(np.cov(noise.T), 0.5 + 0.5 * np.eye(4), atol=0.08)
