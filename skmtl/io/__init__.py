"""Statistics and batches from Parquet files, DuckDB and polars (optional)."""

from skmtl.design import statistics_from_sums
from skmtl.io._duckdb import statistics_from_duckdb
from skmtl.io._parquet import batches_from_parquet
from skmtl.io._polars import statistics_from_polars

__all__ = [
    "batches_from_parquet",
    "statistics_from_duckdb",
    "statistics_from_polars",
    "statistics_from_sums",
]
