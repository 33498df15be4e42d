"""Gains by task: their statistics and the returned object."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skmtl._resampling import corrected_error
from skmtl.inspection import TransferGain
from skmtl.inspection._transfer_result import compare, holm, p_values


def test_corrected_error_by_hand() -> None:
    # s^2 = 5/3, J = 4: (1/4 + 1/4) * 5/3
    assert_allclose(corrected_error(np.array([1.0, 2.0, 3.0, 4.0]), 0.25) ** 2, 5 / 6)


def test_holm_by_hand() -> None:
    # .01 * 4, .02 * 3 (ties up to .06 by the order), .03 * 2 = .06, .04 * 1 -> .06
    assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.02])), [0.06, 0.04, 0.06, 0.06])
    assert_allclose(
        holm(np.array([np.nan, 0.5, 0.01, np.nan, 0.4])), [np.nan, 0.8, 0.03, np.nan, 0.8]
    )


def test_holm_equals_the_stepwise_procedure() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.uniform(size=7) ** 3
        rejected = np.zeros(7, dtype=bool)
        for k, task in enumerate(np.argsort(p)):  # from the smallest on, until one is too large
            if p[task] > 0.05 / (7 - k):
                break
            rejected[task] = True
        assert_array_equal(holm(p) <= 0.05, rejected)


def test_p_values() -> None:
    gain, se = np.array([2.0, 0.0, -1.0, 1.0]), np.array([1.0, 0.0, 0.0, np.nan])
    df = np.array([24.0, 24.0, 24.0, np.nan])
    assert_allclose(p_values(gain, se, df), [2 * stats.t.sf(2.0, 24), 1.0, 0.0, np.nan])


def test_compare_against_numbers_by_hand() -> None:
    baseline = np.array([[2.0, 5.0, 1.0], [4.0, np.nan, 1.0], [3.0, 3.0, 1.0], [3.0, 2.0, 1.0]])
    own = np.array([[1.0, 6.0, 1.0], [2.0, np.nan, 1.0], [0.0, 5.0, 1.0], [-1.0, 3.0, 1.0]])
    n_test, n_train = np.full((4, 3), 3), np.full((4, 3), 12)
    part = compare("b", own, baseline, n_test, n_train, np.array([15, 15, 9]))
    assert_allclose(part.gain, [2.5, -4 / 3, 0.0])
    assert_allclose(part.loss_baseline, [3.0, 10 / 3, 1.0])
    assert_allclose(part.relative_gain, [2.5 / 3, -0.4, 0.0])
    # Gains 1, 2, 3, 4 and -1, -2, -1 (the fold without labels is ignored); 3/12 = 1/4.
    se = np.sqrt([(1 / 4 + 1 / 4) * 5 / 3, (1 / 3 + 1 / 4) / 3])
    assert_allclose(part.se, [*se, np.nan])
    half = stats.t.ppf(0.975, [3, 2]) * se
    assert_allclose(part.high - part.gain, [*half, np.nan])
    p = 2 * stats.t.sf([2.5 / se[0], 4 / 3 / se[1]], [3, 2])
    assert_allclose(part.p[:2], p)
    assert_allclose(part.p_holm[:2], np.maximum(2 * p.min(), p))
    assert part.verdict.tolist() == ["helped", "unclear", "too few labels"]
    assert np.isnan(part.model.probability[2])
    assert part.overall.gain == pytest.approx((2.5 - 4 / 3) / 2)


def test_overall_error_has_both_parts() -> None:
    rng = np.random.default_rng(0)
    tasks, noise = rng.standard_normal(400), rng.standard_normal((25, 400))
    counts = np.full((25, 400), 4), np.full((25, 400), 16), np.full(400, 20)

    def overall(gains: Any) -> Any:
        return compare("b", -gains, np.zeros_like(gains), *counts).overall.population

    alike = overall(1 + noise)  # tasks differ only by their errors
    assert_allclose(alike.se, np.sqrt(0.29 / 400), rtol=0.5)
    spread_out = overall(1 + 10 * tasks + noise)
    assert_allclose(spread_out.se, 10 / np.sqrt(400), rtol=0.1)
    together = overall(1 + noise[:, :1] + np.zeros(400))  # a common error
    assert_allclose(together.se, np.sqrt(0.29 * noise[:, 0].var(ddof=1)), rtol=1e-6)


def test_the_error_for_the_given_tasks_is_that_of_their_mean() -> None:
    rng = np.random.default_rng(0)
    gains = rng.standard_normal((25, 40)) + 10 * rng.standard_normal(40)
    counts = np.full((25, 40), 4), np.full((25, 40), 16), np.full(40, 20)
    overall = compare("b", -gains, np.zeros_like(gains), *counts).overall
    error = np.sqrt((1 / 25 + 1 / 4) * gains.mean(axis=1).var(ddof=1))
    assert_allclose(overall.se, error)
    half = stats.t.ppf(0.975, 24) * error
    assert_allclose([overall.low, overall.high], gains.mean() + np.array([-half, half]))
    assert overall.population.se > 10 * overall.se


def test_repr(result: TransferGain) -> None:
    text = repr(result)
    assert text == str(result)
    assert "PooledTaskRegressor on 7 tasks: gain in mean squared error" in text
    assert "against alone: mean gain" in text and "for these tasks: 95% interval [" in text
    assert "for a population of such tasks: [" in text
    assert "1 too few labels" in text
    with pytest.raises(KeyError, match="No baseline 'pooled'; there are"):
        result["pooled"]


def test_repr_lists_the_hurt_only_if_it_counts_verdicts() -> None:
    rng = np.random.default_rng(0)
    counts = np.full((25, 6), 4), np.full((25, 6), 16), np.full(6, 20)

    def text(gains: Any) -> str:
        part = compare("b", -gains, np.zeros_like(gains), *counts)
        assert (part.verdict == "hurt").any()
        result = TransferGain("Model", "loss", np.arange(6), counts[2], 25, {"b": part})
        return repr(result)

    alike = rng.standard_normal((25, 6)) - 2
    assert "are not distinguishable from one common gain" in text(alike)
    assert "hurt" not in text(alike)
    apart = text(alike + 10 * np.arange(6))
    assert "1 hurt" in apart and "  hurt: 0 (" in apart


def test_to_frame(result: TransferGain) -> None:
    frame = result.to_frame()
    assert (
        list(frame.columns)
        == (
            "task n_labels baseline loss_estimator loss_baseline gain relative_gain se low high p "
            "p_holm shrunk shrunk_low shrunk_high probability verdict"
        ).split()
    )
    assert len(frame) == 7 and set(frame["baseline"]) == {"alone"}
    assert_array_equal(frame["n_labels"], [40, 40, 30, 30, 20, 12, 8])
    assert_allclose(frame["gain"], frame["loss_baseline"] - frame["loss_estimator"])
    assert frame["p"].isna().tolist() == [False] * 6 + [True]
    assert frame["probability"].isna().tolist() == [False] * 6 + [True]
    known = frame[:6]
    assert (
        (known["shrunk_low"] < known["shrunk"]) & (known["shrunk"] < known["shrunk_high"])
    ).all()
    assert set(frame["verdict"]) <= {"helped", "hurt", "unclear", "too few labels"}
