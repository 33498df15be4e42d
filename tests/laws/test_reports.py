"""Reports and exports of every estimator agree with its predictions."""

import json

import numpy as np
import pandas as pd
import pytest
from report_problems import FEATURES, TASKS, documented_predictor, each_layout, every, fitted

from skmtl.inspection import coef_frame, summary, task_model, to_dict

PREDICT, _ = documented_predictor()


@pytest.mark.turns(3)
@every
@each_layout
def test_coefficients(name, layout):
    model, _, features, ids = fitted(name, layout)
    frame = coef_frame(model)
    named = FEATURES if layout == "stacked" else ["x0", "x1", "x2", "x3"]
    assert frame["feature"].unique().tolist() == ["(intercept)", *named]
    tasks = {"single": list(model.tasks_)}.get(layout, TASKS)
    assert frame["task"].unique().tolist() == tasks
    table = frame.pivot(index="feature", columns="task", values="coef")
    Z = features @ table.loc[named, tasks].to_numpy() + table.loc["(intercept)", tasks].to_numpy()
    if ids is not None:
        Z = Z[np.arange(len(Z)), [tasks.index(task) for task in ids]]
    elif layout == "single" and len(tasks) == 1:
        Z = Z[:, 0]
    rows = fitted(name, layout)[1]
    predicted = model.decision_function(rows) if "Classifier" in name else model.predict(rows)
    np.testing.assert_allclose(Z, predicted, rtol=1e-10, atol=1e-12)


@pytest.mark.turns(3)
@every
@each_layout
def test_support(name, layout):
    model = fitted(name, layout)[0]
    report, coef = summary(model), np.atleast_2d(model.coef_)
    np.testing.assert_array_equal(report.support, [any(row != 0) for row in coef.T])
    text = repr(report)
    assert f"{report.support.sum()} of 4 features" in text
    assert all(str(task) in text for task in model.tasks_)


@pytest.mark.turns(3)
@every
@each_layout
def test_export(name, layout):
    model, rows, features, ids = fitted(name, layout)
    exported = json.loads(json.dumps(to_dict(model), allow_nan=False))
    predicted = PREDICT(exported, features, ids)
    if "Classifier" in name:
        np.testing.assert_array_equal(predicted, model.predict(rows))
        p = PREDICT(exported, features, ids, proba=True)
        np.testing.assert_allclose(p, model.predict_proba(rows), rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_allclose(predicted, model.predict(rows), rtol=1e-10, atol=1e-12)


@pytest.mark.turns(3)
@every
@each_layout
def test_models_of_tasks(name, layout):
    model, rows, features, ids = fitted(name, layout)
    method = "decision_function" if "Classifier" in name else "predict"
    for t, task in enumerate(model.tasks_.tolist()):
        chosen = slice(None) if ids is None else ids == task
        found = getattr(task_model(model, task), method)(as_fitted(model, features[chosen]))
        expected = getattr(model, method)(rows)
        expected = expected[chosen] if expected.ndim == 1 else expected[:, t]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def as_fitted(model, features):
    """The features as a data frame, if the model was fitted to one."""
    return (
        pd.DataFrame(features, columns=FEATURES)
        if hasattr(model, "feature_names_in_")
        else features
    )
