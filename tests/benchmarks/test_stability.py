"""benchmarks.stability runs, and counts what it states."""

import json

import numpy as np
import pytest

from benchmarks import stability


@pytest.mark.slow
def test_quick_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stability, "FEATURES", ("blocks",))
    monkeypatch.setattr(stability, "LAYOUTS", ("stacked",))
    raw = tmp_path / "raw.json"
    options = ["--quick", "--features", "80", "--jobs", "1", "--json", str(raw)]
    records = stability.main(options)
    assert "Stability selection, 80 features" in capsys.readouterr().out
    assert json.loads(raw.read_text())["records"] == records
    assert len(records) == 2 * 5
    for record in records:
        assert 0 <= record["unrelated"] <= record["null"] and record["effective"] <= 8
        assert record["low"] <= record["null"] + record["effective"]
        if "bound" in record:
            assert record["bound"] <= 1


@pytest.mark.parametrize("features", stability.FEATURES)
def test_simulated_features_have_the_stated_correlation(features):
    expected = stability.correlation(features, 80)
    X = np.vstack([stability.simulate(features, "shared", 80, seed)[0] for seed in range(60)])
    assert np.abs(np.corrcoef(X.T) - expected).max() < 6 / np.sqrt(len(X))
    effective = stability.coefficients(features, 80).any(axis=0)
    assert effective.sum() == 8
    if features == "blocks":
        assert len(set(np.flatnonzero(effective) // 10)) == 8


def test_counts_of_a_selection():
    effective = np.flatnonzero(stability.coefficients("blocks", 80).any(axis=0))
    neighbour = 10 * (effective[0] // 10) + (effective[0] + 1) % 10
    found = np.zeros(80, dtype=bool)
    found[[effective[0], neighbour]] = True
    probability = np.full(80, 0.5)
    probability[neighbour] = 0.0
    record = {"features": "blocks", "found": found}
    scored = stability.score(record, probability)
    assert scored == {"features": "blocks", "low": 1, "null": 1, "unrelated": 0, "effective": 1}
