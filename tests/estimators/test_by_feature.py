"""Weights and signs of features in the families that have them."""

import inspect
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.optimize import lsq_linear, nnls
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import skmtl
from skmtl import (
    BlockSparseRegressor,
    BlockSparseRegressorCV,
    CappedBlockSparseClassifier,
    CappedBlockSparseRegressor,
    DirtyModelClassifier,
    DirtyModelRegressor,
    GraphRegularizedClassifier,
    GraphRegularizedRegressor,
    IndependentTaskClassifier,
    IndependentTaskRegressor,
    PooledTaskClassifier,
    PooledTaskRegressor,
    TreeGuidedClassifier,
    TreeGuidedRegressor,
    reference,
)
from skmtl.model_selection import alpha_max

SIGNS = np.array([1, -1, 0, -1, 1, 0])
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.2, 1.0, 3.0])
TREE = [[0, 1], 2]
# Families with norms: a regressor and a classifier.
NORMS = {
    "dirty": (DirtyModelRegressor(0.1), DirtyModelClassifier(0.03)),
    "dirty-l2": (DirtyModelRegressor(0.1, norm="l2", private=0.7), DirtyModelClassifier(0.03)),
    "tree": (TreeGuidedRegressor(0.1, tree=TREE), TreeGuidedClassifier(0.03, tree=TREE)),
    "graph": (
        GraphRegularizedRegressor(0.2, block=0.4, ridge=0.1),
        GraphRegularizedClassifier(0.05, sparse=0.5),
    ),
    "graph-both": (
        GraphRegularizedRegressor(0.2, sparse=0.2, block=0.4, graph="chain"),
        GraphRegularizedClassifier(0.05, sparse=0.5, block=0.2),
    ),
}
RIDGES = {
    "independent": (IndependentTaskRegressor(0.3), IndependentTaskClassifier(0.05)),
    "independent-each": (
        IndependentTaskRegressor([0.1, 1.0, 3.0]),
        IndependentTaskClassifier({0: 0.1, 1: 0.02, 2: 0.4}),
    ),
    "pooled": (PooledTaskRegressor(0.3), PooledTaskClassifier(0.05)),
    "pooled-one": (
        PooledTaskRegressor(0.3, task_intercepts=False),
        PooledTaskClassifier(0.05, task_intercepts=False),
    ),
}
FAMILIES = NORMS | RIDGES


def make(n=40, seed=0):
    """X, Y with missing labels, and a weight per label; coefficients of all signs."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)) * rng.uniform(0.5, 2, 6)
    W = rng.normal(size=(6, 1)) + 0.5 * rng.normal(size=(6, 3))
    Y = X @ W + rng.normal(size=(n, 3))
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return X, Y, rng.uniform(0.5, 2, Y.shape)


def classes(Y):
    noise = 3 * np.random.default_rng(1).normal(size=Y.shape)
    return np.where(np.isnan(Y), np.nan, Y + noise > 0)


def stack(X, Y, weights):
    y, ids = Y.T.ravel(), np.repeat(np.arange(3), len(X))
    kept = ~np.isnan(y)
    return np.column_stack([np.vstack([X] * 3), ids])[kept], y[kept], weights.T.ravel()[kept]


def fitted(model, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return clone(model).set_params(tol=1e-8, max_iter=30_000).fit(*data)


@pytest.mark.turns(3)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("place", [0, 1], ids=["squared", "logistic"])
def test_optimum_is_cvxpys_in_both_layouts(name, place):
    X, Y, S = make()
    Y = classes(Y) if place else Y
    model = clone(FAMILIES[name][place]).set_params(positive=SIGNS)
    if name in NORMS:
        model.set_params(feature_weight=WEIGHTS)
    shared = fitted(model, X, Y, S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        best = reference.solve(shared, X, Y, S)
    stacked = fitted(clone(model).set_params(task_column=-1), *stack(X, Y, S))
    # The private part of two norms takes many iterations.
    sparse = shared if name == "dirty-l2" else fitted(model, sp.csr_matrix(X), Y, S)
    for found in (shared, stacked, sparse):
        assert found.objective_ == pytest.approx(best.objective, rel=1e-6)
        np.testing.assert_allclose(found.coef_, best.coef_, atol=3e-3)
        assert (found.coef_ * SIGNS >= 0).all()
    # The restriction matters, and features without one have both signs.
    free = fitted(clone(model).set_params(positive=False), X, Y, S)
    assert (free.coef_ * SIGNS < -1e-3).any()
    assert free.objective_ < shared.objective_


class TestEquivalences:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", FAMILIES)
    def test_a_negative_feature_is_a_positive_one_of_the_other_sign(self, name):
        X, Y, S = make()
        model = clone(FAMILIES[name][0])
        signs = np.where(SIGNS == 0, 1, SIGNS)
        some = fitted(clone(model).set_params(positive=signs), X, Y, S)
        every = fitted(clone(model).set_params(positive=True), X * signs, Y, S)
        np.testing.assert_allclose(some.coef_ * signs, every.coef_, atol=2e-4)

    @pytest.mark.parametrize("name", ["dirty", "dirty-l2", "tree"])
    def test_a_weight_scales_the_feature(self, name):
        X, Y, S = make()
        model = clone(NORMS[name][0])
        weighted = fitted(clone(model).set_params(feature_weight=WEIGHTS), X, Y, S)
        scaled = fitted(model, X / WEIGHTS, Y, S)
        np.testing.assert_allclose(weighted.coef_ * WEIGHTS, scaled.coef_, atol=1e-3)
        assert weighted.objective_ == pytest.approx(scaled.objective_, rel=1e-7)

    @pytest.mark.parametrize("name", ["dirty", "tree", "graph", "independent", "pooled"])
    def test_names_are_positions(self, name):
        X, Y, S = make()
        frame = pd.DataFrame(X, columns=list("uvwxyz"))
        model = clone(FAMILIES[name][0])
        named = clone(model).set_params(positive={"u": 1, "v": -1, "x": -1, "y": True})
        expected = fitted(model.set_params(positive=SIGNS), X, Y, S).coef_
        np.testing.assert_allclose(fitted(named, frame, Y, S).coef_, expected, rtol=1e-10)

    def test_zeros_and_ones_change_nothing(self):
        X, Y, S = make()
        for model, _ in NORMS.values():
            same = clone(model).set_params(positive=np.zeros(6), feature_weight=np.ones(6))
            assert (same.fit(X, Y, S).coef_ == clone(model).fit(X, Y, S).coef_).all()

    def test_a_weak_ridge_is_scipys_least_squares(self):
        X, Y, _ = make()
        Y = np.nan_to_num(Y)
        least = [nnls(X, y)[0] for y in Y.T]
        model = IndependentTaskRegressor(1e-9, positive=True, fit_intercept=False, tol=1e-12)
        np.testing.assert_allclose(model.fit(X, Y).coef_, least, atol=1e-4)
        bounds = np.where(SIGNS > 0, 0.0, -np.inf), np.where(SIGNS < 0, 0.0, np.inf)
        least = [lsq_linear(X, y, bounds, tol=1e-12).x for y in Y.T]
        model.set_params(positive=SIGNS)
        np.testing.assert_allclose(model.fit(X, Y).coef_, least, atol=1e-4)

    @pytest.mark.parametrize("alpha", ["cv", "cv-each"])
    def test_selected_strengths_of_the_baselines(self, alpha):
        # Where the signs restrict nothing, losses of folds are those of the closed form.
        X, Y, _ = make(200)
        X, _ = np.linalg.qr(X - X.mean(axis=0))
        frame = pd.DataFrame(20 * X, columns=list("uvwxyz"))
        Y = 20 * X @ np.full((6, 3), 2.0) + np.random.default_rng(0).normal(size=(200, 3))
        plain = IndependentTaskRegressor(alpha, tol=1e-9).fit(frame, Y)
        named = IndependentTaskRegressor(alpha, positive={"u": 1, "z": 1}, tol=1e-9).fit(frame, Y)
        assert (plain.coef_ > 0).all()
        np.testing.assert_allclose(named.cv_losses_, plain.cv_losses_, rtol=1e-3)
        np.testing.assert_allclose(named.coef_, plain.coef_, atol=1e-4)
        # Where they do, the fit is that with the selected strengths.
        model = IndependentTaskRegressor(alpha, positive={"u": -1}, tol=1e-9).fit(frame, Y)
        assert not model.coef_[:, 0].any() and (model.coef_[:, 1:] > 0).all()
        again = clone(model).set_params(alpha=model.alpha_).fit(frame, Y)
        np.testing.assert_allclose(again.coef_, model.coef_, atol=1e-5)

    def test_the_learned_tree_does_not_depend_on_the_signs(self):
        X, Y, S = make()
        models = [TreeGuidedRegressor(0.1, positive=signs).fit(X, Y, S) for signs in (False, SIGNS)]
        np.testing.assert_array_equal(models[0].tree_, models[1].tree_)


class TestAlphaMax:
    @pytest.mark.parametrize("name", NORMS)
    def test_is_where_the_first_feature_enters(self, name):
        X, Y, S = make()
        model = clone(NORMS[name][0]).set_params(
            positive=SIGNS, feature_weight=WEIGHTS, tol=1e-12, max_iter=100_000
        )
        top = alpha_max(model, X, Y, S)
        assert not model.set_params(alpha=top * (1 + 1e-9)).fit(X, Y, S).coef_.any()
        assert model.set_params(alpha=top * 0.98).fit(X, Y, S).coef_.any()

    @pytest.mark.filterwarnings("ignore:The best alpha")
    def test_cv_reads_signs_by_name(self):
        X, Y, _ = make(200)
        frame, Y = pd.DataFrame(X, columns=list("uvwxyz")), np.nan_to_num(Y)
        alphas, signs = [0.3, 0.03], {"u": 1, "v": -1, "x": -1, "y": 1}
        named = BlockSparseRegressorCV(alphas, cv=2, positive=signs).fit(frame, Y)
        placed = BlockSparseRegressorCV(alphas, cv=2, positive=SIGNS).fit(X, Y)
        np.testing.assert_allclose(named.coef_, placed.coef_, atol=1e-6)
        np.testing.assert_allclose(named.mse_path_, placed.mse_path_, rtol=1e-6)
        assert (placed.coef_ * SIGNS >= 0).all()


GROUPS = np.array([0, 0, 1, 2, 2, 2])


def concave(W, model, groups, weights):
    """The penalty of the capped family, group by group."""
    total = 0.0
    for group in np.unique(groups):
        part, weight = W[groups == group], weights[groups == group][0]
        if model.penalty == "capped":
            total += weight * model.alpha * min(np.abs(part).sum(), len(part) * model.threshold)
            continue
        r, a, g = np.sqrt((part**2).sum()), weight * model.alpha * np.sqrt(len(part)), model.gamma
        total += a * r - r**2 / (2 * g) if r <= g * a else g * a**2 / 2
    return total


class TestCapped:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("penalty", ["capped", "mcp"])
    @pytest.mark.parametrize("positive", [False, SIGNS], ids=["free", "signs"])
    def test_is_a_local_minimum_of_the_stated_objective(self, penalty, positive):
        X, Y, _ = make(60)
        Y = np.nan_to_num(Y)
        weights = np.array([0.5, 0.5, 2.0, 1.0, 1.0, 1.0])
        model = CappedBlockSparseRegressor(
            0.3, penalty=penalty, threshold=0.8, gamma=1.5, fit_intercept=False, tol=1e-9
        ).set_params(feature_groups=GROUPS, feature_weight=weights, positive=positive)
        model.fit(X, Y)

        def stated(W):
            return ((Y - X @ W) ** 2).sum() / (2 * len(X)) + concave(W, model, GROUPS, weights)

        found = model.coef_.T
        assert stated(found) == pytest.approx(model.objective_, rel=1e-9)
        assert model.stationarity_ <= 1e-9
        rng = np.random.default_rng(0)
        for radius in (1e-4, 1e-3, 1e-2):
            for _ in range(300):
                near = found + radius * rng.uniform(-1, 1, found.shape) * (rng.random((6, 1)) < 0.5)
                if positive is not False:
                    near = np.where(near * SIGNS[:, None] >= 0, near, 0.0)
                assert stated(near) >= stated(found) - 1e-9
        stacked = clone(model).set_params(task_column=-1).fit(*stack(X, Y, np.ones(Y.shape))[:2])
        np.testing.assert_allclose(stacked.coef_, model.coef_, atol=1e-5)
        if positive is not False:
            assert (model.coef_ * SIGNS >= 0).all()

    @pytest.mark.parametrize("penalty", ["capped", "mcp"])
    def test_far_from_its_bound_it_is_the_convex_penalty(self, penalty):
        X, Y, S = make()
        params = {"feature_groups": GROUPS, "positive": SIGNS}
        model = CappedBlockSparseRegressor(
            0.2, penalty=penalty, threshold=1e6, gamma=1e9, tol=1e-10, **params
        ).fit(X, Y, S)
        # The capped l1 norm has no block norm.
        convex = BlockSparseRegressor(0.2, tol=1e-10, **params)
        if penalty == "capped":
            convex.set_params(sparsity=1 - 1e-9)
        np.testing.assert_allclose(model.coef_, convex.fit(X, Y, S).coef_, atol=1e-4)

    def test_classes(self):
        X, Y, S = make(100)
        model = CappedBlockSparseClassifier(
            0.05, penalty="mcp", gamma=30.0, positive=SIGNS, feature_groups=GROUPS
        ).fit(X, classes(Y), S)
        assert (model.coef_ * SIGNS >= 0).all() and model.coef_.any()
        flip = np.where(SIGNS < 0, -1, 1)
        flipped = clone(model).set_params(positive=np.abs(SIGNS)).fit(X * flip, classes(Y), S)
        np.testing.assert_allclose(flipped.coef_ * flip, model.coef_, atol=1e-3)


PLAIN = [name for name in sorted(skmtl.__all__) if name.endswith(("Regressor", "Classifier"))]


def _parameters(name):
    return inspect.signature(getattr(skmtl, name)).parameters


class TestElsewhere:
    """Parameters of some families, given to others."""

    OTHERS = tuple(name for name in PLAIN if "positive" not in _parameters(name))

    @pytest.mark.parametrize("name", OTHERS)
    @pytest.mark.parametrize("parameter", ["positive", "feature_weight", "feature_groups"])
    def test_the_error_names_the_families(self, name, parameter):
        cls = getattr(skmtl, name)
        with pytest.raises(TypeError, match=f"{name} has no parameter '{parameter}'.*BlockSparse"):
            cls(**{parameter: [1, 1]})
        with pytest.raises(ValueError, match=f"{name} has no parameter '{parameter}'.*BlockSparse"):
            cls().set_params(**{parameter: [1, 1]})

    def test_the_named_families_have_the_parameter(self):
        for parameter in ("positive", "feature_weight", "feature_groups"):
            with pytest.raises(TypeError) as caught:
                skmtl.LowRankRegressor(**{parameter: None})
            named = re.findall(r"(\w+)\*", str(caught.value))
            having = {
                re.sub("(Regressor|Classifier)$", "", name)
                for name in PLAIN
                if parameter in _parameters(name)
            }
            assert set(named) == having

    def test_other_unknown_names_are_pythons_and_sklearns(self):
        with pytest.raises(TypeError, match="unexpected keyword argument 'strength'"):
            skmtl.LowRankRegressor(strength=1.0)
        with pytest.raises(ValueError, match="Invalid parameter 'strength'"):
            skmtl.LowRankRegressor().set_params(strength=1.0)

    COUPLED = tuple(name for name in OTHERS if "alpha" in _parameters(name))

    @pytest.mark.parametrize("name", [*COUPLED, "BlockSparseRegressor", "PooledTaskClassifier"])
    @pytest.mark.parametrize("alpha", [[0.1, 0.2, 0.3], {0: 1.0, 1: 2.0, 2: 3.0}])
    def test_a_strength_for_each_task(self, name, alpha):
        X, Y, _ = make()
        model = getattr(skmtl, name)(alpha=alpha)
        with pytest.raises(ValueError, match="one number.*IndependentTask.*task_weight"):
            model.fit(X, np.nan_to_num(Y) > 0)


class TestErrors:
    @pytest.mark.parametrize("name", FAMILIES)
    @pytest.mark.parametrize(
        ("positive", "message"),
        [
            ("yes", "'positive' parameter"),
            ([1, -1], r"one sign per feature, without the task column: 6; got shape \(2,\)"),
            ([1, 2, 0, 0, 0, 0], r"hold \+1, -1 and 0 only"),
            (list("abcdef"), "hold signs .*'a'"),
            ({"u": 1}, "if X has no column names, got a dict"),
        ],
    )
    def test_of_signs(self, name, positive, message):
        X, Y, _ = make()
        with pytest.raises(ValueError, match=message):
            clone(FAMILIES[name][0]).set_params(positive=positive).fit(X, Y)

    @pytest.mark.parametrize("name", FAMILIES)
    def test_signs_need_a_strength(self, name):
        X, Y, _ = make()
        with pytest.raises(ValueError, match="no dual.*alpha"):
            clone(FAMILIES[name][0]).set_params(positive=True, alpha=0.0).fit(X, Y)

    @pytest.mark.parametrize("name", NORMS)
    def test_weights_must_be_positive(self, name):
        X, Y, _ = make()
        with pytest.raises(ValueError, match="must be positive.*BlockSparseRegressor"):
            clone(NORMS[name][0]).set_params(feature_weight=[0, 1, 1, 1, 1, 1]).fit(X, Y)

    def test_of_families_without_a_norm(self):
        X, Y, _ = make()
        with pytest.raises(ValueError, match="sparse > 0 or block > 0"):
            GraphRegularizedRegressor(feature_weight=WEIGHTS).fit(X, Y)
        with pytest.raises(ValueError, match="sparse > 0 or block > 0"):
            GraphRegularizedRegressor(positive=True).fit(X, Y)

    def test_of_the_task_column(self):
        X, y, _ = stack(*make())
        model = IndependentTaskRegressor(positive=[1] * 7, task_column=-1)
        with pytest.raises(ValueError, match="Leave out the sign of the task column"):
            model.fit(X, y)
        with pytest.raises(ValueError, match="task column \\(and of offsets\\)"):
            model.set_params(offset_column=0).fit(X, y)
