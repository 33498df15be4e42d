"""Random data, estimators and faults, each determined by a seed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

import skmtl
from skmtl.penalties import L1, L21, Ridge, SparseGroup, Superposition, TraceNorm

# Searches and mixtures fit many models; their fits are those of the families.
SLOW = ("StructureSearch", "SafeTransfer")
ESTIMATORS = [
    name
    for name in skmtl.__all__
    if name.endswith(("Regressor", "Classifier", "CV")) and not name.startswith(SLOW)
]
LOSSES = {
    "Regressor": ["squared"] * 4 + ["huber", "poisson", "gamma", "tweedie", "quantile"],
    "Classifier": ["logistic"] * 3 + ["squared_hinge", "multinomial"],
}
# A family's own parameters, and values to draw from.
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "BlockSparse": {
        "l1_ratio": [1.0, 0.5, 0.0],
        "sparsity": [0.0, 0.3],
        "norm": ["l2", "linf"],
        "positive": [False, True],
    },
    "ClusteredTask": {"n_clusters": [2, 3], "mean": [0.0, 0.1]},
    "DirtyModel": {"positive": [False, True]},
    "FusedTask": {"graph": ["chain", "complete"], "sparse": [0.0, 0.2], "block": [0.0, 0.2]},
    "GraphRegularized": {
        "graph": ["chain", "complete"],
        "ridge": [0.0, 0.1],
        "sparse": [0.0, 0.2],
        "block": [0.0, 0.2],
    },
    "IndependentTask": {"alpha": ["cv", 0.0, 0.1]},
    "PooledTask": {"alpha": ["cv", 0.0, 0.1]},
    "TaskRelation": {"ridge": [0.0, 0.1]},
}
PENALTIES = [
    L21(0.1),
    L1(0.1) + TraceNorm(0.2),
    Superposition(L21(0.1), L1(0.05)),
    Ridge(0.1) + SparseGroup(0.1, 0.2),
]
FAULTS = ("nan feature", "inf label", "negative weight", "short y", "strings", "no task column")


@dataclass
class Case:
    """A problem.

    Attributes
    ----------
    seed : int
    name : str
        Of the estimator.
    params : dict
    X, y, sample_weight : as passed to fit
    fault : str
        What is wrong with the data on purpose; empty if nothing is.
    """

    seed: int
    name: str
    params: dict[str, Any]
    X: Any
    y: Any
    sample_weight: Any
    fault: str = ""
    layout: str = "shared"
    notes: list[str] = field(default_factory=list)

    @property
    def estimator(self) -> Any:
        return getattr(skmtl, self.name)(**self.params)

    def __str__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        shape = f"X {type(self.X).__name__}{getattr(self.X, 'shape', '')}"
        notes = ", ".join([self.layout, shape, *self.notes])
        return f"seed {self.seed}: {self.name}({given}) on {notes}" + (
            f", fault: {self.fault}" if self.fault else ""
        )


def draw(seed: int) -> Case:
    """The case of a seed."""
    rng = np.random.default_rng(seed)
    name = ESTIMATORS[rng.integers(len(ESTIMATORS))]
    kind = "Classifier" if "Classifier" in name else "Regressor"
    loss = str(rng.choice(_losses(name, kind)))
    layout = str(rng.choice(["shared", "shared", "stacked", "stacked", "single"]))
    if loss == "multinomial":
        layout = "single"
    n, d = int(rng.integers(1, 40)), int(rng.integers(1, 10))
    n_tasks = int(rng.integers(1, 6)) if layout != "single" else 1
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-2, 3) + rng.choice([0, 0, 5, 1e4])
    if rng.random() < 0.15:
        X[:, rng.integers(d)] = 3.0
    W, noise = rng.standard_normal((d, n_tasks)), rng.standard_normal((n, n_tasks))
    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12) @ W + noise
    case = Case(seed, name, _params(rng, name, loss), X, None, None, layout=layout)
    _set_labels(case, rng, Z, kind, loss)
    _set_weights(case, rng, n)
    if layout == "stacked":
        _stack(case, rng, n, n_tasks)
    if rng.random() < 0.1:
        _break(case, rng)
    _set_container(case, rng)
    return case


def _losses(name: str, kind: str) -> list[str]:
    """The losses that an estimator accepts, the usual ones more often."""
    (allowed,) = (
        rule.options
        for rule in getattr(skmtl, name)._parameter_constraints["loss"]
        if hasattr(rule, "options")
    )
    return [loss for loss in LOSSES[kind] if loss in allowed]


def _params(rng: np.random.Generator, name: str, loss: str) -> dict[str, Any]:
    params: dict[str, Any] = {"loss": loss, "tol": 1e-6, "max_iter": 1000}
    search = name.endswith("CV")
    if search:
        params |= {"alphas": 3, "cv": 2}
    elif name.startswith("MultiTask"):
        params["penalty"] = PENALTIES[rng.integers(len(PENALTIES))]
    else:
        params["alpha"] = float(10.0 ** rng.uniform(-4, 1))
    family = name.removesuffix("CV").removesuffix("Regressor").removesuffix("Classifier")
    for option, values in OPTIONS.get(family, {}).items():
        if rng.random() < 0.4 and not (search and option == "alpha"):
            params[option] = values[rng.integers(len(values))]
    if rng.random() < 0.2:
        params["fit_intercept"] = False
    elif rng.random() < 0.2:
        params["intercept"] = ["shrunk", 3.0][rng.integers(2)]
    if rng.random() < 0.15:
        params["task_weight"] = "balanced"
    if "Regressor" in name and rng.random() < 0.15:
        params["scale_tasks"] = True
    if "Classifier" in name and rng.random() < 0.15:
        params["class_weight"] = "balanced"
    return params


def _set_labels(case: Case, rng: np.random.Generator, Z: Any, kind: str, loss: str) -> None:
    y = Z * 10.0 ** rng.integers(-1, 3) + rng.choice([0, 0, 100])
    if loss in ("poisson", "tweedie"):
        y = rng.poisson(np.exp(np.clip(Z, -3, 3))).astype(float)
    elif loss == "gamma":
        y = np.exp(np.clip(Z, -3, 3))
    elif loss == "multinomial":
        y = rng.integers(0, 3, Z.shape).astype(float)
    elif kind == "Classifier":
        y = (Z > 0).astype(float)
    if rng.random() < 0.05:
        y[:] = y[0]
        case.notes.append("constant labels")
    if case.layout == "shared" and rng.random() < 0.5:
        y[rng.random(y.shape) < rng.uniform(0, 0.6)] = np.nan
        case.notes.append("missing labels")
    case.y = y[:, 0] if case.layout == "single" else y


def _set_weights(case: Case, rng: np.random.Generator, n: int) -> None:
    if rng.random() < 0.6:
        return
    by_label = case.layout == "shared" and rng.random() < 0.4
    case.sample_weight = rng.uniform(0.1, 3, case.y.shape if by_label else n)
    if rng.random() < 0.3:
        case.sample_weight[rng.random(case.sample_weight.shape) < 0.2] = 0
    case.notes.append(f"weights {case.sample_weight.shape}")


def _stack(case: Case, rng: np.random.Generator, n: int, n_tasks: int) -> None:
    """Give each row to one task, named by a column of its own at a random place."""
    codes = rng.integers(0, n_tasks, n)
    case.y = case.y[np.arange(n), codes]
    place = int(rng.integers(0, case.X.shape[1] + 1))
    case.X = np.insert(case.X, place, 7 * codes, axis=1)
    # Tasks may lose all their rows by weights of zero.
    case.params |= {"task_column": place, "unknown_task": "mean"}


def _break(case: Case, rng: np.random.Generator) -> None:
    case.fault = str(rng.choice(FAULTS))
    X = case.X = case.X.copy()
    n = len(X)
    if case.fault == "nan feature":
        columns = [j for j in range(X.shape[1]) if j != case.params.get("task_column")]
        X[rng.integers(n), columns[0]] = np.nan
    elif case.fault == "inf label":
        case.y = case.y.copy()
        case.y[0] = np.inf
    elif case.fault == "negative weight":
        case.sample_weight = np.ones(n)
        case.sample_weight[0] = -1.0
    elif case.fault == "short y":
        case.y = np.concatenate([case.y, case.y[:1]])
    elif case.fault == "strings":
        case.y = np.full(case.y.shape, "high") if "Regressor" in case.name else case.y[:0]
    else:
        case.params["task_column"] = X.shape[1] + 3


def _set_container(case: Case, rng: np.random.Generator) -> None:
    kind = rng.choice(["array", "array", "fortran", "read-only", "float32", "csr", "csc", "list"])
    case.notes.append(str(kind))
    if kind == "fortran":
        case.X = np.asfortranarray(case.X)
    elif kind == "read-only":
        for values in (case.X, case.y, case.sample_weight):
            if values is not None:
                values.flags.writeable = False
    elif kind == "float32":
        case.X = case.X.astype(np.float32)
    elif kind in ("csr", "csc"):
        case.X = sp.csr_array(case.X) if kind == "csr" else sp.csc_array(case.X)
    elif kind == "list":
        case.X, case.y = case.X.tolist(), case.y.tolist()
