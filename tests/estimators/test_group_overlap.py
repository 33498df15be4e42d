"""Latent tasks: optimal shears, recovery, starts."""

import numpy as np
import pytest

from skmtl import GroupOverlapRegressor, IndependentTaskRegressor
from skmtl.datasets import make_overlapping_tasks
from skmtl.estimators._factors import Factors, _best_shear


class TestOverlap:
    def test_shears_are_the_best(self):
        rng = np.random.default_rng(0)
        for _ in range(50):
            taken, given = rng.standard_normal((2, 7)) * (rng.random((2, 7)) > 0.3)
            slope, bend = rng.standard_normal(), rng.uniform(0.01, 2)
            if not given.any():
                continue

            def cost(c, taken=taken, given=given, slope=slope, bend=bend):
                c = np.asarray(c)[..., None]
                return (
                    np.abs(taken - c * given).sum(axis=-1) + (slope * c + bend * c**2 / 2)[..., 0]
                )

            c, zero = _best_shear(taken, given, slope, bend)
            near = np.concatenate([c + np.linspace(-3, 3, 6001), c + np.linspace(-1e-3, 1e-3, 501)])
            assert cost(c) <= cost(near).min() + 1e-12
            np.testing.assert_allclose((taken - c * given)[zero], 0, atol=1e-12)

    def test_mixing_keeps_the_product_and_lowers_the_cost(self):
        rng = np.random.default_rng(0)
        for _ in range(10):
            L, S = rng.standard_normal((9, 3)), rng.standard_normal((3, 6))
            factors = Factors(L, S, 0.3, 2.0)
            mixed = factors.mixed()
            np.testing.assert_allclose(mixed.L @ mixed.S, L @ S, atol=1e-10)
            stated = [0.3 * (np.abs(f.S).sum() + (f.L**2).sum()) for f in (factors, mixed)]
            assert mixed.value() == pytest.approx(stated[1]) and stated[1] < stated[0]

    def test_simulated_tasks_are_recovered(self):
        data = make_overlapping_tasks(60, 20, 24, n_latent=3, noise=0.5, random_state=0)
        model = GroupOverlapRegressor(0.1, n_latent=3, n_init=3, random_state=0)
        model.fit(data.data, data.target)
        alone = IndependentTaskRegressor(0.01).fit(data.data, data.target)
        error = np.square(model.coef_ - data.coef).sum()
        assert error < 0.5 * np.square(alone.coef_ - data.coef).sum()
        # The latent tasks are the true ones, up to sign and order.
        found = model.latent_tasks_ / np.linalg.norm(model.latent_tasks_, axis=1, keepdims=True)
        truth = data.latent / np.linalg.norm(data.latent, axis=1, keepdims=True)
        likeness = np.abs(found @ truth.T)
        assert sorted(likeness.argmax(axis=1)) == [0, 1, 2]
        assert likeness.max(axis=1).min() > 0.95

    def test_random_state_and_starts(self):
        data = make_overlapping_tasks(40, 8, 10, n_latent=3, random_state=0)
        fits = [
            GroupOverlapRegressor(0.1, n_latent=3, n_init=4, random_state=seed).fit(
                data.data, data.target
            )
            for seed in (0, 0, 1)
        ]
        np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
        np.testing.assert_array_equal(fits[0].assignments_, fits[1].assignments_)
        one = GroupOverlapRegressor(0.1, n_latent=3, random_state=0).fit(data.data, data.target)
        assert fits[0].objective_ <= one.objective_ and fits[2].objective_ <= one.objective_

    def test_more_latent_tasks_than_ranks(self):
        data = make_overlapping_tasks(40, 4, 3, n_latent=2, random_state=0)
        model = GroupOverlapRegressor(0.05, n_latent=6, random_state=0)
        model.fit(data.data, data.target)
        assert model.latent_tasks_.shape == (6, 4) and model.assignments_.shape == (3, 6)
        np.testing.assert_allclose(model.assignments_ @ model.latent_tasks_, model.coef_)
