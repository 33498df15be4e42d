"""Estimators with any penalty and any loss, of which all others are special cases."""

import copy
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmtl.design import TaskData, in_task_order
from skmtl.estimators.base import (
    MULTICLASS_LOSS,
    TaskClassifier,
    TaskEstimator,
    TaskRegressor,
    estimator,
    parameter,
    strength,
)
from skmtl.losses import Loss, MixedLoss, loss_by_name, losses_by_name
from skmtl.penalties import L21, Penalty


class _APenalty(HasMethods):
    """A penalty, described in users' terms."""

    def __init__(self) -> None:
        super().__init__(["value", "prox"])

    def is_satisfied_by(self, val: Any) -> bool:
        return isinstance(val, Penalty)

    def __str__(self) -> str:
        return "a penalty such as skmtl.penalties.L21()"


_LOSSES = ("squared", "huber", "quantile", "poisson", "gamma", "tweedie", "logistic")


@estimator
class _MultiTask(TaskEstimator):
    r"""A penalty given by the user.

    :math:`\Omega` is any penalty of :mod:`skmtl.penalties`, a sum of penalties
    (``L21(0.1) + Ridge(0.01)``), or a superposition (``Superposition(L21(0.1), L1(0.05))``: W is a
    sum of parts, with a penalty on each).

    Attributes
    ----------
    parts_ : dict of str to ndarray of shape (n_tasks, n_features)
        With a superposition, the parts whose sum is ``coef_``, by the penalties' names.

    Notes
    -----
    Convex. A sum of penalties without a common prox is solved with a dual variable for each: by
    ADMM if the squared loss has far fewer features than rows, or all tasks have the same rows and
    weights; by proximal Newton steps for another loss with at most 300 features; otherwise by a
    primal-dual splitting method, which gives way to ADMM where many steps seem to be needed and W
    has at most 2000 entries.

    References
    ----------
    L. Condat, "A primal-dual splitting method for convex optimization involving Lipschitzian,
    proximable and linear composite terms", J. Optim. Theory Appl. 158, 2013,
    https://doi.org/10.1007/s10957-012-0245-9
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        "Strength of the whole penalty, >= 0; it multiplies the strengths in ``penalty``.",
    )
    penalty: Penalty | None = parameter(
        None,
        [_APenalty(), None],
        "Penalty or None",
        """
        None: ``L21()``. The parameters of a penalty are nested parameters: ``penalty__alpha``, or
        in a sum ``penalty__ridge__alpha``.
        """,
    )

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        present = np.zeros(len(data.all_tasks), dtype=bool)
        present[data.positions] = True
        penalty = L21() if self.penalty is None else self.penalty
        penalty.check(data.X.shape[1], len(data.all_tasks))
        used = penalty.without_zeros()
        return None if used is None else used.for_tasks(present).scaled(self.alpha)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not (isinstance(self.penalty, Penalty) and self.penalty.named_parts):
            return str(super().__repr__(N_CHAR_MAX))
        # scikit-learn would print a compound penalty as if it were a plain estimator.
        plain = copy.copy(self)
        plain.penalty = None
        text = super(_MultiTask, plain).__repr__(N_CHAR_MAX)[:-1]
        return f"{text}{'' if text.endswith('(') else ', '}penalty={self.penalty!r})"

    @property
    def parts_(self) -> dict[str, NDArray[Any]]:
        """The parts (n_tasks, n_features) of ``coef_`` under a superposition, by name."""
        check_is_fitted(self)
        summands = () if self.penalty is None else self.penalty.summands
        whole = next((part for part in summands if part.n_superposed > 1), None)
        if self._parts is None or whole is None:
            raise AttributeError(
                f"parts_ exists if the penalty is a Superposition and alpha > 0; the penalty is "
                f"{self.penalty!r}, and alpha={self.alpha}."
            )
        parts = [part.reshape(self.coef_.shape) for part in self._parts]
        return dict(zip(whole.named_parts, parts, strict=True))


@estimator
class MultiTaskRegressor(_MultiTask, TaskRegressor):
    r"""Regression tasks with any penalty, and a loss for all tasks or one for each.

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \, \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell_t(y_i, x_i w_t + b_t)

    Notes
    -----
    Losses of different kinds are added without scaling; ``task_weight`` can balance them.

    See Also
    --------
    BlockSparseRegressor : Its default penalty, with parameters for features and signs.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl import MultiTaskRegressor
    >>> from skmtl.penalties import L1, L21, Ridge, Superposition
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 5))
    >>> price = X[:, 0] + 0.1 * rng.normal(size=60)
    >>> Y = np.column_stack([price, X[:, 0] + X[:, 1] > 0])
    >>> model = MultiTaskRegressor(
    ...     penalty=L21(0.05) + Ridge(0.01), loss={0: "squared", 1: "logistic"}
    ... ).fit(X, Y)
    >>> bool((model.predict(X)[:, 1] <= 1).all())
    True
    >>> model = MultiTaskRegressor(penalty=Superposition(L21(0.1), L1(0.05))).fit(X, Y)
    >>> sorted(model.parts_)
    ['l1', 'l21']
    """

    # Other regressors have one loss for all tasks.
    loss: str | dict[Any, str] = parameter(  # type: ignore[assignment]
        "squared",
        [StrOptions(set(_LOSSES)), dict],
        '{"squared", "huber", "quantile", "poisson", "gamma", "tweedie", "logistic"} or dict',
        r"""
        :math:`\ell(y, z)`: :math:`(y - z)^2 / 2`; the same near zero and linear beyond
        ``huber_delta``; :math:`\max(q (y - z), (q - 1)(y - z))` with q = ``quantile``; half
        the Poisson deviance :math:`e^z - y z + y \log y - y` for counts;
        half the gamma deviance :math:`y e^{-z} + z - \log y - 1` for y > 0; half the Tweedie
        deviance with power ``tweedie_power`` for y >= 0; :math:`\log(1 + e^{-yz})` with
        :math:`y = \pm 1` for labels 0 and 1. A dict gives a loss for each task, in the shared
        layout: ``{"price": "squared", "bought": "logistic"}``, or by column number if y has no
        names. ``predict`` returns each task's mean response.
        """,
    )
    scale_tasks: bool = parameter(
        False,
        text="""
        Divide each task's y by its standard deviation for the fit, except for tasks with the
        logistic loss, so that no task dominates because of its units. ``coef_`` and
        ``intercept_`` are still in y's units.
        """,
    )

    # Losses by task, in the order of the tasks that have been read.
    _loss: Loss | None = None

    def _own_loss(self) -> Loss:
        if isinstance(self.loss, str):
            return loss_by_name(self, self.loss)
        if self._loss is None:
            raise ValueError(
                f"loss={self.loss!r} gives losses by task, whose order is that of the tasks in y. "
                f"Call fit after setting it."
            )
        return self._loss

    def _check_labels(self, data: TaskData) -> None:
        names = _loss_names(self.loss, data)
        losses = losses_by_name(self)
        self._loss = None
        if not isinstance(self.loss, str):
            self._loss = MixedLoss(tuple(losses[name] for name in names))
        for name in set(names):
            _check_labels(data, name, losses[name], np.array(names) == name)

    def _coded(self, data: TaskData) -> TaskData:
        return replace(data, y=np.where(data.spread(self._signed(data)), 2 * data.y - 1, data.y))

    def _standardised(self, data: TaskData) -> TaskData:
        scales = data.standardised().scales
        assert scales is not None
        # Labels 0 and 1 have no units.
        scales = np.where(self._signed(data), 1.0, scales)
        return replace(data, y=data.y / data.spread(scales), scales=scales)

    def _signed(self, data: TaskData) -> NDArray[np.bool_]:
        """Mask of the tasks (n_tasks,) whose loss takes labels -1 and +1."""
        loss = self._own_loss()
        return np.array([loss.column(task).signed for task in data.positions])


def _loss_names(loss: Any, data: TaskData) -> list[str]:
    """The loss of each task by name."""
    if isinstance(loss, str):
        return [loss] * data.n_tasks
    if data.layout != "shared":
        raise ValueError(
            "loss by task (a dict) needs the shared layout: y with a column for each task. Pass "
            "one loss for all tasks, or Y (n_samples, n_tasks) with NaN where a label is missing."
        )
    names = data.tasks.tolist()
    by_task: list[str] = in_task_order(loss, names, "loss")
    for name, each in zip(names, by_task, strict=True):
        if each not in _LOSSES:
            raise ValueError(
                f"The loss of task {name!r} must be one of {', '.join(_LOSSES)}; got {each!r}."
            )
    return by_task


def _check_labels(data: TaskData, name: str, loss: Loss, concerned: NDArray[np.bool_]) -> None:
    """Raise if labels of the concerned tasks (n_tasks,) are outside the domain of their loss."""
    wrong = loss.refuses(data.y) & (data.weights > 0) & data.spread(concerned)
    if wrong.any():
        tasks = data.tasks[data.per_task(wrong.astype(np.float64)) > 0].tolist()
        raise ValueError(
            f"loss={name!r} needs {loss.label_rule}; y holds {data.y[wrong][0]:.4g} in the tasks "
            f"{tasks} (row {np.nonzero(wrong)[0][0]}). Use another loss for them."
        )


@estimator
class MultiTaskClassifier(_MultiTask, TaskClassifier):
    r"""Classification tasks with any penalty.

    .. math::

        \min_{W, b} \; F(W, b) + \alpha \, \Omega(W) ,
        \qquad
        F = \tfrac{T}{S} \sum_t c_t \sum_{i \in t} s_i \, \ell(y_i, x_i w_t + b_t)

    A 1-D y with more than two classes gives one task per class against the rest, or, with
    ``loss="multinomial"``, all of them together (see :class:`BlockSparseClassifier`).

    Examples
    --------
    >>> from skmtl import MultiTaskClassifier
    >>> from skmtl.datasets import load_digits_tasks
    >>> from skmtl.penalties import L21, TraceNorm
    >>> digits = load_digits_tasks()
    >>> model = MultiTaskClassifier(0.05, penalty=L21() + TraceNorm(0.5), tol=1e-2)
    >>> model.fit(digits.data, digits.target).coef_.shape
    (10, 64)
    """

    alpha: float = strength(0.01)
    loss: str = parameter("logistic", *MULTICLASS_LOSS)
