"""One task's linear model as an estimator of scikit-learn."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.svm import LinearSVC

from skmtl.inspection._linear_model import LinearModel

Array = NDArray[Any]

# By the link; without one there are decisions, but no probabilities.
_MODELS: dict[str | None, Any] = {
    "identity": LinearRegression,
    "log": PoissonRegressor,
    "logit": LogisticRegression,
    "softmax": LogisticRegression,
    None: LinearSVC,
}
# Names listed in an error message.
_LISTED = 10


def task_model(estimator: Any, task: Any = None) -> Any:
    """Return one task's model as a fitted linear model of scikit-learn.

    For tools that only know scikit-learn's own estimators, such as SHAP's ``LinearExplainer``.

    Parameters
    ----------
    estimator : fitted estimator of skmtl
        Or a search that has selected one.
    task : task id, default=None
        One of ``tasks_``. None: the only task, or the classes of the multinomial loss, which are
        one model.

    Returns
    -------
    LinearRegression, PoissonRegressor, LogisticRegression or LinearSVC
        For the identity link (squared and Huber loss), the log link (Poisson), the logit link and
        the multinomial loss, and the squared hinge. It takes the columns of X without the task
        column. Among them are the offsets; the coefficient of the task's own is 1. It predicts as
        the estimator does for this task, with its ``coef_``, ``intercept_``, ``classes_`` and
        feature names; the parameters of its own fit mean nothing. One class of a 1-D y against the
        rest has the labels 0 and 1, as do tasks of a regressor with the logistic loss, whose
        predictions are its probabilities.

    Raises
    ------
    ValueError
        If the estimator has no such task, or several and ``task`` is None; if steps of a pipeline
        change the features (pass its last step).
    TypeError
        If the estimator is not one of skmtl, or its predictions are not functions of one linear
        predictor each.
    NotFittedError
        If the estimator is not fitted.

    References
    ----------
    S. M. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS
    2017, https://doi.org/10.48550/arXiv.1705.07874

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import BlockSparseRegressor
    >>> from skmtl.inspection import task_model
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 4))
    >>> Y = X[:, :1] + rng.normal(size=(60, 3))
    >>> model = BlockSparseRegressor(0.1).fit(X, Y)
    >>> second = task_model(model, 1)
    >>> type(second).__name__, np.allclose(second.predict(X), model.predict(X)[:, 1])
    ('LinearRegression', True)

    With SHAP: ``shap.LinearExplainer(second, X).shap_values(X)``.
    """
    model = LinearModel.read(estimator, "task_model").without_offsets()
    places = _places(model, task)
    link = model.links[places[0]]
    classes = None
    if model.classifier or link == "logit":
        one_of_many = model.layout == "classes" and len(model.coef) > len(places)
        classes = np.arange(2) if one_of_many or model.classes is None else model.classes
    fitted = _fitted(_MODELS[link](), model.coef.shape[1], classes)
    coef: Array = model.coef[places].copy()
    intercept: Any = model.intercept[places]
    if link in ("identity", "log"):
        coef, intercept = coef[0], float(intercept[0])
    elif link == "softmax" and len(places) == 2:
        # scikit-learn's models of two classes have the log-odds of the second.
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    fitted.coef_, fitted.intercept_ = coef, intercept
    if model.named:
        fitted.feature_names_in_ = np.asarray(model.features, dtype=object)
    return fitted


def _fitted(model: Any, n_features: int, classes: Array | None) -> Any:
    """A fitted model, whose coefficients are to be replaced."""
    y = np.arange(1.0, 3.0) if classes is None else classes
    # The fit sets the private attributes on which the predictions depend.
    return model.fit(np.zeros((len(y), n_features)), y)


def _places(model: LinearModel, task: Any) -> list[int]:
    """The rows of coef that a task's model has."""
    names = model.tasks.tolist()
    one_model = model.links[0] == "softmax"
    if task is None and (one_model or len(names) == 1):
        return list(range(len(names)))
    if task is not None and one_model:
        raise ValueError(
            f"The classes of the multinomial loss are one model: pass task=None, not {task!r}."
        )
    if task is None or task not in names:
        listed = ", ".join(map(repr, names[:_LISTED])) + (", ..." if names[_LISTED:] else "")
        raise ValueError(
            f"task must be one of the tasks of {model.name}, got {task!r}. Pass one of {listed}."
        )
    return [names.index(task)]
