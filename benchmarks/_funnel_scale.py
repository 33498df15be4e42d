"""The large problem of benchmarks.funnel: time and memory of a fit."""

import resource
import sys
import time

import numpy as np
import scipy.sparse as sp
from scipy.optimize import brentq
from scipy.special import expit

from benchmarks._report import Record
from skmtl.funnel import EntireSpaceClassifier


def run_scale(n: int, d: int, density: float, alpha: float, penalty: str) -> Record:
    """Fit a funnel with clicks in 5% of the rows on sparse features, a tenth of which matter."""
    rng = np.random.default_rng(0)
    X = sp.random_array(
        (n, d), density=density, format="csr", rng=rng, data_sampler=lambda size: np.ones(size)
    )
    coef = np.zeros((d, 2))
    coef[: d // 10] = rng.normal(size=(d // 10, 1)) + rng.normal(size=(d // 10, 2))
    Z = X @ coef
    for column, rate in zip(Z.T, (0.05, 0.1), strict=True):
        column += brentq(lambda b, z=column, r=rate: expit(z + b).mean() - r, -20, 20)
    Y = np.logical_and.accumulate(rng.uniform(size=Z.shape) < expit(Z), axis=1).astype(float)
    del Z
    # The first fit in a process loads or compiles the kernels.
    EntireSpaceClassifier(alpha, penalty=penalty).fit(X[:2000], Y[:2000])
    before, start, cpu = _peak(), time.perf_counter(), time.process_time()
    model = EntireSpaceClassifier(alpha, penalty=penalty).fit(X, Y)
    return {
        "rows": n,
        "features": d,
        "density": density,
        "clicks": float(Y[:, 0].mean()),
        "purchases": float(Y[:, 1].mean()),
        "alpha": alpha,
        "penalty": penalty,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "gib_before": before,
        "gib": _peak(),
        "n_stages": model.n_stages_,
        "stationarity": model.stationarity_,
        "monotone": bool((np.diff(model.objectives_) <= 0).all()),
        "used": int(model.coef_.any(axis=0).sum()),
    }


def _peak() -> float:
    """The largest memory of the process so far, in GiB."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
