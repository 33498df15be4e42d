"""The former name of ``skmtl.estimators.base``, which is internal."""

import skmtl.estimators.base
from skmtl._warnings import forward

_NAMES = ("Fit", "TaskClassifier", "TaskEstimator", "TaskRegressor", "linear_predictor")
__getattr__ = forward(__name__, skmtl.estimators.base, _NAMES)
