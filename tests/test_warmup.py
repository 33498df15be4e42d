"""After a warm-up nothing is compiled by later fits."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skmtl

pytestmark = pytest.mark.slow

PACKAGE = Path(skmtl.__file__).parent


def run_python(code):
    """Run code in a fresh process that compiles; returns the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


AFTER = """
import warnings
import numpy as np, scipy.sparse as sp
import skmtl
from skmtl.datasets import make_block_sparse
from skmtl.warmup import count_compiled
warnings.simplefilter("ignore")
for dtype in (np.float64, np.float32):
    shared = make_block_sparse(60, 12, 5, n_informative=3, missing=0.2, random_state=0)
    stacked = make_block_sparse(40, 9, 4, n_informative=3, layout="stacked", random_state=0)
    for name in skmtl.__all__:
        # SafeTransfer fits estimators that are in the list, many times.
        if not name.endswith(("Regressor", "Classifier")) or name.startswith("SafeTransfer"):
            continue
        for dataset, params in ((shared, {}), (stacked, {"task_column": -1})):
            X, y = dataset.data.astype(dtype), dataset.target
            if name.endswith("Classifier"):
                y = np.where(np.isnan(y), np.nan, y > 0)
            for container in (np.asarray, sp.csc_array):
                model = getattr(skmtl, name)(**params, max_iter=30)
                if "max_stages" in model.get_params():
                    model.set_params(max_stages=2)
                model.fit(container(X), y)
wide = make_block_sparse(8, 90, 5, n_informative=9, random_state=0)
skmtl.BlockSparseRegressor(1e-3, max_iter=50).fit(wide.data, wide.target)
skmtl.BlockSparseClassifier(0.01, loss="multinomial").fit(wide.data, np.arange(8) % 3)
skmtl.FusedTaskRegressor(0.1, graph="complete", sparse=0.3).fit(wide.data, wide.target)
print(count_compiled())
"""


WARM = """
from skmtl._numerics import kernels
from skmtl.warmup import warm_up
warm_up()
print({name: len(getattr(kernels, name).signatures) for name in kernels.__all__})
"""


@pytest.fixture(scope="module")
def warm():
    """The report of a process that warms up, and the number of signatures per kernel."""
    # Use the cache of the other tests, so that little needs compiling.
    *report, counts = run_python(WARM)
    return report, ast.literal_eval(counts)


def test_after_warming_up_a_new_process_compiles_nothing(warm):
    *families, total = warm[0]
    named = [line.split(":")[0] for line in families]
    assert {f"{name}Regressor" for name in named} <= set(skmtl.__all__) and len(named) == 16
    assert re.fullmatch(r"\d+ compiled in total, [\d.]+ s; the rest was cached", total)
    assert run_python(AFTER) == ["0"]


def test_warming_up_calls_every_kernel_with_few_types(warm):
    # At most one for each precision.
    assert set(warm[1].values()) == {1, 2}
