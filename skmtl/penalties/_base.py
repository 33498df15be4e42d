"""The interface of penalties, and sums of penalties."""

from collections import Counter
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from skmtl._numerics import Coupling
from skmtl._site import DocumentedEstimator
from skmtl.penalties._task_precision import TaskPrecision, total

Array = NDArray[Any]
Derivative = Callable[[Array], Array]

# Eigenvalues up to this fraction of the largest are rounding error.
_ROUNDING = 1e-12


class Penalty(DocumentedEstimator):
    """A convex function of the coefficients W (n_features, n_tasks) with a proximal operator.

    A norm defines ``value``, ``prox``, ``dual_norm`` and ``to_cvxpy``. A penalty whose conjugate
    is finite everywhere (a squared norm, for example) defines ``conjugate`` and ``dual_scale``
    instead of ``dual_norm``. Penalties store only their parameters, and are never mutated.

    Objectives, solvers and other penalties ask for everything else through properties. The
    defaults are valid for every norm; a class overrides them by an attribute
    (``is_absolute = True``), or by a property if the answer depends on the parameters.
    """

    alpha: Any

    # Properties for objectives and solvers

    @property
    def separates_over_rows(self) -> bool:
        """Whether it is a sum over the rows of W; its prox then accepts a step per row."""
        return False

    @property
    def row_groups(self) -> Array | None:
        """Labels (n_features,) of groups of rows over which it is a sum; None if not stated.

        Its prox then accepts a step per row that is the same within each group.
        """
        return None

    @property
    def has_nearness(self) -> bool:
        """Whether ``nearness`` is implemented, and ``of_rows`` for whole ``row_groups``."""
        return False

    def nearness(self, G: Array) -> Array:
        """How close each row (n_features,) is to becoming active at the slopes G: it is at 1."""
        raise NotImplementedError

    @property
    def separates_over_entries(self) -> bool:
        """Whether it is a sum over the entries of W; its prox then accepts a step per entry."""
        return False

    @property
    def leaves_mean_free(self) -> bool:
        """Whether adding the same vector to all columns of W leaves it unchanged."""
        return False

    @property
    def ignores_rotations(self) -> bool:
        """Whether it is invariant under W -> Q W for all orthogonal Q.

        It then depends only on the singular values and right singular vectors of W.
        """
        return False

    @property
    def ignores_task_rotations(self) -> bool:
        """Whether it is invariant under W -> W Q for all orthogonal Q."""
        return False

    @property
    def is_norm(self) -> bool:
        """Whether it grows linearly near zero, so that a finite strength makes W zero."""
        return True

    @property
    def is_absolute(self) -> bool:
        """Whether it is a non-decreasing function of the absolute values of the entries of W.

        :class:`Positive` accepts only such penalties.
        """
        return False

    @property
    def is_positive(self) -> bool:
        """Whether it is infinite if some entry of W has the wrong sign, as in :class:`Positive`."""
        return False

    def clip_signs(self, W: Array) -> Array:
        """W with zeros in place of the entries whose sign makes the penalty infinite."""
        return W

    @property
    def is_zero(self) -> bool:
        """Whether it is zero for every W; by default, whether ``alpha`` is the number 0."""
        # An array of strengths counts as non-zero, even if it contains zeros.
        alpha = getattr(self, "alpha", 1.0)
        return np.ndim(alpha) == 0 and bool(alpha == 0)

    @property
    def has_prox(self) -> bool:
        """Whether ``prox`` is implemented; sums and superpositions are solved by their parts."""
        return True

    @property
    def has_terms(self) -> bool:
        """Whether it is a :class:`Terms`, whose prox is known only term by term."""
        return False

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "alpha": [Interval(Real, 0, None, closed="left")]
    }

    def check(self, n_features: int, n_tasks: int) -> None:
        """Raise unless the parameters define a penalty on W (n_features, n_tasks).

        Raises
        ------
        ValueError
            With the parameter, the rule, the value received, and the remedy.
        """
        self._validate_params()
        for name, value in self.get_params(deep=False).items():
            masked = int(np.sum(np.ma.getmaskarray(value))) if np.ma.isMaskedArray(value) else 0
            if masked:
                raise ValueError(
                    f"The '{name}' of {type(self).__name__} must not have masked entries, got a "
                    f"masked array with {masked} of {value.size} entries "
                    f"masked. Fill them: .filled(...)."
                )

    @property
    def row_thresholds(self) -> tuple[float | Array, float | Array] | None:
        """(a, b) if it is the sum over rows of a times the L1 norm plus b times the L2 norm.

        Numbers, or arrays (n_features,); None for other penalties.
        """
        return None

    @property
    def free_rows(self) -> Array | None:
        """A mask (n_features,) of the unpenalised rows of W; None if all rows are penalised."""
        return None

    def of_rows(self, features: Array) -> "Penalty":
        """Restrict a penalty that separates over rows to the given rows of W."""
        return self

    # Combination with other penalties

    @property
    def summands(self) -> "tuple[Penalty, ...]":
        """The penalties on W whose sum it is; itself, unless it is a ``PenaltySum``."""
        return (self,)

    @property
    def quadratic_form(self) -> "Quadratic | None":
        """The penalty as a smooth quadratic to add to the loss; None if it is not quadratic."""
        return None

    @property
    def adds_row_norms(self) -> bool:
        """Whether ``plus_row_norms`` is implemented."""
        return False

    def plus_row_norms(self, entries: float, rows: float) -> "Penalty":
        """Its sum with ``entries`` times the L1 and ``rows`` times the L2,1 norm; has a prox."""
        raise NotImplementedError

    def combinations(self, n_tasks: int) -> Any:
        """K (n_tasks, n_combinations), dense or sparse, if it is a penalty on W K; else None."""
        return None

    @property
    def on_combinations(self) -> "Penalty":
        """The penalty on W K, which has a prox; the penalty itself if it has no K."""
        return self

    @property
    def n_superposed(self) -> int:
        """The number of parts of W with a penalty each; 1 unless it is a superposition."""
        return 1

    def value_of_parts(self, parts: Array) -> float:
        """The sum of the penalties of parts (n_superposed, n_features, n_tasks)."""
        return self.value(parts[0])

    def prox_of_parts(self, parts: Array, step: float | Array) -> Array:
        """The prox of each part (n_superposed, n_features, n_tasks)."""
        return self.prox(parts[0], step)[None]

    @property
    def named_parts(self) -> "dict[str, Penalty]":
        """The penalties that it is composed of, by name; empty unless it is a composite."""
        return {}

    # The function and its dual

    def value(self, W: Array) -> float:
        """The penalty at W."""
        raise NotImplementedError

    def prox(self, V: Array, step: float | Array) -> Array:
        """The minimiser over W of half the squared distance to V plus step times the value.

        If the penalty separates over rows, ``step`` may be a column (n_features, 1): W then
        minimises the rows' squared distances, each divided by twice its step, plus the value.
        """
        raise NotImplementedError

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        """The derivative of ``prox`` at V, where it exists: almost everywhere.

        A function of directions (..., n_features, n_tasks), linear, symmetric, with eigenvalues in
        [0, 1]. Degrees of freedom are computed from it; nothing else needs it.

        Raises
        ------
        NotImplementedError
            If the derivative is not known.
        """
        raise NotImplementedError(f"{type(self).__name__} has no prox_derivative")

    def dual_norm(self, G: Array) -> float:
        """The smallest nu >= 0 such that <G, W> <= nu * value(W) for all W."""
        raise NotImplementedError

    def conjugate(self, G: Array) -> float:
        """sup_W <G, W> - value(W). For a norm: 0 where dual_norm(G) <= 1, otherwise infinite."""
        return 0.0 if self.dual_norm(G) <= 1.0 else np.inf

    def dual_scale(self, G: Array) -> float:
        """The largest s in [0, 1] that makes conjugate(s * G) finite, rounded down."""
        nu = self.dual_norm(G)
        # With a margin, so that rounding does not make s * G infeasible.
        return 1.0 if nu <= 1.0 else (1.0 - 1e-14) / nu

    def to_cvxpy(self, W: Any) -> Any:
        """The penalty as a cvxpy expression, written from its definition.

        A definition as a minimum over further variables is returned as a pair of an expression
        and a list of constraints.
        """
        raise NotImplementedError

    def stated(self, W: Any) -> tuple[Any, list[Any]]:
        """``to_cvxpy`` as a pair of the expression and a possibly empty list of constraints."""
        form = self.to_cvxpy(W)
        return form if isinstance(form, tuple) else (form, [])

    def scaled(self, factor: float) -> "Penalty":
        """The penalty multiplied by ``factor``."""
        return type(self)(**{**self.get_params(deep=False), "alpha": self.alpha * factor})

    def without_zeros(self) -> "Penalty | None":
        """The penalty without summands that are zero; None if no summand is left."""
        return None if self.is_zero else self

    def for_tasks(self, chosen: Array) -> "Penalty":
        """Restrict the penalty to the columns of W selected by the mask ``chosen`` (n_tasks,)."""
        return self

    def task_precision(self, W: Array) -> TaskPrecision | None:
        """A form tr(W M W') / 2 + constant that equals the penalty at W and is nowhere below it.

        If W minimises the objective, it also minimises that with the form, so that the fit is one
        under a Gaussian prior. None if the penalty is no minimum over such forms.
        """
        return None

    def __add__(self, other: "Penalty") -> "Penalty":
        if not isinstance(other, Penalty):
            return NotImplemented
        return PenaltySum((self, other))


class Quadratic(Penalty):
    """A smooth, positive semidefinite quadratic penalty tr(W M W') / 2.

    The objective adds it to the loss. Its conjugate at its own gradient equals its value, which
    is all that a certificate needs if the penalty also includes a norm.
    """

    is_norm = False

    @property
    def couples_tasks(self) -> bool:
        """Whether M is not diagonal."""
        return False

    @property
    def quadratic_form(self) -> "Quadratic | None":
        return self

    def gradient(self, W: Array) -> Array:
        """The gradient at W."""
        raise NotImplementedError

    def prox_derivative(self, V: Array, step: float | Array) -> Derivative:
        return lambda D: self.prox(D, step)  # which is linear

    def lipschitz(self) -> float:
        """The Lipschitz constant of the gradient."""
        raise NotImplementedError

    def task_curvature(self, n_tasks: int) -> Array:
        """The diagonal (n_tasks,) of a diagonal M."""
        raise NotImplementedError

    def hessian(self, n_tasks: int) -> Array:
        """M (n_tasks, n_tasks), the Hessian of each row of W."""
        return np.diag(self.task_curvature(n_tasks))

    def coupling_of(self, n_tasks: int) -> Array | Coupling:
        """M, kept as a graph if there are many tasks."""
        return self.hessian(n_tasks)

    def free_combinations(self, n_tasks: int) -> Any:
        """An orthonormal basis (n_tasks, n) of the combinations of tasks that are unpenalised."""
        eigenvalues, basis = np.linalg.eigh(self.hessian(n_tasks))
        return basis[:, eigenvalues <= _ROUNDING * max(eigenvalues[-1], 0.0)]

    def on_range(self, G: Array, near: Array | None) -> tuple[float, Array, Array]:
        """The conjugate at the projection of G onto the range of M, this projection, and the rest.

        ``near`` is a W close to where the conjugate is attained, if one is known.
        """
        eigenvalues, basis = np.linalg.eigh(self.hessian(G.shape[1]))
        seen = eigenvalues > _ROUNDING * eigenvalues[-1]
        turned = G @ basis
        value = float((turned[:, seen] ** 2 / eigenvalues[seen]).sum() / 2)
        held, rest = turned[:, seen] @ basis[:, seen].T, turned[:, ~seen] @ basis[:, ~seen].T
        return value, held, rest

    def conjugate_near(self, G: Array, W: Array | None) -> float:
        """The conjugate at G, for W close to where it is attained."""
        return self.conjugate(G)

    def task_precision(self, W: Array) -> TaskPrecision:
        n_tasks = W.shape[1]
        return TaskPrecision(np.eye(n_tasks), self.hessian(n_tasks))

    def pull(self, n_tasks: int) -> Array:
        """The row sums M 1 (n_tasks,), set to zero if they are only rounding error."""
        M = self.hessian(n_tasks)
        sums: Array = M.sum(axis=0)
        return sums if np.abs(sums).max() > 1e-12 * np.abs(M).max() else np.zeros(n_tasks)


class Composite(Penalty):
    """A penalty composed of parts, which nested parameters address by lower-case class names.

    Parameters
    ----------
    parts : sequence of Penalty
        If several parts have the same class, their names end in -1, -2, ...
    """

    has_prox = False
    parts: Sequence[Penalty]

    def _with(self, parts: Sequence[Penalty]) -> Self:
        """A copy with other parts."""
        raise NotImplementedError

    @property
    def named_parts(self) -> dict[str, Penalty]:
        """The parts by name."""
        names = [type(part).__name__.lower() for part in self.parts]
        counts, seen = Counter(names), Counter[str]()
        named = {}
        for name, part in zip(names, self.parts, strict=True):
            seen[name] += 1
            named[name if counts[name] == 1 else f"{name}-{seen[name]}"] = part
        return named

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        named: dict[str, Any] = dict(self.named_parts)
        if deep:
            for name, part in self.named_parts.items():
                named |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return named

    def set_params(self, **params: Any) -> Self:
        named = self.named_parts
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in named:
                raise ValueError(
                    f"{self!r} has no part {name!r}; its parts are {', '.join(named)}."
                )
            # Clone a part instead of mutating it: other composites may share it.
            named[name] = clone(named[name]).set_params(**{rest: value}) if rest else value
        self.parts = self._with(list(named.values())).parts
        return self

    def __sklearn_clone__(self) -> Self:
        return self._with([clone(part) for part in self.parts])

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return []

    @property
    def ignores_task_rotations(self) -> bool:
        return all(part.ignores_task_rotations for part in self.parts)

    def check(self, n_features: int, n_tasks: int) -> None:
        for part in self.parts:
            part.check(n_features, n_tasks)

    def scaled(self, factor: float) -> Self:
        return self._with([part.scaled(factor) for part in self.parts])

    def for_tasks(self, chosen: Array) -> Self:
        return self._with([part.for_tasks(chosen) for part in self.parts])


class PenaltySum(Composite):
    """A sum of penalties on the same W, written ``L21(0.1) + Ridge(0.01)``.

    Quadratic parts are added to the loss. L1, L21 and one FusedTasks or PairwiseFusion are merged
    into one part with a joint prox. If several parts remain, the sum is minimised by splitting,
    with a dual point for each part.

    Parameters
    ----------
    parts : tuple of Penalty
        The terms, at least one; sums among them are replaced by their own terms.

    Examples
    --------
    >>> import numpy as np
    >>> from skmtl.penalties import L1, Ridge
    >>> W = np.array([[3.0, 4.0], [0.0, 0.0]])
    >>> (L1(0.5) + Ridge(0.5)).value(W)  # 3.5 + 6.25
    9.75
    """

    def __init__(self, parts: tuple[Penalty, ...]) -> None:
        if not parts or not all(isinstance(part, Penalty) for part in parts):
            raise ValueError(f"The parts of a sum must be penalties, at least one, got {parts!r}.")
        self.parts = tuple(summand for part in parts for summand in part.summands)

    def _with(self, parts: Sequence[Penalty]) -> Self:
        return type(self)(tuple(parts))

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return " + ".join(repr(part) for part in self.parts)

    @property
    def summands(self) -> tuple[Penalty, ...]:
        return tuple(self.parts)

    @property
    def is_zero(self) -> bool:
        return all(part.is_zero for part in self.parts)

    def without_zeros(self) -> Penalty | None:
        parts = [part for part in self.parts if not part.is_zero]
        return PenaltySum(tuple(parts)) if len(parts) > 1 else parts[0] if parts else None

    def value(self, W: Array) -> float:
        return sum(part.value(W) for part in self.parts)

    def task_precision(self, W: Array) -> TaskPrecision | None:
        return total([part.task_precision(W) for part in self.parts])

    def to_cvxpy(self, W: Any) -> Any:
        pairs = [part.stated(W) for part in self.parts]
        return sum(value for value, _ in pairs), [c for _, extra in pairs for c in extra]
