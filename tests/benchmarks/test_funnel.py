"""benchmarks.funnel runs on small data, and its scores are what its protocol states."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from benchmarks import _funnel_amounts, _funnel_contenders, _funnel_data, funnel
from benchmarks._funnel_scale import run_scale


def _write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    n = 360
    visit = rng.uniform(size=n) < 0.5
    np.savez(
        folder / "hillstrom.npz",
        visit=visit.astype(np.int8),
        conversion=(visit & (rng.uniform(size=n) < 0.5)).astype(np.int8),
        recency=rng.integers(1, 12, n),
        history=rng.uniform(30, 500, n),
        mens=rng.integers(0, 2, n),
        womens=rng.integers(0, 2, n),
        newbie=rng.integers(0, 2, n),
        zip_code=rng.choice(["Rural", "Urban"], n),
        channel=rng.choice(["Phone", "Web"], n),
        segment=rng.choice(["Mens", "No", "Womens"], n),
    )
    X = rng.standard_normal((300, 4))
    X[0, 0] = np.nan
    np.savez(
        folder / "rand_hie.npz",
        X=X,
        site=rng.integers(1, 3, 300),
        plan=rng.integers(1, 3, 300),
        year=rng.integers(1, 3, 300),
        person=np.repeat(np.arange(60), 5),
        expense=np.exp(rng.standard_normal(300)) * (rng.uniform(size=300) < 0.7),
    )


@pytest.mark.slow
def test_all_parts_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_data(tmp_path)
    monkeypatch.setattr(_funnel_contenders, "ALPHAS", (0.01, 0.03))
    monkeypatch.setattr(_funnel_amounts, "ALPHAS", (0.01, 0.1))
    monkeypatch.setattr(funnel, "FEW_PERSONS", 2)
    monkeypatch.setattr(_funnel_data, "N_TEST", 300)
    for rate in _funnel_data.SIZES:
        monkeypatch.setitem(_funnel_data.SIZES, rate, int(250 / rate**0.5))
    raw = tmp_path / "raw.json"
    options = ["--data-home", str(tmp_path), "--json", str(raw), "--first", "1000"]
    figure = tmp_path / "figure.png"
    if _has_matplotlib():
        options += ["--plot", str(figure)]
    funnel.main([*options, "--jobs", "1", "--seeds", "2", "--splits", "2"])
    records = json.loads(raw.read_text(encoding="utf-8"))["funnel"]
    assert {record["data"] for record in records} == {"simulated", "hillstrom", "rand_hie"}
    for record in records:
        if record["data"] == "rand_hie":
            assert record["method"] in _funnel_amounts.METHODS and record["deviance"] > 0
        else:
            assert record["method"] in _funnel_contenders.NAMES
            assert 0 <= record["auc"] <= 1 and record["calibration"] >= 0
    printed = capsys.readouterr().out
    assert printed.count("### ") == 3 * 3 + 5
    assert "AUC, entire space, block against clicks only, block:" in " ".join(printed.split())
    assert figure.is_file() == _has_matplotlib()


def _has_matplotlib() -> bool:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def test_scores_equal_those_of_drawn_labels() -> None:
    rng = np.random.default_rng(0)
    p, weights = rng.uniform(0.05, 0.95, 400), rng.uniform(0.5, 1, 400)
    y = (rng.uniform(size=400) < p).astype(float)
    found = _funnel_data.scores(y, p, weights)
    assert found["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=weights))
    assert found["log_loss"] == pytest.approx(log_loss(y, p, sample_weight=weights))
    # A known probability counts as labels in that proportion.
    twice = _funnel_data.scores(np.array([0.25, 0.5]), np.array([0.3, 0.4]), np.ones(2))
    labels, drawn = np.array([1, 0, 0, 0, 1, 1, 0, 0]), np.repeat([0.3, 0.4], 4)
    assert twice["auc"] == pytest.approx(roc_auc_score(labels, drawn))
    assert twice["log_loss"] == pytest.approx(log_loss(labels, drawn))


def test_calibration_error_is_the_share_of_misplaced_purchases() -> None:
    truth = np.repeat([0.1, 0.5], 50)
    assert _funnel_data.scores(truth, truth, np.ones(100))["calibration"] == pytest.approx(0)
    found = _funnel_data.scores(truth, 1.2 * truth, np.ones(100))
    assert found["calibration"] == pytest.approx(0.2)


def test_selection_takes_the_smallest_held_out_log_loss() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    Y = np.column_stack([rng.uniform(size=400) < 0.5, np.zeros(400)])
    Y[:, 1] = Y[:, 0] * (rng.uniform(size=400) < 0.4)

    def fit(
        X: np.ndarray, Y: np.ndarray, new: np.ndarray, setting: tuple[float]
    ) -> tuple[np.ndarray, np.ndarray]:
        # The right joint probability with one alpha, the right conditional with another.
        joint = 0.2 if setting[0] == _funnel_contenders.ALPHAS[1] else 0.6
        given = 0.4 if setting[0] == _funnel_contenders.ALPHAS[2] else 0.9
        return np.full(len(new), joint), np.full(len(new), given)

    contender = _funnel_contenders.Contender("constants", fit)
    found = _funnel_contenders.predict_tuned(contender, X, Y, X[:5], 0)
    assert found["joint"][1] == (_funnel_contenders.ALPHAS[1],)
    assert found["conditional"][1] == (_funnel_contenders.ALPHAS[2],)
    assert (found["joint"][0] == 0.2).all() and (found["conditional"][0] == 0.4).all()


def test_scale_reports_a_monotone_fit() -> None:
    record = run_scale(4000, 50, 0.05, 1e-3, "block")
    assert record["monotone"] and record["stationarity"] <= 1e-4
    assert record["gib"] >= record["gib_before"] > 0
