"""Losses that differ between tasks."""

import numpy as np
import pytest
from multi_task_problems import COMPLETE, PENALTIES, small

from skmtl import BlockSparseClassifier, IndependentTaskRegressor, MultiTaskRegressor, reference
from skmtl.losses import MixedLoss, SquaredLoss
from skmtl.penalties import Ridge, TaskQuadratic


def mixed_problem():
    """A price, a purchase, a count; some labels are missing."""
    X, Z, rng = small(n=80)
    Y = np.column_stack([Z[:, 0], Z[:, 1] > 0, rng.poisson(np.exp(np.clip(Z[:, 2], -2, 2)))])
    Y[rng.random(Y.shape) < 0.2] = np.nan
    return X, Y, {0: "squared", 1: "logistic", 2: "poisson"}


class TestMixedLosses:
    @pytest.mark.turns(2)
    @pytest.mark.parametrize("name", ["dirty", "sum", "graph-ridge", "graph-block"])
    @pytest.mark.parametrize("options", [{}, {"task_weight": "balanced", "fit_intercept": False}])
    def test_against_cvxpy(self, name, options):
        X, Y, loss = mixed_problem()
        model = MultiTaskRegressor(
            0.1, penalty=PENALTIES[name], loss=loss, tol=1e-7, max_iter=50_000, **options
        ).fit(X, Y)
        exact = reference.solve(model, X, Y)
        assert model.objective_ == pytest.approx(exact.objective, rel=1e-6)
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-3)
        assert model.dual_gap_ >= model.objective_ - exact.objective - 1e-7

    def test_predicts_the_mean_response(self):
        X, Y, loss = mixed_problem()
        model = MultiTaskRegressor(0.01, loss=loss, tol=1e-8).fit(X, Y)
        predicted = model.predict(X)
        assert (predicted[:, 1] > 0).all() and (predicted[:, 1] < 1).all()
        # With free intercepts the fitted means sum to the sum of labels, for every canonical link.
        seen = ~np.isnan(Y)
        for t in range(3):
            assert predicted[seen[:, t], t].mean() == pytest.approx(
                np.nanmean(Y[:, t]), rel=1e-3, abs=1e-3
            )

    def test_columns_alone_are_the_plain_losses(self):
        X, Y, _ = mixed_problem()
        Y = np.where(np.isnan(Y), 0.0, Y)
        # A ridge couples no tasks.
        mixed = MultiTaskRegressor(
            0.1, penalty=Ridge(), loss={0: "squared", 1: "logistic", 2: "huber"}, tol=1e-8
        ).fit(X, Y)
        plain = IndependentTaskRegressor(0.1, tol=1e-10).fit(X, Y[:, [0]])
        np.testing.assert_allclose(mixed.coef_[0], plain.coef_[0], atol=1e-4)
        classes = BlockSparseClassifier(0.1, l1_ratio=0.0, tol=1e-10).fit(X, Y[:, 1])
        np.testing.assert_allclose(mixed.coef_[1], classes.coef_[0], atol=1e-4)

    def test_names_of_a_frame(self):
        pd = pytest.importorskip("pandas")
        X, Y, loss = mixed_problem()
        frame = pd.DataFrame(Y, columns=["price", "bought", "visits"])
        named = dict(zip(frame.columns, loss.values(), strict=True))
        model = MultiTaskRegressor(0.1, loss=named).fit(X, frame)
        assert model.tasks_.tolist() == ["price", "bought", "visits"]
        np.testing.assert_allclose(
            model.coef_, MultiTaskRegressor(0.1, loss=loss).fit(X, Y).coef_, atol=1e-12
        )

    def test_scaled_tasks_leave_classes_alone(self):
        X, Y, loss = mixed_problem()
        loss = {**loss, 2: "squared"}
        factors = np.array([100.0, 1.0, 0.01])
        one = MultiTaskRegressor(0.1, loss=loss, scale_tasks=True, tol=1e-9).fit(X, Y)
        other = MultiTaskRegressor(0.1, loss=loss, scale_tasks=True, tol=1e-9).fit(X, Y * factors)
        np.testing.assert_allclose(other.coef_, one.coef_ * factors[:, None], rtol=1e-4, atol=1e-6)

    def test_a_task_of_one_class_leaves(self):
        X, Y, loss = mixed_problem()
        Y[:, 1] = np.where(np.isnan(Y[:, 1]), np.nan, 1.0)
        with pytest.warns(UserWarning, match=r"same in the tasks \[1\]"):
            model = MultiTaskRegressor(0.1, penalty=TaskQuadratic(COMPLETE), loss=loss).fit(X, Y)
        assert not model.coef_[1].any() and model.intercept_[1] > 3
        assert model.coef_[0].any()

    def test_errors(self):
        X, Y, loss = mixed_problem()
        with pytest.raises(ValueError, match=r"it misses \[2\] and has unknown \['x'\]"):
            MultiTaskRegressor(loss={0: "squared", 1: "logistic", "x": "squared"}).fit(X, Y)
        with pytest.raises(ValueError, match="task 1 must be one of squared, huber"):
            MultiTaskRegressor(loss={**loss, 1: "hinge"}).fit(X, Y)
        with pytest.raises(ValueError, match=r"needs labels 0 and 1; .* in the tasks \[0\]"):
            MultiTaskRegressor(loss={**loss, 0: "logistic"}).fit(X, Y)
        with pytest.raises(ValueError, match="needs the shared layout"):
            stacked = np.column_stack([X, np.arange(len(X)) % 3])
            MultiTaskRegressor(loss=loss, task_column=-1).fit(stacked, X[:, 0])

    def test_one_loss_needs_no_table(self):
        square = SquaredLoss()
        mixed = MixedLoss((square, square))
        assert mixed.columns(np.array([0, 1])) is square
