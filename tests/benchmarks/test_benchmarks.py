"""The benchmarks run and write the documented output. Their numbers are not tested."""

import importlib.util
import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import is_classifier

from benchmarks import school
from benchmarks._experiments import CLUSTERED, DENSE, INDEPENDENT_LASSO, METHODS, ROWS
from benchmarks._report import markdown_table, mean_and_sd
from benchmarks._tuning import (
    CLUSTER,
    HeldOut,
    Problem,
    follow_path,
    one_for_all,
    one_for_each,
    one_standard_error,
    search,
    squared_loss,
)
from benchmarks._tuning import Path as AlphaPath
from benchmarks.one_vs_rest import main
from skmtl import BlockSparseClassifier, BlockSparseRegressor, ClusteredTaskRegressor
from skmtl.datasets import make_block_sparse, make_clustered_tasks

TINY = ["--quick", "--jobs", "1", "--n-train", "50", "--n-labels", "10"]


def shortened(path: AlphaPath) -> AlphaPath:
    """Return the first steps of a path of strengths."""
    return replace(path, grid=lambda *data: path.grid(*data)[2:4])


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the raw numbers of one tiny run, its printed text and the path of its figure."""
    folder = tmp_path_factory.mktemp("benchmark")
    arguments = [*TINY, "--json", str(folder / "raw.json")]
    if importlib.util.find_spec("matplotlib"):
        arguments += ["--plot", str(folder / "picture.png")]
    printed, progress = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(printed),
        redirect_stderr(progress),
    ):
        # Only to save time.
        patch.setattr("benchmarks._experiments.N_FOLDS", 2)
        patch.setattr("benchmarks._tuning.N_NESTED", 2)
        for name, method in METHODS.items():
            patch.setitem(METHODS, name, replace(method, path=shortened(method.path)))
        main(arguments)
    content = json.loads((folder / "raw.json").read_text(encoding="utf-8"))
    return content | {
        "printed": printed.getvalue(),
        "progress": progress.getvalue(),
        "picture": folder / "picture.png",
    }


@pytest.mark.slow
def test_raw_numbers(raw: dict[str, Any]) -> None:
    assert raw["arguments"] == {"data": "digits", "n_train": [50], "n_labels": [10], "seeds": 1}
    versions = {"python", "numpy", "scipy", "scikit-learn", "numba", "skmtl"}
    assert set(raw["versions"]) == versions
    assert raw["processes"] == raw["threads_per_process"] == 1
    for table, n in (("digits", 50), ("sparse", 10), ("related", 10), ("clustered", 10)):
        assert [record["method"] for record in raw[table]] == list(ROWS)
        for record in raw[table]:
            assert (record["n"], record["seed"]) == (n, 0)
            assert record["seconds"] > 0
            assert 0 <= record["features"] <= 100
            assert np.min(record["alpha"]) > 0
            chosen = {"n_clusters", "between"} if record["method"] == CLUSTERED else set()
            assert set(record["setting"]) == chosen
    for record in raw["digits"]:
        assert 0 <= record["accuracy"] <= 1
        assert 0 <= record["auc"] <= 1
    for record in raw["sparse"]:
        assert record["error"] >= 0
        assert (record["precision"] is None) == (record["method"] in DENSE)


def test_printed_tables(raw: dict[str, Any]) -> None:
    lines = raw["printed"].splitlines()
    rows = [line for line in lines if line.startswith("|")]
    size = 2 + len(ROWS)
    assert len(rows) == 3 * size
    for table in (rows[:size], rows[size : 2 * size], rows[2 * size :]):
        assert len({len(row) for row in table}) == 1
        assert len({row.count("|") for row in table}) == 1
    assert max(len(line) for line in lines if not line.startswith("|")) <= 100
    assert "seed 0" not in raw["progress"]  # stderr is no terminal


def test_picture(raw: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    assert raw["picture"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-train", "1790"], "between 50 .* and 1697"),
        (["--n-train", "20", "100"], "between 50 .* got 20 100"),
        (["--n-labels", "3"], "--n-labels must be at least 10"),
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--data", "letters"], "invalid choice"),
        (["--json", "no/such/folder/raw.json"], "there is no folder"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(message, error), error


def test_bad_picture_name(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit):
        main(["--plot", "picture.xyz"])
    assert "must end in one of" in capsys.readouterr().err


def test_mnist_splits(data_dir: Path, data_file: Any) -> None:
    data_file("mnist.npz")
    experiments = importlib.import_module("benchmarks._experiments")
    bunch = experiments.load("mnist", str(data_dir))
    assert experiments.n_available(bunch) == (60_000, 0)
    train, test = experiments._split(bunch, 200, seed=0)
    assert len(train) == 200 and len(test) == 10_000
    assert not bunch.is_test[train].any() and bunch.is_test[test].all()


# --- School ---------------------------------------------------------------------------------------


def write_school(folder: Path) -> None:
    """Write five small schools and two splits of them."""
    dataset = make_clustered_tasks(24, 3, 5, n_clusters=2, layout="stacked", random_state=0)
    task = dataset.data[:, -1].astype(int)
    np.savez(folder / "school.npz", X=dataset.data[:, :-1], y=dataset.target, task=10 + task)
    halves = np.arange(len(task)).reshape(-1, 2).T
    np.savez(
        folder / "school_splits.npz",
        train0=halves[0],
        test0=halves[1],
        train1=halves[1],
        test1=halves[0],
    )


@pytest.mark.parametrize("quick", [True, False])
def test_school(tmp_path: Path, capsys: pytest.CaptureFixture[str], quick: bool) -> None:
    write_school(tmp_path)
    raw = tmp_path / "raw.json"
    options = ["--quick"] if quick else ["--standardise", "--splits", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(school, "N_FOLDS", 2)  # only to save time
        for name, method in school.METHODS.items():
            patch.setitem(school.METHODS, name, replace(method, path=shortened(method.path)))
        school.main(["--data-home", str(tmp_path), "--jobs", "1", "--json", str(raw), *options])
    content = json.loads(raw.read_text(encoding="utf-8"))
    n_splits = 2 if quick else 1
    assert content["arguments"] == {"splits": n_splits, "standardise": not quick}
    records = content["school"]
    assert len(records) == n_splits * len(school.METHODS)
    for record in records:
        assert record["explained_variance"] <= 1 and record["rmse"] > 0 and record["seconds"] > 0
        assert set(record["setting"]) == set(school.METHODS[record["method"]].grid)
    printed, progress = capsys.readouterr()
    lines = printed.splitlines()
    assert max(len(line) for line in lines) <= 120
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 * (2 + len(school.METHODS)) + 2 + len(school.PUBLISHED)
    assert ("Selected most often: pooled, shrunk intercepts: intercept" in printed) is not quick
    assert progress == ""  # stderr is no terminal


def test_school_differences() -> None:
    values = np.array([-0.1, -0.2, -0.3, -0.2])
    # t with 3 degrees of freedom, 3.182, times sqrt((1/4 + 1/3) * 0.02 / 3) = 0.0624.
    assert school.difference(values, 1 / 3) == "-0.200 [-0.398, -0.002]"
    assert school.difference(values[:1], 1 / 3) == "-0.100"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--splits", "3"], "--splits must be between 1 and 2, got 3"),
        (["--splits", "0"], "--splits must be between 1 and 2, got 0"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--json", "no/such/folder/raw.json"], "there is no folder"),
        (["--data-home", "no/such/folder"], "There is no file"),
    ],
)
def test_school_bad_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    write_school(tmp_path)
    with pytest.raises(SystemExit):
        school.main(["--data-home", str(tmp_path), *arguments])
    error = capsys.readouterr().err
    assert message in " ".join(error.split()), error


# --- the parts ------------------------------------------------------------------------------------


def test_parameters_are_searched_one_by_one() -> None:
    dataset = make_clustered_tasks(12, 3, 6, n_clusters=2, layout="stacked", random_state=0)
    model = ClusteredTaskRegressor(task_column=-1)
    problem = Problem(model, dataset.data, dataset.target, shortened(CLUSTER), 2, 0)
    grid: dict[str, tuple[Any, ...]] = {"n_clusters": (6, 2), "mean": (1.0, 0.01)}
    held_out = search(problem, grid)
    assert held_out.problem.estimator.get_params()["n_clusters"] == 2
    for n_clusters, mean in ((6, 1.0), (2, 1.0)):
        model.set_params(n_clusters=n_clusters, mean=mean)
        assert held_out.best <= follow_path(replace(problem, estimator=model)).best
    assert search(problem, {}).problem.estimator.get_params() == problem.estimator.get_params()


def test_losses() -> None:
    X = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
    losses = squared_loss(np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), X, np.array([1.0, 4, 5]))
    np.testing.assert_allclose(losses, [2.0, 4.0])


def test_lasso_is_each_task_alone() -> None:
    dataset = make_block_sparse(30, 12, 3, random_state=0)
    for labels, single in (
        (dataset.target, BlockSparseRegressor(0.2, tol=1e-10)),
        ((dataset.target > 0).astype(int), BlockSparseClassifier(0.03, tol=1e-10)),
    ):
        options = {"stacked": False, "classes": is_classifier(single)}
        joint = METHODS[INDEPENDENT_LASSO].make(alpha=single.alpha, tol=single.tol, **options)
        joint.fit(dataset.data, labels)
        for t in range(3):
            single.fit(dataset.data, labels[:, [t]])
            np.testing.assert_allclose(joint.coef_[t], single.coef_[0], atol=1e-5)


def test_selection_rules() -> None:
    # (n_alphas, n_folds, n_tasks): the middle strength is best for task 0, the last for task 1.
    losses = np.array(
        [[[3.0, 3.0], [3.0, 3.4]], [[1.0, 1.2], [1.2, 1.3]], [[2.0, 0.6], [2.0, 0.6]]]
    )
    problem: Any = None
    held_out = HeldOut(problem, np.array([4.0, 2.0, 1.0]), losses)
    np.testing.assert_array_equal(one_for_all(held_out), [2.0, 2.0])
    np.testing.assert_array_equal(one_for_each(held_out), [2.0, 1.0])
    # The best strength has losses 1.1 and 1.25 by fold, so its standard error is 0.075.
    # A loss of 3.1 is not within it; 1.24 would be.
    np.testing.assert_array_equal(one_standard_error(held_out), [2.0, 2.0])
    losses[0] = 1.24
    np.testing.assert_array_equal(one_standard_error(held_out), [4.0, 4.0])


def test_formatting() -> None:
    assert mean_and_sd([0.5, 0.7], 1, 100.0) == "60.0 ± 14.1"
    assert mean_and_sd([0.5], 2) == "0.50"
    assert mean_and_sd([None, None], 2) == "-"
    table = markdown_table(["n", "method", "x"], [["10", "a", "1.0"], ["", "bb", "-"]])
    assert table.splitlines() == [
        "| n  | method |   x |",
        "|----|--------|----:|",
        "| 10 | a      | 1.0 |",
        "|    | bb     |   - |",
    ]


def test_safe_transfer(tmp_path: Path) -> None:
    from benchmarks import safe_transfer

    file = tmp_path / "raw.json"
    command = ["--seeds", "2", "--worlds", "outlier", "--json", str(file)]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(safe_transfer, "SIZES", ((4, 12),))
        rows = safe_transfer.main(command)["rows"]
    assert json.loads(file.read_text(encoding="utf-8"))["rows"] == rows
    assert [row["method"] for row in rows] == list(safe_transfer.METHODS)
    assert all(np.isfinite([row["loss"], row["loss_half"], row["gain"]]).all() for row in rows)
    assert rows[-1]["loss"] <= 0 and rows[0]["kept"] == 1
    assert "| outlier " in printed.getvalue()
