"""The statistics are the same whatever reads the rows."""

import datetime

import numpy as np
import pytest
from io_problems import ENGINES, FEATURES, assert_equal, local, make_table, read

from skmtl import FusedTaskRegressor, TaskRelationRegressor
from skmtl.io import batches_from_parquet

pytest.importorskip("polars", reason="needs polars")
pa = pytest.importorskip("pyarrow", reason="needs pyarrow")

LAYOUTS = {
    "stacked": ("y", "task"),
    "single": ("y", None),
    "complete": (["u", "v"], None),
    "gaps": (["u", "p", "q"], None),
    "one of several": (["p"], None),
}
each_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.mark.turns(2)
@each_engine
@pytest.mark.parametrize("weight", (None, "w"))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(engine, layout, weight, tmp_path):
    table, (target, task) = make_table(), LAYOUTS[layout]
    expected, _ = local(table, target, task, weight)
    assert_equal(read(engine, table, target, task, weight, folder=tmp_path), expected, 1e-12)


@pytest.mark.turns(2)
@pytest.mark.parametrize("engine", ("duckdb", "polars"))
@pytest.mark.parametrize("weight", (None, "w"))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_large_means_cost_no_precision(engine, layout, weight, tmp_path):
    table, (target, task) = make_table(offset=1e8), LAYOUTS[layout]
    expected, _ = local(table, target, task, weight)
    assert_equal(read(engine, table, target, task, weight, folder=tmp_path), expected, 1e-12)


@each_engine
def test_sums_are_those_of_the_definition(engine, tmp_path):
    table = make_table(offset=1e3)
    found = read(engine, table, "y", "task", "w", folder=tmp_path)
    ids, w = np.array(table["task"].to_pylist()), table["w"].to_numpy().astype(np.longdouble)
    X = np.column_stack([table[name].to_numpy() for name in FEATURES]).astype(np.longdouble)
    y = table["y"].to_numpy().astype(np.longdouble)
    for task in np.unique(ids).tolist():
        own = (ids == task) & (w > 0)
        s = w[own, None] / w[own].sum()
        x, z = X[own] - (s * X[own]).sum(axis=0), y[own] - (s[:, 0] * y[own]).sum()
        xx, xy, yy = found.scatter(task)
        np.testing.assert_allclose(xx, (w[own, None] * x).T @ x, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(xy, (w[own, None] * x).T @ z, rtol=1e-11, atol=1e-11)
        assert yy == pytest.approx(float((w[own] * z) @ z), rel=1e-11)


@pytest.mark.turns(2)
@each_engine
@pytest.mark.parametrize("layout", ("stacked", "complete", "gaps"))
def test_fits(engine, layout, tmp_path):
    table, (target, task) = make_table(), LAYOUTS[layout]
    statistics = read(engine, table, target, task, "w", folder=tmp_path)
    _, arguments = local(table, target, task, "w")
    model = TaskRelationRegressor(0.3, task_column=task, tol=1e-10)
    expected = model.fit(*arguments).coef_.copy()
    np.testing.assert_allclose(model.fit_statistics(statistics).coef_, expected, atol=1e-6)
    assert len(model.predict(arguments[0])) == len(table)


IDS = {
    "integers": lambda k: pa.array(k * 10 - 20),
    "small integers": lambda k: pa.array(k.astype(np.int8)),
    "floats": lambda k: pa.array(k.astype(float)),
    "strings": lambda k: pa.array([f"täsk '{one}" for one in k]),
    "large strings": lambda k: pa.array([f"t{one}" for one in k], pa.large_string()),
    "dictionary": lambda k: pa.array([f"t{9 - one}" for one in k]).dictionary_encode(),
    "booleans": lambda k: pa.array(k > 2),
    "dates": lambda k: pa.array([datetime.date(2024, 1, 1 + int(one)) for one in k]),
    "times": lambda k: pa.array(k * 10**9, pa.timestamp("us")),
}


@pytest.mark.turns(2)
@each_engine
@pytest.mark.parametrize("kind", IDS)
def test_task_ids(engine, kind, tmp_path):
    table = make_table()
    codes = np.unique(table["task"].to_numpy(), return_inverse=True)[1]
    table = table.set_column(table.column_names.index("task"), "task", IDS[kind](codes))
    expected, _ = local(table, "y", "task")
    found = read(engine, table, "y", "task", folder=tmp_path)
    assert_equal(found, expected, 1e-12)
    assert found.tasks_.dtype.kind == expected.tasks_.dtype.kind


@each_engine
def test_other_types_of_numbers(engine, tmp_path):
    table, k = make_table(), np.arange(600)
    types = {"a": pa.int32(), "b": pa.decimal128(19, 0), "c": pa.float32(), "y": pa.int64()}
    plain = table
    for name, kind in (types | {"w": pa.bool_()}).items():
        place, values = table.column_names.index(name), pa.array(k % (3 + len(name + str(kind))))
        table = table.set_column(place, name, values.cast(kind))
        plain = plain.set_column(place, name, values.cast(kind).cast(pa.float64()))
    expected, _ = local(plain, "y", "task", "w")
    assert_equal(read(engine, table, "y", "task", "w", folder=tmp_path), expected, 1e-12)


@each_engine
@pytest.mark.parametrize("weight", (None, "w"))
def test_rows_without_a_label_are_left_out(engine, weight, tmp_path):
    table = make_table()
    expected, _ = local(table, "p", "task", weight)
    assert_equal(read(engine, table, "p", "task", weight, folder=tmp_path), expected, 1e-12)


@each_engine
@pytest.mark.parametrize("target", (["u", "v"], ["u", "p"]))
def test_nan_is_a_missing_label_among_several_targets(engine, target, tmp_path):
    table = make_table()
    for name in target:
        values = table[name].to_numpy().copy()
        values[::7] = np.nan  # in v, too: rows without any label
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    expected, _ = local(table, target)
    assert_equal(read(engine, table, target, folder=tmp_path), expected, 1e-12)


@each_engine
def test_names_may_be_anything(engine, tmp_path):
    names = {"a": 'x "1"', "b": "select", "c": "s", "task": "g", "y": "x0", "w": "y0"}
    table = make_table()
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    columns = {"features": ['x "1"', "select", "s"]}
    expected, _ = local(table, "x0", "g", "y0", **columns)
    found = read(engine, table, "x0", "g", "y0", folder=tmp_path, **columns)
    assert_equal(found, expected, 1e-12)


@pytest.mark.parametrize("engine", ("duckdb", "polars"))
def test_order_of_an_enum_is_kept(engine):
    pl, io = pytest.importorskip("polars"), pytest.importorskip("skmtl.io")
    sizes = ["S", "M", "L"]
    table = make_table(n_tasks=3)
    codes = np.unique(table["task"].to_numpy(), return_inverse=True)[1]
    frame = pl.from_arrow(table).with_columns(
        task=pl.Series([sizes[k] for k in codes], dtype=pl.Enum(sizes))
    )
    if engine == "polars":
        statistics = io.statistics_from_polars(frame, FEATURES, "y", "task")
    else:
        duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
        ids = frame.with_columns(pl.col("task").cast(pl.String)).to_arrow()
        with duckdb.connect() as connection:
            connection.register("rows", ids)
            query = "SELECT * REPLACE (task::ENUM ('S', 'M', 'L') AS task) FROM rows"
            statistics = io.statistics_from_duckdb(
                query, FEATURES, "y", "task", connection=connection
            )
    model = FusedTaskRegressor(0.3, task_column="task", tol=1e-8)
    expected = model.fit(frame[[*FEATURES, "task"]], frame["y"]).coef_.copy()
    np.testing.assert_allclose(model.fit_statistics(statistics).coef_, expected, atol=1e-6)


def test_readers_and_updates_add_up(tmp_path):
    pytest.importorskip("duckdb", reason="needs duckdb")
    table = make_table()
    parts = [
        read(engine, table.slice(200 * k, 200), "y", "task", folder=tmp_path)
        for k, engine in enumerate(ENGINES)
    ]
    expected, _ = local(table, "y", "task")
    total = sum(parts)
    for task in expected.tasks_.tolist():
        for own, other in zip(total.scatter(task), expected.scatter(task), strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-10)


def test_filters(tmp_path):
    import pyarrow.compute as pc

    table = make_table()
    expected, _ = local(table.filter(pc.field("a") > 0.3), "y", "task")
    for filters in ([("a", ">", 0.3)], pc.field("a") > 0.3, [[("a", ">", 0.3)]]):
        found = read("parquet", table, "y", "task", folder=tmp_path, filters=filters)
        assert_equal(found, expected, 1e-12)
    one = read("parquet", table, "y", "task", folder=tmp_path, filters=[("task", "=", "shop 1")])
    assert one.tasks_.tolist() == ["shop 1"]


@pytest.mark.parametrize("size", (7, 70, 150, 400, 10_000))
def test_batches_have_the_given_size_in_each_pass(size, tmp_path):
    import pyarrow.parquet as pq

    table = make_table()
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=150)
    batches = batches_from_parquet(
        tmp_path / "rows.parquet", features=FEATURES, target="y", task="task", batch_size=size
    )
    for _ in range(2):
        sizes = [len(y) for _, y in batches]
        assert set(sizes[:-1]) <= {size} and sum(sizes) == 600 and sizes[-1] <= size
    labels = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(labels, table["y"].to_numpy())


def test_sources(tmp_path):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = make_table()
    (tmp_path / "flat").mkdir()
    paths = [tmp_path / "flat" / f"part{k}.parquet" for k in range(3)]
    for k, path in enumerate(paths):
        pq.write_table(table.slice(200 * k, 200), path)
    pq.write_to_dataset(table, tmp_path / "hive", partition_cols=["task"])
    ds.write_dataset(table, tmp_path / "feather", format="feather")
    expected, _ = local(table, "y", "task")
    sources = (
        *(tmp_path / "flat", str(tmp_path / "flat" / "part*.parquet"), paths, tmp_path / "hive"),
        ds.dataset(tmp_path / "feather", format="feather"),
    )
    for source in sources:
        batches = batches_from_parquet(source, features=FEATURES, target="y", task="task")
        found = type(expected).from_batches(batches, task_column="task")
        assert_equal(found, expected, 1e-12)
