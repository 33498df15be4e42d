"""The parts of docstrings that all estimators share, written once."""

import inspect
import textwrap
from typing import Any, TypeVar

_SYMBOLS = r"""
W (n_features, n_tasks) holds a column :math:`w_t` per task, b the intercepts,
:math:`s_i` the weights (zero where a label is missing), S their sum, T the number of tasks and
:math:`c_t` the factors of ``task_weight``.
"""

_COMMON = """
fit_intercept : bool, default=True
    Whether each task has an intercept; if not, ``intercept_`` is zero.
intercept : {"free", "shrunk"} or float, default="free"
    "free": each task has its own. Otherwise they are pulled to their mean, for tasks with few
    labels: F gains :math:`\\tfrac{T}{S} \\tfrac{m}{2} \\min_\\beta \\sum_t c_t (b_t + \\bar x w_t -
    \\beta)^2`, where intercepts are compared at the features' mean :math:`\\bar x` (over all
    labels, by :math:`c_t s_i`). The mean counts for m >= 0 labels of the squared loss in each task;
    "shrunk" is 1. There the best m is about the variance of the noise over that of the
    intercepts; choose it by cross-validation, of "free", 1, 3, 10, 30 for example. Without an
    intercept nothing is pulled; with ``scale_tasks`` the intercepts of scaled y are. Not for
    ``loss="multinomial"``, nor for a loss of its own for each task.
task_column : str, int or None, default=None
    None: the shared layout, one X for all tasks and a column of y per task, or a 1-D y. A
    column's name (data frames) or position (-1: the last): the stacked layout, the tasks' rows
    one under the other, X (n_samples, n_features + 1) with each row's task id in that column.
unknown_task : {"error", "mean"}, default="error"
    Rows of tasks that fit did not see: refuse, or predict by the average task.
task_weight : None, "balanced", array-like of shape (n_tasks,), dict or Series, default=None
    None: every label counts the same. "balanced": every task counts the same. Otherwise a
    positive factor per task, in the order of ``tasks_`` or, in a dict or a pandas Series, by task.
max_iter : int, default=10000
    Largest number of iterations; beyond it a ConvergenceWarning states the gap reached. An
    iteration of "fista", "admm" and "splitting" is a step in all coefficients, of "newton" a
    Newton step. "block" stops after as many rounds on working sets, or ten times as many sweeps
    over them, whichever comes first; proximal Newton steps stop after as many steps in their
    quadratic models, all together.
tol : float, default=1e-4
    The fit stops when its duality gap is at most ``tol`` times the objective with zero
    coefficients and the best intercepts.
warm_start : bool, default=False
    Start from the previous fit's coefficients where the tasks and features are as many.
solver : {"auto", "admm", "block", "fista", "newton", "splitting"}, default="auto"
    "newton" is for quadratic penalties with at most 2000 features, "block" for penalties that
    threshold rows and entries, "admm" for the squared loss where Gram matrices cost less than
    iterating, "splitting" for sums of penalties without a common prox; "auto" takes the fastest
    that fits, with proximal Newton steps where gradient steps are slow, see Notes.
verbose : int, default=0
    Print the objective and the gap whenever they are computed.
"""

_REGRESSION_LOSS = """
loss : {"squared", "huber", "poisson"}, default="squared"
    :math:`\\ell(y, z)`: :math:`(y - z)^2 / 2`; the same near zero and linear beyond
    ``huber_delta``; half the Poisson deviance :math:`e^z - y z + y \\log y - y` for counts,
    where ``predict`` returns the mean :math:`e^z`.
huber_delta : float, default=1.35
    Where the Huber loss turns linear, > 0, in y's units (after ``scale_tasks``: in standard
    deviations).
"""

_CLASSIFICATION_LOSS = """
loss : {"logistic", "squared_hinge"}, default="logistic"
    :math:`\\ell(y, z)`: :math:`\\log(1 + e^{-yz})`, or :math:`\\max(0, 1 - yz)^2 / 2`, which
    gives no probabilities.
"""

_MULTICLASS_LOSS = """
loss : {"logistic", "squared_hinge", "multinomial"}, default="logistic"
    :math:`\\ell(y, z)`: :math:`\\log(1 + e^{-yz})`, or :math:`\\max(0, 1 - yz)^2 / 2`, which
    gives no probabilities. "multinomial": all classes of a 1-D y together, see above; no
    ``task_weight``, no ``task_column``, and a row of ``coef_`` for each class, also for two.
"""

_SCALE_TASKS = """
scale_tasks : bool, default=False
    Divide each task's y by its standard deviation for the fit, so that no task
    dominates because of its units; ``coef_`` and ``intercept_`` are in y's units all the same,
    ``objective_`` and ``dual_gap_`` in those of the fit. Without it a warning names tasks whose
    standard deviations differ 100-fold.
"""

_CLASS_WEIGHT = """
class_weight : None, "balanced" or dict, default=None
    "balanced": both classes of a task (all classes with the multinomial loss) weigh the same, by
    ``sample_weight``. A dict from class label to a positive factor; 0 and 1 for a matrix y. It
    multiplies ``sample_weight``.
"""

_ATTRIBUTES = """
coef_ : ndarray of shape (n_tasks, n_features), or (n_features,) for a 1-D regression target
    Coefficients; the task column has none.
intercept_ : ndarray of shape (n_tasks,), or float for a 1-D regression target
tasks_ : ndarray of shape (n_tasks,)
    y's column names or positions, the task ids, or the classes taken against the rest.
objective_ : float
    The objective at the solution.
dual_gap_ : float
    Upper bound on the suboptimality of ``objective_``.
n_iter_ : int
n_features_in_ : int
    Number of columns of X, the task column included.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Where X has column names that are strings.
"""

_CLASSES = """
classes_ : ndarray
    Class labels; for a matrix y the positions of its columns.
"""

_NOTES = """
Smooth problems with at most 2000 features (with the multinomial loss, 2000 coefficients) are
solved by damped Newton steps (a Gram matrix per task and step); penalties that threshold rows and
entries of W by block coordinate descent on working sets with gap-safe screening, for losses other
than the squared by proximal Newton steps. With a penalty that couples the features, the squared
loss with more rows than features is solved by ADMM in the eigenbases of the Gram matrices. All
others are solved by FISTA with adaptive restart (one product with X and one with X' an
iteration). Where that is slow, the squared loss is handed on to ADMM, and other losses but the
multinomial to proximal Newton steps if there are at most 300 features: a Gram matrix per task and
step, and ADMM for the quadratic model. The fit stops by its duality gap.
"""

_ONE_CLASS = """
A task with labels of one class only has no finite intercept of its own: unless
``fit_intercept=False`` or the intercepts are shrunk, it leaves the objective with a
warning, gets zero coefficients and the intercept +-log(2 n + 1), n its number of labels
(+-1 with the squared hinge), and
does not enter ``unknown_task="mean"``.
"""

_MISSING_LABELS = """
Where labels are missing (NaN), ``GridSearchCV`` and ``cross_val_score`` need
``cv=StratifiedTaskKFold()`` of :mod:`skmtl.model_selection`: scikit-learn stratifies a number of
folds by y, and refuses NaN ("Input y contains NaN") before any fit. Its metrics refuse NaN too;
``score`` and the scorers of :func:`skmtl.metrics.make_task_scorer` take it.
"""

_PARTS = {
    "symbols": _SYMBOLS,
    "common": _COMMON,
    "regression_loss": _REGRESSION_LOSS,
    "classification_loss": _CLASSIFICATION_LOSS,
    "multiclass_loss": _MULTICLASS_LOSS,
    "scale_tasks": _SCALE_TASKS,
    "class_weight": _CLASS_WEIGHT,
    "attributes": _ATTRIBUTES,
    "classes": _CLASSES,
    "notes": _NOTES,
    "one_class": _ONE_CLASS + _MISSING_LABELS,
}

Class = TypeVar("Class", bound=type[Any])


def document(cls: Class) -> Class:
    """Fill ``{common}`` and the like in a class's docstring, keeping its indentation."""
    if cls.__doc__ is None:  # python -OO
        return cls
    doc = inspect.cleandoc(cls.__doc__)
    for name, part in _PARTS.items():
        part = part.strip("\n")
        if name == "symbols":
            part = textwrap.fill(" ".join(part.split()), 98)
        doc = doc.replace("{" + name + "}", textwrap.dedent(part))
    cls.__doc__ = doc + "\n"
    return cls
