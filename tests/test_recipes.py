"""The recipes of the documentation, run as they are written."""

import io
import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import skmtl
from skmtl.design import TaskStatistics
from tests.dask_cases import assert_same_statistics

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "recipes.rst"
FEATURES = ["age", "income", "school"]
JAVA = shutil.which("java") or os.environ.get("JAVA_HOME")


def code_of(section):
    """The blocks of code in a section of the page."""
    text = re.split(rf"^{section}\n~+\n", PAGE.read_text(), flags=re.M)[1]
    text = re.split(r"^\w+\n~+\n", text, flags=re.M)[0]
    found = re.findall(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text, flags=re.M)
    return [textwrap.dedent(block) for block in found]


def run(blocks, **names):
    """The names that blocks of code define."""
    # Functions of __main__ are sent to other processes with their code.
    names["__name__"] = "__main__"
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


@pytest.fixture(scope="module")
def pupils():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"age": rng.normal(size=300), "income": rng.normal(size=300) + 5})
    rows["school"] = rng.choice(["north", "south", "west"], 300)
    rows["score"] = rows["age"] - 2 * rows["income"] + rng.normal(size=300)
    return rows


@pytest.fixture(scope="module")
def folder(pupils, tmp_path_factory):
    """Return a folder in which the rows are the files pupils/*.parquet, and go there."""
    folder, before = tmp_path_factory.mktemp("recipes"), Path.cwd()
    (folder / "pupils").mkdir()
    for k in range(3):
        pupils[k * 100 : (k + 1) * 100].to_parquet(folder / "pupils" / f"{k}.parquet", index=False)
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def whole(pupils):
    """Return the statistics of all rows."""
    return TaskStatistics(task_column="school").update(pupils[FEATURES], pupils["score"])


def assert_fitted(model, pupils):
    local = skmtl.BlockSparseRegressor(0.1, task_column="school")
    local.fit(pupils[FEATURES], pupils["score"])
    np.testing.assert_allclose(model.coef_, local.coef_, atol=1e-3)


def test_every_block_is_tested():
    assert [len(code_of(section)) for section in ("Dask", "Spark", "Ray")] == [2, 4, 2]


def test_dask(folder, pupils):
    pytest.importorskip("dask.dataframe", reason="pip install skmtl[dask]")
    first, second = code_of("Dask")
    names = run([first])
    predicted = names["predicted"].compute()
    np.testing.assert_allclose(predicted, names["model"].to_local().predict(pupils[FEATURES]))
    assert names["model"].mse_path_.shape == (100, 5)
    model = run([second], **names)["model"]
    local = skmtl.BlockSparseClassifier(0.01, task_column="school")
    local.fit(pupils[FEATURES], pupils["score"] > pupils["score"].mean())
    assert model.n_iter_ > 2
    np.testing.assert_allclose(model.coef_, local.coef_, atol=0.02 * np.abs(local.coef_).max())


class TestFunctions:
    """What runs on the machines, without Spark and Ray."""

    def test_sums_of_a_partition(self, pupils, whole):
        names = run(code_of("Spark")[:1])
        table = pa.Table.from_pandas(pupils, preserve_index=False)
        empty = table.schema.empty_table().to_batches()
        halves = [table[:120].to_batches() + empty, table[120:].to_batches(), empty]
        rows = [row for half in halves for row in names["sums_of_partition"](half)]
        assert len(rows) == 2
        contents = [row.column("statistics")[0].as_py() for row in rows]
        assert_same_statistics(sum(map(names["load"], contents)), whole)

    def test_sums_of_groups(self, pupils, whole):
        names = run([code_of("Spark")[0], code_of("Spark")[2]])
        rows = pupils.assign(fold=np.arange(300) % 5, part=np.arange(300) % 2)
        sums = [names["sums_of_group"](group) for _, group in rows.groupby(["fold", "part"])]
        pairs = pd.concat(sums).itertuples(index=False)
        folds = names["folds_of"](reversed([*pairs]))
        assert len(folds) == 5
        for k, fold in enumerate(folds):
            part = rows[rows["fold"] == k]
            direct = TaskStatistics(task_column="school").update(part[FEATURES], part["score"])
            assert_same_statistics(fold, direct)
        assert_same_statistics(sum(folds), whole)

    def test_sums_of_a_batch(self, pupils, whole):
        names = run(code_of("Ray")[:1])
        batches = np.array_split(np.arange(300), 4)
        contents = [names["sums_of_batch"](pupils.iloc[rows])["statistics"][0] for rows in batches]
        assert_same_statistics(sum(map(names["load"], contents)), whole)

    def test_bytes_hold_everything(self, whole):
        file = io.BytesIO()
        whole.save(file)
        file.seek(0)
        loaded = TaskStatistics.load(file)
        assert_same_statistics(loaded, whole, tol=0)
        assert loaded.get_params() == whole.get_params()
        with pytest.raises(ValueError, match="The file object is damaged"):
            TaskStatistics.load(io.BytesIO(file.getvalue()[:-50]))


@pytest.mark.spark
@pytest.mark.skipif(not JAVA, reason="Spark needs Java")
def test_spark(folder, pupils, whole, monkeypatch):
    pyspark = pytest.importorskip("pyspark.sql", reason="pip install pyspark")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = pyspark.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    with builder.getOrCreate() as spark:
        names = run(code_of("Spark"), spark=spark)
    assert_same_statistics(names["statistics"], whole)
    assert_fitted(names["model"], pupils)
    assert len(names["folds"]) == 5
    assert_same_statistics(sum(names["folds"]), whole)
    assert names["search"].mse_path_.shape == (100, 5)


@pytest.mark.spark
def test_ray(folder, pupils, whole):
    ray = pytest.importorskip("ray", reason='pip install "ray[data]"')
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        names = run(code_of("Ray"))
    finally:
        ray.shutdown()
    assert_same_statistics(names["statistics"], whole)
    assert_fitted(names["model"], pupils)
