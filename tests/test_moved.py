"""Former public modules forward to the new ones for one release, with a warning.

Former private files whose classes are in pickles stay, without a warning.
"""

import importlib

import pytest

import skmtl._numerics
import skmtl.estimators.base
import skmtl.losses
import skmtl.objective
import skmtl.penalties

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


LOSSES = ["Huber", "Logistic", "Multinomial", "Poisson", "Squared", "SquaredHinge"]


@pytest.mark.parametrize(
    ("former", "package", "names"),
    [
        ("skmtl.losses._losses", skmtl.losses, [f"{name}Loss" for name in LOSSES]),
        (
            "skmtl.penalties._spectral",
            skmtl.penalties,
            ["ClusterNorm", "SquaredTraceNorm", "TraceNorm"],
        ),
    ],
)
def test_pickles_find_their_classes(former, package, names):
    for name in names:
        assert getattr(importlib.import_module(former), name) is getattr(package, name)
