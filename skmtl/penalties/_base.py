"""What the objective, the solvers and the reference ask of a penalty."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

Array = NDArray[Any]


class Penalty(BaseEstimator):
    """A convex function of the coefficients W (n_features, n_tasks) that has a prox.

    A norm defines ``value``, ``prox``, ``dual_norm`` and ``to_cvxpy``. A penalty that is finite
    in the dual everywhere (a squared norm, say) defines ``conjugate`` and ``dual_scale`` instead
    of ``dual_norm``. Penalties hold their parameters only, and are never mutated.

    Attributes
    ----------
    separates_over_rows : bool
        Whether the penalty is a sum over the rows of W, so that its prox takes a step per row.
    leaves_mean_free : bool
        Whether it does not change when the same vector is added to all columns of W.
    ignores_rotations : bool
        Whether it depends on the singular values of W alone, or on those and on directions
        between tasks: not on which directions between features they go with.
    is_norm : bool
        Whether it grows in proportion to W near zero, so that a finite strength makes W zero.
    is_positive : bool
        Whether it is infinite where an entry of W is negative.
    has_prox : bool
        Whether ``prox`` is known; a sum or a superposition is solved by its parts.
    """

    separates_over_rows: bool = False
    leaves_mean_free: bool = False
    ignores_rotations: bool = False
    is_norm: bool = True
    is_positive: bool = False
    has_prox: bool = True
    alpha: Any

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")]
    }

    def check(self, n_features: int, n_tasks: int) -> None:
        """Refuse parameters that make no penalty on W (n_features, n_tasks).

        Raises
        ------
        ValueError
            That names the parameter, the rule, the value received, and the remedy.
        """
        self._validate_params()
        for name, value in self.get_params(deep=False).items():
            if np.ma.isMaskedArray(value) and np.ma.count_masked(value):
                raise ValueError(
                    f"The '{name}' of {type(self).__name__} must not have masked entries, got a "
                    f"masked array with {np.ma.count_masked(value)} of {value.size} entries "
                    f"masked. Fill them: .filled(...)."
                )

    @property
    def row_thresholds(self) -> tuple[float | Array, float | Array] | None:
        """(a, b) where it is the sum over rows of a times their L1 plus b times their L2 norm.

        Numbers, or arrays (n_features,).
        """
        return None

    @property
    def free_rows(self) -> Array | None:
        """Which rows of W (n_features,) are not penalised, None where all are."""
        return None

    def of_rows(self, features: Array) -> "Penalty":
        """The penalty on some rows of W alone, the others being zero; it separates over rows."""
        return self

    def value(self, W: Array) -> float:
        """The penalty at W."""
        raise NotImplementedError

    def prox(self, V: Array, step: float | Array) -> Array:
        """The minimiser over W of half the squared distance to V plus step times the value.

        Where the penalty separates over rows, ``step`` may be a column (n_features, 1): the
        minimiser of the rows' squared distances, each over twice its step, plus the value.
        """
        raise NotImplementedError

    def dual_norm(self, G: Array) -> float:
        """The smallest nu >= 0 for which <G, W> <= nu * value(W) for all W."""
        raise NotImplementedError

    def conjugate(self, G: Array) -> float:
        """sup_W <G, W> - value(W). For a norm: 0 where dual_norm(G) <= 1, otherwise infinite."""
        return 0.0 if self.dual_norm(G) <= 1.0 else np.inf

    def dual_scale(self, G: Array) -> float:
        """The largest s in [0, 1] for which conjugate(s * G) is surely finite."""
        nu = self.dual_norm(G)
        # A little inside, or rounding would leave s * G just outside.
        return 1.0 if nu <= 1.0 else (1.0 - 1e-14) / nu

    def to_cvxpy(self, W: Any) -> Any:
        """The penalty as a cvxpy expression, written from its definition.

        Or a pair of an expression and a list of constraints, where the definition is a minimum
        over further variables.
        """
        raise NotImplementedError

    def split(self) -> "tuple[Penalty | None, Quadratic | None]":
        """The part that has a prox, and the smooth quadratic part."""
        return self, None

    def scaled(self, factor: float) -> "Penalty":
        """The same penalty, ``factor`` times as strong."""
        return type(self)(**{**self.get_params(deep=False), "alpha": self.alpha * factor})

    def for_tasks(self, chosen: Array) -> "Penalty":
        """The penalty on the columns of W where ``chosen`` (n_tasks,) is true, others being 0."""
        return self

    def __add__(self, other: "Penalty") -> "Penalty":
        from skmtl.penalties._composite import PenaltySum

        if not isinstance(other, Penalty):
            return NotImplemented
        return PenaltySum((self, other))


class Quadratic(Penalty):
    """A smooth, positive semidefinite quadratic penalty tr(W M W') / 2.

    The objective adds it to the loss. Its conjugate at its own gradient equals its value, which
    is all a certificate needs where a norm is present too.

    Attributes
    ----------
    couples_tasks : bool
        Whether M is not diagonal.
    """

    is_norm = False
    couples_tasks: bool = False

    def gradient(self, W: Array) -> Array:
        """The gradient at W."""
        raise NotImplementedError

    def lipschitz(self) -> float:
        """The largest curvature."""
        raise NotImplementedError

    def task_curvature(self, n_tasks: int) -> Array:
        """The Hessian's diagonal per task (n_tasks,), for one that couples nothing."""
        raise NotImplementedError

    def hessian(self, n_tasks: int) -> Array:
        """M (n_tasks, n_tasks), the Hessian of each row of W."""
        return np.diag(self.task_curvature(n_tasks))

    def pull(self, n_tasks: int) -> Array:
        """M 1 (n_tasks,): what the mean task adds to the slopes; zero where it is rounding."""
        M = self.hessian(n_tasks)
        sums: Array = M.sum(axis=0)
        return sums if np.abs(sums).max() > 1e-12 * np.abs(M).max() else np.zeros(n_tasks)

    def split(self) -> "tuple[Penalty | None, Quadratic | None]":
        return None, self
