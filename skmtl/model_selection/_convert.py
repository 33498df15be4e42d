"""Convert penalty strengths of other packages to the scale of this one."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from skmtl.design import as_floats


class _Scale(NamedTuple):
    """The scale of a package's objective.

    Attributes
    ----------
    over : {"sum", "task means", "mean"}
        The loss is the sum over all labels, the sum over tasks of each task's mean, or the mean
        over rows that all tasks share.
    norm, ridge : float or None
        The package's penalty as a multiple of ours with the same strength: 1 for the norm times its
        strength, 2 for the squared Frobenius norm times its strength. None: there is no such
        penalty.
    inverse : bool
        Whether the package's parameter is the inverse of a strength.
    over_tasks : bool
        Whether losses are divided by the number of tasks, and penalties multiplied by its root.
    """

    over: str
    norm: float | None = 1.0
    ridge: float | None = None
    inverse: bool = False
    over_tasks: bool = False


_SCALES = {
    ("adelie", "squared"): _Scale("mean", ridge=1.0, over_tasks=True),
    ("adelie", "multinomial"): _Scale("mean", ridge=1.0, over_tasks=True),
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
# The scale depends on the estimator: (MultiTask)Lasso and (MultiTask)ElasticNet, or Ridge.
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
    r"""Convert another package's penalty strength to our ``alpha``.

    Our ``alpha`` multiplies a norm, or half the squared Frobenius norm, that is added to the loss

    .. math::

        \tfrac{T}{S} \sum_t \sum_{i \in t} \ell(y_i, x_i w_t + b_t) \quad \text{or} \quad
        \sum_t \tfrac{1}{n_t} \sum_{i \in t} \ell(y_i, x_i w_t + b_t) ,

    the second with ``task_weight="balanced"``. Task t has :math:`n_t` labels, and all T tasks have
    S labels together. The squared loss is :math:`(y - z)^2 / 2`, the logistic loss
    :math:`\log(1 + e^{-yz})`; the multinomial loss is averaged over rows. If tasks differ in size,
    the two sums are not proportional.

    Parameters
    ----------
    alpha : float
        The package's strength, >= 0: ``rho1``, ``Lam1``, ``lambda``, ``lmda``, ``alpha``, or the
        inverse strength ``C`` of scikit-learn's LogisticRegression, > 0.
    from_ : str
        The package: "adelie", "celer", "glmnet", "lightning", "malsar", "mutar", "rmtl",
        "scikit-learn", "skglm" or "spams". The functions covered are listed in Notes.
    n_samples : float or array-like of shape (n_tasks,)
        Number of labels per task, as one number for all tasks or one for each; for weighted labels,
        the sum of the weights.
    n_tasks : int, default=None
        Number of tasks, or of classes with the multinomial loss. Required with ``from_="adelie"``.
    loss : {"squared", "logistic", "multinomial"}, default="squared"
        The loss of the package and of our estimator.
    penalty : {"norm", "ridge"}, default="norm"
        The penalty that the package's strength multiplies: a norm, such as the L2,1 or the trace
        norm, or a ridge. The ridge of our ``alpha`` is ``IndependentTask*(alpha)`` or
        ``BlockSparse*(alpha, l1_ratio=0)``. If the package has both a norm and a ridge, convert
        both strengths: ``alpha`` is their sum, and ``l1_ratio`` the norm's share of it.
    task_weight : None or "balanced", default=None
        The ``task_weight`` of our estimator.

    Returns
    -------
    float
        The ``alpha`` at which our estimator has the same coefficients as the package.

    Raises
    ------
    ValueError
        If a parameter is out of range; if the package has no such loss or penalty; if no ``alpha``
        reproduces the package's weighting of tasks of different sizes with this ``task_weight``; or
        if ``n_samples`` differs between tasks and the package does not support that.

    See Also
    --------
    alpha_max : The smallest ``alpha`` at which every coefficient is zero.

    Notes
    -----
    With the penalty :math:`\Omega` and its strength a, the packages minimise the following. If a
    package's code differs from its documentation, the formula is that of the code.

    **malsar** (https://github.com/jiayuzhou/MALSAR): ``Least_L21``, ``Least_Trace`` and
    ``Least_Lasso`` :math:`\sum_t \tfrac12 \lVert X_t w_t - y_t \rVert^2 + a \, \Omega(W)`, "0.5 *
    norm (Y{i} - X{i}' * W(:, i))^2"; they have no intercept. ``Logistic_L21`` and
    ``Logistic_Trace`` have an intercept, and average the logistic losses of each task, "weight =
    ones(m, 1)/m": use ``task_weight="balanced"``. ``rho_L2`` multiplies
    :math:`\lVert W \rVert_F^2`, without a half.

    **rmtl** (https://github.com/transbioZI/RMTL): ``MTL`` with the regularisation L21, Trace or
    Lasso :math:`\sum_t \tfrac{1}{2 n_t} \lVert X_t w_t + b_t - y_t \rVert^2 + a \, \Omega(W)`,
    "0.5 * mean((y - x %*% w -c)^2)"; logistic losses are averaged over each task too. Use
    ``task_weight="balanced"``. ``Lam2`` multiplies :math:`\lVert W \rVert_F^2`; with Trace in
    regression and ``Lam2 > 0`` its fit stops before the minimum, because its line search counts
    this term T times.

    **scikit-learn** (https://scikit-learn.org): Lasso, MultiTaskLasso and the norm in ElasticNet
    and MultiTaskElasticNet minimise "(1 / (2 * n_samples)) * ||Y - XW||^2_Fro + alpha *
    ||W||_21", the same as ours; ``penalty="ridge"`` is Ridge, "||y - Xw||^2_2 + alpha *
    ||w||^2_2". LogisticRegression minimises :math:`C \sum_i \ell + \Omega(w)`, where
    :math:`\Omega` is the 1-norm or half the squared 2-norm; its solver liblinear penalises the
    intercept, which our estimators never do.

    **glmnet** (https://glmnet.stanford.edu): "mgaussian" :math:`\tfrac{1}{2n} \lVert Y - XW
    \rVert_F^2 + \lambda \lVert W \rVert_{2,1}`; "binomial" (one task) and "multinomial" with
    ``type.multinomial="grouped"`` have the negative mean log-likelihood as loss. The default
    ``standardize=TRUE`` divides the columns of X by their standard deviations, as StandardScaler
    does; the conversion assumes the default ``standardize.response=FALSE``; and ``alpha`` is our
    ``l1_ratio``. The ridge of the Gaussian families, which may scale y first, is not converted.

    **adelie** (https://github.com/JamesYang007/adelie): ``grpnet`` with the "multigaussian" and
    the "multinomial" family also divides the mean loss by the number of responses K, and its
    default ``penalty`` multiplies the norm of a group by the square root of its size, K. With
    ``penalty`` 1, divide the result by :math:`\sqrt{K}`.

    **celer** (https://github.com/mathurinm/celer), **skglm** (https://github.com/scikit-learn-
    contrib/skglm): MultiTaskLasso, "1 / (2 * n_samples)". **mutar**
    (https://github.com/hichamjanati/mutar): GroupLasso, "(1 / (2 * n_samples)) * ||Y - XW||^2_Fro
    + alpha * ||W||_21", for tasks with equal numbers of rows. All are the same as ours.

    **spams** (https://thoth.inrialpes.fr/people/mairal/spams): ``fistaFlat`` "0.5||Y- X W||_F^2 +
    lambda psi(W)" for ``loss="square"``, "sum_{i=1}^n(1/m)sum_{j=1}^m log(1+e^(-y^i_j x^j' w^i)) +
    lambda psi(W)" for "logistic", and the mean over rows for "multi-logistic"; its ridge, the
    regularisation "l2", is half the squared norm.

    **lightning** (https://github.com/scikit-learn-contrib/lightning): CDClassifier with
    ``penalty="l1/l2", loss="log", multiclass=True``, "C * L(W) + alpha * R(W)", where L is a sum
    over rows: pass its alpha / C. It has no intercept.

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
            f"n_samples must be one number, the number of rows, with loss='multinomial': all "
            f"classes share the rows. Got {sizes.tolist()}. Pass the number of rows."
        )
    _check_weighting(from_, scale.over, sizes, task_weight)
    strength = float(alpha)
    if scale.inverse:
        if strength == 0:
            raise ValueError(
                "alpha, which is C of LogisticRegression here, must be positive, got 0. Pass C > 0."
            )
        strength = 1 / strength
    factor = scale.norm if penalty == "norm" else scale.ridge
    assert factor is not None
    strength *= factor
    if scale.over == "sum":
        strength /= float(sizes.mean())
    if scale.over_tasks:
        if n_tasks is None:
            raise ValueError(
                f"n_tasks is needed with from_={from_!r}, which divides losses by it, got None. "
                f"Pass the number of tasks, or of classes."
            )
        strength *= n_tasks**1.5
    return strength


def _look_up(package: str, loss: str, penalty: str) -> _Scale:
    """The scale of a package's loss and penalty.

    Raises
    ------
    ValueError
        If the package has no such loss or penalty, or its scale is not known.
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
    """Numbers of labels, of shape () if all tasks have the same, otherwise (n_tasks,)."""
    sizes = as_floats(n_samples, "n_samples")
    if sizes.ndim > 1 or (sizes.ndim == 1 and n_tasks not in (None, len(sizes))):
        wanted = "(n_tasks,)" if n_tasks is None else f"(n_tasks,) = ({n_tasks},)"
        raise ValueError(
            f"n_samples must be one number, or an array {wanted} with one per task; got the shape "
            f"{sizes.shape}. Pass the number of labels of each task."
        )
    if not (sizes.size and np.isfinite(sizes).all() and (sizes > 0).all()):
        raise ValueError(
            f"n_samples must be positive and finite, got {sizes.tolist()}. Pass the number of "
            f"labels of each task, and drop tasks without labels."
        )
    return sizes


def _check_weighting(
    package: str, over: str, sizes: NDArray[np.float64], task_weight: str | None
) -> None:
    """Raise if the two objectives weight tasks of different sizes differently."""
    if sizes.ndim == 0 or (sizes == sizes[0]).all():
        return
    if over == "mean":
        raise ValueError(
            f"from_={package!r} takes the same number of labels for every task, so that n_samples "
            f"must be one number, got {sizes.tolist()}. Pass the number of rows."
        )
    needed = "balanced" if over == "task means" else None
    if task_weight != needed:
        weighs = "every task" if over == "task means" else "every label"
        raise ValueError(
            f"from_={package!r} weighs {weighs} the same, and the tasks differ in n_samples: no "
            f"alpha reproduces it with task_weight={task_weight!r}. Use task_weight={needed!r}, "
            f"here and in the estimator."
        )
