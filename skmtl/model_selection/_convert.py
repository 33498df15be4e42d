"""Other packages' regularisation strengths on this one's scale."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from skmtl.design import as_floats


class _Scale(NamedTuple):
    """What a package's loss is summed over, and its penalties in multiples of ours.

    ``over``: "sum" is over all labels, "task means" the sum of each task's mean, and "mean" is
    over rows that all tasks share. ``norm`` and ``ridge``: a norm times its strength counts 1, the
    squared Frobenius norm times its strength 2, None where the package has no such penalty.
    """

    over: str
    norm: float | None = 1.0
    ridge: float | None = None
    inverse: bool = False


_SCALES = {
    ("adelie", "squared"): _Scale("mean", ridge=1.0),
    ("adelie", "multinomial"): _Scale("mean", ridge=1.0),
    ("celer", "squared"): _Scale("mean"),
    ("glmnet", "squared"): _Scale("mean"),
    ("glmnet", "logistic"): _Scale("mean", ridge=1.0),
    ("glmnet", "multinomial"): _Scale("mean", ridge=1.0),
    ("lightning", "multinomial"): _Scale("sum"),
    ("malsar", "squared"): _Scale("sum", ridge=2.0),
    ("malsar", "logistic"): _Scale("task means", ridge=2.0),
    ("mutar", "squared"): _Scale("mean"),
    ("rmtl", "squared"): _Scale("task means", ridge=2.0),
    ("rmtl", "logistic"): _Scale("task means", ridge=2.0),
    ("skglm", "squared"): _Scale("mean"),
    ("spams", "squared"): _Scale("sum", ridge=1.0),
    ("spams", "logistic"): _Scale("task means", ridge=1.0),
    ("spams", "multinomial"): _Scale("mean", ridge=1.0),
}
# Whose penalty decides its scale: of (Multi-Task) Lasso and ElasticNet, and of Ridge.
_SCIKIT_LEARN = {
    ("squared", "norm"): _Scale("mean"),
    ("squared", "ridge"): _Scale("sum", norm=None, ridge=1.0),
    ("logistic", "norm"): _Scale("sum", inverse=True),
    ("logistic", "ridge"): _Scale("sum", norm=None, ridge=1.0, inverse=True),
    ("multinomial", "ridge"): _Scale("sum", norm=None, ridge=1.0, inverse=True),
}
_PACKAGES = {"scikit-learn"} | {package for package, _ in _SCALES}
_CONSTRAINTS: dict[str, list[Any]] = {
    "alpha": [Interval(Real, 0, None, closed="left")],
    "from_": [StrOptions(_PACKAGES)],
    "n_samples": [Interval(Real, 0, None, closed="neither"), "array-like"],
    "n_tasks": [Interval(Integral, 1, None, closed="left"), None],
    "loss": [StrOptions({"squared", "logistic", "multinomial"})],
    "penalty": [StrOptions({"norm", "ridge"})],
    "task_weight": [StrOptions({"balanced"}), None],
}


def convert_alpha(
    alpha: float,
    *,
    from_: str,
    n_samples: float | ArrayLike,
    n_tasks: int | None = None,
    loss: Literal["squared", "logistic", "multinomial"] = "squared",
    penalty: Literal["norm", "ridge"] = "norm",
    task_weight: Literal["balanced"] | None = None,
) -> float:
    r"""Return our ``alpha`` for another package's regularisation strength.

    Ours multiplies a norm, or half the squared Frobenius norm, beside

    .. math::

        \tfrac{T}{S} \sum_t \sum_{i \in t} \ell(y_i, x_i w_t + b_t) \quad \text{or} \quad
        \sum_t \tfrac{1}{n_t} \sum_{i \in t} \ell(y_i, x_i w_t + b_t) ,

    the second with ``task_weight="balanced"``; :math:`n_t` labels in task t, S in all T tasks, the
    squared loss :math:`(y - z)^2 / 2` and the logistic loss :math:`\log(1 + e^{-yz})`. For the
    multinomial loss it is the mean over rows. The second is no multiple of the first where tasks
    differ in size.

    Parameters
    ----------
    alpha : float
        The package's strength, >= 0: ``rho1``, ``Lam1``, ``lambda``, ``lmda``, ``alpha``, or the
        inverse strength ``C`` of scikit-learn's LogisticRegression, > 0.
    from_ : str
        The package: "adelie", "celer", "glmnet", "lightning", "malsar", "mutar", "rmtl",
        "scikit-learn", "skglm" or "spams". Notes say what of it is meant.
    n_samples : float or array-like of shape (n_tasks,)
        Number of labels, one for all tasks or one for each; the sum of their weights where they
        are weighted.
    n_tasks : int, default=None
        Number of tasks, of classes with the multinomial loss. Needed with ``from_="adelie"``.
    loss : {"squared", "logistic", "multinomial"}, default="squared"
        The loss, the package's and ours.
    penalty : {"norm", "ridge"}, default="norm"
        What the package's strength multiplies: a norm, such as the L2,1 or the trace norm, or its
        ridge. A ridge of our ``alpha`` is ``IndependentTask*(alpha)`` or
        ``BlockSparse*(alpha, l1_ratio=0)``. Beside a norm convert both strengths: with the sum s
        of the two as ``alpha``, ``l1_ratio`` is the norm's share of s.
    task_weight : None or "balanced", default=None
        What our estimator is fitted with.

    Returns
    -------
    float
        At this ``alpha`` our estimator has the package's coefficients.

    Raises
    ------
    ValueError
        If a parameter is out of its range; if the package has no such loss or penalty; if tasks
        of different sizes are weighted in the package as no ``alpha`` can, which another
        ``task_weight`` may; or if it has no tasks of different sizes.

    Notes
    -----
    With :math:`\Omega` the penalty and a its strength, the packages minimise the following. Where
    the code and its description differ, it is the code.

    **malsar** (https://github.com/jiayuzhou/MALSAR): ``Least_L21``, ``Least_Trace`` and
    ``Least_Lasso`` :math:`\sum_t \tfrac12 \lVert X_t w_t - y_t \rVert^2 + a \, \Omega(W)`, "0.5 *
    norm (Y{i} - X{i}' * W(:, i))^2"; they have no intercept. ``Logistic_L21`` and
    ``Logistic_Trace`` have one, and the mean of each task's logistic losses, "weight = ones(m,
    1)/m": use ``task_weight="balanced"``. ``rho_L2`` multiplies :math:`\lVert W \rVert_F^2`,
    without a half.

    **rmtl** (https://github.com/transbioZI/RMTL): ``MTL`` with the regularisation L21, Trace or
    Lasso :math:`\sum_t \tfrac{1}{2 n_t} \lVert X_t w_t + b_t - y_t \rVert^2 + a \, \Omega(W)`,
    "0.5 * mean((y - x %*% w -c)^2)", and the mean of each task's logistic losses: use
    ``task_weight="balanced"``. ``Lam2`` multiplies :math:`\lVert W \rVert_F^2`; above zero with
    Trace in regression its fit stops before the minimum, since its line search counts this T times.

    **scikit-learn** (https://scikit-learn.org): Lasso, MultiTaskLasso and the norm in ElasticNet
    and MultiTaskElasticNet "(1 / (2 * n_samples)) * ||Y - XW||^2_Fro + alpha * ||W||_21", the same
    as ours; ``penalty="ridge"`` is Ridge, "||y - Xw||^2_2 + alpha * ||w||^2_2". LogisticRegression
    :math:`C \sum_i \ell + \Omega(w)` with :math:`\Omega` the 1-norm or half the squared 2-norm;
    its solver liblinear penalises the intercept, ours never does.

    **glmnet** (https://glmnet.stanford.edu): "mgaussian" :math:`\tfrac{1}{2n} \lVert Y - XW
    \rVert_F^2 + \lambda \lVert W \rVert_{2,1}`, "binomial", one task, and "multinomial" with
    ``type.multinomial="grouped"`` the mean log-likelihood instead. Its ``standardize=TRUE``, the
    default, divides the columns of X by their standard deviations, as StandardScaler does;
    ``standardize.response=FALSE`` is meant, the default; and its ``alpha`` is our ``l1_ratio``.
    The ridge of its Gaussian families, which may scale y first, is not converted.

    **adelie** (https://github.com/JamesYang007/adelie): ``grpnet`` with the "multigaussian" and
    the "multinomial" family divides the mean loss by the number of responses K too, and its
    default ``penalty`` multiplies a group by the square root of its size, K. With ``penalty`` 1
    divide the result by :math:`\sqrt{K}`.

    **celer** (https://github.com/mathurinm/celer), **skglm** (https://github.com/scikit-learn-
    contrib/skglm): MultiTaskLasso, "1 / (2 * n_samples)". **mutar**
    (https://github.com/hichamjanati/mutar): GroupLasso, "(1 / (2 * n_samples)) * ||Y - XW||^2_Fro
    + alpha * ||W||_21", where tasks have as many rows each. All are the same as ours.

    **spams** (https://thoth.inrialpes.fr/people/mairal/spams): ``fistaFlat`` "0.5||Y- X W||_F^2 +
    lambda psi(W)" for ``loss="square"``, "sum_{i=1}^n(1/m)sum_{j=1}^m log(1+e^(-y^i_j x^j' w^i)) +
    lambda psi(W)" for "logistic", and the mean over rows for "multi-logistic"; its ridge, the
    regularisation "l2", is half the squared norm.

    **lightning** (https://github.com/scikit-learn-contrib/lightning): CDClassifier with
    ``penalty="l1/l2", loss="log", multiclass=True``, "C * L(W) + alpha * R(W)", L a sum over rows:
    pass its alpha / C. It has no intercept.

    See Also
    --------
    alpha_max : The smallest ``alpha`` at which every coefficient is zero.

    Examples
    --------
    >>> from skmtl.model_selection import convert_alpha
    >>> convert_alpha(30.0, from_="malsar", n_samples=[100, 150, 50])
    0.3
    >>> convert_alpha(0.1, from_="rmtl", n_samples=[100, 150, 50], task_weight="balanced")
    0.1
    >>> convert_alpha(2.0, from_="scikit-learn", n_samples=50, loss="logistic", penalty="ridge")
    0.01
    """
    validate_parameter_constraints(_CONSTRAINTS, locals(), caller_name="convert_alpha")
    scale = _look_up(from_, loss, penalty)
    sizes = _read_sizes(n_samples, n_tasks)
    if loss == "multinomial" and sizes.ndim:
        raise ValueError(
            f"n_samples must be one number with loss='multinomial', the number of rows: its "
            f"classes are one choice, not tasks with rows of their own. Got {sizes.tolist()}."
        )
    _check_weighting(from_, scale.over, sizes, task_weight)
    strength = float(alpha)
    if scale.inverse:
        if strength == 0:
            raise ValueError("alpha, here LogisticRegression's C, must be positive, got 0.")
        strength = 1 / strength
    factor = scale.norm if penalty == "norm" else scale.ridge
    assert factor is not None
    strength *= factor
    if scale.over == "sum":
        strength /= float(sizes.mean())
    if from_ == "adelie":
        if n_tasks is None:
            raise ValueError("n_tasks is needed with from_='adelie', which divides losses by it.")
        strength *= n_tasks**1.5
    return strength


def _look_up(package: str, loss: str, penalty: str) -> _Scale:
    """The scale of a package's loss and penalty.

    Raises
    ------
    ValueError
        If it has none such, or its scale is not known.
    """
    if package == "scikit-learn":
        known = sorted(_SCIKIT_LEARN)
        found = _SCIKIT_LEARN.get((loss, penalty))
    else:
        known = sorted(
            (other, kind)
            for (name, other), scale in _SCALES.items()
            for kind in ("norm", "ridge")
            if name == package and getattr(scale, kind) is not None
        )
        found = _SCALES.get((package, loss)) if (loss, penalty) in known else None
    if found is None:
        listed = ", ".join(f"loss={loss!r} with penalty={kind!r}" for loss, kind in known)
        raise ValueError(
            f"from_={package!r} is not converted for loss={loss!r} with penalty={penalty!r}, only "
            f"for {listed}."
        )
    return found


def _read_sizes(n_samples: float | ArrayLike, n_tasks: int | None) -> NDArray[np.float64]:
    """Numbers of labels: () for all tasks, or (n_tasks,)."""
    sizes = as_floats(n_samples, "n_samples")
    if sizes.ndim > 1 or (sizes.ndim == 1 and n_tasks not in (None, len(sizes))):
        wanted = "(n_tasks,)" if n_tasks is None else f"(n_tasks,) = ({n_tasks},)"
        raise ValueError(
            f"n_samples must be one number or one per task, {wanted}, got the shape {sizes.shape}."
        )
    if not (sizes.size and np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(f"n_samples must be positive, got {sizes.tolist()}.")
    return sizes


def _check_weighting(
    package: str, over: str, sizes: NDArray[np.float64], task_weight: str | None
) -> None:
    """Refuse tasks of different sizes that the two objectives weigh differently."""
    if sizes.ndim == 0 or (sizes == sizes[0]).all():
        return
    if over == "mean":
        raise ValueError(
            f"from_={package!r} takes the same number of labels for every task, so that n_samples "
            f"must be one number, got {sizes.tolist()}."
        )
    needed = "balanced" if over == "task means" else None
    if task_weight != needed:
        weighs = "every task" if over == "task means" else "every label"
        raise ValueError(
            f"from_={package!r} weighs {weighs} the same, and the tasks differ in n_samples: no "
            f"alpha reproduces it with task_weight={task_weight!r}. Use task_weight={needed!r}, "
            f"here and in the estimator."
        )
