"""A problem as data, given to every peer, and its files, which pass it to another process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]

# The suboptimality at which times are compared, relative to the null objective.
TARGET = 1e-6


@dataclass(frozen=True)
class Problem:
    """Data and objective: loss + alpha (l1_ratio Omega(W) + (1 - l1_ratio) / 2 ||W||_F^2).

    Attributes
    ----------
    name : str
    X : ndarray or CSC matrix of shape (n, d)
    y : ndarray
        (n, T) labels; (n,) in the stacked layout and for classes.
    task : ndarray of shape (n,) or None
        The task of every row in the stacked layout, sorted.
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    loss : {"squared", "logistic", "multinomial"}
        "logistic" fits each class against the rest.
    penalty : {"l21", "trace", "relation"}
        The sum of row norms, the trace norm, and half its square.
    what : {"fit", "path", "cv"}
        One alpha, all of them, or their cross-validation in ``n_folds`` consecutive folds.
    speed : float
        The target ratio of the best peer's time to skmtl's.
    loose : mapping
        The suboptimality at which a peer's time counts, for peers with a target of their own.
    patience : float
        Factor by which the time limit of a run is extended.
    """

    name: str
    X: Any
    y: Array
    alphas: Array
    task: Array | None = None
    loss: str = "squared"
    penalty: str = "l21"
    l1_ratio: float = 1.0
    what: str = "fit"
    n_folds: int = 5
    speed: float = 1.0
    loose: Mapping[str, float] = field(default_factory=dict)
    patience: float = 1.0

    @property
    def n_tasks(self) -> int:
        """Number of tasks, or of classes."""
        if self.task is not None:
            return int(self.task[-1]) + 1
        return self.y.shape[1] if self.y.ndim == 2 else len(np.unique(self.y))

    @property
    def n_features(self) -> int:
        """Number of features."""
        return int(self.X.shape[1])

    @property
    def shape(self) -> str:
        """The sizes as printed."""
        n, d = self.X.shape
        return f"{n} x {d}, T={self.n_tasks}"

    @property
    def kind(self) -> str:
        """The capabilities that a peer needs: what, penalty or loss, and the form of the data."""
        parts = [self.what, self.penalty if self.loss == "squared" else self.loss]
        parts += ["enet"] * (self.l1_ratio < 1) + ["stacked"] * (self.task is not None)
        return " ".join(parts + ["sparse"] * sp.issparse(self.X))

    def rows(self) -> list[slice]:
        """The rows of every task in the stacked layout."""
        if self.task is None:
            raise ValueError("All tasks share their rows.")
        ends = np.searchsorted(self.task, np.arange(self.n_tasks + 1))
        return [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]

    def target(self, peer: str) -> float:
        """The suboptimality at which the time of a peer counts."""
        return self.loose.get(peer, TARGET)

    @contextmanager
    def saved(self) -> Iterator[Path]:
        """A temporary folder with the problem's files."""
        with TemporaryDirectory(prefix="peers-") as folder:
            self.save(Path(folder))
            yield Path(folder)

    def save(self, folder: Path) -> None:
        """Write the problem as files that any release of NumPy reads."""
        arrays = {"y": self.y, "alphas": self.alphas}
        if self.task is not None:
            arrays["task"] = self.task
        if sp.issparse(self.X):
            arrays |= {"data": self.X.data, "indices": self.X.indices, "indptr": self.X.indptr}
        else:
            arrays["X"] = self.X
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        kept = ("name", "loss", "penalty", "l1_ratio", "what", "n_folds", "speed", "patience")
        scalars: dict[str, Any] = {name: getattr(self, name) for name in kept}
        scalars |= {"arrays": sorted(arrays), "shape": list(self.X.shape)}
        (folder / "problem.json").write_text(json.dumps(scalars), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Problem":
        """Read a problem written by :meth:`save`."""
        scalars = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy") for name in scalars.pop("arrays")}
        shape = tuple(scalars.pop("shape"))
        if "indptr" in arrays:
            parts = tuple(arrays.pop(name) for name in ("data", "indices", "indptr"))
            arrays["X"] = sp.csc_matrix(parts, shape=shape)
        return cls(**arrays, **scalars)

    def describe(self) -> dict[str, Any]:
        """All attributes except the large arrays, for the raw numbers."""
        skipped = ("X", "y", "task", "alphas")
        names = [each.name for each in fields(self) if each.name not in skipped]
        shallow = {name: getattr(self, name) for name in names}
        shallow |= {"loose": dict(self.loose), "alphas": self.alphas.tolist()}
        return shallow | {"shape": list(self.X.shape), "n_tasks": self.n_tasks, "kind": self.kind}
