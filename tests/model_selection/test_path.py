"""Regularisation paths: against scikit-learn and single fits, certificates, the grid, errors."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import enet_path, lasso_path
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    ClusteredTaskClassifier,
    ClusteredTaskRegressor,
    FusedTaskRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskRegressor,
    TaskRelationClassifier,
    TaskRelationRegressor,
)
from skmtl.datasets import make_block_sparse
from skmtl.model_selection import alpha_max, block_sparse_path, path
from skmtl.penalties import L21

# scikit-learn's name for the number of strengths depends on the release.
COUNT = "alphas" if parse_version(sklearn.__version__) >= parse_version("1.7") else "n_alphas"

REGRESSORS = [
    BlockSparseRegressor(),
    BlockSparseRegressor(l1_ratio=0.5, norm="linf"),
    BlockSparseRegressor(loss="huber", solver="fista"),
    BlockSparseRegressor(scale_tasks=True, fit_intercept=False),
    ClusteredTaskRegressor(n_clusters=2),
    ClusteredTaskRegressor(mean=0, task_weight="balanced"),
    TaskRelationRegressor(ridge=0.1),
    IndependentTaskRegressor(),
    PooledTaskRegressor(),
]
CLASSIFIERS = [
    BlockSparseClassifier(),
    BlockSparseClassifier(loss="squared_hinge", class_weight="balanced"),
    ClusteredTaskClassifier(n_clusters=2),
    TaskRelationClassifier(),
    IndependentTaskClassifier(),
]
SQUARED = [
    BlockSparseRegressor(l1_ratio=0),
    ClusteredTaskRegressor(n_clusters=2),
    TaskRelationRegressor(),
    TaskRelationRegressor(ridge=3.0),
    IndependentTaskRegressor(),
    PooledTaskRegressor(),
]


@pytest.fixture(scope="module")
def shared():
    return make_block_sparse(40, 12, 3, n_informative=3, random_state=0)


@pytest.fixture(scope="module")
def stacked():
    return make_block_sparse(30, 6, 3, n_informative=3, layout="stacked", random_state=0)


def _labels(model, y):
    return y > np.median(y, axis=0) if "Classifier" in type(model).__name__ else y


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_equals_scikit_learns_path(shared, l1_ratio):
    X, Y = shared.data - shared.data.mean(axis=0), shared.target - shared.target.mean(axis=0)
    ours = block_sparse_path(X, Y, alphas=20, l1_ratio=l1_ratio, tol=1e-12)
    theirs = enet_path(X, Y, **{COUNT: 20}, l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)
    assert ours[2].shape == theirs[2].shape


def test_one_target_keeps_the_axis_of_tasks(shared):
    X, y = shared.data - shared.data.mean(axis=0), shared.target[:, 0]
    alphas, coefs, gaps = path(BlockSparseRegressor(tol=1e-12), X, y, alphas=7, eps=0.01)
    expected = lasso_path(X, y - y.mean(), alphas=alphas, tol=1e-12)[1]
    assert coefs.shape == (1, 12, 7) and gaps.shape == (7,)
    np.testing.assert_allclose(coefs[0], expected, atol=1e-6)


@pytest.mark.turns(2)
@pytest.mark.parametrize("model", REGRESSORS + CLASSIFIERS, ids=repr)
def test_equals_single_fits(shared, model):
    model = model.set_params(tol=1e-9)
    X, y = shared.data, _labels(model, shared.target)
    alphas, coefs, gaps, intercepts = path(model, X, y, alphas=4, eps=0.03, return_intercepts=True)
    for k, alpha in enumerate(alphas):
        fit = model.set_params(alpha=alpha).fit(X, y)
        # Both are within tol of the minimum; the curvature bounds their distance.
        np.testing.assert_allclose(coefs[:, :, k], fit.coef_, atol=2e-3)
        np.testing.assert_allclose(intercepts[:, k], fit.intercept_, atol=2e-3)
        assert gaps[k] <= 1e-8 * (1 + fit.objective_)


@pytest.mark.parametrize("model", [REGRESSORS[0], REGRESSORS[4], REGRESSORS[6]], ids=repr)
def test_layouts_agree(stacked, model):
    X, codes = stacked.data[:, :-1], stacked.data[:, -1].astype(int)
    Y = np.full((len(X), 3), np.nan)
    Y[np.arange(len(X)), codes] = stacked.target
    model = model.set_params(tol=1e-12)
    masked = path(model, X, Y, alphas=4, eps=0.1)
    model.set_params(task_column=-1)
    found = path(model, stacked.data, stacked.target, alphas=4, eps=0.1)
    model.set_params(task_column=None)
    np.testing.assert_allclose(found[0], masked[0], rtol=1e-10)
    np.testing.assert_allclose(found[1], masked[1], atol=1e-5)


def test_dual_gaps_are_true_bounds(shared):
    X, Y = shared.data, shared.target
    model = BlockSparseRegressor(tol=1e-2)
    alphas, coefs, gaps, intercepts = path(model, X, Y, alphas=10, eps=0.01, return_intercepts=True)
    left = []
    for k, alpha in enumerate(alphas):
        W, b = coefs[:, :, k].T, intercepts[:, k]
        value = ((Y - X @ W - b) ** 2).sum() / (2 * len(X)) + L21(alpha).value(W)
        best = BlockSparseRegressor(alpha, tol=1e-12).fit(X, Y)
        left.append(value - best.objective_ + best.dual_gap_)
    assert (np.array(left) <= gaps + 1e-10).all()
    null = ((Y - Y.mean(axis=0)) ** 2).sum() / (2 * len(X))
    assert (gaps <= 1e-2 * null).all() and gaps.max() > 1e-6 * null


@pytest.mark.parametrize("model", SQUARED, ids=repr)
@pytest.mark.parametrize("layout", ["shared", "missing", "stacked"])
def test_the_grid_of_a_squared_norm_starts_near_the_null_model(shared, stacked, model, layout):
    X, Y = shared.data, shared.target.copy()
    column = None
    if layout == "missing":
        Y[::3, 0], Y[1::4, 2] = np.nan, np.nan
    if layout == "stacked":
        X, Y, column = stacked.data, stacked.target, -1
    model = model.set_params(task_column=column, tol=1e-10)
    (top,) = path(model, X, Y, alphas=1)[0]
    block = BlockSparseRegressor(task_column=column)
    null = block.set_params(alpha=2 * alpha_max(block, X, Y)).fit(X, Y).objective_
    if isinstance(model, PooledTaskRegressor):
        null = PooledTaskRegressor(1e9 * top, task_column=column).fit(X, Y).objective_
    at_top = model.set_params(alpha=top).fit(X, Y).objective_
    below = model.set_params(alpha=top / 10).fit(X, Y).objective_
    model.set_params(task_column=None)
    assert 0.99 * null - 1e-9 <= at_top <= null
    assert below < 0.99 * null  # not much larger than needed


@pytest.mark.parametrize("model", [ClusteredTaskRegressor(mean=0), ClusteredTaskClassifier(mean=0)])
def test_the_grid_starts_near_the_fit_of_a_free_mean_task(shared, model):
    X, y = shared.data, _labels(model, shared.target + 3 * shared.target.std() * shared.data[:, :3])
    (top,) = path(model, X, y, alphas=1)[0]
    model.set_params(alpha=1e6 * top, tol=1e-9).fit(X, y)
    assert np.ptp(model.coef_, axis=0).max() < 1e-4 < np.abs(model.coef_).max()
    null = model.objective_
    at_top = model.set_params(alpha=top).fit(X, y).objective_
    assert 0.99 * null - 1e-9 <= at_top <= null * (1 + 1e-9)
    assert model.set_params(alpha=top / 10).fit(X, y).objective_ < 0.99 * null


def test_the_grid_of_a_norm_starts_at_alpha_max(shared):
    X, Y = shared.data, shared.target
    alphas, coefs, _ = block_sparse_path(X, Y, alphas=5, eps=0.1, l1_ratio=0.5)
    assert alphas[0] == pytest.approx(alpha_max(BlockSparseRegressor(l1_ratio=0.5), X, Y))
    np.testing.assert_allclose(alphas[1:] / alphas[:-1], 0.1 ** (1 / 4))
    assert not coefs[:, :, 0].any() and coefs[:, :, 1].any()


def test_given_alphas_are_sorted_and_may_be_zero(shared):
    alphas, coefs, _ = path(
        BlockSparseRegressor(tol=1e-10), shared.data, shared.target, alphas=[0, 0.5, 0.1]
    )
    np.testing.assert_array_equal(alphas, [0.5, 0.1, 0.0])
    A = np.column_stack([shared.data, np.ones(len(shared.data))])
    expected = np.linalg.lstsq(A, shared.target, rcond=None)[0][:-1]
    np.testing.assert_allclose(coefs[:, :, 2].T, expected, atol=1e-6)


def test_weights_count_and_zero_leaves_out(shared):
    X, Y, weights = shared.data, shared.target, np.ones(40)
    weights[::4] = 0
    weighted = block_sparse_path(X, Y, alphas=4, sample_weight=weights, tol=1e-10)
    kept = block_sparse_path(X[weights > 0], Y[weights > 0], alphas=4, tol=1e-10)
    for ours, theirs in zip(weighted, kept, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_shared_computations_run_once(shared, monkeypatch):
    counts = {"_objective": 0, "_read": 0}
    for name in counts:
        plain = getattr(TaskRelationRegressor, name)

        def count(self, *args, _name=name, _plain=plain, **kwargs):
            counts[_name] += 1
            return _plain(self, *args, **kwargs)

        monkeypatch.setattr(TaskRelationRegressor, name, count)
    *_, n_iters = path(
        TaskRelationRegressor(), shared.data, shared.target, alphas=10, return_n_iter=True
    )
    assert counts == {"_objective": 1, "_read": 1}
    assert n_iters.shape == (10,) and (n_iters >= 1).all()


def test_constant_labels_give_a_grid_from_one(shared):
    alphas, coefs, gaps = block_sparse_path(shared.data, np.full((40, 2), 3.0), alphas=3, eps=0.01)
    np.testing.assert_allclose(alphas, [1, 0.1, 0.01])
    assert not coefs.any() and not gaps.any()


def test_tasks_of_one_class_are_left_out(shared):
    Y = shared.target > 0
    Y[:, 1] = True
    with pytest.warns(UserWarning, match=r"All labels are the same in the tasks \[1\]"):
        _, coefs, _, intercepts = path(
            BlockSparseClassifier(), shared.data, Y, alphas=3, return_intercepts=True
        )
    assert not coefs[1].any() and coefs[0].any()
    np.testing.assert_allclose(intercepts[1], np.log(81))


def test_float32_is_preserved(shared):
    X = shared.data.astype(np.float32)
    _, coefs, gaps, intercepts = path(
        BlockSparseRegressor(tol=1e-3), X, shared.target, alphas=3, return_intercepts=True
    )
    assert coefs.dtype == intercepts.dtype == np.float32 and gaps.dtype == np.float64


@pytest.mark.parametrize(
    "alphas, message",
    [
        (0, "at least 1"),
        (-3, "at least 1"),
        ([], "finite strengths >= 0"),
        ([1.0, -0.5], "finite strengths >= 0"),
        ([1.0, np.nan], "finite strengths >= 0"),
        ([[1.0]], "finite strengths >= 0"),
        (["a"], "finite strengths >= 0"),
        (0.5, "For one alpha pass a list of one"),
        (True, "For one alpha pass a list of one"),
    ],
)
def test_alphas_out_of_range(shared, alphas, message):
    with pytest.raises(ValueError, match=message):
        block_sparse_path(shared.data, shared.target, alphas=alphas)


def test_other_errors_name_the_remedy(shared):
    X, Y = shared.data, shared.target
    for eps in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match=r"must be in \(0, 1\)"):
            block_sparse_path(X, Y, eps=eps)
    with pytest.raises(TypeError, match="pass the pipeline's last step"):
        path(make_pipeline(StandardScaler(), BlockSparseRegressor()), X, Y)
    with pytest.raises(TypeError, match="without cross-validation, BlockSparseRegressor"):
        path(BlockSparseRegressorCV(), X, Y)
    with pytest.raises(TypeError, match="such as BlockSparseRegressor"):
        path("lasso", X, Y)
    with pytest.raises(ValueError, match="'l1_ratio' parameter"):
        block_sparse_path(X, Y, l1_ratio=2)
    with pytest.raises(ValueError, match="select alpha by cross-validation"):
        alpha_max(TaskRelationRegressor(), X, Y)


def test_nothing_to_penalise(shared):
    model, y = FusedTaskRegressor(), shared.target[:, 0]
    with pytest.raises(ValueError, match="penalises nothing in data of 1 task.*alphas as a list"):
        path(model, shared.data, y)
    assert len(path(model, shared.data, y, alphas=[1.0, 0.1])[0]) == 2
