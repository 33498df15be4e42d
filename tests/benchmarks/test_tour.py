"""benchmarks.tour runs, skips missing data, and compares methods as documented."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import skmtl
from benchmarks import tour
from benchmarks._tour_data import RIVER, SARCOS, SCHOOL, SOURCES, SURVEY, Data, read, splits
from benchmarks._tour_methods import BASELINES, METHODS, PATH, alphas, parameters
from benchmarks._tuning import squared_loss
from skmtl import BlockSparseRegressor
from skmtl.datasets import make_clustered_tasks
from skmtl.model_selection import alpha_max


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with small data sets of both layouts, and make the splits small."""
    dataset = make_clustered_tasks(16, 4, 6, n_clusters=2, layout="stacked", random_state=0)
    for name in (SCHOOL, SURVEY):
        np.savez(
            tmp_path / SOURCES[name].file,
            X=dataset.data[:, :-1],
            y=dataset.target,
            task=10 * dataset.data[:, -1].astype(int),
        )
    for name in (SARCOS, RIVER):
        dataset = make_clustered_tasks(40, 4, 3, n_clusters=1, random_state=1)
        if name == RIVER:
            dataset.data[3, 1] = np.nan
        np.savez(
            tmp_path / SOURCES[name].file, X=dataset.data, Y=dataset.target * [1.0, 10.0, 100.0]
        )
        monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], n_splits=2, n_train=12))
    for name in (SCHOOL, SURVEY):
        monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], n_splits=2, parts=2))
    # Only to save time.
    short = replace(PATH, grid=lambda *data: alphas(*data)[3:6])
    for name, method in METHODS.items():
        monkeypatch.setitem(METHODS, name, replace(method, path=short))
    return tmp_path


def run(folder: Path, *options: str) -> dict[str, Any]:
    """Run the benchmark and return its raw numbers."""
    raw = folder / "raw.json"
    tour.main(["--data-home", str(folder), "--jobs", "1", "--json", str(raw), *options])
    return json.loads(raw.read_text(encoding="utf-8"))


def check_table(printed: str, columns: list[str]) -> None:
    """Check that the table has a row for each method."""
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0] == ["method", *columns, "seconds"]
    assert [row[0] for row in cells[2:]] == list(METHODS)
    for column in range(1, len(columns) + 1):
        assert sum(row[column].startswith("**") for row in cells[2:]) == 1
    for row in cells[2:]:
        assert all(("(" in cell) is (row[0] not in BASELINES) for cell in row[1:-1])


@pytest.mark.slow
def test_quick(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick"]
    if importlib.util.find_spec("matplotlib"):
        options += ["--plot", str(folder / "picture.png")]
    raw = run(folder, *options)
    assert raw["arguments"] == {"data": list(SOURCES), "quick": True}
    pairs = [(record["data"], record["method"]) for record in raw["tour"]]
    assert pairs == [(data, method) for data in SOURCES for method in METHODS]
    for record in raw["tour"]:
        assert record["error"] == pytest.approx(np.mean(record["task_errors"]))
        assert 0 < record["error"] < 2 and record["seconds"] > 0 and record["unconverged"] >= 0
        assert len(record["task_errors"]) == (6 if record["data"] in (SCHOOL, SURVEY) else 3)
        assert set(record["setting"]) == set(METHODS[record["method"]].grid)
    printed, progress = capsys.readouterr()
    check_table(printed, list(SOURCES))
    assert " ".join(printed.split()).count("Not distinguishable from it:") == 4
    assert progress == ""  # stderr is no terminal
    if "--plot" in options:
        assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_selects_all_parameters(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "N_FOLDS", 2)  # only to save time
    (folder / SOURCES[SARCOS].file).unlink()
    raw = run(folder, "--data", SARCOS, SURVEY)
    assert [record["split"] for record in raw["tour"]].count(1) == len(METHODS)
    for record in raw["tour"]:
        for name, value in record["setting"].items():
            assert value in METHODS[record["method"]].grid[name]
    printed, progress = capsys.readouterr()
    check_table(printed, [SURVEY])
    assert f"{SARCOS}: skipped, sarcos_test4449.npz not found" in progress


@pytest.mark.slow
def test_real_data(data_file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data_file(SOURCES[SURVEY].file).parent
    tour.main(["--data-home", str(folder), "--data", SURVEY, "--quick", "--jobs", "1"])
    check_table(capsys.readouterr().out, [SURVEY])


def test_every_regressor_is_in_the_tour() -> None:
    # SafeTransfer mixes the fits of other estimators.
    others = {"TaskRegressor", "SafeTransferRegressor"}
    regressors = {name for name in skmtl.__all__ if name.endswith("Regressor")} - others
    regressors |= {"PretrainedTaskRegressor"}
    assert {f"{method.family}Regressor" for method in METHODS.values()} == regressors


def test_training_parts_do_not_overlap(folder: Path) -> None:
    for source in SOURCES.values():
        data = read(source, folder)
        (train, test), (other, other_test) = splits(source, data)
        assert not np.intersect1d(train, other).size
        assert not np.intersect1d(train, test).size and not np.intersect1d(other, other_test).size
        if data.stacked:
            assert len(train) + len(test) == len(data.y)
            np.testing.assert_array_equal(np.bincount(data.X[train, -1].astype(int)), np.full(6, 8))
        else:
            assert len(train) == 12 and len(test) == 40 - 2 * 12


def test_scaling() -> None:
    X = np.array([[0.0, 1.0], [2.0, np.nan], [4.0, 1.0], [1000.0, 2.0]])
    Y = np.array([[0.0, 10.0], [2.0, 30.0], [4.0, 50.0], [6.0, 0.0]])
    rows = np.array([0, 1, 2])
    scaled = Data(X, Y).scaled(rows)
    deviation = np.sqrt(8 / 3)
    expected = np.array(
        [[-2 / deviation, 0.0], [0.0, 0.0], [2 / deviation, 0.0], [998 / deviation, 1.0]]
    )
    np.testing.assert_allclose(scaled.X, expected)
    np.testing.assert_allclose(scaled.y, Y / [deviation, 10 * deviation])
    task = np.array([0.0, 1.0, 0.0, 1.0])
    stacked = Data(np.column_stack([X, task]), Y[:, 0])
    np.testing.assert_array_equal(stacked.scaled(rows).X[:, -1], task)
    np.testing.assert_allclose(stacked.scaled(rows).y, Y[:, 0] / deviation)
    np.testing.assert_allclose(stacked.task_means(np.arange(4)), [2.0, 4.0])
    coef, intercept = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 0.0])
    losses = squared_loss(coef, intercept, X[[0, 2]], Y[[0, 2]])
    np.testing.assert_allclose(losses, [1.0, (81 + 49**2) / 2])


def test_the_grid_begins_at_the_top() -> None:
    dataset = make_clustered_tasks(30, 4, 3, random_state=0)
    model = BlockSparseRegressor()
    found = alphas(model, dataset.data, dataset.target)
    assert found[0] == pytest.approx(alpha_max(model, dataset.data, dataset.target))
    np.testing.assert_allclose(found[1:] / found[:-1], 10 ** (-1 / 3))
    assert model.get_params() == BlockSparseRegressor().get_params()


def test_neighbours() -> None:
    means = np.array([3.0, 1.0, 2.0])
    for ordered in (False, True):
        found = {
            name: parameters(method, ordered=ordered, means=means)
            for name, method in METHODS.items()
        }
        assert found["graph"]["graph"] == ("chain" if ordered else "complete")
        assert ("order" in found["fused"]) is not ordered
    order = parameters(METHODS["fused"], ordered=False, means=means)["order"]
    np.testing.assert_array_equal(order, [1, 2, 0])


@pytest.mark.parametrize(("n_tasks", "n_values"), [(3, 4), (40, 40)])
def test_differences(n_tasks: int, n_values: int) -> None:
    errors = np.random.default_rng(0).normal(size=(2, 4, n_tasks))
    ours, theirs = ([{"task_errors": row.tolist()} for row in rows] for rows in errors)
    found = tour.compare(ours, theirs)
    values = (errors[0] - errors[1]).mean(axis=1 if n_tasks == 3 else 0)
    assert len(values) == n_values
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(tour.LEVEL)
    np.testing.assert_allclose([found.mean - found.half, found.mean + found.half], interval)
    assert found.sure == (interval.low > 0 or interval.high < 0)


def test_a_single_value_has_no_interval() -> None:
    found = tour.compare([{"task_errors": [1.0, 2.0]}], [{"task_errors": [0.5, 1.0]}])
    assert str(found) == "+0.750" and not found.sure
    assert str(tour.Difference(-0.25, 0.125)) == "-0.250 ± 0.125"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--data", "letters"], "invalid choice"),
        (["--json", "no/such/folder/raw.json"], "--json: there is no folder"),
        (["--plot", "no/such/folder/picture.png"], "--plot: there is no folder"),
        (["--data-home", "no/such/folder"], "none of school.npz"),
    ],
)
def test_bad_arguments(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        tour.main(["--data-home", str(folder), *arguments])
    error = capsys.readouterr().err
    assert message in " ".join(error.split()), error
