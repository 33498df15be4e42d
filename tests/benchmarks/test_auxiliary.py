"""benchmarks.auxiliary runs on every kind of task, and selects and summarises as documented."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import _auxiliary_future, _auxiliary_real, auxiliary
from benchmarks._auxiliary_fits import (
    ALONE,
    CAUTIOUS,
    CHEATING,
    CV,
    GRID,
    ONE,
    RIDGE_ALONE,
    Effort,
    Trial,
    choose,
    compare,
    ridge,
)
from benchmarks._auxiliary_future import (
    CHAIN,
    CITIES,
    PM25,
    RIDGE_CHAIN,
    chain,
    least_squares,
    purged_folds,
    rows_before_and_after,
    steps,
)
from benchmarks._auxiliary_kinds import KINDS, SETTINGS, Setting
from benchmarks._auxiliary_real import RAND, SARCOS, SCHOOL, YEAST
from benchmarks._auxiliary_simulated import EITHER, SCALED, SUBSPACE
from benchmarks._auxiliary_sites import ERASED
from skmtl import LowRankRegressor


def write_data(folder: Path) -> None:
    """Small random data sets in the format of the real ones."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    np.savez(folder / SARCOS, X=X, Y=X @ rng.standard_normal((6, 7)))
    Y = (X @ rng.standard_normal((6, 14)) + rng.standard_normal((200, 14)) > 0).astype(int)
    np.savez(folder / YEAST, X=X, Y=Y, is_test=np.arange(200) >= 150)
    task = np.repeat(np.arange(8), 35)
    X = rng.standard_normal((len(task), 4))
    np.savez(folder / SCHOOL, X=X, y=X.sum(axis=1) + rng.standard_normal(len(task)), task=task)
    n = 2000
    person, need = np.repeat(np.arange(n // 4), 4), rng.poisson(2.0, n)
    np.savez(
        folder / RAND,
        X=rng.standard_normal((n, 3)) + need[:, None],
        person=person,
        site=person % 3 + 1,
        any_expense=(need > 1).astype(int),
        expense=10.0 * need,
        visits=need,
        admissions=need > 3,
    )
    cities: dict[str, Any] = {}
    for city in CITIES:
        cities[f"{city}_time"] = np.arange(3000)
        cities[f"{city}_pm25"] = np.exp(rng.standard_normal(3000) + np.sin(np.arange(3000) / 20))
        cities[f"{city}_weather"] = rng.standard_normal((3000, 7))
        cities[f"{city}_wind"] = rng.choice(["NE", "cv"], 3000)
    np.savez(folder / PM25, **cities)


def first_of_each() -> list[Setting]:
    """The first setting of each kind and source."""
    found = {(setting.kind, setting.file): setting for setting in reversed(SETTINGS)}
    return list(found.values())


@pytest.mark.slow
def test_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_data(tmp_path)
    monkeypatch.setattr(auxiliary, "SETTINGS", first_of_each())
    monkeypatch.setattr(_auxiliary_future, "CUTS", (1500, 2000))
    monkeypatch.setattr(_auxiliary_future, "TEST_HOURS", 100)
    options = ["--quick", "--jobs", "1", "--data-home", str(tmp_path)]
    options += ["--json", str(tmp_path / "raw.json")]
    picture = tmp_path / "picture.png"
    if importlib.util.find_spec("matplotlib"):
        options += ["--plot", str(picture)]
    rows = auxiliary.main(options)["rows"]
    weighted, references = {ONE, CV, GRID, CAUTIOUS}, {CHEATING, RIDGE_ALONE}
    expected = {
        "representation": {SUBSPACE, SCALED, EITHER},
        "nuisance": {ERASED},
        "future": weighted | {CHAIN, RIDGE_CHAIN},
    }
    for row in rows:
        gains = row["gains"]
        assert set(gains) - references == expected.get(row["kind"], weighted)
        assert np.isfinite(list(gains.values())).all() and row["error"] > 0
        assert row["n_groups"] == 2
    assert {row["kind"] for row in rows} == set(KINDS)
    assert len(json.loads((tmp_path / "raw.json").read_text(encoding="utf-8"))["units"]) == 22
    printed = capsys.readouterr().out
    assert all(f"### {title}\n" in printed for title in KINDS.values())
    if "--plot" in options:
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_settings_have_distinct_names() -> None:
    assert len({(setting.kind, setting.name) for setting in SETTINGS}) == len(SETTINGS)


def test_rules_of_selection() -> None:
    # Two alphas, the weights 0, 1 and 3, three folds.
    scores = np.array(
        [
            [[-1.0, -2.0, -3.0], [-1.2, -2.0, -3.1], [-1.1, -2.1, -2.9]],
            [[-1.5, -2.5, -3.5], [-0.9, -2.1, -2.8], [-0.5, -2.4, -2.95]],
        ]
    )
    picked = choose(scores, [0, 1], one=1)
    assert picked[ALONE] == (0, 0) and picked[ONE] == (1, 1)
    assert picked[CV] == (1, 1) and picked[GRID] == (1, 1)
    # The gains over the main task alone are 0.1, -0.1 and 0.2: within one standard error.
    assert picked[CAUTIOUS] == (0, 0)
    scores[1, 1] += 0.2
    assert choose(scores, [0, 1], one=1)[CAUTIOUS] == (1, 1)


def test_weights_are_selected_on_the_given_folds() -> None:
    """With a clear auxiliary of the same coefficients, every rule gains; labels may be missing."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 8))
    w = rng.standard_normal(8)
    y, extra = X @ w + 3 * rng.standard_normal(300), (X @ w + 0.1 * rng.standard_normal(300))
    train, test = slice(0, 60), slice(60, 300)
    labels = y[train].copy()
    labels[20:] = np.nan
    folds = [
        (np.setdiff1d(np.arange(60), held_out), held_out)
        for held_out in np.array_split(np.arange(20), 4)
    ]
    trial = Trial(
        *(X[train], labels, extra[train, None], folds), *(X[test], y[test], extra[test, None])
    )
    errors = compare(trial, LowRankRegressor(scale_tasks=True), ridge, Effort())
    assert len(trial.labelled) == 20 and trial.labelled_folds[0][1].tolist() == [0, 1, 2, 3, 4]
    best = ((y[test] - X[test] @ w) ** 2).mean() / y[test].var()
    assert max(errors[ONE], errors[GRID]) < 1.1 * best < errors[ALONE]


def test_gains_and_their_intervals() -> None:
    setting = Setting("hints", "two", dict, n_groups=3, n_repeats=2)
    alone = np.array([1.0, 2.0, 3.0, 1.2, 2.2, 2.8])
    other = np.array([0.8, 2.1, 2.0, 1.0, 1.9, 2.2])
    records = [
        {"kind": "hints", "name": "two", "unit": u, "errors": {ALONE: alone[u], ONE: other[u]}}
        for u in range(6)
    ]
    row = auxiliary.summarise(setting, records)
    a, b = alone.reshape(2, 3).mean(axis=0), other.reshape(2, 3).mean(axis=0)
    gain, half = row["gains"][ONE]
    ratio = b.mean() / a.mean()
    error = stats.sem(b / a.mean() - ratio * a / a.mean())
    assert gain == pytest.approx(100 * (1 - ratio)) and row["n_groups"] == 3
    assert half == pytest.approx(100 * stats.t.ppf(0.975, 2) * error)
    verdicts = [auxiliary.verdict(*pair) for pair in ((2.0, 1.0), (-2.0, 1.0), (1.0, 2.0))]
    assert verdicts == ["helps", "hurts", "no difference shown"]


def test_training_hours_and_what_they_know_are_before_the_cut() -> None:
    rng = np.random.default_rng(0)
    state, reading = rng.standard_normal((3000, 4)), rng.standard_normal(3000)
    state[100:150], reading[400] = np.nan, np.nan
    horizon, cut = 12, 2000
    train, test = rows_before_and_after(state, reading, horizon, 150, cut)
    assert len(train) == 150 and train.max() + horizon < cut <= test.min()
    for rows in (train, test):
        assert np.isfinite(reading[rows + horizon]).all()
        assert all(np.isfinite(state[rows + step]).all() for step in steps(horizon))
    assert len(set(train % 24)) == 24
    folds = purged_folds(train, horizon, 5)
    assert sorted(np.concatenate([held_out for _, held_out in folds])) == list(range(150))
    for kept, held_out in folds:
        distance = np.abs(train[kept][:, None] - train[held_out]).min()
        assert distance > horizon


def test_chain_recovers_a_linear_system() -> None:
    rng = np.random.default_rng(0)
    A, w = 0.5 * rng.standard_normal((4, 4)), rng.standard_normal(4)
    X, X_test = 3 + rng.standard_normal((40, 4)), rng.standard_normal((10, 4))
    later = [X @ A, X @ A @ A]
    folds = purged_folds(np.arange(0, 400, 10), 1, 4)
    predicted = chain(least_squares, X, later, X @ A @ A @ w, folds, X_test)
    np.testing.assert_allclose(predicted, X_test @ A @ A @ w, atol=1e-9)


def test_rows_of_a_person_are_in_one_draw(tmp_path: Path) -> None:
    write_data(tmp_path)
    data = _auxiliary_real.load(tmp_path / RAND)
    rows = _auxiliary_real._rows_of(data, np.array([7, 3]))
    assert data["person"][rows].tolist() == [7] * 4 + [3] * 4
