"""The School reader, and the real data."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skmtl.datasets import load_school


def write_school(folder: Path, **splits: Any) -> Path:
    rng = np.random.default_rng(0)
    X, names = rng.normal(size=(6, 2)), np.array(["a", "b"])
    y, task = np.arange(6.0), np.array([3, 3, 3, 8, 8, 8])
    np.savez(folder / "school.npz", X=X, y=y, task=task, feature_names=names, year=task)
    if splits:
        np.savez(folder / "school_splits.npz", **splits)
    return folder / "school.npz"


def test_school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = dict(train0=[0, 1, 3, 4], test0=[2, 5], train1=[2, 1, 5, 4], test1=[0, 3])
    file = write_school(tmp_path, **halves)
    monkeypatch.setenv("SKMTL_DATA", str(tmp_path))
    for path in (None, file, str(tmp_path)):
        school = load_school(path)
        assert set(school) == {"data", "target", "tasks", "feature_names", "splits", "year"}
        np.testing.assert_array_equal(school.data[:, -1], [3, 3, 3, 8, 8, 8])
        assert school.tasks.tolist() == [3, 8]
        assert school.feature_names.tolist() == ["a", "b", "task"]
        assert [[rows.tolist() for rows in pair] for pair in school.splits] == [
            [[0, 1, 3, 4], [2, 5]],
            [[2, 1, 5, 4], [0, 3]],
        ]
    (tmp_path / "school_splits.npz").unlink()
    assert load_school(file.rename(tmp_path / "renamed.npz")).splits is None


def test_school_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKMTL_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"Pass the path of school\.npz.*SKMTL_DATA"):
        load_school()
    with pytest.raises(FileNotFoundError, match=r"There is no file .*school\.npz.*SKMTL_DATA"):
        load_school(tmp_path)
    for splits, message in (
        (dict(train0=[0], test0=[6]), "Split 0 of .* from 0 to 5"),
        (dict(train0=[0, 1], test0=[1]), "Split 0 of"),
        (dict(train0=[0.0], test0=[1.0]), "Split 0 of"),
        (dict(train0=[0], test0=[1], train1=[0]), "'train1' but no 'test1'"),
        (dict(train1=[0], test1=[1]), "no array 'train0'"),
    ):
        write_school(tmp_path, **splits)
        with pytest.raises(ValueError, match=message):
            load_school(tmp_path)


def test_real_school(data_file: Any) -> None:
    school = load_school(data_file("school.npz"))
    assert school.data.shape == (15362, 28)
    assert school.feature_names[-1] == "task"
    assert len(school.tasks) == 139
    data_file("school_splits.npz")
    assert len(school.splits) == 10
    ids = school.data[:, -1]
    for train, test in school.splits:
        np.testing.assert_array_equal(np.sort(np.append(train, test)), np.arange(15362))
        assert len(train) / 15362 == pytest.approx(0.75, abs=0.01)
        assert len(np.unique(ids[train])) == len(np.unique(ids[test])) == 139
