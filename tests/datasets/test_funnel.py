"""The simulated funnel: rates, probabilities and confounding."""

import numpy as np
import pytest
from scipy.special import expit

from skmtl.datasets import make_funnel


def test_rates_and_nested_labels():
    made = make_funnel(100_000, rates=(0.2, 0.3, 0.5), random_state=0)
    Y = made.target
    assert (np.diff(Y, axis=1) <= 0).all()
    assert Y[:, 0].mean() == pytest.approx(0.2, abs=0.005)
    np.testing.assert_allclose(made.interventional_proba.mean(axis=0), [0.2, 0.3, 0.5], atol=0.005)
    np.testing.assert_allclose(made.joint_proba.mean(axis=0), Y.mean(axis=0), atol=0.004)


def test_without_confounding_the_estimands_agree():
    made = make_funnel(500, random_state=0)
    p = expit(made.data @ made.coef.T + made.intercept)
    np.testing.assert_allclose(made.interventional_proba, p)
    np.testing.assert_allclose(made.conditional_proba, p)
    np.testing.assert_allclose(made.joint_proba, np.cumprod(p, axis=1))


def test_confounding_separates_them():
    made = make_funnel(200_000, rates=(0.2, 0.3), confounding=1.5, random_state=0)
    Y, clicked = made.target, made.target[:, 0] == 1
    # Those who click buy more than all would, had they clicked.
    assert Y[clicked, 1].mean() > made.interventional_proba[:, 1].mean() + 0.1
    expected = made.conditional_proba[clicked, 1].mean()
    assert Y[clicked, 1].mean() == pytest.approx(expected, abs=0.01)
    assert made.hidden[clicked].mean() > 0.3


def test_similarity_and_strength():
    made = make_funnel(10, 300, n_informative=200, similarity=0.8, strength=2.0, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(made.coef, axis=1), 2)
    assert made.coef[0] @ made.coef[1] / 4 == pytest.approx(0.8, abs=0.1)
    assert (made.coef[:, 200:] == 0).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rates": (0.0, 0.5)}, r"numbers in \(0, 1\)"),
        ({"rates": (0.1, 0.2, 0.3), "similarity": -0.9}, "at least -0.5"),
        ({"n_features": 3, "n_informative": 5}, "Add features"),
    ],
)
def test_errors(params, message):
    with pytest.raises(ValueError, match=message):
        make_funnel(10, **params)


def test_directions_have_the_similarity():
    rates = (0.2, 0.3, 0.4, 0.5)
    made = make_funnel(
        10, 20_000, n_informative=20_000, rates=rates, similarity=0.3, random_state=0
    )
    np.testing.assert_allclose(made.coef @ made.coef.T, 0.3 + 0.7 * np.eye(4), atol=0.03)
