"""Former public modules forward to the new ones for one release, with a warning.

Former private files whose classes are in pickles stay, without a warning.
"""

import importlib

import pytest

import skmtl._numerics
import skmtl.estimators.base
import skmtl.losses
import skmtl.objective

MOVED = {
    "skmtl.spectrum": (skmtl._numerics, ["LinkedSpectrum", "PartsSpectrum", "Spectrum"]),
    "skmtl.base": (
        skmtl.estimators.base,
        ["Fit", "TaskClassifier", "TaskEstimator", "TaskRegressor", "linear_predictor"],
    ),
    "skmtl.certificate": (skmtl.objective, ["Dual", "best_dual", "envelope"]),
}


@pytest.mark.parametrize("module", MOVED)
def test_former_names_forward_with_a_warning(module):
    former = importlib.import_module(module)
    package, names = MOVED[module]
    for name in names:
        with pytest.warns(
            FutureWarning, match=f"its {name} is now in {package.__name__}"
        ) as caught:
            assert getattr(former, name) is getattr(package, name)
        assert caught[0].filename == __file__
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        former.other  # noqa: B018


@pytest.mark.parametrize(
    "name", ["Huber", "Logistic", "Multinomial", "Poisson", "Squared", "SquaredHinge"]
)
def test_pickles_find_their_losses(name):
    former = importlib.import_module("skmtl.losses._losses")
    assert getattr(former, f"{name}Loss") is getattr(skmtl.losses, f"{name}Loss")
