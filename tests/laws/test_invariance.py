"""Laws of all convex estimators: results must not depend on rounding or on order.

A change of the data that does not change the mathematical problem must change the result only by
rounding error.
"""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import KFold

import skmtl
from skmtl.penalties import L1, TraceNorm

RING = np.array([[0.0, 1, 0, 2], [1, 0, 3, 0], [0, 3, 0, 1], [2, 0, 1, 0]])
N_TASKS, N_FEATURES = 4, 5

# Families by name, with all parameter settings that lead to different objectives or solvers. The
# defaults of RobustTask's and SparseLowRank's second strength depend on the number of features.
FAMILIES = {
    "BlockSparse": [{}, {"l1_ratio": 0.6}, {"sparsity": 0.4}, {"norm": "linf"}, {"positive": True}],
    "ClusteredTask": [
        {"n_clusters": 2},
        {"n_clusters": 2, "mean": 0.0},
        {"n_clusters": 2, "form": "relaxed"},
        {"n_clusters": 3, "form": "relaxed", "eta": 2.0},
    ],
    "DirtyModel": [{"private": 0.7}],
    "FusedTask": [{}, {"sparse": 0.3, "block": 0.2}],
    "GraphRegularized": [{"graph": RING}, {"graph": RING, "sparse": 0.2}],
    "IndependentTask": [{}],
    "LowRank": [{}, {"power": 2}],
    "MultiTask": [{"penalty": L1(0.3) + TraceNorm(0.5)}],
    "PooledTask": [{}, {"task_intercepts": False}],
    "RobustTask": [{"outlier": 0.8}],
    "SparseLowRank": [{"sparse": 0.5}],
    "TaskRelation": [{}],
    "TreeGuided": [{"tree": [[0, 1], [2, 3]]}],
}
LOSSES = {
    "squared": ("Regressor", 0.3),
    "huber": ("Regressor", 0.3),
    "poisson": ("Regressor", 0.3),
    "logistic": ("Classifier", 0.03),
    "squared_hinge": ("Classifier", 0.03),
}
# Here the objective depends on the order of the tasks.
ORDERED = ("FusedTask",)


def _estimators():
    for (family, settings), (position, loss) in itertools.product(
        FAMILIES.items(), enumerate(LOSSES)
    ):
        kind, alpha = LOSSES[loss]
        for k, params in enumerate(settings):
            cls = getattr(skmtl, family + kind)
            # Every setting has both layouts, and so has every loss.
            layout = ("shared", "stacked")[(k + position) % 2]
            yield pytest.param(
                family,
                cls,
                {"alpha": alpha, "loss": loss, **params},
                layout,
                id=f"{family}-{k}-{loss}-{layout}",
            )


def _degenerate_data(loss):
    """A constant and a duplicate feature, a duplicate task."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((24, N_FEATURES))
    X[:, 2], X[:, 3] = 3.0, X[:, 0]
    Z = X @ rng.standard_normal((N_FEATURES, N_TASKS)) + rng.standard_normal((24, N_TASKS))
    Z -= Z.mean(axis=0)
    Z[:, 1] = Z[:, 0]
    if LOSSES[loss][0] == "Classifier":
        return X, (Z > 0).astype(float)
    return X, np.round(np.exp(np.clip(0.4 * Z, -2, 3))) if loss == "poisson" else Z


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("family", "cls", "params", "layout"), list(_estimators()))
def test_irrelevant_changes_change_nothing(family, cls, params, layout):
    """A zero feature, a row split in two, and permutations of rows and of tasks."""
    X, Y = _degenerate_data(params["loss"])

    def fit(X, Y, sample_weight=None, **others):
        model = cls(**{**params, "tol": 1e-9, **others})
        if layout == "shared":
            return model.fit(X, Y, sample_weight=sample_weight)
        if sample_weight is not None:
            sample_weight = np.tile(sample_weight, N_TASKS)
        X = np.column_stack([np.tile(X, (N_TASKS, 1)), np.repeat(np.arange(N_TASKS), len(X))])
        return model.set_params(task_column=-1).fit(X, Y.T.ravel(), sample_weight=sample_weight)

    base = fit(X, Y)
    rows = np.random.default_rng(0).permutation(len(X))
    others = {
        "zero feature": fit(np.column_stack([X, np.zeros(len(X))]), Y),
        "split row": fit(
            np.vstack([X, X[:1]]),
            np.vstack([Y, Y[:1]]),
            np.concatenate([[0.3], np.ones(len(X) - 1), [0.7]]),
        ),
        "rows": fit(X[rows], Y[rows]),
    }
    order = np.array([2, 0, 3, 1])
    if family not in ORDERED:
        named = {"graph": RING[np.ix_(order, order)], "tree": [[1, 3], [0, 2]]}
        named = {name: value for name, value in named.items() if name in params}
        others["tasks"] = fit(X, Y[:, order], **named)
    scale = 1 + abs(base.objective_)
    for name, model in others.items():
        allowed = 1e-9 * scale + model.dual_gap_ + base.dual_gap_
        assert model.objective_ == pytest.approx(base.objective_, abs=allowed), name
        coef = model.coef_[:, :N_FEATURES]
        coef = coef[np.argsort(order)] if name == "tasks" else coef
        # For duplicate features only the sum of their coefficients is determined.
        moved = (coef - base.coef_) @ np.array([1.0, 1, 1, 0, 1]) + (coef - base.coef_)[:, 3]
        assert np.abs(moved).max() <= 1e-3 * (1 + np.abs(base.coef_).max()), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "container", "shape"),
    [(0, np.asarray, (10, 20)), (1, sp.csr_matrix, (30, 4)), (2, sp.csr_matrix, (10, 20))],
    ids=["wide", "sparse", "sparse-wide"],
)
@pytest.mark.parametrize("name", [name for name in skmtl.__all__ if name[0].isupper()])
def test_one_stacked_task_is_a_vector_of_labels(name, number, container, shape):
    cls = getattr(skmtl, name)
    if name.endswith("CV") and shape[0] > shape[1]:
        pytest.skip("as without CV")
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape)
    y = X[:, 0] + 0.3 * rng.standard_normal(len(X))
    losses = ["squared", "huber", "poisson"]
    if "Classifier" in name:
        losses = ["logistic", "squared_hinge"]
    # One loss for each kind of data; the first, which has solvers of its own, for all.
    for loss in losses[:1] if name.endswith("CV") else {losses[0], losses[number % len(losses)]}:
        labels = {"Regressor": y, "poisson": np.round(np.exp(y))}.get(loss, y)
        labels = (y > 0).astype(int) if "Classifier" in name else labels
        params = {"loss": loss, "cv": KFold(2), "alphas": 4, "random_state": 0}
        model = cls(**{key: params[key] for key in params if key in cls().get_params()})
        alone = clone(model).fit(container(X), labels)
        stacked = model.set_params(task_column=-1)
        stacked.fit(container(np.column_stack([X, np.full(len(X), 3.0)])), labels)
        # Both are within 1e-4 of the null objective.
        assert stacked.objective_ == pytest.approx(alone.objective_, rel=1e-3, abs=1e-3)
        assert stacked.coef_.shape == (1, shape[1])
