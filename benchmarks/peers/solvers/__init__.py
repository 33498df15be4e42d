"""The peers, with the problems that each solves and its tolerances.

A module of this package wraps one peer as a class ``Solver(problem, threads, **options)``. Its
constructor converts the data to the form that the peer accepts without copying, and is not timed.
Its ``run(tol)`` is the call that a user would make, and is timed; its ``result()`` is not. A module
imports its package at the top, because the import is also timed, and imports no other peer.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

OURS = "skmtl"


@dataclass(frozen=True)
class Result:
    """The result of a run.

    ``coefs`` has shape (n, n_tasks, n_features), with one matrix for each alpha whose position is
    in ``alphas`` (None: all). ``more`` is added to the raw numbers.
    """

    coefs: NDArray[Any]
    alphas: list[int] | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Solver(ABC):
    """Base class of the ``Solver`` that each module of this package defines."""

    coefs: NDArray[Any]

    @abstractmethod
    def __init__(self, problem: Any, threads: int, **options: Any) -> None: ...

    @abstractmethod
    def run(self, tol: float) -> None:
        """Solve the problem from scratch, and set ``coefs``."""

    def result(self) -> Result:
        """The result of the last run."""
        return Result(self.coefs)


def cross_validated(problem: Any, model: Any) -> Result:
    """The result of a fitted CV estimator: the model at the selected alpha, and all scores."""
    best = int(abs(problem.alphas - model.alpha_).argmin())
    return Result(model.coef_[None], [best], {"mse_path": model.mse_path_.mean(axis=1).tolist()})


@dataclass(frozen=True)
class Peer:
    """A package to compare with.

    Attributes
    ----------
    module : str
        Its module in this package.
    distribution : str
        The name of its distribution package.
    solves : frozenset of str
        The kinds of problem that it solves, see :attr:`benchmarks.peers.problem.Problem.kind`.
    loosest : float
        The first tolerance.
    step : float
        The ratio of one tolerance to the next.
    only : frozenset of str
        The problems it is run on, if not all problems of these kinds.
    compiles_long : bool
        Whether a first fit compiles for many seconds; quick runs skip such a peer.
    options : mapping
        Keyword arguments of its Solver.
    """

    module: str
    distribution: str
    solves: frozenset[str]
    loosest: float
    step: float = 10.0
    only: frozenset[str] | None = None
    compiles_long: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, problem: Any) -> bool:
        """Whether the peer is run on the problem."""
        return problem.kind in self.solves and (self.only is None or problem.name in self.only)

    def solver(self) -> type[Solver]:
        """Import the peer."""
        found: type[Solver] = import_module(f"{__name__}.{self.module}").Solver
        return found


_MULTI_TASK = frozenset({"fit l21", "path l21"})
_TRACE = frozenset({"fit trace", "fit trace stacked"})
_OURS = _TRACE | {
    *_MULTI_TASK,
    "cv l21",
    "fit l21 enet",
    "fit l21 sparse",
    "fit l21 stacked",
    "fit logistic",
    "fit multinomial",
    "path relation",
}

PEERS: dict[str, Peer] = {
    OURS: Peer("skmtl_fit", "skmtl", _OURS, 1e-2),
    "skmtl-fista": Peer(
        "skmtl_fit", "skmtl", _TRACE | {"fit logistic"}, 1e-2, options={"solver": "fista"}
    ),
    "scikit-learn": Peer(
        "sklearn_descent",
        "scikit-learn",
        _MULTI_TASK | {"cv l21", "fit l21 enet", "fit l21 sparse"},
        1e-2,
    ),
    "skglm": Peer(
        "skglm_descent", "skglm", _MULTI_TASK | {"fit l21 sparse"}, 1.0, compiles_long=True
    ),
    "celer": Peer("celer_path", "celer", _MULTI_TASK, 1e-1),
    "adelie": Peer(
        "adelie_grpnet",
        "adelie",
        _MULTI_TASK | {"fit l21 enet", "fit l21 stacked", "fit multinomial"},
        1e-3,
        # It runs for minutes on tall data and along a path, and the sparse matrix of the large
        # stacked tasks would need several times the memory of the data.
        only=frozenset({"p1a/2", "p1a/10", "p1a/20", "p1d", "p2", "p3-multinomial", "p4-school"}),
    ),
    "mutar": Peer("mutar_descent", "mutar", frozenset({"fit l21 stacked"}), 1e-1),
    "lightning": Peer(
        "lightning_descent",
        "sklearn-contrib-lightning",
        frozenset({"fit multinomial"}),
        1 / 5,
        step=2.0,
    ),
    "skein": Peer("skein_path", "skein-glm", _MULTI_TASK, 1e-3, only=frozenset({"p1d"})),
    "sylvester": Peer("sylvester", "scipy", frozenset({"path relation"}), 1e-2),
}
