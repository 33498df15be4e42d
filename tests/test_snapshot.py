"""Signatures, defaults, docstrings and small fits against a recorded snapshot.

``python tests/test_snapshot.py`` records the present state; commit the new record together with a
change that is meant to alter a number or a signature.
"""

import hashlib
import inspect
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import skmtl
from skmtl.penalties import L1, L21, Ridge, Superposition, TraceNorm

pytestmark = pytest.mark.slow

FILE = Path(__file__).with_name("snapshot.json")
NAMES = [name for name in skmtl.__all__ if name[0].isupper()]
SOLVERS = ("auto", "admm", "block", "fista", "newton", "splitting")
LOSSES = {
    "Regressor": ("squared", "huber", "poisson"),
    "Classifier": ("logistic", "squared_hinge"),
}
VARIANTS = {
    "BlockSparse": [{}, {"l1_ratio": 0.5}, {"sparsity": 0.4}, {"norm": "linf"}],
    "ClusteredTask": [{}, {"form": "relaxed"}],
    "GraphRegularized": [{}, {"ridge": 0.1, "sparse": 0.2}],
    "FusedTask": [{}, {"block": 0.2}],
    "LowRank": [{}, {"power": 2}],
    "CappedBlockSparse": [{}, {"penalty": "mcp"}],
    "MultiTask": [
        {"penalty": L1(0.5) + TraceNorm(0.5)},
        {"penalty": Superposition(L21(1.0), L1(0.8)) + Ridge(0.1)},
    ],
}


def signatures():
    """A digest of each public class's signature and of each section of its docstring."""
    for name in NAMES:
        cls = getattr(skmtl, name)
        yield f"{name} signature", str(inspect.signature(cls))
        text, title = inspect.cleandoc(cls.__doc__), "summary"
        section = []
        lines = text.splitlines()
        for line, below in zip(lines, [*lines[1:], ""], strict=True):
            if below and set(below) == {"-"}:
                yield f"{name} {title}", _digest(section)
                title, section = line, []
            else:
                section.append(line)
        yield f"{name} {title}", _digest(section)


def _digest(lines):
    return hashlib.sha256("\n".join(lines).strip().encode()).hexdigest()[:16]


def _data(loss, layout):
    rng = np.random.default_rng(0)
    X, T = rng.standard_normal((24, 5)), 3
    Z = X @ rng.standard_normal((5, T)) + rng.standard_normal((24, T)) + [0, 0.5, -0.5]
    Y = Z
    if loss == "poisson":
        Y = np.round(np.exp(np.clip(Z / 3, -2, 2)))
    if loss in LOSSES["Classifier"]:
        Y = (Z > 0).astype(float)
    if layout == "stacked":
        return np.column_stack([np.tile(X, (T, 1)), np.repeat(np.arange(T), 24)]), Y.T.ravel()
    Y = Y.copy()
    Y[3, 1] = np.nan
    return X, Y


def fits():
    """The coefficients, intercepts and objective of small fits by name."""
    for name in NAMES:
        cls = getattr(skmtl, name)
        if name.startswith("StructureSearch"):
            continue  # refits one of the others
        kind = "Classifier" if "Classifier" in name else "Regressor"
        is_cv = name.endswith("CV")
        variants = [{}] if is_cv else VARIANTS.get(name.removesuffix(kind), [{}])
        for number, params in enumerate(variants):
            for loss in LOSSES[kind][:1] if is_cv else LOSSES[kind]:
                for layout in ("shared", "stacked"):
                    first = loss == LOSSES[kind][0] and not is_cv
                    for solver in SOLVERS if first else SOLVERS[:1]:
                        yield from _fit(cls, params, loss, layout, solver, f"{name}-{number}")


def _fit(cls, params, loss, layout, solver, name):
    column = {"task_column": -1} if layout == "stacked" else {}
    few = {"alphas": 5, "cv": 3} if "alphas" in cls().get_params() else {}
    model = cls(**params, loss=loss, solver=solver, **column, **few)
    if "random_state" in model.get_params():
        model.set_params(random_state=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(*_data(loss, layout))
    except ValueError:
        return  # a solver that is not available for the objective
    found = np.concatenate([model.coef_.ravel(), np.ravel(model.intercept_), [model.objective_]])
    yield f"{name} {loss} {layout} {solver}", found.tolist()


def record():
    return {"signatures": dict(signatures()), "fits": dict(fits())}


@pytest.fixture(scope="module")
def recorded():
    return json.loads(FILE.read_text())


def test_signatures_and_docstrings(recorded):
    assert dict(signatures()) == recorded["signatures"]


def test_fits(recorded):
    found = dict(fits())
    assert found.keys() == recorded["fits"].keys()
    for name, numbers in found.items():
        # Other releases of BLAS sum in a different order.
        np.testing.assert_allclose(
            numbers, recorded["fits"][name], rtol=1e-3, atol=1e-4, err_msg=name
        )


if __name__ == "__main__":
    FILE.write_text(json.dumps(record(), indent=0) + "\n")
