"""Shared by tests of metrics: stacked tasks in a data frame, a model and a metric."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def schools(seed=0):
    rng = np.random.RandomState(seed)
    school = rng.randint(0, 3, size=60)
    X = pd.DataFrame(rng.randn(60, 2), columns=["a", "b"]).assign(school=school)
    return X, X["a"].to_numpy() + school + rng.randn(60)


def ridge():
    encode = make_column_transformer((OneHotEncoder(), ["school"]), remainder="passthrough")
    return make_pipeline(encode, Ridge())


def median_error(y_true, y_pred, *, task=None, sample_weight=None, average="macro"):
    return float(np.median(np.abs(y_true - y_pred)))
