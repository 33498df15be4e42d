"""The parts of docstrings that the CV estimators share; the rest is :mod:`skmtl.estimators`'s."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from skmtl.estimators import document

_CV = """
cv : int, splitter, iterable of (train, test) or None, default=None
    None: five folds; an int: as many. They are stratified by task, as those of
    :class:`~skmtl.model_selection.StratifiedTaskKFold` with ``random_state=0``, in the stacked
    layout, where labels are missing, for classifiers (by class too), and where fit is given
    ``groups``; otherwise they are those of scikit-learn's KFold, in the order of the rows.
scoring : str, callable or None, default=None
    None: {criterion}. Otherwise a scorer: a name of scikit-learn's, a callable
    (estimator, X, y), or one of :func:`skmtl.metrics.make_task_scorer`, which takes missing
    labels. ``sample_weight`` is passed to scorers that take it.
rule : {"best", "1se"}, default="best"
    Choose the point of the grid with the best mean score over folds; or, at the same values of
    other parameters, the largest alpha whose mean is within one standard error (over folds) of it.
n_jobs : int or None, default=None
    Number of threads; each takes a fold at a time.
"""

_CRITERIA = {
    "Regressor": "the mean squared error of the held-out labels, weighted by ``sample_weight``; "
    "with ``scale_tasks`` in each task's standard deviations",
    "Classifier": "the mean loss of the held-out labels, weighted by ``sample_weight`` and "
    "``class_weight``",
}

_BOTH_CRITERIA = """for regressors {Regressor}; for classifiers {Classifier}""".format(**_CRITERIA)

_CHOSEN = """
alphas_ : ndarray of shape (n_alphas,)
    The grid, largest first.{axis}
{paths}
best_score_ : float
    The mean score over folds of the chosen point; the greater the better.
"""

_AXIS = " One more axis in front where ``{name}`` is a list."

_PATHS = {
    "Regressor": """
mse_path_ : ndarray of shape (n_alphas, n_folds)
    Without ``scoring``: the mean squared error of each fold's held-out labels.{axis}
scores_path_ : ndarray of shape (n_alphas, n_folds)
    With ``scoring``: the scores.{axis}
""",
    "Classifier": """
scores_path_ : ndarray of shape (n_alphas, n_folds)
    The scores of each fold; without ``scoring`` minus the mean loss.{axis}
""",
}

_CV_NOTES = """
On each fold's training rows a path of fits, each started from the one before, shares the data
and what they determine. The scores are those of scikit-learn's GridSearchCV over the same grid
and folds. The chosen model is fitted to all rows. A warning tells when the choice lies at the
edge of the grid.
"""

_CV_REFERENCES = """
L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression Trees", 1984,
section 3.4.3 (the rule of one standard error), https://doi.org/10.1201/9781315139470

T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2009, section
7.10, https://doi.org/10.1007/978-0-387-84858-7
"""

_FIT = """
Parameters
----------
X : array-like, sparse matrix or data frame
    (n_samples, n_features), or with a task column (n_samples, n_features + 1).
y : array-like
    (n_samples, n_tasks) with NaN where a label is missing, or (n_samples,).
sample_weight : array-like of shape (n_samples,) or (n_samples, n_tasks), optional
    Non-negative; zero leaves the label out. One per label only with a matrix y.
groups : array-like of shape (n_samples,), optional
    Rows of one group, such as a patient's, are never split between training and test set.
    Passed to ``cv``, or to :class:`~skmtl.model_selection.StratifiedTaskKFold` where that
    is a number or None.

Returns
-------
self
"""

Class = TypeVar("Class", bound=type[Any])
Method = TypeVar("Method", bound=Callable[..., Any])


def document_cv(cls: Class) -> Class:
    """Fill the CV estimators' parts of a class's docstring, then those of all estimators."""
    if cls.__doc__ is None:  # python -OO
        return cls
    kind = "Classifier" if "Classifier" in cls.__name__ else "Regressor"
    axis = "" if cls._varied is None else _AXIS.replace("{name}", cls._varied)
    parts = {
        "cv": _CV.replace("{criterion}", _CRITERIA[kind]),
        "chosen": _CHOSEN.replace("{paths}", _PATHS[kind].strip("\n")).replace("{axis}", axis),
        "cv_notes": _CV_NOTES,
        "cv_references": _CV_REFERENCES,
    }
    cls.__doc__ = _fill(cls.__doc__, parts)
    return document(cls)


def document_search(cls: Class) -> Class:
    """Fill the CV estimators' parts of the docstring of a search over any estimator."""
    if cls.__doc__ is not None:
        parts = {
            "cv": _CV.replace("{criterion}", _BOTH_CRITERIA),
            "cv_notes": _CV_NOTES,
            "cv_references": _CV_REFERENCES,
        }
        cls.__doc__ = _fill(cls.__doc__, parts)
    return cls


def document_fit(fit: Method) -> Method:
    """Fill in the parameters that the fit of a search has, whatever it searches."""
    if fit.__doc__ is not None:
        fit.__doc__ = _fill(fit.__doc__, {"fit": _FIT})
    return fit


def _fill(doc: str, parts: dict[str, str]) -> str:
    doc = inspect.cleandoc(doc)
    for name, part in parts.items():
        doc = doc.replace("{" + name + "}", textwrap.dedent(part.strip("\n")))
    return doc
