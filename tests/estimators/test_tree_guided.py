"""Tasks in a tree: against cvxpy, the block norm and planted branches."""

import numpy as np
import pytest
from problems import (
    IDS,
    SCENARIOS,
    TIGHT,
    Problem,
    assert_is_the_optimum,
    by_turns,
)
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmtl import (
    BlockSparseClassifier,
    BlockSparseRegressor,
    IndependentTaskRegressor,
    TreeGuidedClassifier,
    TreeGuidedRegressor,
    reference,
)
from skmtl.model_selection import alpha_max, path

PICKED = [SCENARIOS[k] for k in (0, 2, 3, 7, 8, 12)]
LINKAGE = np.array([[0.0, 2.0, 0.3, 2.0], [1.0, 3.0, 1.2, 3.0]])


def lists_of(problem):
    """The tree ((first, last), middle) with the scenario's task names."""
    first, middle, last = IDS.tolist() if problem.layout == "stacked" else range(3)
    return [[first, last], middle]


@pytest.mark.turns(3)
@pytest.mark.parametrize(
    ("tree", "scenario", "classify"), list(by_turns(["auto", "linkage", "lists"], PICKED))
)
def test_against_cvxpy(tree, scenario, classify):
    cls = (TreeGuidedRegressor, TreeGuidedClassifier)[classify]
    problem = Problem(scenario, classify=classify)
    tree = {"auto": "auto", "linkage": LINKAGE, "lists": lists_of(problem)}[tree]
    model = cls(0.02 if classify else 0.2, tree=tree, **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem)


@pytest.mark.parametrize("loss", ["huber", "poisson", "squared_hinge"])
def test_losses_against_cvxpy(loss):
    classify = loss == "squared_hinge"
    cls = (TreeGuidedRegressor, TreeGuidedClassifier)[classify]
    problem = Problem(SCENARIOS[1], classify=classify)
    if loss == "poisson":
        problem.y = np.round(np.exp(np.clip(problem.y / 2, -3, 2)))
    model = cls(0.05, tree=lists_of(problem), loss=loss, **problem.params, **TIGHT)
    assert_is_the_optimum(model, problem, coef=loss != "huber")


def planted(n_samples=80, seed=0, noise=0.5):
    """Six tasks in two branches; each branch has its own features, and one feature is common."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 12))
    used = np.zeros((12, 6), dtype=bool)
    used[0], used[1:4, [0, 2, 4]], used[4:7, [1, 3, 5]] = True, True, True
    centres = 2 * rng.choice([-1, 1], size=(12, 2))[:, [0, 1, 0, 1, 0, 1]]
    W = used * (centres + 0.5 * rng.normal(size=(12, 6)))
    return X, X @ W + noise * rng.normal(size=(n_samples, 6)), used.T


def test_one_list_is_the_block_norm():
    X, Y, _ = planted()
    tree = [5, 0, 1, 2, 3, 4]
    block = BlockSparseRegressor(0.4, **TIGHT).fit(X, Y)
    model = TreeGuidedRegressor(0.4, tree=tree, **TIGHT).fit(X, Y)
    np.testing.assert_allclose(model.coef_, block.coef_, atol=1e-6)
    assert model.objective_ == pytest.approx(block.objective_, rel=1e-9)
    blocks = BlockSparseClassifier(0.02, **TIGHT).fit(X, Y > 0)
    classes = TreeGuidedClassifier(0.02, tree=tree, **TIGHT).fit(X, Y > 0)
    np.testing.assert_allclose(classes.coef_, blocks.coef_, atol=1e-5)


def test_lists_of_single_tasks_and_linkages_of_two_are_lassos():
    X, Y, _ = planted()
    lasso = [BlockSparseRegressor(0.2 / 2, **TIGHT).fit(X, Y[:, t]).coef_ for t in range(2)]
    # F sums the averages of both tasks: twice the penalty of single-task fits.
    both = TreeGuidedRegressor(0.1, **TIGHT).fit(X, Y[:, :2])
    np.testing.assert_allclose(both.coef_, lasso, atol=1e-6)
    one = TreeGuidedRegressor(0.1, **TIGHT).fit(X, Y[:, 0])
    assert one.tree_.shape == (0, 4) and one.coef_.shape == (12,)
    np.testing.assert_allclose(one.coef_, lasso[0], atol=1e-6)
    half = TreeGuidedRegressor(0.1, tree=[[0], [1]], **TIGHT).fit(X, Y[:, :2])
    exact = reference.solve(half, X, Y[:, :2])
    np.testing.assert_allclose(half.coef_, exact.coef_, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tree", ["auto", [[0, 2, 4], [1, 3, 5]]], ids=["auto", "given"])
def test_planted_branches_and_their_features_are_found(seed, tree):
    X, Y, used = planted(seed=seed)
    model = TreeGuidedRegressor(0.3, tree=tree).fit(X, Y)
    np.testing.assert_array_equal(model.coef_ != 0, used)
    if tree == "auto":
        assert is_valid_linkage(model.tree_) and model.tree_.shape == (5, 4)
        found = fcluster(model.tree_, 2, "maxclust")
        assert adjusted_rand_score(found, [0, 1, 0, 1, 0, 1]) == 1


@pytest.mark.slow
def test_the_true_tree_predicts_better_than_none():
    errors = {}
    for name, cls, params in (
        ("tree", TreeGuidedRegressor, {}),
        ("block", BlockSparseRegressor, {}),
        ("alone", TreeGuidedRegressor, {"tree": np.array([[0, 1, 1, 2], [2, 6, 1, 3],
                                                          [3, 7, 1, 4], [4, 8, 1, 5],
                                                          [5, 9, 1, 6.0]])}),
    ):  # fmt: skip
        errors[name] = 0.0
        for seed in range(5):
            X, Y, _ = planted(30, seed=seed, noise=3.0)
            test, target, _ = planted(30, seed=seed, noise=0.0)
            grid = {"alpha": np.geomspace(0.1, 3, 8)}
            search = GridSearchCV(cls(**params), grid, cv=5).fit(X, Y)
            errors[name] += ((search.predict(test) - target) ** 2).mean()
    assert errors["tree"] < min(errors["block"], errors["alone"])


@pytest.mark.parametrize("layout", ["shared", "stacked"])
def test_the_automatic_tree_is_of_single_task_ridges(layout):
    problem = Problem(SCENARIOS[0 if layout == "shared" else 7], classify=False)
    model = TreeGuidedRegressor(0.2, **problem.params).fit(problem.X, problem.y)
    coef = []
    for t in range(3):
        X, y = problem.X, None
        if layout == "shared":
            y = problem.y[:, t]
        else:
            column = problem.params["task_column"]
            rows = X[:, column] == IDS[t]
            X, y = np.delete(X[rows], column, axis=1), problem.y[rows]
        X, y = X - X.mean(axis=0), y - y.mean()
        gram = X.T @ X / len(X)
        ridge = 0.3 * np.trace(gram) / len(gram)
        coef.append(np.linalg.solve(gram + ridge * np.eye(len(gram)), X.T @ y / len(X)))
    np.testing.assert_allclose(model.tree_, linkage(coef, "ward"), atol=1e-7)
    # The attribute can be passed as a tree.
    again = TreeGuidedRegressor(0.2, tree=model.tree_, **problem.params)
    np.testing.assert_allclose(again.fit(problem.X, problem.y).coef_, model.coef_, atol=1e-6)


def test_the_automatic_tree_does_not_depend_on_the_scale_of_the_weights():
    X, Y, _ = planted()
    s = np.random.default_rng(0).integers(0, 3, len(X))
    model = TreeGuidedRegressor(0.3)
    tree = model.fit(X, Y, s).tree_
    np.testing.assert_allclose(model.fit(X, Y, 7.0 * s).tree_, tree, atol=1e-8)
    rows = np.repeat(np.arange(len(X)), s)
    np.testing.assert_allclose(model.fit(X[rows], Y[rows]).tree_, tree, atol=1e-8)
    np.testing.assert_allclose(model.fit(100 * X, Y).tree_[:, :2], tree[:, :2])


def test_scaled_tasks_do_not_depend_on_units():
    X, Y, _ = planted()
    factors = np.array([1e-3, 1, 1, 1e4, 1, 10])
    model = TreeGuidedRegressor(0.1, scale_tasks=True, **TIGHT)
    plain, tree = model.fit(X, Y).coef_, model.tree_
    model.fit(X, Y * factors)
    np.testing.assert_allclose(model.tree_, tree, atol=1e-7)
    np.testing.assert_allclose(model.coef_, plain * factors[:, None], rtol=1e-4, atol=1e-9)


def test_frames_name_tasks_by_their_columns():
    pd = pytest.importorskip("pandas")
    X, Y, used = planted()
    names = ["a", "b", "c", "d", "e", "f"]
    tree = [["a", "c", "e"], ["b", "d", "f"]]
    model = TreeGuidedRegressor(0.3, tree=tree).fit(X, pd.DataFrame(Y, columns=names))
    np.testing.assert_array_equal(model.coef_ != 0, used)
    assert model.tree_ is tree and model.tasks_.tolist() == names
    positions = TreeGuidedRegressor(0.3, tree=[[0, 2, 4], [1, 3, 5]]).fit(X, Y)
    np.testing.assert_allclose(positions.coef_, model.coef_, atol=1e-10)
    order = [3, 0, 5, 1, 4, 2]
    other = TreeGuidedRegressor(0.3, tree=tree, **TIGHT)
    other.fit(X, pd.DataFrame(Y, columns=names)[[names[k] for k in order]])
    exact = TreeGuidedRegressor(0.3, tree=tree, **TIGHT).fit(X, pd.DataFrame(Y, columns=names))
    np.testing.assert_allclose(other.coef_, exact.coef_[order], atol=1e-6)


def test_wrong_trees():
    X, Y, _ = planted()

    def fit(tree, alpha=1.0):
        return TreeGuidedRegressor(alpha, tree=tree).fit(X, Y)

    for alpha in (1.0, 0.0):
        with pytest.raises(ValueError, match=r"omits \[5\]"):
            fit([[0, 1], [2, 3, 4]], alpha)
    with pytest.raises(ValueError, match="names 'north', not one of the tasks"):
        fit([[0, 1], [2, 3, 4, "north"]])
    with pytest.raises(ValueError, match=r"repeats \[1\]"):
        fit([[0, 1], [1, 2, 3, 4, 5]])
    with pytest.raises(ValueError, match=r"linkage matrix of 6 tasks, of shape \(5, 4\)"):
        fit(LINKAGE)
    with pytest.raises(ValueError, match="'tree' parameter of TreeGuidedRegressor"):
        fit("ward")
    with pytest.raises(ValueError, match="'tree' parameter of TreeGuidedRegressor"):
        fit(None)


@pytest.mark.parametrize("tree", ["auto", [[0, 2], [[1, 4], 3]]], ids=["auto", "given"])
def test_tasks_of_one_class_leave_the_tree(tree):
    X, Y, _ = planted()
    labels = (Y > 0)[:, :5].astype(float)
    labels[:, 4] = 1
    labels[:30, 1] = np.nan
    model = TreeGuidedClassifier(0.02, tree=tree, **TIGHT)
    with pytest.warns(UserWarning, match=r"same in the tasks \[4\]"):
        model.fit(X, labels)
    exact = reference.solve(model, X, labels)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-4)
    assert not model.coef_[4].any()
    if tree == "auto":
        assert model.tree_.shape == (3, 4)
        others = TreeGuidedClassifier(0.02, **TIGHT).fit(X, labels[:, :4])
        np.testing.assert_allclose(others.tree_, model.tree_, atol=1e-8)
    with pytest.warns(UserWarning, match="same in the tasks"):
        none = TreeGuidedClassifier(tree=tree).fit(X, np.ones((len(X), 5)))
    assert not none.coef_.any()
    assert np.shape(none.tree_) == (0, 4) if tree == "auto" else none.tree_ is tree


def test_without_strength_and_at_alpha_max():
    X, Y, _ = planted()
    free = TreeGuidedRegressor(0.0, tree=[[0, 1, 2], [3, 4, 5]], **TIGHT).fit(X, Y)
    alone = IndependentTaskRegressor(0.0).fit(X, Y)
    np.testing.assert_allclose(free.coef_, alone.coef_, atol=1e-7)
    assert is_valid_linkage(TreeGuidedRegressor(0.0).fit(X, Y).tree_)
    for tree in ("auto", [[0, 2, 4], [1, [3, 5]]]):
        top = alpha_max(TreeGuidedRegressor(tree=tree), X, Y)
        above = TreeGuidedRegressor(top * (1 + 1e-8), tree=tree, tol=1e-10).fit(X, Y)
        below = TreeGuidedRegressor(top * 0.99, tree=tree, tol=1e-10).fit(X, Y)
        assert not above.coef_.any() and below.coef_.any()


def test_paths_pipelines_and_warm_starts():
    X, Y, _ = planted()
    model = TreeGuidedRegressor(0.1, tol=1e-10)
    _, coefs, _ = path(model, X, Y, alphas=[1.0, 0.1])[:3]
    np.testing.assert_allclose(coefs[:, :, -1], model.fit(X, Y).coef_, atol=1e-5)
    pipeline = make_pipeline(StandardScaler(), TreeGuidedRegressor())
    grid = {
        "treeguidedregressor__alpha": [0.01, 0.1],
        "treeguidedregressor__tree": ["auto", [[0, 2, 4], [1, 3, 5]]],
    }
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, Y)
    assert search.best_score_ > 0.9
    warm = TreeGuidedRegressor(0.1, warm_start=True, tol=1e-6)
    first = warm.fit(X, Y).n_iter_
    assert warm.fit(X, Y).n_iter_ <= first // 2
    assert isinstance(clone(warm), TreeGuidedRegressor)


def test_single_precision_and_both_layouts():
    X, Y, _ = planted()
    model = TreeGuidedRegressor(0.3, tol=1e-10).fit(X, Y)
    single = TreeGuidedRegressor(0.3, tol=1e-5).fit(X.astype(np.float32), Y.astype(np.float32))
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-2)
    stacked = np.column_stack([np.tile(X, (6, 1)), np.repeat(np.arange(6), len(X))])
    other = TreeGuidedRegressor(0.3, tol=1e-10, task_column=-1).fit(stacked, Y.T.ravel())
    np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-5)
    np.testing.assert_allclose(other.tree_, model.tree_, atol=1e-7)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("tree", ["auto", LINKAGE], ids=["auto", "given"])
def test_get_penalty_sets_no_attributes(tree, alpha):
    problem = Problem(SCENARIOS[0], classify=False)
    model = TreeGuidedRegressor(alpha, tree=tree, **problem.params)
    data = model._read(problem.X, problem.y, None)
    before = set(vars(model))
    model._get_penalty(data)
    assert set(vars(model)) == before
