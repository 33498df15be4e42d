"""W as a sum of two parts, one shared by the tasks and one specific to each task."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval

from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators.base import Fit, TaskEstimator, estimator, strength
from skmtl.penalties import Penalty, Superposition

# Strengths within this relative distance of a bound count as equal to it.
ROUNDING = 1e-12


@estimator
class TwoPartTasks(TaskEstimator):
    """W = P + Q with a norm on each part; the strength of the second is relative to the first.

    Attributes
    ----------
    shared_coef_, task_coef_ : ndarray of shape (n_tasks, n_features), or (n_features,)
        P' and Q', whose sum is ``coef_``. Without a penalty, all of it is in ``shared_coef_``.

    Notes
    -----
    The steps of ADMM, see below, update both parts jointly and exactly.
    """

    alpha: float = strength(
        1.0,
        [Interval(Real, 0, None, closed="left")],
        "float",
        """
        Strength of the whole penalty, >= 0. :func:`skmtl.model_selection.alpha_max` is the
        smallest at which every coefficient is zero.
        """,
    )

    # A subclass names its parts and its parameter, and defines ``_norms`` and ``_limits``. If one
    # norm is never larger than the other, the minimum over the parts is that norm, and the other
    # part, which would be zero, is left out of the problem.

    # The parameter that multiplies the second norm, and the names of the parts in warnings.
    _strength: ClassVar[str]
    _part_names: ClassVar[tuple[str, str]]

    def _norms(self) -> tuple[Any, Any]:
        """The classes of the penalties on P and Q."""
        raise NotImplementedError

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        """The strength at and below which P is zero, and that at and above which Q is."""
        raise NotImplementedError

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        """The strength for None."""
        low, high = self._limits(n_tasks, n_features)
        return float(np.sqrt(low * high))

    def _relative(self, n_tasks: int, n_features: int) -> float:
        """The strength of the second norm relative to the first."""
        given = getattr(self, self._strength)
        return self._default_strength(n_tasks, n_features) if given is None else float(given)

    def _used(self, n_tasks: int, n_features: int) -> tuple[bool, bool]:
        """Whether P and Q can be non-zero."""
        strength = self._relative(n_tasks, n_features)
        low, high = self._limits(n_tasks, n_features)
        if strength >= high * (1 - ROUNDING):
            return True, False
        return strength > low * (1 + ROUNDING), True

    def _get_penalty(self, data: TaskData) -> Penalty | None:
        if self.alpha == 0:
            return None
        size = data.n_tasks, data.X.shape[1]
        shared, own = self._norms()
        parts = shared(self.alpha), own(self.alpha * self._relative(*size))
        used = [part for part, is_used in zip(parts, self._used(*size), strict=True) if is_used]
        return Superposition(*used) if len(used) == 2 else used[0]

    def _warn_of_data(self, data: TaskData) -> None:
        super()._warn_of_data(data)
        size = int(self._learnable(data).sum()), data.X.shape[1]
        used = self._used(*size) if size[0] else (True, True)
        if all(used):
            return
        low, high = self._limits(*size)
        if low >= high:
            # For example a single task: no strength allows both parts to be non-zero.
            return
        name, without = self._strength, self._part_names[used.index(False)]
        rule = f"{high:.4g} or more" if used[0] else f"{low:.4g} or less"
        warn(
            f"{name}={getattr(self, name):.4g} leaves no {without}: at {rule} it is zero for any "
            f"data ({size[0]} tasks, {size[1]} features). Choose {name} between {low:.4g} "
            f"and {high:.4g}, or None (here {self._default_strength(*size):.4g})."
        )

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        parts = self._parts
        if parts is None:
            zero = np.zeros_like(self.coef_)
            # Without a penalty all decompositions are equally good; W is put in the shared part.
            shared, _ = self._used(max(int(fit.learned.sum()), 1), fit.coef.shape[1])
            is_shared = shared or self.alpha == 0
            whole = self.coef_.copy()
            if data.prior is not None:
                whole = (whole - data.prior.reshape(whole.shape)).astype(whole.dtype)
            self.shared_coef_ = whole if is_shared else zero
            self.task_coef_ = zero if is_shared else whole
        else:
            self.shared_coef_, self.task_coef_ = (p.reshape(self.coef_.shape) for p in parts)
        return self
