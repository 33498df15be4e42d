"""Small fits of every estimator, for the tests of reports and exports."""

import doctest
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import skmtl
from skmtl.inspection import to_dict

N, TASKS, FEATURES = 24, ["fig", "kiwi", "pear"], ["u", "v", "w", "x"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, len(FEATURES)))
Z = X @ RNG.normal(size=(len(FEATURES), len(TASKS))) + RNG.normal(size=(N, len(TASKS)))
# The task column is neither the first nor the last.
STACKED = pd.DataFrame(np.tile(X, (len(TASKS), 1)), columns=FEATURES)
STACKED.insert(1, "fruit", np.repeat(TASKS, N))
LAYOUTS = ["shared", "stacked", "single"]

NAMES = [name for name in skmtl.__all__ if name[0].isupper()]
# These fit many models; with these settings they need little time.
_QUICK = {
    "StructureSearch": {"structures": ["block_sparse", "pooled"], "alphas": 3, "cv": 2},
    "SafeTransfer": {"alphas": 3, "cv": 2},
    "CV": {"alphas": 3, "cv": 2},
}
every = pytest.mark.parametrize("name", NAMES)
each_layout = pytest.mark.parametrize("layout", LAYOUTS)


def is_classifier(name):
    return "Classifier" in name


@cache
def fitted(name, layout):
    """A fitted estimator, the X it predicts, the features of X, and each row's task or None."""
    options = next((own for part, own in _QUICK.items() if part in name), {})
    model = getattr(skmtl, name)(**options)
    labels = np.where(Z > 0, 1.0, 0.0) if is_classifier(name) else Z
    rows, features, ids = X, X, None
    if layout == "stacked":
        model.set_params(task_column="fruit")
        rows, y, ids = STACKED, labels.ravel(order="F"), STACKED["fruit"].to_numpy()
        features = rows[FEATURES].to_numpy()
    elif layout == "shared":
        missing = labels.copy()
        if not _QUICK.keys() & {part for part in _QUICK if part in name}:
            missing[:3, 1] = np.nan
        y = pd.DataFrame(missing, columns=TASKS)
    elif is_classifier(name):
        y = np.array(["high", "low", "mid"])[np.digitize(Z[:, 0], [-0.8, 0.8])]
    else:
        y = labels[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few labels, or slow convergence
        return model.fit(rows, y), rows, features, ids


def documented_predictor():
    """The predictor of exported models that the documentation of ``to_dict`` shows."""
    examples = doctest.DocTestParser().get_examples(to_dict.__doc__)
    (source,) = (example.source for example in examples if "def predict(" in example.source)
    space = {"np": np}
    exec(source, space)
    return space["predict"], source
