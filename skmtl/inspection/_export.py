"""Export of a linear model as plain numbers and names, for JSON."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skmtl._version import __version__
from skmtl.inspection._linear_model import LinearModel

Array = NDArray[Any]

# The version of the format; a reader of one version need not understand another.
_VERSION = 1


def to_dict(estimator: Any) -> dict[str, Any]:
    """Export what a fitted estimator needs to predict, as plain numbers and names.

    ``json.dumps`` writes the result, and about twenty lines of NumPy predict from it, without this
    package; see the examples.

    Parameters
    ----------
    estimator : fitted estimator of skmtl
        Or a search that has selected one.

    Returns
    -------
    dict
        With dicts, lists, strings, numbers, booleans and None only:

        - "format": "skmtl.linear", and "version": 1. The version changes if a reader of the old one
          would go wrong.
        - "estimator": the name of the class, and "skmtl": the version of the package.
        - "type": "regressor" or "classifier".
        - "layout": "shared" (y has a column for each task), "stacked" (X has a task column),
          "single" (a 1-D y of numbers) or "classes" (a 1-D y of classes; two are one task).
        - "tasks": their ids; in the other layouts the names of y's columns, or the classes.
        - "features": the names of the features, without the task column and the offsets, in the
          order of "coef".
        - "task_column": its name or position in X; None in the other layouts.
        - "offset_columns": the columns of X that are added to the linear predictors, by name or
          position: one for all tasks, or one for each. None without offsets.
        - "coef" and "intercept": a list per task, and a number per task.
        - "unknown_task": "coef" and "intercept" for rows of other tasks. None: they are an error.
        - "loss": the name of each task's loss.
        - "link": for each task "identity", "log" or "logit", between the mean response and the
          linear predictor; "softmax" for the multinomial loss. None: there are no probabilities.
        - "classes": the labels that a classifier predicts, ascending; None for a regressor.

    Raises
    ------
    TypeError
        If the estimator is not one of skmtl, or its predictions are not functions of one linear
        predictor each.
    ValueError
        If steps of a pipeline change the features (pass its last step), or if JSON has no type for
        the task ids or classes, such as dates.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    skmtl.onnx.to_onnx : The same for runtimes of ONNX.
    task_model : One task's model as an estimator of scikit-learn.

    Examples
    --------
    >>> import json
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.inspection import to_dict
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([rng.normal(size=(60, 4)), np.repeat([10, 20, 30], 20)])
    >>> y = X[:, 0] + rng.normal(size=60)
    >>> model = BlockSparseRegressor(0.1, task_column=-1).fit(X, y)
    >>> text = json.dumps(to_dict(model))

    A predictor for any exported model, from the features, in the stacked layout the ids of the
    rows' tasks, and the values of the offset columns (n_samples, n_columns) if there are any:

    >>> def predict(model, X, ids=None, offset=0.0, proba=False):
    ...     W, b, layout = np.array(model["coef"]), np.array(model["intercept"]), model["layout"]
    ...     if layout == "stacked":
    ...         place = {task: t for t, task in enumerate(model["tasks"])}
    ...         if other := model["unknown_task"]:
    ...             W, b = np.vstack([W, other["coef"]]), np.append(b, other["intercept"])
    ...             place |= {task: -1 for task in ids if task not in place}
    ...         t = [place[task] for task in ids]
    ...         Z = (np.sum(X * W[t], axis=1) + b[t])[:, None] + offset
    ...     else:
    ...         Z = X @ W.T + b + offset
    ...     if model["type"] == "classifier" and not proba:
    ...         of_many = layout == "classes" and Z.shape[1] > 1
    ...         P = np.array(model["classes"])[Z.argmax(1)[:, None] if of_many else (Z > 0) * 1]
    ...     else:
    ...         mean = {"identity": np.array, "log": np.exp}
    ...         mean["logit"] = lambda z: 1 / (1 + np.exp(-z))
    ...         mean["softmax"] = lambda z: np.exp(z - Z.max(axis=1))
    ...         P = np.column_stack([mean[link](z) for link, z in zip(model["link"], Z.T)])
    ...     if layout == "shared" or not proba:
    ...         return P if layout == "shared" else P[:, 0]
    ...     P = P if P.shape[1] > 1 else np.hstack([1 - P, P])
    ...     return P / P.sum(axis=1, keepdims=True)
    >>> predicted = predict(json.loads(text), X[:, :4], ids=X[:, 4])
    >>> np.allclose(predicted, model.predict(X))
    True
    """
    model = LinearModel.read(estimator, "to_dict")
    stacked = model.layout == "stacked"
    unknown = None
    if model.unknown is not None:
        coef, intercept = model.unknown
        unknown = {"coef": coef.tolist(), "intercept": float(intercept)}
    classes = model.classes
    return {
        "format": "skmtl.linear",
        "version": _VERSION,
        "estimator": model.name,
        "skmtl": __version__,
        "type": "classifier" if model.classifier else "regressor",
        "layout": model.layout,
        "tasks": _plain(model.tasks, "task ids", exact=stacked),
        "features": list(model.features),
        "task_column": _plain_scalar(model.task_column),
        "offset_columns": [_plain_scalar(column) for column in model.offset_columns] or None,
        "coef": model.coef.tolist(),
        "intercept": model.intercept.tolist(),
        "unknown_task": unknown,
        "loss": list(model.losses),
        "link": list(model.links),
        "classes": None if classes is None else _plain(classes, "classes", exact=True),
    }


def _plain_scalar(value: Any) -> Any:
    """A NumPy scalar as a Python object."""
    return value.item() if isinstance(value, np.generic) else value


def _plain(names: Array, what: str, *, exact: bool) -> list[Any]:
    """Names as JSON has them; others are converted to strings unless they must be ``exact``."""
    values = [_plain_scalar(value) for value in names.tolist()]
    if all(isinstance(value, (str, int, float)) for value in values):
        return values
    if not exact:
        return [value if isinstance(value, (str, int, float)) else str(value) for value in values]
    other = next(value for value in values if not isinstance(value, (str, int, float)))
    raise ValueError(
        f"JSON has no type for the {what}, such as {other!r} ({type(other).__name__}). Convert "
        f"them to strings before fit."
    )
