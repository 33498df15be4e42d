"""W as a sum of two parts: one that tasks share, and one of each task's own."""

from typing import Any, ClassVar, Self

import numpy as np

from skmtl._warnings import warn
from skmtl.design import TaskData
from skmtl.estimators.base import Fit, TaskEstimator
from skmtl.penalties import Penalty, Superposition

# Strengths this near to a bound are at it.
ROUNDING = 1e-12


class TwoPartTasks(TaskEstimator):
    """An estimator with W = P + Q, of two norms, the second relative to the first.

    A subclass names the parts and its parameter, and defines ``_norms`` and ``_limits``. Where one
    norm is never larger than the other, the minimum over the parts is that norm alone: a part
    that would be zero is left out of the problem.
    """

    # The parameter that multiplies the second norm, and the parts' names in warnings.
    _strength: ClassVar[str]
    _part_names: ClassVar[tuple[str, str]]

    def _norms(self) -> tuple[Any, Any]:
        """The classes of the penalties on P and Q."""
        raise NotImplementedError

    def _limits(self, n_tasks: int, n_features: int) -> tuple[float, float]:
        """Strengths up to which P is zero, and from which on Q is."""
        raise NotImplementedError

    def _default_strength(self, n_tasks: int, n_features: int) -> float:
        """The strength that None stands for."""
        low, high = self._limits(n_tasks, n_features)
        return float(np.sqrt(low * high))

    def _relative(self, n_tasks: int, n_features: int) -> float:
        given = getattr(self, self._strength)
        return self._default_strength(n_tasks, n_features) if given is None else float(given)

    def _used(self, n_tasks: int, n_features: int) -> tuple[bool, bool]:
        """Whether P and Q may be other than zero."""
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
            # One task, say: no strength would bring both parts to life.
            return
        name, without = self._strength, self._part_names[used.index(False)]
        rule = f"{high:.4g} or more" if used[0] else f"{low:.4g} or less"
        warn(
            f"{name}={getattr(self, name):.4g} leaves no {without}: at {rule} it is zero whatever "
            f"the data are ({size[0]} tasks, {size[1]} features). Choose {name} between {low:.4g} "
            f"and {high:.4g}, or None, here {self._default_strength(*size):.4g}."
        )

    def _set_fit(self, data: TaskData, fit: Fit) -> Self:
        super()._set_fit(data, fit)
        parts = self._parts
        if parts is None:
            zero = np.zeros_like(self.coef_)
            # Without a penalty every sum is as good, and all is shared.
            shared, _ = self._used(max(int(fit.learned.sum()), 1), fit.coef.shape[1])
            is_shared = shared or self.alpha == 0
            self.shared_coef_ = self.coef_.copy() if is_shared else zero
            self.task_coef_ = zero if is_shared else self.coef_.copy()
        else:
            self.shared_coef_, self.task_coef_ = (p.reshape(self.coef_.shape) for p in parts)
        return self
