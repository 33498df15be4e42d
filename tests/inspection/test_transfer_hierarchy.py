"""The hierarchical model of gains, against numerical integration and planted truths."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

from skmtl._variance_prior import inverse_trigamma
from skmtl.inspection import TransferGain
from skmtl.inspection._transfer_hierarchy import (
    cochran,
    fit_gains,
    moderate,
)
from skmtl.inspection._transfer_result import compare


def _by_brute_force(gain: Any, variance: Any) -> Any:
    """Posterior means and P(theta_t > 0), by sums over grids of mu, tau and theta."""
    scale = np.sqrt(variance.mean())
    tau = np.linspace(0, 3 * max(scale, gain.std()), 301)[1:, None, None]
    mu = np.linspace(gain.min() - 6 * scale, gain.max() + 6 * scale, 301)[:, None]
    error = np.sqrt(tau**2 + variance)
    r = tau[:, :, 0] / scale
    weight = stats.norm.pdf(gain, mu, error).prod(axis=2) * r**2 / (1 + r**2) ** 2
    weight = (weight / weight.sum())[:, :, None]
    mean = (mu * variance + gain * tau**2) / error**2
    spread = np.sqrt(tau**2 * variance) / error
    return (weight * mean).sum((0, 1)), (weight * special.ndtr(mean / spread)).sum((0, 1))


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_equals_numerical_integration(scale: float) -> None:
    rng = np.random.default_rng(0)
    variance = rng.uniform(0.5, 2.0, 6)
    gain = 1 + scale * rng.standard_normal(6)
    model = fit_gains(gain, variance)
    mean, positive = _by_brute_force(gain, variance)
    assert_allclose(model.gain, mean, atol=0.02)
    assert_allclose(model.probability, positive, atol=0.005)
    assert_allclose(model.mean.value, mean.mean(), atol=0.1)
    assert_allclose(model.share_helped.value, positive.mean(), atol=0.03)


def test_units_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    gain, variance = rng.standard_normal(8), rng.uniform(0.1, 1.0, 8)
    one, other = fit_gains(gain, variance), fit_gains(1e6 * gain, 1e12 * variance)
    assert_allclose(other.low, 1e6 * one.low)
    assert_allclose(other.probability, one.probability)


def test_gains_borrow_strength_from_each_other() -> None:
    rng = np.random.default_rng(0)
    variance = np.full(100, 1.0)
    model = fit_gains(0.8 + rng.standard_normal(100), variance)
    # Alone, a gain of 0.8 with standard error 1 is nothing.
    assert (model.probability > 0.9).mean() > 0.8
    assert model.share_helped.value > 0.9 and model.p_common > 0.05
    assert model.mean.low < 0.8 < model.mean.high


def test_a_common_error_widens_all_intervals() -> None:
    gain, variance = np.random.default_rng(0).standard_normal(50), np.full(50, 0.5)
    alone, shared = fit_gains(gain, variance), fit_gains(gain, variance, common=2.0)
    assert_allclose(shared.gain, alone.gain)
    assert ((shared.high - shared.low) > 1.5 * (alone.high - alone.low)).all()
    wide, narrow = (m.mean.high - m.mean.low for m in (shared, alone))
    assert wide > 3 * narrow


@pytest.mark.slow
def test_intervals_cover_gains_drawn_from_the_model() -> None:
    rng, covered, labelled, wrong = np.random.default_rng(0), [], 0, 0
    for _ in range(60):
        variance = rng.uniform(0.5, 2.0, 30)
        true = 0.5 + rng.standard_normal(30)
        model = fit_gains(true + np.sqrt(variance) * rng.standard_normal(30), variance)
        covered.append(((model.low < true) & (true < model.high)).mean())
        sign = np.where(model.probability > 0.95, 1, np.where(model.probability < 0.05, -1, 0))
        labelled += np.count_nonzero(sign)
        wrong += np.count_nonzero(sign * true < 0)
    assert 0.93 < np.mean(covered) < 0.97
    assert labelled > 100 and wrong < 0.05 * labelled


def test_missing_tasks_and_a_single_one() -> None:
    model = fit_gains(np.array([np.nan, 2.0]), np.array([np.nan, 1.0]))
    assert np.isnan(model.gain[0]) and np.isnan(model.p_common)
    # One task without others: its own normal interval.
    assert_allclose(model.gain[1], 2.0)
    assert_allclose(model.low[1], 2 - stats.norm.ppf(0.975), atol=1e-6)
    nothing = fit_gains(np.full(2, np.nan), np.full(2, np.nan))
    assert np.isnan(nothing.mean.value) and np.isnan(nothing.probability).all()


def test_gains_without_error() -> None:
    model = fit_gains(np.array([1.0, 0.0, -2.0]), np.zeros(3))
    assert_allclose(model.probability, [1.0, 0.5, 0.0])
    assert model.share_helped.value == pytest.approx(1 / 3)


def test_cochran_by_hand() -> None:
    gain, variance = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0])
    centre = (1 + 2 + 2) / 2.5
    q = (1 - centre) ** 2 + (2 - centre) ** 2 + (4 - centre) ** 2 / 2
    assert_allclose(cochran(gain, variance), stats.chi2.sf(q, 2))


def test_moderated_variances() -> None:
    x = np.array([0.01, 0.5, 3.0, 100.0])
    assert_allclose([inverse_trigamma(float(special.polygamma(1, v))) for v in x], x)
    rng = np.random.default_rng(0)
    alike = rng.chisquare(2, 400) / 2
    assert moderate(alike).std() < 0.25 * alike.std()
    assert_allclose(moderate(alike).mean(), 1.0, rtol=0.2)
    apart = np.repeat([1e-3, 1e3], 50)
    assert (moderate(apart)[50:] > 100 * moderate(apart)[:50]).all()
    assert_allclose(moderate(np.zeros(5)), 0.0)


def test_the_summary_does_not_count_one_common_gain_for_each_task() -> None:
    rng = np.random.default_rng(0)
    counts = np.full((25, 139), 4), np.full((25, 139), 16), np.full(139, 20)

    def text(gains: Any) -> str:
        part = compare("b", -gains, np.zeros_like(gains), *counts)
        return repr(TransferGain("E", "loss", np.arange(139), counts[2], 25, {"b": part}))

    common = text(1 + rng.standard_normal((25, 139)))
    assert "not distinguishable from one common gain" in common and "139 helped" not in common
    different = text(2 * rng.standard_normal(139) + rng.standard_normal((25, 139)))
    assert "not distinguishable" not in different and "sharing helped" in different
