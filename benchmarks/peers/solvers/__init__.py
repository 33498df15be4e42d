"""The peers: which package, for which problems, from which tolerance downwards.

A module of this package wraps one peer as a class ``Solver(problem, threads, **options)``. Its
constructor brings the data into the form that the peer takes without copying, and is not timed; its
``run(tol)`` is the call that a user makes, and is; its ``result()`` is not. A module imports its
package at the top, for the import is timed too, and nothing of the other peers.
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
    """What a run returned.

    ``coefs`` is (n, n_tasks, n_features), one for each alpha whose position is in ``alphas``
    (None: all). ``more`` goes to the raw numbers.
    """

    coefs: NDArray[Any]
    alphas: list[int] | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Solver(ABC):
    """What a module of this package defines under this name, with the arguments of a Solver."""

    coefs: NDArray[Any]

    @abstractmethod
    def __init__(self, problem: Any, threads: int, **options: Any) -> None: ...

    @abstractmethod
    def run(self, tol: float) -> None:
        """Solve the problem, and set ``coefs``; nothing is kept from an earlier run."""

    def result(self) -> Result:
        """What the last run found."""
        return Result(self.coefs)


def cross_validated(problem: Any, model: Any) -> Result:
    """What a fitted CV estimator found: the model at the chosen alpha, and all scores."""
    chosen = int(abs(problem.alphas - model.alpha_).argmin())
    return Result(model.coef_[None], [chosen], {"mse_path": model.mse_path_.mean(axis=1).tolist()})


@dataclass(frozen=True)
class Peer:
    """A peer.

    Attributes
    ----------
    module : str
        Its module in this package.
    distribution : str
        The name under which its release is installed.
    solves : frozenset of str
        The kinds of problem, as :attr:`benchmarks.peers.problem.Problem.kind` names them.
    loosest : float
        Where its tolerances begin.
    step : float
        A tolerance divided by the next.
    only : frozenset of str
        The problems it is tried on, where these are not all of its kinds.
    compiles_long : bool
        Whether a first fit takes many seconds; quick runs leave such a peer out.
    options : mapping
        Keywords of its Solver.
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
        # On tall data and along the path it runs for minutes; the sparse matrix of the large
        # stacked tasks would take several times the memory of the data.
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
