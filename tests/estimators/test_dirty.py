"""Dirty models: the default of the private part's strength."""

import warnings

import numpy as np
import pytest

from skmtl import DirtyModelClassifier, DirtyModelRegressor


class TestDirtyDefault:
    @pytest.mark.turns(3)
    @pytest.mark.parametrize(
        ("norm", "n_tasks", "expected"),
        [
            ("linf", 2, 2**-0.5),
            ("linf", 3, 0.5),
            ("linf", 30, 0.5),
            ("l2", 2, 2**-0.25),
            ("l2", 4, 2**-0.5),
            ("l2", 5, 0.5),
        ],
    )
    def test_is_half_if_both_parts_can_be_non_zero(self, norm, n_tasks, expected):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 4))
        Y = X @ rng.standard_normal((4, n_tasks))
        for kind, y in ((DirtyModelRegressor, Y), (DirtyModelClassifier, (Y > 0) * 1.0)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = kind(0.05, norm=norm).fit(X, y)
                same = kind(0.05, norm=norm, private=expected).fit(X, y)
            np.testing.assert_allclose(found.coef_, same.coef_, atol=1e-12)

    def test_two_tasks_share_a_part(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((80, 6))
        Y = X[:, :1] * [2.0, 2.0] + X[:, 3:4] * [0.0, 3.0] + 0.1 * rng.standard_normal((80, 2))
        model = DirtyModelRegressor(0.3).fit(X, Y)
        assert model.shared_coef_[:, 0].all() and model.task_coef_[1, 3] != 0
