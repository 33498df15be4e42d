"""Moments are plain sums; differences are the moments of the remaining rows."""

import numpy as np
import pytest
from moment_cases import CASES, N_TASKS, make

from skmtl import BlockSparseRegressor
from skmtl.design import Moments


class TestMoments:
    @pytest.mark.parametrize("case", CASES, ids=str)
    @pytest.mark.parametrize("centre", [True, False])
    def test_are_the_plain_sums(self, case, centre):
        X, y, weights, column = make(*case)
        data = BlockSparseRegressor(task_column=column)._read(X, y, weights)
        moments = Moments.of(data, centre=centre)
        features = np.asarray(data.X, dtype=np.float64)
        for t in range(data.n_tasks):
            if data.codes is None:
                part, labels, w = features, data.y[:, t], data.weights[:, t]
            else:
                of_t = data.codes == t
                part, labels, w = features[of_t], data.y[of_t], data.weights[of_t]
            g = t if len(moments.xx) > 1 else 0
            part, labels = part - moments.x_origin[g], labels - moments.y_origin[t]
            size = np.sqrt(w @ part**2)
            sums = [
                (moments.x[g], w @ part, size * np.sqrt(w.sum())),
                (moments.xx[g], part.T @ (w[:, None] * part), np.outer(size, size)),
                (moments.xy[:, t], part.T @ (w * labels), size * np.sqrt(w @ labels**2)),
            ]
            for mine, expected, scale in sums:
                assert (np.abs(mine - expected) <= 1e-12 * scale).all()
            assert moments.yy[t] == pytest.approx(w @ labels**2, rel=1e-12)
            assert moments.totals[t] == pytest.approx(w.sum())
            if centre:
                means = np.average(part, axis=0, weights=w)
                assert (np.abs(means) <= 1e-9 * (1 + np.abs(moments.x_origin[g]))).all()

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_a_difference_is_that_of_the_rest(self, case):
        X, y, weights, column = make(*case)
        data = BlockSparseRegressor(task_column=column)._read(X, y, weights)
        total = Moments.of(data, centre=True)
        rows = np.arange(len(data.y))
        held, left = rows % 5 == 0, rows % 5 != 0
        part = Moments.of(data.take(np.flatnonzero(held)), centre=True, origins=total)
        rest = (total - part).centred()
        expected = Moments.of(data.take(np.flatnonzero(left)), centre=True).centred()
        for name in ("x_origin", "y_origin", "counts", "totals", "xx", "xy", "yy"):
            mine, theirs = getattr(rest, name), getattr(expected, name)
            atol = 1e-9 * max(np.abs(theirs).max(), 1.0)
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=atol, err_msg=name)

    def test_a_part_may_lack_tasks(self):
        X, y, _, column = make("stacked", False)
        data = BlockSparseRegressor(task_column=column)._read(X, y, None)
        total = Moments.of(data, centre=True)
        missing = data.take(np.flatnonzero((data.codes != 1) & (data.codes != N_TASKS - 1)))
        np.testing.assert_array_equal(missing.label_counts[[1, N_TASKS - 1]], 0)
        assert np.isnan(missing.constant_labels[[1, N_TASKS - 1]]).all()
        rest = total - Moments.of(missing, centre=True, origins=total)
        np.testing.assert_allclose(rest.xx[1], total.xx[1])
        np.testing.assert_allclose(rest.xx[0], 0, atol=1e-9)
        none = data.take(np.zeros(0, dtype=np.intp))
        assert not Moments.of(none, centre=True, origins=total).xx.any()

    def test_many_features_use_another_implementation(self):
        rng = np.random.default_rng(3)
        X = rng.standard_normal((400, 70)) + 5
        task = np.sort(rng.integers(0, 3, 400))
        y, w = rng.standard_normal(400), rng.uniform(0.5, 2, 400)
        model = BlockSparseRegressor(task_column=-1)
        for weights in (w, None):
            data = model._read(np.column_stack([X, task]), y, weights)
            moments = Moments.of(data, centre=True)
            for t in range(3):
                part = X[task == t]
                v = np.ones(len(part)) if weights is None else w[task == t]
                part = part - np.average(part, axis=0, weights=v)
                np.testing.assert_allclose(moments.xx[t], part.T @ (v[:, None] * part), atol=1e-9)

    def test_constant_features_and_labels_leave_nothing(self):
        X, y, _, column = make("stacked", False)
        X[:, 2] = 1e5 / 3
        y[X[:, -1] == 1] = 0.1
        data = BlockSparseRegressor(task_column=column)._read(X, y, None)
        moments = Moments.of(data, centre=True).centred()
        assert not moments.xx[:, 2].any() and not moments.xx[:, :, 2].any()
        assert not moments.xy[2].any() and not moments.xy[:, 1].any() and moments.yy[1] == 0
        model = BlockSparseRegressor(alpha=0.01, task_column=column, tol=1e-10).fit(X, y)
        assert not model.coef_[:, 2].any()
