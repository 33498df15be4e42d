"""benchmarks.peers measures correctly, and skips peers that are not installed."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import MultiTaskElasticNet

from benchmarks.peers import __main__ as command
from benchmarks.peers import families, growth, summary
from benchmarks.peers.objectives import dual_norm, null_gradient, null_value, objective
from benchmarks.peers.problem import Problem
from benchmarks.peers.problems import PROBLEMS, Missing, build, shared, wide
from benchmarks.peers.runner import Runner, Settings
from benchmarks.peers.session import Session
from benchmarks.peers.solvers import OURS, PEERS

RNG = np.random.default_rng(0)


def stacked(penalty: str = "l21") -> Problem:
    """Three tasks with rows of their own."""
    task = np.repeat(np.arange(3), (7, 9, 8))
    X = RNG.normal(size=(24, 4))
    return shared("stacked", X, RNG.normal(size=24), 3, task=task, penalty=penalty)


def classes(loss: str) -> Problem:
    """Three classes."""
    X = RNG.normal(size=(40, 5))
    y = X[:, :3].argmax(axis=1)
    return shared("classes", X, y, 5, loss=loss)


TINY = shared("tiny", *wide(30, 12, 3), 5)
EVERY_KIND = [
    TINY,
    shared("ridged", *wide(30, 12, 3), 5, l1_ratio=0.5),
    shared("sparse", sparse.csc_matrix(wide(30, 12, 3)[0]), wide(30, 12, 3)[1], 5),
    shared("relation", *wide(30, 6, 3), 5, penalty="relation"),
    stacked(),
    stacked("trace"),
    classes("logistic"),
    classes("multinomial"),
]


def cvxpy_minimum(problem: Problem) -> float:
    """The minimum of the objective, formulated independently with cvxpy."""
    cp = pytest.importorskip("cvxpy")
    W = cp.Variable((problem.n_features, problem.n_tasks))
    if problem.task is not None:
        fits = [
            cp.sum_squares(problem.y[rows] - problem.X[rows] @ W[:, t])
            for t, rows in enumerate(problem.rows())
        ]
        loss = problem.n_tasks / (2 * len(problem.y)) * sum(fits)
    elif problem.loss == "squared":
        loss = cp.sum_squares(problem.y - problem.X @ W) / (2 * len(problem.y))
    else:
        Z, truth = problem.X @ W, np.eye(problem.n_tasks)[problem.y]
        if problem.loss == "multinomial":
            loss = cp.sum(cp.log_sum_exp(Z, axis=1)) - cp.sum(cp.multiply(Z, truth))
        else:
            loss = cp.sum(cp.logistic(cp.multiply(1 - 2 * truth, Z)))
        loss = loss / len(problem.y)
    norms = {
        "l21": lambda: cp.sum(cp.norm(W, 2, axis=1)),
        "trace": lambda: cp.normNuc(W),
        "relation": lambda: cp.square(cp.normNuc(W)) / 2,
    }
    ridge = (1 - problem.l1_ratio) / 2 * cp.sum_squares(W)
    penalty = problem.l1_ratio * norms[problem.penalty]() + ridge
    least = cp.Problem(cp.Minimize(loss + problem.alphas[0] * penalty)).solve(solver=cp.CLARABEL)
    # The benchmark's objective has the same value at the minimiser.
    assert objective(problem, W.value, problem.alphas[0]) == pytest.approx(least, rel=1e-6)
    return float(least)


@pytest.mark.parametrize("problem", EVERY_KIND, ids=lambda problem: problem.kind)
def test_objectives_equal_cvxpy(problem: Problem) -> None:
    assert cvxpy_minimum(problem) < null_value(problem)
    step = 1e-6
    W = np.zeros((problem.n_features, problem.n_tasks))
    W[1, 2] = step
    slope = (objective(problem, W, 0.0) - null_value(problem)) / step
    assert slope == pytest.approx(null_gradient(problem)[1, 2], abs=1e-5)


def test_shared_tasks_equal_scikit_learn() -> None:
    problem = EVERY_KIND[1]
    model = MultiTaskElasticNet(
        problem.alphas[0], l1_ratio=0.5, fit_intercept=False, tol=1e-10, max_iter=10_000
    ).fit(problem.X, problem.y)
    found = objective(problem, model.coef_.T, problem.alphas[0])
    assert found == pytest.approx(cvxpy_minimum(problem), rel=1e-6)
    top = dual_norm("l21", null_gradient(problem)) / 0.5
    assert problem.alphas[0] == pytest.approx(top / 5)


@pytest.mark.parametrize("problem", EVERY_KIND, ids=lambda problem: problem.kind)
def test_problems_survive_their_files(problem: Problem, tmp_path: Path) -> None:
    problem.save(tmp_path)
    loaded = Problem.load(tmp_path)
    assert loaded.kind == problem.kind
    W = RNG.normal(size=(problem.n_features, problem.n_tasks))
    assert objective(loaded, W, 0.3) == objective(problem, W, 0.3)


@pytest.mark.slow
def test_a_run_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEERS, "nowhere", PEERS["scikit-learn"])  # no process knows this name
    monkeypatch.setitem(PROBLEMS, "p1d", lambda name, quick: replace(TINY, name=name))
    monkeypatch.setitem(PROBLEMS, "p3-ovr/10", missing)
    raw = tmp_path / "raw.json"
    command.main(
        ["--quick", "--problem", "p1d", "p3-ovr/10", "--peer", "scikit-learn", "nowhere"]
        + ["--repeats", "1", "--json", str(raw)]
    )
    printed, progress = capsys.readouterr()
    assert "nowhere: absent" in progress
    assert "p3-ovr/10: skipped: no digits here" in progress
    assert re.search(r"\| p1d +\| scikit-learn +\|", printed)
    content = json.loads(raw.read_text(encoding="utf-8"))
    assert content["quick"] and content["threads"] == 1
    assert set(content["peers"]) == {OURS, "scikit-learn"}
    assert content["peers"][OURS]["versions"]["numpy"] == np.__version__
    assert content["peers"]["scikit-learn"]["import_seconds"] > 0
    (problem,) = content["problems"]
    least = cvxpy_minimum(TINY)
    assert problem["best_values"][0] == pytest.approx(least, rel=1e-6)
    assert problem["open"] <= 1e-7
    for run in problem["runs"]:
        assert run["wall"] > 0 and run["cpu"] > 0
        measured = (run["values"][0] - problem["best_values"][0]) / null_value(TINY)
        assert run["suboptimality"] == pytest.approx(measured)
    for peer in (OURS, "scikit-learn"):
        assert content["ratios"][0]["seconds"][peer] > 0
        assert [run["what"] for run in problem["runs"] if run["peer"] == peer].count("first") == 1


def missing(name: str, quick: bool) -> Problem:
    """Raise as a problem whose data are missing."""
    raise Missing("no digits here")


def test_a_run_over_its_limit_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    with Runner(Settings(limit=1e-3, repeats=1), ["sylvester"]) as runner:
        record = runner.measure(replace(EVERY_KIND[3], what="path", name="slow"))
    assert record["runs"] == []
    assert "sylvester: more than" in record["notes"][0]
    assert summary.compare(record, "cpu")["ratio"] is None


def test_interpreters_are_tried_in_order(tmp_path: Path) -> None:
    lacking = tmp_path / "python"
    lacking.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    lacking.chmod(0o755)
    with pytest.raises(Missing, match="its process ended"):
        Session("sylvester", 1, (str(lacking),))
    with Session("sylvester", 1, (str(lacking), sys.executable)) as session:
        assert session.hello["versions"]["numpy"] == np.__version__


def test_time_at_target_is_the_loosest_that_meets_it() -> None:
    def run(tol: float, wall: float, left: float) -> dict[str, Any]:
        common = {"peer": "celer", "what": "timed", "cpu": 9.0}
        return common | {"tol": tol, "wall": wall, "suboptimality": left}

    runs = [run(1e-2, 1.0, 1e-3), run(1e-3, 2.0, 1e-7), run(1e-3, 4.0, 1e-7)]
    runs += [run(1e-3, 2.5, 1e-7), run(1e-4, 1.5, 1e-9)]
    problem = {"name": "p", "speed": 2.0, "loose": {}, "runs": runs}
    assert summary.seconds_at_target(problem, "celer", "wall") == 2.5
    problem["loose"] = {"celer": 1e-2}
    assert summary.seconds_at_target(problem, "celer", "wall") == 1.0
    row = summary.compare(problem, "wall")
    assert (row["best_peer"], row["skmtl_seconds"]) == ("celer", None)
    assert "| p       | celer     |       1 |" in summary.ratio_table([row])


def test_slopes() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert growth.slope(x, 3 * x**1.5) == pytest.approx((1.5, np.log(3)))


def test_families(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    every = families.estimators(5)
    assert all(model.task_column == -1 for model in every.values()) and len(every) > 12
    few = {name: every[name] for name in ("BlockSparse", "GraphRegularized")}
    monkeypatch.setattr(families, "estimators", lambda n_tasks: few)
    monkeypatch.setattr(families, "_SCHOOL", {"n_tasks": 4, "rows": 12, "d": 3})
    monkeypatch.setattr(families, "_SIZES", {"rows": (10, 20), "d": (2, 4), "n_tasks": (3, 6)})
    command.main(["--families", "--quick"])
    table = capsys.readouterr().out
    assert "| BlockSparse " in table and "slope, tasks" in table


@pytest.mark.parametrize("name", [name for name in PROBLEMS if not name.startswith("p3")])
def test_quick_problems_have_peers(name: str) -> None:
    problem = build(name, quick=True)
    takers = {peer for peer, each in PEERS.items() if each.takes(problem)}
    assert OURS in takers and len(takers) > 1
    assert (np.diff(problem.alphas) < 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--problem", "p9"], "unknown name p9"),
        (["--repeats", "0"], "--repeats must be at least 1"),
        (["--json", "no/such/folder/raw.json"], "there is no folder"),
        (["--threads", "3"], "invalid choice"),
        (["--memory", "--plot", "a.png"], "--plot draws the comparison or --growth"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.peers.plots import draw, draw_growth

    runs = [
        {"peer": OURS, "what": "timed", "tol": tol, "wall": 1.0, "cpu": 1.0, "suboptimality": tol}
        for tol in (1e-3, 1e-6)
    ]
    problem = {"name": "p", "shape": [5, 4], "n_tasks": 3, "loose": {}, "runs": runs}
    draw(tmp_path / "a.png", [problem, problem], "cpu")
    series = {"x": [1, 2], "seconds": [1.0, 2.0], "slope": 1.0, "intercept": 0.0, "label": "n"}
    draw_growth(tmp_path / "b.png", [series])
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("a.png", "b.png"))
