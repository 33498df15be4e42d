"""Problems shared by many tests: data as users pass them, and as plain lists by task."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp

from skmtl import PooledTaskClassifier, PooledTaskRegressor, reference

N_TASKS, N_FEATURES = 3, 6
IDS = np.array([3, 5, 11])

# Each factor in each setting at least once for either layout.
#    layout    weights   task_weight  class_weight missing intercept container
SCENARIOS = [
    ("shared", None, None, None, False, True, "dense"),
    ("shared", "rows", "balanced", "balanced", True, True, "dense"),
    ("shared", "labels", "array", "dict", True, True, "sparse"),
    ("shared", "labels", None, None, True, False, "sparse"),
    ("shared", "rows", "dict", "balanced", False, False, "dense"),
    ("shared", None, "balanced", None, True, True, "sparse"),
    ("shared", "rows", None, "dict", False, True, "sparse"),
    ("stacked", None, None, None, False, True, "dense"),
    ("stacked", "rows", "balanced", "balanced", False, True, "sparse"),
    ("stacked", "rows", "array", "dict", False, False, "dense"),
    ("stacked", None, "dict", None, False, True, "sparse"),
    ("stacked", "rows", None, "balanced", False, True, "dense"),
    ("stacked", "rows", None, None, False, False, "sparse"),
    ("single", "rows", None, "balanced", False, True, "dense"),
    ("single", None, None, None, False, False, "sparse"),
]
SCENARIO_NAMES = [
    "-".join(["noint" if not s[5] else "int", s[0], s[6], *(str(p) for p in s[1:5])])
    for s in SCENARIOS
]
# One of each layout, with weights: every estimator is fitted to these by default.
QUICK = (2, 8, 13)
EACH = np.array([0.05, 0.6, 0.2])
FACTORS = np.array([0.5, 2.0, 1.3])
CLASS_WEIGHT = {0: 0.7, 1: 2.5}


def mostly_slow(scenarios):
    """Scenarios or their numbers, for parametrize: all but the quick ones are marked slow."""
    quick = [*QUICK, *(SCENARIOS[k] for k in QUICK)]
    slow = pytest.mark.slow
    return [s if s in quick else pytest.param(s, marks=slow) for s in scenarios]


def by_turns(names, scenarios):
    """Arguments (name, scenario, classify) of a test: names of estimators or penalties.

    All meet in the quick scenarios. The design reads the others in the same way for every penalty:
    there a scenario is paired with a third of the names, by turns.
    """
    for number, each in enumerate(mostly_slow(scenarios)):
        is_slow = hasattr(each, "marks")
        scenario = each.values[0] if is_slow else each
        where = SCENARIO_NAMES[SCENARIOS.index(scenario)]
        for (position, name), classify in product(enumerate(names), (False, True)):
            if not is_slow or (number + position + classify) % 3 == 0:
                kind = "classification" if classify else "regression"
                marks, label = each.marks if is_slow else (), f"{where}-{name}-{kind}"
                yield pytest.param(name, scenario, classify, marks=marks, id=label)


class Problem:
    """A scenario's data as a user passes them, and as plain lists by task."""

    def __init__(self, scenario, *, classify, seed=0):
        layout, weights, task_weight, class_weight, missing, self.fit_intercept, container = (
            scenario
        )
        rng = np.random.default_rng(seed)
        self.classify, self.layout = classify, layout
        n = {"shared": 36, "stacked": 96, "single": 40}[layout]
        n_tasks = 1 if layout == "single" else N_TASKS
        X = rng.standard_normal((n, N_FEATURES)) * [1, 2, 0.5, 1, 1, 1] + [0, 1, -1, 0.5, 0, 2]
        if container == "sparse":
            X[rng.random(X.shape) < 0.4] = 0.0
        truth = rng.standard_normal((N_FEATURES, n_tasks)) * (np.arange(N_FEATURES) < 3)[:, None]
        offsets = np.array([0.5, -1.0, 3.0])[:n_tasks]
        codes = None
        if layout == "stacked":
            # Unequal tasks, rows in no order.
            codes = rng.permutation(np.repeat([0, 1, 2], [24, 40, 32]))
            z = np.einsum("ij,ij->i", X, truth[:, codes].T) + offsets[codes]
        else:
            z = X @ truth + offsets
        z = z + rng.standard_normal(z.shape)
        if classify:
            z = (z - z.mean(axis=0) + 1.5 * rng.standard_normal(z.shape) > 0.3).astype(float)
        y = z[:, 0] if layout == "single" else z
        s = None
        if weights == "rows":
            s = rng.uniform(0.2, 3.0, n) * (rng.random(n) > 0.15)
        elif weights == "labels":
            s = rng.uniform(0.2, 3.0, y.shape) * (rng.random(y.shape) > 0.15)
        if missing:
            # More labels are missing in later tasks.
            y = np.where(rng.random(y.shape) < [0.0, 0.2, 0.4], np.nan, y)
        self.y, self.sample_weight = y, s
        self.by_task = []
        for t in range(n_tasks):
            rows = range(n) if codes is None else np.flatnonzero(codes == t)
            labels, used = [], []
            for i in rows:
                label = y[i, t] if layout == "shared" else y[i]
                weight = 1.0 if s is None else s[i, t] if s.ndim == 2 else s[i]
                if not np.isnan(label):
                    labels.append((2 * label - 1 if classify else label, weight))
                    used.append(i)
            y_t, s_t = np.array(labels).T
            if classify and class_weight:
                s_t = s_t * self._class_factors(class_weight, y_t, s_t)
            self.by_task.append((X[used], y_t, s_t))
        total = sum(s_t.sum() for _, _, s_t in self.by_task)
        self.factors = [1.0] * n_tasks
        if task_weight == "balanced":
            self.factors = [total / (n_tasks * s_t.sum()) for _, _, s_t in self.by_task]
        elif task_weight in ("array", "dict"):
            self.factors = FACTORS.tolist()
        self.scale = n_tasks / total
        names = IDS if layout == "stacked" else range(n_tasks)
        self.params = {"fit_intercept": self.fit_intercept}
        if layout != "single":
            self.params["task_weight"] = {
                "array": FACTORS,
                "dict": dict(zip(names, FACTORS, strict=True)),
            }.get(task_weight, task_weight)
        if classify:
            self.params["class_weight"] = CLASS_WEIGHT if class_weight == "dict" else class_weight
        if layout == "stacked":
            # The task column at either end.
            first = task_weight is None
            self.params["task_column"] = 0 if first else -1
            column = IDS[codes][:, None]
            X = np.hstack([column, X] if first else [X, column])
        self.X = sp.csr_array(X) if container == "sparse" else X

    @staticmethod
    def _class_factors(class_weight, y, s):
        if class_weight == "dict":
            return np.where(y > 0, CLASS_WEIGHT[1], CLASS_WEIGHT[0])
        # Each class of a task has half of its total weight.
        return np.where(y > 0, s.sum() / (2 * s[y > 0].sum()), s.sum() / (2 * s[y < 0].sum()))

    def loss(self, y, z):
        return np.logaddexp(0, -y * z) if self.classify else (y - z) ** 2 / 2

    def data_term(self, coef, intercept):
        """(T / S) sum_t c_t sum_i s_i loss(y_i, x_i w_t + b_t), by loops."""
        total = 0.0
        tasks = zip(self.by_task, self.factors, np.atleast_2d(coef), strict=True)
        for t, ((X, y, s), c, w) in enumerate(tasks):
            b = float(np.atleast_1d(intercept)[t])
            for x_i, y_i, s_i in zip(X, y, s, strict=True):
                total += c * s_i * self.loss(y_i, sum(x_i * w) + b)
        return self.scale * total

    def objective(self, spec, coef, intercept):
        """The stated objective, computed from the raw data."""
        cls, _, block, ridge = spec
        coef = np.atleast_2d(np.asarray(coef, dtype=float))
        ridge = EACH[: len(coef)] if isinstance(ridge, str) else [ridge] * len(coef)
        rows = sum(np.sqrt(sum(coef[:, j] ** 2)) for j in range(N_FEATURES))
        pooled = cls in (PooledTaskRegressor, PooledTaskClassifier)
        columns = coef[:1] if pooled else coef
        squares = sum(a * sum(w**2) / 2 for a, w in zip(ridge, columns, strict=False))
        return self.data_term(coef, intercept) + block * rows + squares

    def null(self, common):
        """F(0, b*), with the best constant of each task or of all tasks."""
        b = np.zeros(len(self.by_task))
        if self.fit_intercept:
            sums = np.array(
                [
                    [c * s.sum(), c * (s * y).sum(), c * s[y > 0].sum()]
                    for (_, y, s), c in zip(self.by_task, self.factors, strict=True)
                ]
            )
            if common:
                sums[:] = sums.sum(axis=0)
            total, first, positive = sums.T
            b = np.log(positive / (total - positive)) if self.classify else first / total
        return self.data_term(np.zeros((len(b), N_FEATURES)), b)

    def estimator(self, spec, **params):
        cls, own, _, _ = spec
        if own["alpha"] == "each":
            own = {**own, "alpha": EACH[: len(self.by_task)]}
        return cls(**own, **self.params, **params)


TIGHT = {"tol": 1e-10, "max_iter": 50_000}


def assert_is_the_optimum(model, problem, *, coef=True, null=None):
    """Objective, coefficients and certificate against cvxpy."""
    X, y, s = problem.X, problem.y, problem.sample_weight
    model.fit(X, y, s)
    exact = reference.solve(model, X, y, s)
    # cvxpy solves a relation's joint problem to 5e-7 where Omega is singular.
    assert model.objective_ == pytest.approx(exact.objective, rel=1e-6, abs=5e-7)
    if coef:
        scale = np.abs(exact.coef_).max()
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-4 * scale)
    loose = type(model)(**{**model.get_params(deep=False), "tol": 1e-2}).fit(X, y, s)
    for fit in (model, loose):
        assert fit.dual_gap_ >= fit.objective_ - exact.objective - 1e-6 * (1 + exact.objective)


def planted(n_clusters=3, n_tasks=9, noise=0.1, seed=0, rows=20):
    """Stacked data of tasks near their cluster's centre."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_tasks) % n_clusters
    W = rng.normal(size=(6, n_clusters))[:, labels] + 0.05 * rng.normal(size=(6, n_tasks))
    X = rng.normal(size=(n_tasks * rows, 6))
    ids = np.repeat(np.arange(n_tasks), rows)
    y = np.einsum("ij,ij->i", X, W[:, ids].T) + noise * rng.normal(size=len(X))
    return np.column_stack([X, ids]), y, labels


def separable(seed=0, n=40, d=3, n_tasks=4):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, (X @ rng.standard_normal((d, n_tasks)) > 0).astype(float)


def stacked(X, Y):
    n_tasks = Y.shape[1]
    ids = np.repeat(np.arange(n_tasks), len(X))[:, None]
    return np.hstack([np.tile(X, (n_tasks, 1)), ids]), Y.T.ravel()
