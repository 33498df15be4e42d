"""The table of problems. Each is built on demand; ``quick`` makes it small."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks._command import data_home
from benchmarks.peers.objectives import dual_norm, null_gradient, null_value
from benchmarks.peers.problem import Problem
from skmtl.datasets import fetch_mnist

Array = NDArray[Any]

_CORRELATION = 0.95


class Missing(Exception):
    """A problem cannot be built, or a peer cannot be run, on this machine."""


def build(name: str, quick: bool = False) -> Problem:
    """The problem of that name.

    Raises
    ------
    Missing
        If it needs data that are missing.
    """
    return PROBLEMS[name](name, quick)


def wide(
    n: int, d: int, n_tasks: int, seed: int = 0, n_informative: int = 3
) -> tuple[Array, Array]:
    """Simulate autoregressive columns, few non-zero rows of W, and as much noise as signal."""
    rng = np.random.default_rng(seed)
    X = correlated(rng, n, d)
    support = rng.choice(d, n_informative, replace=False)
    Y = X[:, support] @ rng.normal(size=(n_informative, n_tasks))
    return X, Y + _noise_like(rng, Y)


def correlated(rng: np.random.Generator, n: int, d: int) -> Array:
    """Simulate rows of a stationary autoregression of order one, C-contiguous."""
    X = rng.normal(size=(n, d))
    for j in range(1, d):
        X[:, j] *= np.sqrt(1 - _CORRELATION**2)
        X[:, j] += _CORRELATION * X[:, j - 1]
    return X


def shared(name: str, X: Any, Y: Array, divisor: float, **options: Any) -> Problem:
    """The problem with these data at alpha_max / divisor."""
    problem = Problem(name, X, Y, np.ones(1), **options)
    top = dual_norm(problem.penalty, null_gradient(problem)) / problem.l1_ratio
    return replace(problem, alphas=np.array([top / divisor]))


def grid(problem: Problem, n_alphas: int, ratio: float) -> Problem:
    """The problem on a geometric grid of alphas from its own down to that divided by ``ratio``."""
    return replace(problem, alphas=problem.alphas * np.geomspace(1, 1 / ratio, n_alphas))


def _noise_like(rng: np.random.Generator, signal: Array) -> Array:
    noise = rng.normal(size=signal.shape)
    return noise * (np.linalg.norm(signal) / np.linalg.norm(noise))


# At alpha_max / 2 the support is the three rows of W; smaller alphas also select noise. The
# supports have about 3, 90 and 1150 rows.
def _wide(
    name: str, quick: bool, *, divisor: float, speed: float, l1_ratio: float = 1.0
) -> Problem:
    X, Y = wide(100, 600, 10) if quick else wide(300, 7500, 50, seed=6)
    return shared(name, X, Y, divisor, speed=speed, l1_ratio=l1_ratio)


def _tall(name: str, quick: bool, *, divisor: float, speed: float) -> Problem:
    X, Y = wide(3000, 60, 8) if quick else wide(50000, 200, 20)
    return shared(name, X, Y, divisor, speed=speed)


def _sparse(name: str, quick: bool) -> Problem:
    n, d, n_tasks, density = (1000, 4000, 5, 3e-3) if quick else (5000, 50000, 10, 1e-3)
    rng = np.random.default_rng(0)
    X = sp.random(n, d, density, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    W = np.zeros((d, n_tasks))
    W[rng.choice(d, 100, replace=False)] = rng.normal(size=(100, n_tasks))
    Y = X @ W
    return shared(name, sp.csc_matrix(X), Y + _noise_like(rng, Y), 10, speed=2)


def _small(name: str, quick: bool) -> Problem:
    return shared(name, *wide(200, 100, 5), 10, speed=1)


def _path(name: str, quick: bool, *, what: str, speed: float) -> Problem:
    X, Y = wide(80, 200, 5) if quick else wide(200, 2000, 20)
    return grid(shared(name, X, Y, 1, what=what, speed=speed), 10 if quick else 50, 100)


def _relation(name: str, quick: bool) -> Problem:
    """Tasks with low-rank coefficients.

    At the largest alpha the objective can be at most 1% below the null objective.
    """
    n, d, n_tasks, rank, n_alphas = (300, 40, 15, 3, 5) if quick else (2000, 300, 100, 10, 20)
    rng = np.random.default_rng(0)
    X = correlated(rng, n, d)
    Y = X @ rng.normal(size=(d, rank)) @ rng.normal(size=(rank, n_tasks))
    options: dict[str, Any] = {
        "what": "path",
        "speed": 20,
        "loose": {"sylvester": 1e-3},
        "patience": 4.0,
    }
    Y = Y + _noise_like(rng, Y)
    problem = Problem(name, X, Y, np.ones(1), penalty="relation", **options)
    top = dual_norm("relation", null_gradient(problem)) ** 2 / (2 * 0.01 * null_value(problem))
    return grid(replace(problem, alphas=np.array([top])), n_alphas, 1e4)


def _stacked(name: str, quick: bool, *, penalty: str, large: bool, speed: float) -> Problem:
    rng = np.random.default_rng(0)
    if large:
        n_tasks, d = (40, 40) if quick else (500, 300)
        counts = np.full(n_tasks, 120 if quick else 1000)
    else:
        n_tasks, d = (30, 10) if quick else (139, 28)
        counts = rng.integers(80, 111, size=n_tasks)
    X = rng.normal(size=(int(counts.sum()), d))
    task = np.repeat(np.arange(n_tasks), counts)
    if penalty == "trace":
        W = rng.normal(size=(d, 3)) @ rng.normal(size=(3, n_tasks))
    else:
        W = rng.normal(size=(d, n_tasks)) * (rng.permutation(d) < d // 3)[:, None]
    ends = np.cumsum(counts)[:-1]
    parts = [part @ w for part, w in zip(np.split(X, ends), W.T, strict=True)]
    y = np.concatenate(parts)
    y = y + _noise_like(rng, y)
    return shared(name, X, y, 10, task=task, penalty=penalty, speed=speed)


@cache
def _mnist() -> tuple[Array, Array]:
    """The training part of MNIST, with grey values from 0 to 1."""
    home = data_home()
    try:
        data = fetch_mnist(home)
    except (OSError, ValueError) as error:
        raise Missing(f"no MNIST in {home}: {error}") from None
    return data.data[~data.is_test] / 255.0, data.target[~data.is_test].astype(np.int64)


def _digits(
    name: str,
    quick: bool,
    *,
    loss: str,
    speed: float,
    divisor: float = 10.0,
    loose: Mapping[str, float],
) -> Problem:
    X, y = _mnist()
    if quick:
        X, y = X[:300], y[:300]
    options: dict[str, Any] = {"loss": loss, "speed": speed, "loose": loose, "patience": 4.0}
    return shared(name, X, y, divisor, **options)


_ovr = partial(_digits, loss="logistic", loose={"skmtl-fista": 1e-4})
_multinomial_reach = {"lightning": 1.5e-3, "adelie": 2.8e-3}

PROBLEMS: dict[str, Callable[[str, bool], Problem]] = {
    "p1a/2": partial(_wide, divisor=2, speed=4),
    "p1a/10": partial(_wide, divisor=10, speed=6),
    "p1a/20": partial(_wide, divisor=20, speed=3),
    "p1b/10": partial(_tall, divisor=10, speed=5),
    "p1b/100": partial(_tall, divisor=100, speed=15),
    "p1c": _sparse,
    "p1d": _small,
    "p1e-path": partial(_path, what="path", speed=2),
    "p1e-cv": partial(_path, what="cv", speed=2.5),
    "p2": partial(_wide, divisor=10, speed=3.5, l1_ratio=0.5),
    "p3-ovr/10": partial(_ovr, divisor=10, speed=30),
    "p3-ovr/100": partial(_ovr, divisor=100, speed=6),
    "p3-multinomial": partial(_digits, loss="multinomial", speed=3.5, loose=_multinomial_reach),
    "p4-school": partial(_stacked, penalty="l21", large=False, speed=8),
    "p4-large": partial(_stacked, penalty="l21", large=True, speed=4),
    "p6-school": partial(_stacked, penalty="trace", large=False, speed=8),
    "p6-large": partial(_stacked, penalty="trace", large=True, speed=4),
    "p5": _relation,
}
