"""Fits of batches that are read again in each pass."""

import gc
import warnings
import weakref

import numpy as np
import pytest
from problems import CLASS_WEIGHT, SCENARIOS, Problem, mostly_slow
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmtl import (
    BlockSparseClassifier,
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    CappedBlockSparseRegressor,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    DirtyModelClassifier,
    DirtyModelRegressor,
    FusedTaskClassifier,
    GraphRegularizedClassifier,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    LowRankClassifier,
    MultiTaskClassifier,
    MultiTaskRegressor,
    PooledTaskClassifier,
    TaskRelationClassifier,
    TaskRelationRegressor,
    reference,
)
from skmtl.estimators.base import _batches
from skmtl.penalties import L1, L21, TraceNorm

TIGHT = {"tol": 1e-9}


def in_batches(X, y, sample_weight=None, n=3):
    """A function that returns batches of the rows."""

    def read():
        for rows in np.array_split(np.arange(len(y)), n):
            rest = () if sample_weight is None else (sample_weight[rows],)
            yield X[rows], y[rows], *rest

    return read


def labels(loss, Z, seed=0):
    """Labels for a loss, given linear predictors."""
    rng = np.random.default_rng(seed)
    if loss in ("logistic", "squared_hinge"):
        return (rng.random(Z.shape) < 1 / (1 + np.exp(-Z))).astype(float)
    if loss in ("poisson", "tweedie"):
        return rng.poisson(np.exp(Z)).astype(float)
    return rng.gamma(2, np.exp(Z) / 2) if loss == "gamma" else Z + rng.standard_t(2, Z.shape)


def data(loss, n=150, d=6, n_tasks=4, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * np.linspace(0.3, 2, d) + 1
    Z = 0.5 * (X - 1) @ rng.normal(size=(d, n_tasks)) + np.linspace(-0.5, 0.5, n_tasks)
    Y = labels(loss, Z, seed)
    Y[rng.random(Y.shape) < missing] = np.nan
    return X, Y


def assert_same(model, X, y, sample_weight=None, n=3, atol=1e-4):
    """The fit of batches against that of all rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole = clone(model).fit(X, y, sample_weight)
    model.fit_batches(in_batches(X, y, sample_weight, n))
    gaps = whole.dual_gap_ + model.dual_gap_
    assert abs(model.objective_ - whole.objective_) <= gaps + 1e-11
    scale = max(np.abs(whole.coef_).max(), 1e-3)
    np.testing.assert_allclose(model.coef_, whole.coef_, atol=atol * scale)
    np.testing.assert_allclose(model.intercept_, whole.intercept_, atol=10 * atol * scale)
    np.testing.assert_array_equal(model.tasks_, whole.tasks_)
    return model, whole


# The optimum


@pytest.mark.parametrize("scenario", mostly_slow(SCENARIOS), ids=lambda s: "-".join(map(str, s)))
def test_layouts_and_weights(scenario):
    problem = Problem(scenario, classify=True)
    model = BlockSparseClassifier(0.03, l1_ratio=0.8, **problem.params, **TIGHT)
    assert_same(model, problem.X, problem.y, problem.sample_weight)


@pytest.mark.parametrize("scenario", [SCENARIOS[k] for k in (1, 2, 9)], ids=str)
@pytest.mark.parametrize(
    "model",
    [
        BlockSparseRegressor(0.1, loss="huber", huber_delta=0.5),
        TaskRelationRegressor(0.1, loss="huber", huber_delta=0.5),
        TaskRelationClassifier(0.03),
        IndependentTaskClassifier(0.03),
        IndependentTaskClassifier(0.03, loss="squared_hinge"),
    ],
    ids=lambda model: f"{type(model).__name__}-{model.loss}",
)
def test_against_cvxpy(model, scenario):
    problem = Problem(scenario, classify=not hasattr(model, "huber_delta"))
    X, y, s = problem.X, problem.y, problem.sample_weight
    model = clone(model).set_params(**problem.params, tol=1e-9)
    exact = reference.solve(model, X, y, s)
    for n_passes in (4, 50):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit_batches(in_batches(X, y, s), passes=n_passes)
        assert model.dual_gap_ >= model.objective_ - exact.objective - 1e-6
    assert model.objective_ == pytest.approx(exact.objective, rel=1e-6, abs=5e-7)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=2e-4 * np.abs(exact.coef_).max())


CLASSIFIERS = [
    ClusteredTaskClassifier(0.01, n_clusters=2),
    DirtyModelClassifier(0.02),
    FusedTaskClassifier(0.01),
    GraphRegularizedClassifier(0.02),
    GraphRegularizedClassifier(0.02, ridge=0.0),
    IndependentTaskClassifier(0.0),
    LowRankClassifier(0.02),
    MultiTaskClassifier(0.02, penalty=L21() + TraceNorm(0.5)),
    MultiTaskClassifier(0.02, penalty=L1()),
    BlockSparseClassifier(0.02, feature_weight=[0, 1, 1, 2, 1, 1]),
    BlockSparseClassifier(0.02, positive=True, norm="linf"),
]


@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
def test_families(model):
    X, Y = data("logistic", n=200, missing=0.2)
    assert_same(clone(model).set_params(tol=1e-10), X, Y)


@pytest.mark.turns(2)
@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie", "huber"])
@pytest.mark.parametrize(
    "model",
    [BlockSparseRegressor(0.02), IndependentTaskRegressor(0.0), DirtyModelRegressor(0.02)],
    ids=lambda model: type(model).__name__,
)
def test_losses(model, loss):
    X, Y = data(loss, missing=0.2)
    assert_same(clone(model).set_params(loss=loss, tol=1e-9), X, Y)


def test_steps_that_overshoot():
    X, Y = data("poisson", n=100)
    rng = np.random.default_rng(0)
    Y[rng.integers(0, 100, 4), range(4)] = 5000.0
    model, _ = assert_same(BlockSparseRegressor(0.01, loss="poisson", **TIGHT), 3 * X, Y)
    assert model.n_iter_ > 8


def test_other_options():
    X, Y = data("huber", missing=0.2)
    weights = np.random.default_rng(1).uniform(0.5, 2, Y.shape)
    Y[:, 1] *= 30
    model = BlockSparseRegressor(
        0.05, loss="huber", scale_tasks=True, task_weight="balanced", **TIGHT
    )
    assert_same(model, X, Y, weights)
    prior = np.random.default_rng(2).normal(size=(4, 5))
    model = TaskRelationRegressor(
        0.05, loss="huber", prior_coef=prior, offset_column=2, fit_intercept=False, **TIGHT
    )
    assert_same(model, X, Y, weights)
    X, Y = data("poisson")
    model = TaskRelationRegressor(0.05, loss="poisson", prior_coef=prior, offset_column=2, **TIGHT)
    assert_same(model, X, Y)


def test_loss_by_task():
    losses = ["huber", "logistic", "poisson", "squared"]
    X, Y = data("huber")
    for k, loss in enumerate(losses[:3]):
        Y[:, k] = labels(loss, 0.5 * Y[:, k])
    model = MultiTaskRegressor(0.02, loss=dict(enumerate(losses)), scale_tasks=True, **TIGHT)
    assert_same(model, X, Y)


@pytest.mark.parametrize("class_weight", [None, "balanced", {"b": 3.0}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes(n_classes, class_weight):
    X, Y = data("huber", n=120)
    y = np.array(["a", "b", "c"])[Y[:, :n_classes].argmax(axis=1)]
    order = np.argsort(y, kind="stable")  # so that each batch lacks classes
    model = BlockSparseClassifier(0.02, class_weight=class_weight, **TIGHT)
    model, whole = assert_same(model, X[order], y[order])
    np.testing.assert_array_equal(model.classes_, whole.classes_)
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))


@pytest.mark.parametrize("names", [np.array([7, 2, 30]), np.array(["x", "long name", "b"])])
def test_tasks_that_are_absent_from_batches(names):
    X, Y = data("poisson", n=90, n_tasks=1)
    X = X.astype(object) if names.dtype.kind == "U" else X
    X = np.column_stack([X, np.repeat(names, 30)])
    model = ClusteredTaskRegressor(0.02, loss="poisson", n_clusters=2, task_column=-1, **TIGHT)
    assert_same(model, X, Y[:, 0], n=5)


def test_constant_tasks_are_left_out_as_in_fit():
    X, Y = data("logistic")
    Y[:, 2] = 1.0
    with pytest.warns(UserWarning, match="All labels are the same"):
        model, whole = assert_same(BlockSparseClassifier(0.02, **TIGHT), X, Y)
    np.testing.assert_array_equal(model.coef_[2], 0.0)
    assert model.intercept_[2] == whole.intercept_[2]


def test_constant_features_have_no_coefficient():
    X, Y = data("logistic")
    X[:, 1] = 0.1
    model, _ = assert_same(IndependentTaskClassifier(0.0, **TIGHT), X, Y)
    np.testing.assert_allclose(model.coef_[:, 1], 0.0, atol=1e-12)


def test_float32_and_large_means():
    X, Y = data("logistic")
    model = BlockSparseClassifier(0.02, **TIGHT)
    exact = clone(model).fit(X, Y)
    model.fit_batches(in_batches((X + 1000.0).astype(np.float32), Y))
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-3)
    assert model.coef_.dtype == np.float64


def test_class_weight_by_name_in_stacked_batches():
    problem = Problem(SCENARIOS[9], classify=True)
    y = np.where(problem.y > 0, "yes", "no")
    weight = {"no": CLASS_WEIGHT[0], "yes": CLASS_WEIGHT[1]}
    model = TaskRelationClassifier(0.03, **problem.params, **TIGHT).set_params(class_weight=weight)
    assert_same(model, problem.X, y, problem.sample_weight)


# Passes


class Counted:
    """Batches, and the number of times that they were read."""

    def __init__(self, *arrays):
        self.arrays, self.n_passes = arrays, 0

    def __call__(self):
        self.n_passes += 1
        return in_batches(*self.arrays)()


def test_passes_are_few_and_counted():
    batches = Counted(*data("logistic", n=400))
    model = BlockSparseClassifier(0.01).fit_batches(batches)
    assert model.n_iter_ == batches.n_passes <= 6


def test_squared_loss_takes_one_pass():
    X, Y = data("huber")
    batches = Counted(X, Y)
    model = BlockSparseRegressor(0.05, **TIGHT).fit_batches(batches)
    assert model.n_iter_ == batches.n_passes == 1
    np.testing.assert_allclose(
        model.coef_, BlockSparseRegressor(0.05, **TIGHT).fit(X, Y).coef_, atol=1e-6
    )
    CappedBlockSparseRegressor(0.05).fit_batches(batches)
    assert batches.n_passes == 2


@pytest.mark.parametrize("n_passes", [2, 3, 4])
def test_passes_are_limited(n_passes):
    X, Y = data("logistic")
    best = BlockSparseClassifier(0.01, **TIGHT).fit(X, Y).objective_
    batches = Counted(X, Y)
    model = BlockSparseClassifier(0.01, **TIGHT)
    with pytest.warns(ConvergenceWarning, match=f"after {n_passes} passes"):
        model.fit_batches(batches, passes=n_passes)
    assert model.n_iter_ == batches.n_passes == n_passes
    assert model.dual_gap_ >= model.objective_ - best - 1e-9


@pytest.mark.parametrize("loss", ["huber", "gamma"])
def test_passes_end_when_only_rounding_errors_are_left(loss):
    X, Y = data(loss, n=300)
    model = BlockSparseRegressor(0.02, loss=loss, tol=0.0)
    with warnings.catch_warnings():
        # Whether the gap reaches 1e-12 of the null objective depends on the rounding.
        warnings.filterwarnings("ignore", "Stopped after .* No further", ConvergenceWarning)
        model.fit_batches(in_batches(X, Y))
    assert model.n_iter_ < 25
    exact = BlockSparseRegressor(0.02, loss=loss, **TIGHT).fit(X, Y)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-5)


def test_warm_start_takes_fewer_passes():
    X, Y = data("logistic")
    for model in (BlockSparseClassifier(0.01, warm_start=True), DirtyModelClassifier(0.01)):
        model.set_params(warm_start=True, tol=1e-7)
        first = model.fit_batches(in_batches(X, Y)).n_iter_
        assert model.fit_batches(in_batches(X, Y)).n_iter_ < first


def test_one_batch_is_in_memory():
    X, Y = data("logistic")
    alive = []
    gc.freeze()  # what was there before need not be searched

    def read():
        for rows in np.array_split(np.arange(len(X)), 4):
            gc.collect()
            assert not any(reference() is not None for reference in alive)
            yield batch(X[rows], Y[rows])

    def batch(X, Y):
        alive.extend(map(weakref.ref, (X, Y)))
        return X, Y

    model = BlockSparseClassifier(0.01).fit_batches(read)
    gc.unfreeze()
    assert len(alive) == 2 * 4 * model.n_iter_


def test_lists_can_be_read_again():
    X, Y = data("logistic")
    model = BlockSparseClassifier(0.01).fit_batches(list(in_batches(X, Y)()))
    assert model.n_iter_ > 2


def test_empty_batches_are_skipped():
    X, Y = data("logistic")
    weights = np.ones(len(X))
    weights[:50] = 0.0  # the first of three batches
    assert_same(BlockSparseClassifier(0.01, **TIGHT), X, Y, weights)


# Errors


def test_generators_are_refused():
    batches = in_batches(*data("logistic"))
    with pytest.raises(TypeError, match=r"read only once.*Pass a function"):
        BlockSparseClassifier().fit_batches(batches())
    generator = batches()
    with pytest.raises(ValueError, match=r"Pass 2 has 0 batches, the first pass had 3"):
        BlockSparseClassifier().fit_batches(lambda: generator)
    with pytest.raises(TypeError, match="batches returned no iterable"):
        BlockSparseClassifier().fit_batches(lambda: 3)
    with pytest.raises(TypeError, match="batches is a int"):
        BlockSparseClassifier().fit_batches(3)
    with pytest.raises(TypeError, match="Batch 0 of pass 1 is a ndarray; pass tuples"):
        BlockSparseClassifier().fit_batches([np.ones((2, 2))])


def varying(first, *later):
    """Batches that differ between passes."""
    passes = iter([first, *later])
    return lambda: iter(next(passes))


def test_batches_must_be_the_same_in_each_pass():
    X, Y = data("logistic")
    first, second = (X[:70], Y[:70]), (X[70:], Y[70:])
    model = BlockSparseClassifier()
    with pytest.raises(ValueError, match="Batch 1 of pass 2 has 79 rows, and 80 in the first"):
        model.fit_batches(varying([first, second], [first, (X[71:], Y[71:])]))
    with pytest.raises(ValueError, match="Pass 2 has 1 batches, the first pass had 2"):
        model.fit_batches(varying([first, second], [first]))
    with pytest.raises(ValueError, match="Batch 2 of pass 2 was not in the first pass"):
        model.fit_batches(varying([first, second], [first, second, first]))
    y = np.where(Y[:, 0] > 0, "b", "a")
    other = np.where(Y[:, 0] > 0, "b", "z")
    with pytest.raises(ValueError, match=r"Batch 0 of pass 2: y holds the classes \['z'\]"):
        model.fit_batches(varying([(X, y)], [(X, other)]))
    ids = np.arange(150) % 3
    with pytest.raises(ValueError, match=r"Batch 0 of pass 2: X holds the tasks \[3\]"):
        model.set_params(task_column=-1).fit_batches(
            varying(*([(np.column_stack([X, ids + k]), Y[:, 0])] for k in (0, 1)))
        )


def test_errors_name_the_batch():
    X, Y = data("poisson")
    bad = Y.copy()
    bad[120, 1] = -1.0
    with pytest.raises(ValueError, match=r"Batch 2 of pass 1: loss='poisson' needs labels >= 0"):
        BlockSparseRegressor(loss="poisson").fit_batches(in_batches(X, bad))
    with pytest.raises(ValueError, match="Batch 1 of pass 1: X has 5 features"):
        BlockSparseRegressor(loss="poisson").fit_batches([(X, Y), (X[:, :5], Y)])
    with pytest.raises(ValueError, match="Batch 1 of pass 1: The columns of y must be"):
        BlockSparseRegressor(loss="poisson").fit_batches([(X, Y), (X, Y[:, :3])])
    with pytest.raises(ValueError, match="Batch 1 of pass 1: The labels are in the single layout"):
        BlockSparseRegressor(loss="poisson").fit_batches([(X, Y), (X, Y[:, 0])])
    with pytest.raises(ValueError, match="Batch 1 of pass 1: y holds numbers such as"):
        BlockSparseClassifier().fit_batches([(X, ["a", "b"] * 75), (X, [0, 1] * 75)])


@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_a_failed_fit_leaves_the_last_one(loss):
    X, Y = data("poisson")
    model = BlockSparseRegressor(loss=loss)
    with pytest.raises(ValueError, match="Batch 1 of pass 1: X has 5 features"):
        model.fit_batches([(X, Y), (X[:, :5], Y)])
    assert not hasattr(model, "n_features_in_")
    before = dict(vars(model.fit(X, Y)))
    with pytest.raises(ValueError, match=f"Batch 1 of pass 1: X has {X.shape[1]} features"):
        model.fit_batches([(X[:, :5], Y), (X, Y)])
    assert vars(model) == before


def test_there_must_be_labels():
    X, Y = data("logistic")
    with pytest.raises(ValueError, match="The batches hold no label"):
        BlockSparseRegressor().fit_batches(list)
    with pytest.raises(ValueError, match="The batches hold no label"):
        BlockSparseClassifier().fit_batches(list)
    with pytest.raises(ValueError, match="The batches hold no label"):
        BlockSparseClassifier().fit_batches(in_batches(X, Y, np.zeros(150)))
    Y[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"These tasks have no label: \[1\]"):
        BlockSparseClassifier().fit_batches(in_batches(X, Y))
    with pytest.raises(ValueError, match="only one class"):
        BlockSparseClassifier().fit_batches(in_batches(X, np.array(["a"] * 150)))
    X[:, -1] = np.arange(150) % 3
    with pytest.raises(ValueError, match="share one pair of labels"):
        BlockSparseClassifier(task_column=-1).fit_batches(in_batches(X, np.arange(150) % 5))


def test_large_matrices_are_refused(monkeypatch):
    monkeypatch.setattr(_batches, "_GRAM_BYTES", 1000)
    with pytest.raises(ValueError, match="4 Gram matrices of 6 features take"):
        BlockSparseClassifier().fit_batches(in_batches(*data("logistic")))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CappedBlockSparseRegressor(loss="huber"), "not convex"),
        (BlockSparseRegressor(loss="quantile"), "loss='huber'"),
        (BlockSparseRegressor(loss="huber", intercept="shrunk"), "intercept='free'"),
        (BlockSparseRegressor(loss="huber", refit_support=True), "refit_support"),
        (IndependentTaskRegressor("cv", loss="huber"), "needs a number as alpha"),
        (MultiTaskRegressor(loss={0: "quantile", 1: "huber", 2: "huber", 3: "huber"}), "quantile"),
        (BlockSparseRegressor(loss="huber", scale_tasks=True, prior_coef=np.ones(6)), "Scale y"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_refusals_of_regressors(model, message):
    with pytest.raises(ValueError, match=f"fit_batches of {type(model).__name__}.*{message}"):
        model.fit_batches(in_batches(*data("huber")))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BlockSparseClassifierCV(), "cross-validates"),
        (PooledTaskClassifier(), "pooled tasks"),
        (BlockSparseClassifier(loss="multinomial"), "couples the classes"),
    ],
)
def test_refusals_of_classifiers(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit_batches(in_batches(*data("logistic")))


@pytest.mark.parametrize("passes", [1, 0, 2.5, True])
def test_number_of_passes(passes):
    with pytest.raises(ValueError, match="passes must be an integer of at least 2"):
        BlockSparseClassifier().fit_batches(in_batches(*data("logistic")), passes=passes)


def test_new_tasks_need_the_rows():
    X, Y = data("poisson")
    X[:, -1] = np.arange(150) % 3
    model = BlockSparseRegressor(0.05, loss="poisson", task_column=-1)
    model.fit_batches(in_batches(X, Y[:, 0]))
    X[:, -1] = 3
    with pytest.raises(ValueError, match="fit_batches does not keep"):
        model.fit_new_task(X, Y[:, 0])
