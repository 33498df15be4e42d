"""Groups of features that enter together, against cvxpy, other packages and special cases."""

import itertools
import warnings

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold

from skmtl import (
    BlockSparseClassifier,
    BlockSparseClassifierCV,
    BlockSparseRegressor,
    BlockSparseRegressorCV,
)
from skmtl.model_selection import alpha_max, block_sparse_path, path
from skmtl.penalties import FeatureGroups, Positive

GROUPS = [[0, 4], [1, 2, 7], [3], [5, 6]]
LABELS = ["a", "b", "b", "c", "a", "d", "d", "b"]
FREE = np.array([1.0, 0.0, 0.0, 2.0, 1.0, 0.5, 0.5, 0.0])


def make(n=40, n_tasks=3, seed=0):
    """X, Y with labels missing, and a weight per label; only the group of 1, 2 and 7 matters."""
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(n, 8)) * rng.uniform(0.5, 3, 8), np.zeros((8, n_tasks))
    W[[1, 2, 7]] = rng.normal(size=(3, n_tasks))
    Y = X @ W + 0.5 * rng.normal(size=(n, n_tasks)) + 1
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return X, Y, rng.uniform(0.5, 2, Y.shape)


def stack(X, Y, weights):
    ids = np.repeat(np.arange(Y.shape[1]), len(X))
    y = Y.T.ravel()
    kept = ~np.isnan(y)
    X = np.column_stack([np.vstack([X] * Y.shape[1]), ids])
    return X[kept], y[kept], weights.T.ravel()[kept]


def optimum(
    X, Y, S, loss, alpha, *, l1_ratio=1.0, sparsity=0.0, factors=None, positive=False, norm="l2"
):
    """The minimum, and a minimiser, of the documented objective, written for cvxpy by hand."""
    n_tasks = Y.shape[1]
    W, b = cp.Variable((X.shape[1], n_tasks)), cp.Variable(n_tasks)
    S = np.where(np.isnan(Y), 0.0, S)
    value = 0
    for t in range(n_tasks):
        rows = S[:, t] > 0
        y, z, s = Y[rows, t], X[rows] @ W[:, t] + b[t], S[rows, t]
        if loss == "squared":
            value += s @ cp.square(y - z) / 2
        elif loss == "huber":
            value += s @ cp.huber(y - z, 1.345) / 2
        elif loss == "poisson":
            known = y * np.log(np.maximum(y, 1)) - y
            value += s @ (cp.exp(z) - cp.multiply(y, z) + known)
        elif loss == "logistic":
            value += s @ cp.logistic(-cp.multiply(2 * y - 1, z))
        else:
            value += s @ cp.square(cp.pos(1 - cp.multiply(2 * y - 1, z))) / 2
    total = 0
    for group in GROUPS:
        block = np.sqrt(len(group)) * cp.norm(cp.vec(W[group, :], order="C"), 2)
        if norm == "linf":
            block = len(group) * cp.max(cp.abs(W[group, :]))
        each = (1 - sparsity) * block + sparsity * cp.sum(cp.abs(W[group, :]))
        total += each * (1.0 if factors is None else factors[group[0]])
    penalty = alpha * (l1_ratio * total + (1 - l1_ratio) / 2 * cp.sum_squares(W))
    problem = cp.Problem(
        cp.Minimize(n_tasks / S.sum() * value + penalty), [W >= 0] if positive else []
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        problem.solve(solver="CLARABEL")
    return problem.value, W.value


CASES = {
    "plain": {},
    "sparse": {"sparsity": 0.4, "l1_ratio": 0.7},
    "free": {"feature_weight": FREE},
    "positive": {"positive": True, "sparsity": 0.2},
    "all": {"positive": True, "sparsity": 0.2, "l1_ratio": 0.6, "feature_weight": FREE},
    "largest": {"norm": "linf"},
    "largest-all": {"norm": "linf", "sparsity": 0.2, "l1_ratio": 0.6, "feature_weight": FREE},
    "largest-positive": {"norm": "linf", "positive": True, "sparsity": 0.2},
}


@pytest.mark.turns(3)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("loss", ["squared", "huber", "poisson", "logistic", "squared_hinge"])
def test_is_cvxpys_in_both_layouts(name, loss):
    X, Y, S = make()
    if loss == "poisson":
        Y = np.floor(np.exp(np.clip(Y, None, 6) / 3))
    cls = BlockSparseRegressor
    if loss in ("logistic", "squared_hinge"):
        # Noisy labels, which unpenalised features do not separate.
        noise = 4 * np.random.default_rng(1).normal(size=Y.shape)
        cls, Y = BlockSparseClassifier, np.where(np.isnan(Y), np.nan, Y + noise > 1)
    params = CASES[name]
    delta = {"huber_delta": 1.345} if loss == "huber" else {}
    model = cls(0.05, loss=loss, feature_groups=GROUPS, tol=1e-9, **params, **delta)
    stated = {key: value for key, value in params.items() if key != "feature_weight"}
    best, W = optimum(X, Y, S, loss, 0.05, factors=params.get("feature_weight"), **stated)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, Y, S)
        stacked = clone(model).set_params(task_column=-1).fit(*stack(X, Y, S))
        sparse = clone(model).fit(sp.csr_matrix(X), Y, S)
    for fitted in (model, stacked, sparse):
        assert fitted.objective_ == pytest.approx(best, rel=1e-6)
        assert fitted.dual_gap_ <= 1e-8 * max(1, best)
        np.testing.assert_allclose(fitted.coef_.T, W, atol=2e-3)
        for group in GROUPS if "sparsity" not in params else []:
            assert len(set(fitted.support_[group])) == 1


class TestSpecialCases:
    def test_all_spellings_agree(self):
        X, Y, S = make()
        frame = pd.DataFrame(X, columns=list("stuvwxyz"))
        named = {"one": ["s", "w"], "two": ["z", "t", "u"], "rest": ["x", "y"]}
        plain = BlockSparseRegressor(0.2, feature_groups=GROUPS).fit(X, Y, S)
        for given in (LABELS, np.array(LABELS), pd.Series(LABELS), GROUPS[:2] + GROUPS[3:], named):
            model = BlockSparseRegressor(0.2, feature_groups=given).fit(frame, Y, S)
            np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12)

    def test_a_series_is_matched_by_name(self):
        X, Y, S = make()
        frame = pd.DataFrame(X, columns=list("stuvwxyz"))
        series = pd.Series(LABELS, index=frame.columns)
        found = [
            BlockSparseRegressor(0.2, feature_groups=given).fit(frame, Y, S).coef_
            for given in (series, series[::-1])
        ]
        np.testing.assert_array_equal(*found)
        model = BlockSparseRegressor(0.2, feature_groups=series.rename({"s": "a"}))
        with pytest.raises(ValueError, match=r"misses \['s'\] and has unknown \['a'\]"):
            model.fit(frame, Y, S)

    @pytest.mark.parametrize("norm", ["l2", "linf"])
    @pytest.mark.parametrize("sparsity", [0.0, 0.3])
    def test_copies_of_a_group_of_one_are_rows(self, sparsity, norm):
        # Labels without repetition give the row norms, fitted by the same algorithm.
        X, Y, S = make()
        rows = BlockSparseRegressor(0.2, sparsity=sparsity, norm=norm).fit(X, Y, S)
        each = BlockSparseRegressor(0.2, sparsity=sparsity, norm=norm, feature_groups=np.arange(8))
        assert (each.fit(X, Y, S).coef_ == rows.coef_).all()

    def test_order_of_the_features_does_not_matter(self):
        X, Y, S = make()
        order = np.random.default_rng(3).permutation(8)
        model = BlockSparseRegressor(0.2, feature_groups=LABELS, tol=1e-11).fit(X, Y, S)
        other = clone(model).set_params(feature_groups=np.array(LABELS)[order])
        other.fit(X[:, order], Y, S)
        np.testing.assert_allclose(other.coef_, model.coef_[:, order], atol=1e-6)

    def test_one_group_on_orthonormal_features_by_hand(self):
        # The minimiser shrinks the least-squares coefficients' norm by alpha sqrt(8).
        rng = np.random.default_rng(0)
        X = np.sqrt(50) * np.linalg.qr(rng.normal(size=(50, 8)))[0]
        Y = X @ rng.normal(size=(8, 2)) + rng.normal(size=(50, 2))
        model = BlockSparseRegressor(
            0.3, feature_groups=np.zeros(8), fit_intercept=False, tol=1e-12
        ).fit(X, Y)
        least = X.T @ Y / 50
        expected = least * (1 - 0.3 * np.sqrt(8) / np.linalg.norm(least))
        np.testing.assert_allclose(model.coef_.T, expected, atol=1e-7)

    def test_one_group_in_the_largest_norm_by_hand(self):
        # What is taken from the least-squares coefficients has the l1 norm 8 alpha, and the rest
        # is clipped at one level.
        rng = np.random.default_rng(0)
        X = np.sqrt(50) * np.linalg.qr(rng.normal(size=(50, 8)))[0]
        Y = X @ rng.normal(size=(8, 2)) + rng.normal(size=(50, 2))
        model = BlockSparseRegressor(
            0.3, norm="linf", feature_groups=np.zeros(8), fit_intercept=False, tol=1e-12
        ).fit(X, Y)
        least = X.T @ Y / 50
        taken, level = least - model.coef_.T, np.abs(model.coef_).max()
        assert np.abs(taken).sum() == pytest.approx(0.3 * 8)
        np.testing.assert_allclose(model.coef_.T, np.clip(least, -level, level), atol=1e-7)

    def test_one_task_is_adelies_group_lasso(self):
        adelie = pytest.importorskip("adelie")
        X, Y, _ = make(60)
        Y = np.nan_to_num(Y)
        order = np.concatenate([GROUPS[k] for k in range(4)])
        starts = np.cumsum([0, *(len(group) for group in GROUPS[:-1])])
        for alpha in (0.05, 0.3):
            state = adelie.grpnet(
                np.asfortranarray(X[:, order]),
                adelie.glm.gaussian(Y[:, 0].copy()),
                groups=starts,
                lmda_path=[alpha],
                early_exit=False,
                tol=1e-12,
                progress_bar=False,
            )
            model = BlockSparseRegressor(alpha, feature_groups=GROUPS, tol=1e-11)
            model.fit(X, Y[:, 0])
            theirs = np.asarray(state.betas.todense())[0]
            np.testing.assert_allclose(model.coef_[order], theirs, atol=1e-5)

    def test_alpha_max_is_where_the_first_group_enters(self):
        X, Y, S = make()
        for sparsity, norm in itertools.product((0.0, 0.5), ("l2", "linf")):
            model = BlockSparseRegressor(feature_groups=GROUPS, sparsity=sparsity, norm=norm)
            model.set_params(tol=1e-12)
            top = alpha_max(model, X, Y, S)
            assert not model.set_params(alpha=top * (1 + 1e-9)).fit(X, Y, S).support_.any()
            assert model.set_params(alpha=top * 0.99).fit(X, Y, S).support_.any()

    def test_refit_is_least_squares_on_the_selected_groups(self):
        X, Y, _ = make()
        Y = np.nan_to_num(Y)
        model = BlockSparseRegressor(0.5, feature_groups=GROUPS, refit_support=True, tol=1e-11)
        support = model.fit(X, Y).support_
        assert support[[1, 2, 7]].all() and not support.all()
        design = np.column_stack([X[:, support], np.ones(len(X))])
        least = np.linalg.lstsq(design, Y, rcond=None)[0]
        np.testing.assert_allclose(model.coef_[:, support].T, least[:-1], atol=1e-4)

    @pytest.mark.parametrize("norm", ["l2", "linf"])
    def test_new_tasks_use_the_selected_groups(self, norm):
        X, Y, _ = make()
        Y = np.nan_to_num(Y)
        ids = np.repeat([0.0, 1.0], len(X))
        rows, labels = np.column_stack([np.vstack([X, X]), ids]), Y[:, :2].T.ravel()
        model = BlockSparseRegressor(0.5, norm=norm, feature_groups=GROUPS, task_column=-1)
        support = model.fit(rows, labels).support_
        model = model.fit_new_task(np.column_stack([X, np.full(len(X), 2.0)]), Y[:, 2])
        assert (model.coef_[2] != 0)[support].all() and not (model.coef_[2] != 0)[~support].any()


def wide(n=60, d=400, n_tasks=3):
    """More features than rows, in groups of 1 to 6 in random order, three of which matter."""
    rng = np.random.default_rng(5)
    groups = rng.permutation(np.repeat(np.arange(120), rng.integers(1, 7, 120))[:d])
    X, W = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, d), np.zeros((d, n_tasks))
    W[np.isin(groups, [3, 40, 90])] = 1.0
    Y = X @ W + rng.normal(size=(n, n_tasks))
    return X, Y, groups


VARIANTS = {
    "plain": {},
    "sparse": {"sparsity": 0.3, "l1_ratio": 0.9},
    "signs": {"positive": np.resize([1, 0, -1], 400)},
    "huber": {"loss": "huber"},
    "no-intercept": {"fit_intercept": False},
    "largest": {"norm": "linf", "sparsity": 0.1},
}
# All variants of shared rows, and a third of them, by turns, in each other layout.
PAIRS = [
    pytest.param(
        name,
        layout,
        marks=() if layout == "shared" or (i + j) % 3 == 0 else pytest.mark.slow,
        id=f"{layout}-{name}",
    )
    for j, layout in enumerate(["shared", "missing", "stacked", "csr"])
    for i, name in enumerate(VARIANTS)
]


class TestWorkingSets:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize(("name", "layout"), PAIRS)
    def test_agree_with_gradient_steps_in_all_rows(self, name, layout):
        X, Y, groups = wide()
        params = VARIANTS[name]
        model = BlockSparseRegressor(0.35, feature_groups=groups, tol=1e-7, **params)
        if layout == "missing":
            Y[::7, 0] = np.nan
        if layout == "stacked":
            X, Y, _ = stack(X, Y, np.ones(Y.shape))
            model.set_params(task_column=-1)
        X = sp.csr_matrix(X) if layout == "csr" else X
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(X, Y)
            other = clone(model).set_params(solver="fista").fit(X, Y)
        assert model.n_iter_ < 10 < other.n_iter_
        assert 0 < model.support_.sum() < 200
        assert model.objective_ == pytest.approx(other.objective_, rel=1e-6)
        np.testing.assert_allclose(model.coef_, other.coef_, atol=2e-3)

    def test_of_classes_and_single_precision(self):
        X, Y, groups = wide()
        for alpha in (0.06, 0.005):
            # With little penalty more than half of the rows are needed.
            model = BlockSparseClassifier(alpha, feature_groups=groups, tol=1e-6).fit(X, Y > 0)
            other = clone(model).set_params(solver="fista").fit(X, Y > 0)
            assert model.objective_ == pytest.approx(other.objective_, rel=1e-4)
            single = clone(model).set_params(tol=1e-4).fit(X.astype(np.float32), Y > 0)
            assert single.coef_.dtype == np.float32
            assert single.objective_ == pytest.approx(other.objective_, rel=1e-3)

    def test_on_a_path_and_from_the_previous_fit(self):
        X, Y, groups = wide()
        plain = BlockSparseRegressor(feature_groups=groups, tol=1e-7)
        alphas, coefs, _ = path(plain, X, Y, alphas=5, eps=0.2)
        for k, alpha in enumerate(alphas):
            alone = clone(plain).set_params(alpha=alpha, solver="fista").fit(X, Y)
            np.testing.assert_allclose(coefs[..., k], alone.coef_, atol=2e-3)
        warm = clone(plain).set_params(alpha=alphas[2], warm_start=True).fit(X, Y)
        np.testing.assert_allclose(warm.fit(X, Y).coef_, coefs[..., 2], atol=2e-3)

    @pytest.mark.turns(3)
    @pytest.mark.parametrize("sparsity", [0.0, 0.4, 1.0])
    @pytest.mark.parametrize("signs", [None, np.resize([1, 0, -1], 12)])
    @pytest.mark.parametrize("norm", ["l2", "linf"])
    def test_rows_are_near_where_the_prox_is_not_zero(self, sparsity, signs, norm):
        rng = np.random.default_rng(0)
        groups = np.array([4, 4, 0, 1, 1, 1, 2, 2, 3, 5, 5, 6])
        weights = rng.uniform(0.5, 2, 7)[groups]
        penalty = FeatureGroups(1.0, groups, sparsity, weights, norm)
        penalty = penalty if signs is None else Positive(penalty, signs)
        for _ in range(200):
            G = 2 * rng.normal(size=(12, 3))
            found, near = penalty.prox(G, 1.0).any(axis=1), penalty.nearness(G) > 1
            assert all(found[groups == g].any() == near[groups == g].any() for g in range(7))
            assert penalty.nearness(G / penalty.dual_norm(G)).max() == pytest.approx(1, rel=1e-9)


class TestSelection:
    def test_path(self):
        X, Y, S = make()
        alphas, coefs, _ = block_sparse_path(
            X, Y, sample_weight=S, alphas=4, eps=0.1, feature_groups=GROUPS, tol=1e-10
        )
        assert not coefs[..., 0].any()
        for k, alpha in enumerate(alphas):
            alone = BlockSparseRegressor(alpha, feature_groups=GROUPS, tol=1e-10).fit(X, Y, S)
            np.testing.assert_allclose(coefs[..., k], alone.coef_, atol=1e-5)
        assert path(BlockSparseRegressor(feature_groups=LABELS), X, Y, alphas=3)[1].shape[-1] == 3

    def test_cv_is_grid_search_and_reads_names(self):
        X, Y, _ = make()
        frame, Y = pd.DataFrame(X, columns=list("stuvwxyz")), np.nan_to_num(Y)
        groups = {"one": ["s", "w"], "two": ["z", "t", "u"]}
        alphas, folds = [0.05, 0.2, 0.8], KFold(3)
        found = BlockSparseRegressorCV(
            alphas, cv=folds, feature_groups=groups, scoring="r2", tol=1e-9
        ).fit(frame, Y)
        model = BlockSparseRegressor(feature_groups=groups, tol=1e-9)
        search = GridSearchCV(model, {"alpha": alphas}, cv=folds).fit(frame, Y)
        assert found.alpha_ == search.best_params_["alpha"]
        assert found.best_score_ == pytest.approx(search.best_score_, abs=1e-6)
        classes = BlockSparseClassifierCV([0.3, 0.1], cv=2, feature_groups=LABELS)
        assert classes.fit(X, Y > 1).coef_.shape == (3, 8)


class TestErrors:
    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ([[0, 1], [1, 2]], "must not overlap; feature 1 is in several groups.*repeat its"),
            ([[0, 0]], "name a feature once per group, got 0 twice"),
            ([[0, 8]], "got 8. The features are"),
            ([["x"]], "got 'x'. The features are"),
            ([[0, 1], 2], "a mixture.*single features into lists"),
            ({"a": 0}, "a mixture"),
            ([0, 1, 2], "one label per feature, without the task column: 8; got 3. Pass lists"),
            ([0, 1, 2, np.nan, 1, 1, 1, 1], r"those at \[3\] are missing"),
            ("all", "'feature_groups' parameter"),
        ],
    )
    def test_name_the_remedy(self, groups, message):
        X, Y, _ = make()
        with pytest.raises(ValueError, match=message):
            BlockSparseRegressor(feature_groups=groups).fit(X, Y)

    def test_of_the_task_column(self):
        X, y, _ = stack(*make())
        with pytest.raises(ValueError, match="Leave out the label of the task column"):
            BlockSparseRegressor(feature_groups=[0] * 9, task_column=-1).fit(X, y)
        with pytest.raises(ValueError, match="task column \\(and of offsets\\)"):
            BlockSparseRegressor(feature_groups=[0] * 9, task_column=-1, offset_column=0).fit(X, y)

    def test_of_what_does_not_go_together(self):
        X, Y, _ = make()
        model = BlockSparseRegressor(feature_groups=GROUPS, feature_weight=np.arange(8))
        with pytest.raises(ValueError, match="equal for the features of a group"):
            model.fit(X, Y)
