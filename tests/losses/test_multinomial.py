"""The multinomial loss in BlockSparseClassifier: optimum, certificate, classes, errors."""

import pickle
import warnings

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from skmtl import BlockSparseClassifier, reference
from skmtl.losses import LogisticLoss, MultinomialLoss
from skmtl.model_selection import alpha_max
from skmtl.objective._coupled import CoupledObjective, _solve

N_FEATURES = 6
CLASS_WEIGHT = {"ash": 0.5, "fir": 3.0}


def make(n_classes=4, n=90, *, seed=0, sparse=False):
    """Uncentred features in different units, named labels, and weights."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, N_FEATURES)) * [1, 2, 0.5, 1, 1, 1] + [0, 1, -1, 0.5, 0, 2]
    if sparse:
        X[rng.random(X.shape) < 0.4] = 0.0
    Z = X[:, :3] @ rng.standard_normal((3, n_classes)) + rng.gumbel(size=(n, n_classes))
    names = np.array(["ash", "elm", "fir", "oak"][:n_classes])
    return X, names[Z.argmax(axis=1)], rng.uniform(0.2, 3.0, n) * (rng.random(n) > 0.15)


def multinomial(alpha=0.03, **params):
    return BlockSparseClassifier(alpha, loss="multinomial", **params)


def stated(model, X, y, s, coef, intercept):
    """The objective of the docstring, row by row."""
    classes, total = np.unique(y).tolist(), 0.0
    s = np.ones(len(y)) if s is None else s.copy()
    if model.class_weight == "balanced":
        whole = s.sum()
        weights = {c: whole / (len(classes) * s[y == c].sum()) for c in classes}
    else:
        weights = model.class_weight or {}
    s *= [weights.get(label, 1.0) for label in y]
    for x_i, y_i, s_i in zip(X, y, s, strict=True):
        z = coef @ x_i + intercept
        total += s_i * (np.logaddexp.reduce(z) - z[classes.index(y_i)])
    if model.norm == "l2":
        rows = np.sqrt((coef**2).sum(axis=0)).sum()
    else:
        rows = np.abs(coef).max(axis=0).sum()
    ridge = model.alpha * (1 - model.l1_ratio) * (coef**2).sum() / 2
    return total / s.sum() + model.alpha * model.l1_ratio * rows + ridge


SETTINGS = {
    "plain": {},
    "two classes": {"n_classes": 2},
    "weights": {"weighted": True, "class_weight": "balanced"},
    "class weights": {"class_weight": CLASS_WEIGHT, "sparse": True},
    "linf": {"norm": "linf", "weighted": True},
    "ridge too": {"l1_ratio": 0.6, "class_weight": CLASS_WEIGHT, "weighted": True},
    "linf and ridge": {"norm": "linf", "l1_ratio": 0.3},
    "ridge": {"l1_ratio": 0.0, "weighted": True, "sparse": True},
    "ridge, no intercept": {"l1_ratio": 0.0, "fit_intercept": False},
    "no intercept": {"fit_intercept": False, "n_classes": 3, "weighted": True},
}


@pytest.mark.turns(3)
@pytest.mark.parametrize("solver", ["auto", "fista"])
@pytest.mark.parametrize("name", SETTINGS)
def test_minimises_its_stated_objective(name, solver):
    params = dict(SETTINGS[name])
    sparse, weighted = params.pop("sparse", False), params.pop("weighted", False)
    X, y, s = make(params.pop("n_classes", 4), sparse=sparse)
    s = s if weighted else None
    if "n_classes" in SETTINGS[name] and params.get("class_weight"):
        del params["class_weight"]
    model = multinomial(tol=1e-12, solver=solver, **params)
    container = sp.csr_array(X) if sparse else X
    best = reference.solve(model, container, y, s)
    at_best = stated(model, X, y, s, best.coef_, best.intercept_)
    assert best.objective == pytest.approx(at_best, rel=1e-8)

    model.fit(container, y, s)
    reached = stated(model, X, y, s, model.coef_, model.intercept_)
    assert model.objective_ == pytest.approx(reached, rel=1e-12)
    assert reached == pytest.approx(at_best, rel=1e-9)
    largest = np.abs(best.coef_).max()
    assert largest > 0.05
    np.testing.assert_allclose(model.coef_, best.coef_, rtol=0, atol=2e-5 * largest)
    np.testing.assert_allclose(model.intercept_, best.intercept_, rtol=0, atol=1e-4)
    np.testing.assert_allclose(model.intercept_.sum(), 0, atol=1e-14)
    assert model.coef_.shape == (len(model.classes_), N_FEATURES)
    if model.norm == "l2":
        # A component common to all classes does not change the loss, and is penalised.
        np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(best.coef_.sum(axis=0), 0, atol=1e-4 * largest)

    # The gap of an early stop is still a bound.
    null = stated(model, X, y, s, np.zeros_like(model.coef_), null_intercepts(model, y, s))
    for tol in (0.3, 0.03, 1e-3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            rough = clone(model).set_params(tol=tol, max_iter=20).fit(container, y, s)
        assert rough.objective_ - at_best <= rough.dual_gap_ + 1e-9 * null
        if rough.n_iter_ < 20:
            assert rough.dual_gap_ <= tol * null * (1 + 1e-9)


def null_intercepts(model, y, s):
    if not model.fit_intercept:
        return np.zeros(len(model.classes_))
    s = np.ones(len(y)) if s is None else s
    totals = np.array([s[y == c].sum() for c in model.classes_])
    if model.class_weight == "balanced":
        totals[:] = 1.0
    elif model.class_weight:
        totals = totals * [model.class_weight.get(c, 1.0) for c in model.classes_.tolist()]
    return np.log(totals)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_ridge_alone_is_scikit_learns_logistic_regression(n_classes):
    X, y, s = make(n_classes)
    alpha = 0.02
    ours = multinomial(alpha, l1_ratio=0.0, tol=1e-12).fit(X, y, s)
    # For two classes scikit-learn has one vector w = 2 w_1: half the strength on twice the square.
    C = 1 / (alpha * s.sum()) * (2 if n_classes == 2 else 1)
    theirs = LogisticRegression(C=C, tol=1e-12, solver="newton-cg", max_iter=1000)
    theirs.fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    if n_classes > 2:
        np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    np.testing.assert_allclose(
        ours.decision_function(X)
        - (0 if n_classes == 2 else ours.decision_function(X).mean(axis=1, keepdims=True)),
        theirs.decision_function(X)
        - (0 if n_classes == 2 else theirs.decision_function(X).mean(axis=1, keepdims=True)),
        atol=1e-5,
    )


class TestStrengths:
    @pytest.mark.parametrize("norm", ["l2", "linf"])
    @pytest.mark.parametrize("class_weight", [None, "balanced"])
    def test_alpha_max_is_where_coefficients_begin(self, norm, class_weight):
        X, y, s = make()
        model = multinomial(norm=norm, class_weight=class_weight, tol=1e-12)
        top = alpha_max(model, X, y, s)
        above = clone(model).set_params(alpha=top * (1 + 1e-9)).fit(X, y, s)
        assert not above.coef_.any()
        # The null model: class frequencies.
        totals = np.exp(null_intercepts(above, y, s))
        shares = np.broadcast_to(totals / totals.sum(), (len(X), 4))
        np.testing.assert_allclose(above.predict_proba(X), shares, rtol=1e-9)
        below = clone(model).set_params(alpha=top * 0.999).fit(X, y, s)
        assert below.support_.sum() == 1

    def test_no_penalty(self):
        X, y, s = make()
        for fit_intercept in (True, False):
            model = multinomial(0.0, tol=1e-12, fit_intercept=fit_intercept).fit(X, y, s)
            theirs = LogisticRegression(
                C=np.inf, tol=1e-12, solver="newton-cg", fit_intercept=fit_intercept, max_iter=1000
            ).fit(X, y, sample_weight=s)
            np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
            assert model.dual_gap_ < 1e-12 and model.n_iter_ < 15
            slow = clone(model).set_params(solver="fista", tol=1e-8).fit(X, y, s)
            assert slow.objective_ - model.objective_ <= slow.dual_gap_ + 1e-12

    def test_no_penalty_and_collinear_features(self):
        X, y, _ = make()
        twice = multinomial(0.0, tol=1e-10).fit(np.hstack([X, X[:, :2]]), y)
        once = multinomial(0.0, tol=1e-10).fit(X, y)
        assert twice.objective_ == pytest.approx(once.objective_, rel=1e-9)
        np.testing.assert_allclose(twice.coef_[:, :2], twice.coef_[:, 6:], atol=1e-6)

    def test_no_penalty_on_separable_classes_warns(self):
        X, _, _ = make()
        y = X[:, :3].argmax(axis=1)
        with pytest.warns(UserWarning, match="separable.*Increase alpha"):
            multinomial(0.0).fit(X, y)

    def test_too_large_for_newton_without_penalty_warns_of_the_gap(self):
        rng = np.random.default_rng(0)
        X, y = rng.standard_normal((1500, 700)), rng.integers(0, 3, 1500)
        with pytest.warns(ConvergenceWarning, match="gap"):
            model = multinomial(0.0, max_iter=20).fit(X, y)
        assert model.dual_gap_ > 1e-4

    def test_newton_and_fista_agree_on_a_ridge_however_small(self):
        X, y, s = make()
        for alpha in (1e-6, 1e-3, 10.0):
            fits = [
                multinomial(alpha, l1_ratio=0.0, solver=name, tol=1e-9, max_iter=100_000)
                for name in ("newton", "fista")
            ]
            a, b = (model.fit(X, y, s) for model in fits)
            assert a.objective_ == pytest.approx(b.objective_, rel=1e-8)
            assert a.n_iter_ <= 12


class TestClasses:
    def test_two_classes_keep_two_rows_and_scikit_learns_decision(self):
        X, y, _ = make(2)
        model = multinomial().fit(X, y)
        assert model.coef_.shape == (2, N_FEATURES) and model.intercept_.shape == (2,)
        np.testing.assert_allclose(model.coef_[0], -model.coef_[1], atol=1e-14)
        odds, p = model.decision_function(X), model.predict_proba(X)
        assert odds.shape == (len(X),) and p.shape == (len(X), 2)
        np.testing.assert_allclose(odds, np.log(p[:, 1] / p[:, 0]), rtol=1e-9)
        np.testing.assert_array_equal(model.predict(X), model.classes_[(odds > 0).astype(int)])
        assert cross_val_score(model, X, y, scoring="roc_auc").mean() > 0.5
        assert roc_auc_score(y, odds) == roc_auc_score(y, p[:, 1])

    def test_probabilities_are_the_softmax_of_the_decision(self):
        X, y, _ = make(4)
        model = multinomial().fit(X, y)
        Z, p = model.decision_function(X), model.predict_proba(X)
        assert Z.shape == p.shape == (len(X), 4)
        np.testing.assert_allclose(p, np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True), rtol=1e-12)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
        np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
        np.testing.assert_array_equal(model.tasks_, model.classes_)
        huge = model.predict_proba(X * 1e6)
        assert np.isfinite(huge).all() and np.allclose(huge.sum(axis=1), 1)
        assert log_loss(y, p) < log_loss(y, np.full_like(p, 1 / 4))

    def test_renaming_and_permuting_classes(self):
        X, y, _ = make(4)
        model = multinomial(tol=1e-10).fit(X, y)
        other = {"ash": 7, "elm": -1, "fir": 2, "oak": 3}
        renamed = multinomial(tol=1e-10).fit(X, np.array([other[label] for label in y]))
        assert renamed.classes_.tolist() == [-1, 2, 3, 7]
        np.testing.assert_allclose(renamed.coef_, model.coef_[[1, 2, 3, 0]], atol=1e-6)
        np.testing.assert_allclose(renamed.intercept_, model.intercept_[[1, 2, 3, 0]], atol=1e-6)

    def test_weights_are_repeated_rows_and_zero_leaves_a_row_out(self):
        X, y, _ = make(4)
        times = np.random.default_rng(1).integers(0, 4, len(y))
        model = multinomial(tol=1e-11)
        weighted = clone(model).fit(X, y, 2.5 * times)
        repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)
        np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=1e-6)
        # A class with zero weight is not a class, also in class_weight.
        weights = {"ash": 2.0, "elm": 0.5}
        few = clone(model).set_params(class_weight=weights).fit(X, y, (y != "oak").astype(float))
        assert few.classes_.tolist() == ["ash", "elm", "fir"]
        kept = clone(few).fit(X[y != "oak"], y[y != "oak"])
        np.testing.assert_allclose(few.coef_, kept.coef_, atol=1e-7)

    @pytest.mark.parametrize("class_weight", ["balanced", CLASS_WEIGHT])
    def test_class_weight_multiplies_sample_weight(self, class_weight):
        X, y, s = make(4)
        factors = class_weight
        if factors == "balanced":
            factors = {c: s.sum() / (4 * s[y == c].sum()) for c in np.unique(y)}
        by_class = multinomial(class_weight=class_weight, tol=1e-10).fit(X, y, s)
        by_row = multinomial(tol=1e-10).fit(X, y, s * [factors.get(c, 1.0) for c in y])
        np.testing.assert_allclose(by_class.coef_, by_row.coef_, atol=1e-7)
        np.testing.assert_allclose(by_class.intercept_, by_row.intercept_, atol=1e-7)

    def test_very_unequal_classes(self):
        rng = np.random.default_rng(0)
        X, y = rng.standard_normal((20_000, 2)), np.zeros(20_000, dtype=int)
        y[0], y[1:3] = 1, 2
        model = multinomial(1.0, tol=1e-10).fit(X, y)
        assert not model.coef_.any()
        share = np.bincount(y) / len(y)
        np.testing.assert_allclose(model.predict_proba(X[:1])[0], share, rtol=1e-8)
        assert model.dual_gap_ < 1e-12


class TestData:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array, np.asfortranarray])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    @pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
    def test_containers_and_precisions(self, container, dtype, l1_ratio):
        X, y, s = make(4, sparse=True)
        exact = multinomial(l1_ratio=l1_ratio, tol=1e-12).fit(X, y, s)
        tol = 1e-10 if dtype == np.float64 else 1e-5
        model = multinomial(l1_ratio=l1_ratio, tol=tol).fit(container(X.astype(dtype)), y, s)
        assert model.coef_.dtype == model.intercept_.dtype == dtype
        assert model.predict_proba(X.astype(dtype)).dtype == dtype
        close = 1e-4 if dtype == np.float64 else 2e-2
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=close)
        # The gap is that of the rounded coefficients.
        rounded = stated(exact, X, y, s, model.coef_.astype(float), model.intercept_.astype(float))
        assert rounded - exact.objective_ <= model.dual_gap_ + 1e-6

    def test_a_far_offset_of_the_features_changes_nothing(self):
        X, y, _ = make(4)
        near, far = (multinomial(tol=1e-10).fit(X + c, y) for c in (0.0, 1e5))
        np.testing.assert_allclose(near.coef_, far.coef_, atol=1e-6)
        np.testing.assert_allclose(near.predict_proba(X), far.predict_proba(X + 1e5), atol=1e-6)

    def test_one_column_of_labels_is_flattened(self):
        X, y, _ = make(4)
        with pytest.warns(DataConversionWarning):
            model = multinomial().fit(X, y[:, None])
        np.testing.assert_array_equal(model.coef_, multinomial().fit(X, y).coef_)
        zeros_and_ones = (y == "ash").astype(float)[:, None]
        with pytest.warns(DataConversionWarning):
            assert multinomial().fit(X, zeros_and_ones).coef_.shape == (2, N_FEATURES)

    def test_warm_start_and_persistence(self):
        X, y, _ = make(4)
        model = multinomial(tol=1e-8, warm_start=True).fit(X, y)
        cold = model.n_iter_
        coef = model.coef_.copy()
        assert model.fit(X, y).n_iter_ <= min(10, cold - 1)
        np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
        assert model.set_params(alpha=0.029).fit(X, y).n_iter_ < cold
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))

    def test_scikit_learns_tools(self):
        X, y, s = make(4, n=150)
        search = GridSearchCV(multinomial(), {"alpha": [0.01, 0.1]}, scoring="neg_log_loss", cv=3)
        search.fit(X, y, sample_weight=s)
        assert search.best_score_ > -np.log(4)
        calibrated = CalibratedClassifierCV(multinomial(0.01), cv=3).fit(X, y)
        assert calibrated.predict_proba(X).shape == (150, 4)

    @pytest.mark.slow
    def test_check_estimator(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for model in (multinomial(), multinomial(l1_ratio=0.0)):
                results = check_estimator(model, on_fail=None)
                failed = {r["check_name"]: r["exception"] for r in results}
                failed = {k: v for k, v in failed.items() if v is not None}
                assert not {r["check_name"] for r in results if r["status"] == "failed"}, failed
                assert len(results) > 40


class TestErrors:
    def test_a_matrix_of_labels(self):
        X, y, _ = make(3)
        Y = (y[:, None] == np.unique(y)).astype(float)
        with pytest.raises(ValueError, match=r"1-D y.*\(90, 3\).*loss='logistic'.*argmax"):
            multinomial().fit(X, Y)

    def test_a_task_column(self):
        X, y, _ = make(2)
        X = np.hstack([X, np.arange(90)[:, None] % 3])
        with pytest.raises(ValueError, match="task_column=-1.*loss='logistic'.*each task's"):
            multinomial(task_column=-1).fit(X, y)

    @pytest.mark.parametrize("task_weight", ["balanced", [1.0, 2.0, 3.0]])
    def test_task_weight(self, task_weight):
        X, y, _ = make(3)
        with pytest.raises(ValueError, match="not separate terms.*class_weight.*sample_weight"):
            multinomial(task_weight=task_weight).fit(X, y)

    def test_one_class(self):
        X, y, _ = make(3)
        with pytest.raises(ValueError, match="at least 2 classes.*'ash'"):
            multinomial().fit(X, np.full(90, "ash"))
        with pytest.raises(ValueError, match="at least 2 classes.*'elm'"):
            multinomial().fit(X, y, (y == "elm").astype(float))

    def test_unknown_class_weights_and_losses(self):
        X, y, _ = make(3)
        with pytest.raises(ValueError, match="class_weight must map the classes"):
            multinomial(class_weight={"yew": 2.0}).fit(X, y)
        with pytest.raises(ValueError, match="'loss' parameter of BlockSparseClassifier.*multinom"):
            BlockSparseClassifier(loss="softmax").fit(X, y)


class TestObjective:
    def objective(self, alpha=0.0, **params):
        X, y, s = make(4)
        model = multinomial(alpha, **params)
        objective = model._objective(model._read(X, y, s))
        assert isinstance(objective, CoupledObjective)
        return objective

    @pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
    def test_gradient_and_newton_system_by_finite_differences(self, l1_ratio):
        objective = self.objective(0.02 * (1 - l1_ratio), l1_ratio=l1_ratio)
        rng = np.random.default_rng(0)
        W, b = rng.standard_normal((N_FEATURES, 4)), rng.standard_normal(4)

        def at(x):
            return objective.point(x[:-4].reshape(W.shape), x[-4:])

        def slope(x):
            return np.concatenate([part.ravel() for part in objective.gradient(at(x))])

        x, h = np.concatenate([W.ravel(), b]), 1e-5
        steps = h * np.eye(len(x))
        values = [
            (objective.smooth_value(at(x + e)) - objective.smooth_value(at(x - e))) / (2 * h)
            for e in steps
        ]
        np.testing.assert_allclose(slope(x), values, atol=1e-8)
        hessian = np.array([(slope(x + e) - slope(x - e)) / (2 * h) for e in steps])
        step = objective.newton_step(at(x), objective.gradient(at(x)))
        moved = np.concatenate([part.ravel() for part in step])
        np.testing.assert_allclose(hessian @ moved, -slope(x), atol=1e-7)

    @pytest.mark.parametrize("ridge", [0.0, 0.3])
    @pytest.mark.parametrize("n_classes", [2, 5])
    def test_newton_system_is_solved_in_batches(self, ridge, n_classes, monkeypatch):
        rng = np.random.default_rng(1)
        A = rng.standard_normal((40, 3))
        Z = 3 * rng.standard_normal((40, n_classes))
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        right = rng.standard_normal((3, n_classes))
        hessian = np.zeros((3, n_classes, 3, n_classes))
        for a, p in zip(A, P, strict=True):
            hessian += np.einsum("i,j,kl->ikjl", a, a, np.diag(p) - np.outer(p, p))
        hessian += ridge * np.eye(3 * n_classes).reshape(hessian.shape)
        monkeypatch.setattr("skmtl.objective._coupled._BATCH_SIZE", 7 * 3 * n_classes)
        found = _solve(A, P, np.full(3, ridge), right)
        right = right - right.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(np.einsum("ikjl,jl->ik", hessian, found), right, atol=1e-10)
        np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-13)

    def test_best_intercepts_from_far_away(self):
        objective = self.objective(0.1)
        best = objective.null
        for far in (np.array([30.0, 0, -5, 2]), np.array([0.0, 300, 0, 0])):
            start = objective.point(best.W, far)
            found = objective.minimise_intercepts(start)
            np.testing.assert_allclose(found.b - found.b.mean(), best.b - best.b.mean(), atol=1e-7)

    @pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
    def test_every_lower_bound_is_below_every_value(self, l1_ratio):
        alpha = 0.05
        objective, rng = self.objective(alpha, l1_ratio=l1_ratio), np.random.default_rng(3)
        X, y, s = make(4)
        best = multinomial(alpha, l1_ratio=l1_ratio, tol=1e-12).fit(X, y, s).objective_
        for size in (0.0, 0.01, 0.1, 1.0, 30.0):
            W = size * rng.standard_normal((N_FEATURES, 4))
            for start in (objective.point(W, size * rng.standard_normal(4)),):
                for point in (start, objective.minimise_intercepts(start)):
                    value, bound = objective.bounds(point)
                    assert bound <= best * (1 + 1e-11) <= value * (1 + 2e-11)
            assert np.isfinite(bound)


GRID = np.concatenate([np.linspace(-8, 8, 33), [-1e-9, 1e-9, 0.3]])


def one_of(labels, n_classes):
    return (np.asarray(labels)[:, None] == np.arange(n_classes)).astype(float)


class TestMultinomial:
    """The only loss that couples columns: the laws hold for rows."""

    loss = MultinomialLoss()

    @pytest.fixture(params=[2, 3, 7])
    def rows(self, request):
        rng = np.random.default_rng(request.param)
        z = rng.standard_normal((40, request.param)) * rng.choice([0.1, 1, 10], (40, 1))
        return one_of(rng.integers(0, request.param, 40), request.param), z

    def test_value_is_the_formula(self, rows):
        y, z = rows
        by_row = np.logaddexp.reduce(z, axis=1) - (y * z).sum(axis=1)
        np.testing.assert_allclose(self.loss.value(y, z).sum(axis=1), by_row, rtol=1e-9, atol=1e-14)
        # The whole loss is in the column of the row's class.
        assert not (self.loss.value(y, z) * (1 - y)).any()

    def test_value_is_that_of_the_cvxpy_form(self, rows):
        y, z = rows
        expression = self.loss.to_cvxpy(y, cp.Constant(z))
        assert expression.shape == (40,) and expression.is_convex()
        by_row = self.loss.value(y, z).sum(axis=1)
        np.testing.assert_allclose(expression.value, by_row, rtol=1e-9, atol=1e-12)

    def test_two_classes_are_the_logistic_loss(self):
        z = np.column_stack([np.zeros_like(GRID), GRID])
        y = one_of(np.arange(len(GRID)) % 2, 2)
        sign, single = 2 * y[:, 1] - 1, LogisticLoss()
        value = self.loss.value(y, z).sum(axis=1)
        np.testing.assert_allclose(value, single.value(sign, GRID), rtol=1e-13)
        gradient = self.loss.gradient(y, z)[:, 1]
        np.testing.assert_allclose(gradient, single.gradient(sign, GRID), rtol=1e-12)
        conjugate = self.loss.conjugate(y, self.loss.gradient(y, z)).sum(axis=1)
        np.testing.assert_allclose(conjugate, single.conjugate(sign, gradient), atol=1e-14)

    def test_smallest_value_is_zero_and_a_common_shift_changes_nothing(self, rows):
        y, z = rows
        assert (self.loss.value(y, z) >= 0).all()
        assert (self.loss.value(y, 800 * y) == 0).all()
        for method in (self.loss.value, self.loss.gradient, self.loss.curvature):
            moved = method(y, z + np.linspace(-50, 50, 40)[:, None])
            np.testing.assert_allclose(moved, method(y, z), rtol=1e-9, atol=1e-12)

    def test_derivatives_by_finite_differences(self, rows):
        y, z = rows
        h, n_classes = 1e-5, z.shape[1]
        for k in range(n_classes):
            e = h * one_of([k], n_classes)
            rise = (self.loss.value(y, z + e) - self.loss.value(y, z - e)).sum(axis=1) / (2 * h)
            np.testing.assert_allclose(self.loss.gradient(y, z)[:, k], rise, atol=1e-8)
            bend = (self.loss.gradient(y, z + e) - self.loss.gradient(y, z - e)) / (2 * h)
            np.testing.assert_allclose(self.loss.curvature(y, z)[:, k], bend[:, k], atol=1e-8)
            change = self.loss.gradient_change(y, z, e / h)
            np.testing.assert_allclose(change, bend, atol=1e-8)

    def test_hessian_and_its_bounds(self, rows):
        y, z = rows
        p = self.loss.probabilities(z)
        np.testing.assert_array_equal(p, self.loss.inverse_link(z))
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
        for k, row in enumerate(p):
            hessian = np.diag(row) - np.outer(row, row)
            np.testing.assert_allclose(np.diag(hessian), self.loss.curvature(y, z)[k], atol=1e-15)
            assert np.linalg.eigvalsh(hessian).max() <= self.loss.curvature_bound + 1e-15
            majorant = np.diag(self.loss.newton_weight(y, z)[k])
            assert np.linalg.eigvalsh(majorant - hessian).min() >= -1e-15
        # Attained by two classes that are equally likely.
        half = np.diag([0.5, 0.5]) - 0.25
        assert np.linalg.eigvalsh(half).max() == self.loss.curvature_bound

    def test_conjugate_with_equality_at_the_gradient(self, rows):
        y, z = rows
        u = self.loss.gradient(y, z)
        conjugate = self.loss.conjugate(y, u).sum(axis=1)
        both = self.loss.value(y, z).sum(axis=1) + conjugate
        np.testing.assert_allclose(both, (u * z).sum(axis=1), rtol=1e-9, atol=1e-10)
        rng = np.random.default_rng(0)
        for _ in range(20):
            other = z + rng.standard_normal(z.shape)
            above = self.loss.value(y, other).sum(axis=1) + conjugate
            assert (above >= (u * other).sum(axis=1) - 1e-10).all()
        assert (self.loss.conjugate(y, 0 * u) == 0).all()

    def test_domain_of_the_conjugate(self):
        y = one_of([0, 1], 3)
        inside = [0 * y, one_of([1, 2], 3) - y, 0.3 * (one_of([2, 2], 3) - y)]
        with np.errstate(all="raise"):
            for u in inside:
                assert np.isfinite(self.loss.conjugate(y, u)).all()
            # Negative probabilities, and rows whose sum is not zero.
            for u in (1.01 * inside[1], -inside[2], 0 * y - 0.1, 1e-9 * y, 1e300 * inside[1]):
                with np.errstate(invalid="ignore"):
                    assert np.isinf(self.loss.conjugate(y, u)).any(axis=1).all()

    @pytest.mark.parametrize("size", [40.0, 800.0, 1e10, 1e150])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_huge_predictors(self, size, dtype):
        size = min(size, 1e18) if dtype == np.float32 else size
        z = (size * np.array([[1, -1, 0.5], [0, 0, 1], [1, 1, 1], [-1, 0, -0.2]])).astype(dtype)
        for own in range(3):
            y = one_of([own] * 4, 3).astype(dtype)
            with np.errstate(over="raise", invalid="raise", divide="raise"):
                for method in (self.loss.value, self.loss.gradient, self.loss.curvature):
                    result = method(y, z)
                    assert np.isfinite(result).all() and result.dtype == dtype
            u = self.loss.gradient(y, z)
            np.testing.assert_allclose(u.sum(axis=1), 0, atol=4 * np.finfo(dtype).eps)
            conjugate = self.loss.conjugate(y, u)
            assert np.isfinite(conjugate).all() and conjugate.dtype == dtype

    def test_digits_of_small_losses(self):
        y, z = one_of([0], 3), np.array([[50.0, 0.0, 0.0]])
        np.testing.assert_allclose(self.loss.value(y, z).sum(), 2 * np.exp(-50), rtol=1e-12)
        gradient = np.exp(-50) * np.array([[-2, 1, 1]])
        np.testing.assert_allclose(self.loss.gradient(y, z), gradient, rtol=1e-12)

    def test_arguments_are_not_modified(self, rows):
        y, z = rows
        kept = y.copy(), z.copy()
        y.flags.writeable = z.flags.writeable = False
        u = self.loss.gradient(y, z)
        for method in (self.loss.value, self.loss.gradient, self.loss.curvature):
            result = method(y, z)
            assert not np.shares_memory(result, y) and not np.shares_memory(result, z)
            reordered = method(np.asfortranarray(y)[::-1], np.asfortranarray(z)[::-1])
            np.testing.assert_allclose(reordered, result[::-1], rtol=1e-13)
        assert not np.shares_memory(self.loss.conjugate(y, u), u)
        np.testing.assert_array_equal(y, kept[0])
        np.testing.assert_array_equal(z, kept[1])

    def test_classes_without_a_minimiser(self):
        assert self.loss.lacks_minimiser(np.array([0.0, 1.0])).all()
        assert not self.loss.lacks_minimiser(np.array([np.nan])).any()
        assert self.loss.constant_intercept(1.0, 4) == -self.loss.constant_intercept(0.0, 4) > 0

    def test_clone_pickle_and_repr(self):
        for twin in (clone(self.loss), pickle.loads(pickle.dumps(self.loss))):
            assert type(twin) is MultinomialLoss
        assert repr(self.loss) == "MultinomialLoss()"
