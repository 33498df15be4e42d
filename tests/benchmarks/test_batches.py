"""The benchmark of passes over batches runs and writes its table."""

import pytest

from benchmarks.batches import main


def test_output(capsys):
    rows = main(["--quick", "--problems", "logistic", "huber"])
    assert [row["problem"] for row in rows] == ["logistic", "huber"]
    table = capsys.readouterr().out
    assert "gap 0.0001" in table
    for row in rows:
        passes = list(row["passes"].values())
        assert passes == sorted(passes)
        assert passes[-1] < 20
        assert row["suboptimality"][-1] == 0.0


def test_unknown_problem(capsys):
    with pytest.raises(SystemExit):
        main(["--quick", "--problems", "mnist"])
    assert "--problems must be among" in capsys.readouterr().err
