"""benchmarks.mechanisms runs, and measures what it states."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils import Bunch

from benchmarks import _mechanisms, mechanisms
from skmtl import IndependentTaskRegressor
from skmtl.datasets import make_related_tasks


@pytest.fixture(scope="module")
def tasks() -> Bunch:
    return make_related_tasks(12, 4, 3, noise=1.0, layout="stacked", random_state=0)


@pytest.mark.slow
def test_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, picture = tmp_path / "raw.json", tmp_path / "picture.png"
    options = ["--quick", "--seeds", "1", "--first-seed", "1000", "--json", str(raw)]
    if importlib.util.find_spec("matplotlib"):
        options += ["--plot", str(picture)]
    rows = mechanisms.main(options)
    printed = capsys.readouterr().out
    assert set(rows) == set(mechanisms.MEASURES)
    for name, measure in mechanisms.MEASURES.items():
        assert [row["point"] for row in rows[name]] == [measure.primary]
        assert f"### {measure.title}\n" in printed and f"- {measure.title} (" in printed
    # A point does not depend on the others, which a quick run leaves out.
    _, again = _mechanisms.representation([10, 20], 1000)
    assert rows["representation"][0]["related"] == again["related"]
    records = json.loads(raw.read_text(encoding="utf-8"))["records"]
    assert {record["measure"] for record in records} == set(rows)
    if "--plot" in options:
        assert picture.read_bytes().startswith(b"\x89PNG")


def _records(name: str, related: list[float], unrelated: list[float]) -> list[dict[str, Any]]:
    point = mechanisms.MEASURES[name].primary
    return [
        {"measure": name, "point": point, "seed": k, "alone": 1.0, "related": r, "unrelated": u}
        for k, (r, u) in enumerate(zip(related, unrelated, strict=True))
    ]


@pytest.mark.parametrize(
    ("related", "unrelated", "words", "control"),
    [
        ([0.4, 0.5, 0.6], [0.9, 1.0, 1.1], "): shows.", "make no difference beyond noise"),
        ([0.4, 0.5, 0.6], [0.5, 0.4, 0.6], "no more than unrelated", "Unrelated tasks help too"),
        ([0.0, 1.0, 2.0], [1.9, 2.0, 2.1], "no gain beyond noise", "Unrelated tasks hurt"),
    ],
)
def test_verdicts(related: list[float], unrelated: list[float], words: str, control: str) -> None:
    name = "representation"
    rows = mechanisms.summarise(_records(name, related, unrelated))[name]
    text = mechanisms.verdict(name, rows)
    assert words in text and control in text and "same rule" not in text
    two = mechanisms.verdict(name, [*rows, rows[0] | {"point": 1}])
    assert two.endswith("): 20; 1." if "shows." in words else "): none.")
    # For attention larger values are better.
    name = "attention"
    mirrored = [[2 - value for value in values] for values in (related, unrelated)]
    rows = mechanisms.summarise(_records(name, *mirrored))[name]
    text = mechanisms.verdict(name, rows)
    assert words in text and control in text


def test_the_gain_of_unrelated_tasks_is_over_the_fit_alone_in_their_world() -> None:
    records = [
        record | {"alone_unrelated": 3.0}
        for record in _records("amplification, tasks", [0.5, 0.7], [2.0, 2.2])
    ]
    row = mechanisms.summarise(records)["amplification, tasks"][0]
    assert row["gain"] == pytest.approx(0.4) and row["control"] == pytest.approx(0.9)
    assert row["contrast_half"] == pytest.approx(0.0)


def test_excess_is_the_mean_over_many_rows(tasks: Bunch) -> None:
    model = IndependentTaskRegressor(0.1, task_column=-1).fit(tasks.data, tasks.target)
    X = np.random.default_rng(0).standard_normal((400_000, 4))
    differences = X @ (model.coef_ - tasks.coef).T + model.intercept_
    found = _mechanisms.excess(model, tasks.coef)
    np.testing.assert_allclose(found, (differences**2).mean(axis=0), rtol=0.02)


def test_a_ridge_of_given_training_error(tasks: Bunch) -> None:
    X, y = tasks.data, tasks.target

    def error(model: Any) -> float:
        return float(np.mean((y - model.fit(X, y).predict(X)) ** 2))

    least = error(IndependentTaskRegressor(0, task_column=-1))
    target = 0.5 * (least + error(IndependentTaskRegressor(1e6, task_column=-1)))
    assert error(_mechanisms.ridge_with_error(target, X, y)) == pytest.approx(target, rel=0.01)
    assert error(_mechanisms.ridge_with_error(0.0, X, y)) == pytest.approx(least, rel=1e-3)


def test_labels_are_shuffled_within_tasks(tasks: Bunch) -> None:
    X, y = tasks.data, tasks.target
    shuffled = _mechanisms.shuffle_within_tasks(X, y, np.random.default_rng(0))
    assert (shuffled != y).any()
    for task in tasks.tasks:
        own = X[:, -1] == task
        np.testing.assert_array_equal(np.sort(shuffled[own]), np.sort(y[own]))
