"""Errors of the readers name the column and the remedy."""

import re
import sys

import numpy as np
import pytest
from io_problems import ENGINES, FEATURES, make_table, read

from skmtl import io

pytest.importorskip("polars", reason="needs polars")
pa = pytest.importorskip("pyarrow", reason="needs pyarrow")

each_engine = pytest.mark.parametrize("engine", ENGINES)


def replaced(table, name, row, value):
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values))


ROLES = {
    "unknown": ({"features": ["a", "nix"]}, r"no columns \['nix'\]. The columns are \['a', 'b'"),
    "twice": ({"features": ["a", "y"]}, r"one role only, but \['y'\]"),
    "repeated": ({"features": ["a", "a"]}, r"one role only, but \['a'\]"),
    "task": ({"features": ["task"]}, r"one role only, but \['task'\]"),
    "one name": ({"features": "a"}, "features must be a list of names of columns, got 'a'"),
    "no features": ({"features": []}, "features must be a list"),
    "no targets": ({"target": []}, "target must be a list"),
    "position": ({"task": 3}, "task must be the name of a column, got 3"),
    "weights": ({"weight": np.ones(3)}, "sample_weight must be the name of a column"),
    "both layouts": ({"target": ["u", "v"]}, r"one column where the task column 'task' says"),
    "strings": ({"features": ["a", "word"]}, r"must be numbers, got 'word' \(.*\)\. C"),
    "dates": ({"features": ["day"]}, r"must be numbers, got 'day' \((?i:date).*\)\. C"),
}


@pytest.mark.turns(2)
@each_engine
@pytest.mark.parametrize("case", ROLES)
def test_roles(engine, case, tmp_path):
    given, message = ROLES[case]
    table = make_table(n=20).append_column("word", pa.array(["1.5"] * 20))
    table = table.append_column("day", pa.array([0] * 20, pa.date32()))
    arguments = {"features": FEATURES, "target": "y", "task": "task", "weight": "w"} | given
    with pytest.raises(ValueError, match=message):
        read(engine, table, folder=tmp_path, **arguments)


VALUES = {
    "missing feature": ("b", None, r"columns \['b'\] hold missing values \(null\)"),
    "feature nan": ("b", np.nan, r"columns \['b'\] hold NaN or infinity"),
    "feature inf": ("b", -np.inf, r"columns \['b'\] hold NaN or infinity"),
    "missing weight": ("w", None, r"columns \['w'\] hold missing values \(null\)"),
    "weight nan": ("w", np.nan, r"columns \['w'\] hold NaN or infinity"),
    "weight inf": ("w", np.inf, r"columns \['w'\] hold NaN or infinity"),
    "negative weight": ("w", -0.5, r"weights 'w' must be >= 0"),
    "missing task": ("task", None, "The task column holds missing values"),
    "infinite label": ("y", np.inf, "y"),
    "label nan": ("y", np.nan, "y"),
}


@each_engine
@pytest.mark.parametrize("weight", (None, "w"))
@pytest.mark.parametrize("case", VALUES)
def test_values(engine, case, weight, tmp_path):
    name, value, message = VALUES[case]
    table = replaced(make_table(n=60), "w", 11, 1.0)
    if name == "w" and weight is None:
        return
    with pytest.raises(ValueError, match=message):
        read(engine, replaced(table, name, 11, value), "y", "task", weight, folder=tmp_path)


@each_engine
def test_infinite_label_among_several(engine, tmp_path):
    table = replaced(make_table(n=60), "p", 5, np.inf)
    with pytest.raises(ValueError, match="'p'"):
        read(engine, table, ["u", "p"], folder=tmp_path)


@pytest.mark.parametrize("engine", ("duckdb", "polars"))
def test_tasks_without_labels(engine, tmp_path):
    table = make_table(n=60).filter(pa.array([False] * 60))
    with pytest.raises(ValueError, match="no rows with a label"):
        read(engine, table, "y", "task", folder=tmp_path)
    table = make_table(n=60)
    empty = pa.array([None] * 60, pa.float64())
    table = table.set_column(table.column_names.index("p"), "p", empty)
    with pytest.raises(ValueError, match=r"targets \['p'\] have no label"):
        read(engine, table, ["u", "p"], folder=tmp_path)


@pytest.mark.parametrize("engine", ("duckdb", "polars"))
def test_too_many_features(engine, tmp_path):
    columns = {f"x{j}": np.arange(5.0) for j in range(61)}
    table = pa.table({**columns, "y": np.arange(5.0)})
    with pytest.raises(ValueError, match="61 features.*up to 60.*batches_from_parquet"):
        read(engine, table, "y", folder=tmp_path, features=list(columns))


def test_sources(tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    table = make_table(n=20)
    with pytest.raises(ValueError, match=r"relation of DuckDB.*DataFrame.*duckdb.sql\('FROM df'\)"):
        io.statistics_from_duckdb(table.to_pandas(), FEATURES, "y")
    with duckdb.connect() as connection, pytest.raises(ValueError, match="no rows|no columns"):
        io.statistics_from_duckdb("CREATE TABLE t (a INT)", FEATURES, "y", connection=connection)
    with pytest.raises(ValueError, match="LazyFrame or DataFrame, got a Table.*from_arrow"):
        io.statistics_from_polars(table, FEATURES, "y")
    with pytest.raises(FileNotFoundError, match=re.escape("No file matches")):
        io.batches_from_parquet(str(tmp_path / "*.parquet"), features=FEATURES, target="y")
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="batch_size must be an int >= 1"):
            io.batches_from_parquet("nix", features=FEATURES, target="y", batch_size=size)


CALLS = {
    "pyarrow": ("arrow", lambda: io.batches_from_parquet("nix", features=["a"], target="y")),
    "duckdb": ("duckdb", lambda: io.statistics_from_duckdb("FROM nix", ["a"], "y")),
    "polars": ("polars", lambda: io.statistics_from_polars(None, ["a"], "y")),
}


@pytest.mark.parametrize("library", CALLS)
def test_library_is_missing(library, monkeypatch):
    for name in (library, f"{library}.dataset"):
        monkeypatch.setitem(sys.modules, name, None)
    extra, call = CALLS[library]
    message = rf"needs {library}. Install it by pip install skmtl\[{extra}\]"
    with pytest.raises(ImportError, match=message):
        call()


def test_batches_need_no_pandas(tmp_path, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "pandas" else found(name, *a)
    )
    for target, task in (("y", "task"), (["u", "p"], None)):
        statistics = read("parquet", make_table(), target, task, folder=tmp_path)
        names = [*FEATURES, "task"] if task else FEATURES
        assert statistics.feature_names_in_.tolist() == names
