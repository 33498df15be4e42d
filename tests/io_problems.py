"""Tables that the readers of skmtl.io read, and their statistics without these."""

import numpy as np
import pytest

from skmtl.design import TaskStatistics

FEATURES = ["a", "b", "c"]
ENGINES = ("duckdb", "polars", "parquet")


def make_table(offset=0.0, n=600, n_tasks=5, seed=0):
    """An Arrow table with the columns a, b, c, task, y, w, and the targets u, v and gaps, p, q."""
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    rng = np.random.default_rng(seed)
    codes = rng.integers(n_tasks, size=n)
    X = rng.normal(size=(n, 3)) + rng.normal(size=(n_tasks, 3))[codes] * offset
    Y = (X - X.mean(axis=0)) @ rng.normal(size=(3, 4)) / (1 + offset) + rng.normal(size=(n, 4))
    gaps = np.where(rng.random((n, 2)) < 0.3, np.nan, Y[:, 2:])
    columns = dict(zip(FEATURES, X.T, strict=True))
    columns |= {"task": np.array([f"shop {k}" for k in range(n_tasks)])[codes]}
    columns |= {"y": Y[:, 0] + offset, "w": rng.integers(4, size=n) / 2}
    columns |= {"u": Y[:, 1], "v": Y[:, 2]}
    columns |= {
        name: pa.array(gap, from_pandas=True) for name, gap in zip("pq", gaps.T, strict=True)
    }
    return pa.table(columns)


def read(engine, table, target, task=None, weight=None, *, folder, features=FEATURES, **options):
    """The statistics of a table by one of the readers."""
    from skmtl import io

    pytest.importorskip("pyarrow" if engine == "parquet" else engine, reason=f"needs {engine}")
    if engine == "duckdb":
        import duckdb

        with duckdb.connect() as connection:
            source = connection.from_arrow(table)
            return io.statistics_from_duckdb(source, features, target, task, sample_weight=weight)
    if engine == "polars":
        import polars as pl

        frame = pl.from_arrow(table).lazy()
        return io.statistics_from_polars(frame, features, target, task, sample_weight=weight)
    import pyarrow.parquet as pq

    path = folder / "rows.parquet"
    pq.write_table(table, path, row_group_size=150)
    names = {"features": features, "target": target, "task": task, "sample_weight": weight}
    options = {"batch_size": 70, **options}
    return TaskStatistics.from_batches(
        io.batches_from_parquet(path, **names, **options), task_column=task
    )


def local(table, target, task=None, weight=None, features=FEATURES):
    """The statistics of a table in one batch, and the arguments of fit."""
    import polars as pl

    frame = pl.from_arrow(table)
    X = frame[features + ([task] if task else [])]
    if isinstance(target, str):
        frame = frame.filter(pl.col(target).is_not_null())
        X = frame[X.columns]
    y = frame[target].to_numpy() if isinstance(target, str) else frame[target]
    arguments = X, y, None if weight is None else frame[weight].to_numpy()
    return TaskStatistics(task_column=task).update(*arguments), arguments


def assert_equal(found, expected, tol):
    """Compare statistics, relative to the sizes of their terms."""
    assert found.tasks_.tolist() == expected.tasks_.tolist()
    assert found.n_features_in_ == expected.n_features_in_
    assert found.feature_names_in_.tolist() == expected.feature_names_in_.tolist()
    assert repr(found).split(";")[1] == repr(expected).split(";")[1]  # Gram matrices and bytes
    np.testing.assert_array_equal(found.label_counts_, expected.label_counts_)
    np.testing.assert_allclose(found.weight_sums_, expected.weight_sums_, rtol=tol)
    for task in expected.tasks_.tolist():
        xx, xy, yy = expected.scatter(task)
        own = found.scatter(task)
        sizes = np.sqrt(np.diag(xx))
        assert (np.abs(own[0] - xx) <= tol * np.outer(sizes, sizes)).all()
        assert (np.abs(own[1] - xy) <= tol * sizes * np.sqrt(yy)).all()
        assert own[2] == pytest.approx(yy, rel=tol)
    deviations = np.array(
        [np.sqrt(np.diag(expected.scatter(t)[0])) for t in expected.tasks_.tolist()]
    )
    allowed = tol * deviations + 4 * np.finfo(float).eps * np.abs(expected.x_means_)
    assert (np.abs(found.x_means_ - expected.x_means_) <= allowed).all()
    np.testing.assert_allclose(found.y_means_, expected.y_means_, rtol=tol, atol=tol)
