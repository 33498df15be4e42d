"""Clusters for tests; dask is imported only if a test needs one."""

import pytest


@pytest.fixture(scope="module")
def cluster():
    """Return a client of two processes, which are started once for a file of tests."""
    distributed = pytest.importorskip("distributed", reason="pip install skmtl[dask]")
    started = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    )
    with started, distributed.Client(started) as client:
        yield client
