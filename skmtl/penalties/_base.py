"""What the objective, the solvers and the reference ask of a penalty, and sums of penalties."""

from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval

Array = NDArray[Any]


class Penalty(BaseEstimator):
    """A convex function of the coefficients W (n_features, n_tasks) that has a prox.

    A norm defines ``value``, ``prox``, ``dual_norm`` and ``to_cvxpy``. A penalty that is finite
    in the dual everywhere (a squared norm, say) defines ``conjugate`` and ``dual_scale`` instead
    of ``dual_norm``. Penalties hold their parameters only, and are never mutated.

    Whatever else objectives, solvers and other penalties need to know of it they read off its
    properties. Their defaults are right for any norm; a class declares more of itself by an
    attribute (``is_absolute = True``), or by a property where it depends on the parameters.
    """

    alpha: Any

    # What an objective may ask for, and how solvers may go about it

    @property
    def separates_over_rows(self) -> bool:
        """Whether it is a sum over the rows of W, so that its prox takes a step per row."""
        return False

    @property
    def leaves_mean_free(self) -> bool:
        """Whether it does not change when the same vector is added to all columns of W."""
        return False

    @property
    def ignores_rotations(self) -> bool:
        """Whether it is the same for Q W, whatever the orthogonal Q: it depends on the singular
        values of W, and perhaps on their directions between tasks.
        """
        return False

    @property
    def is_norm(self) -> bool:
        """Whether it grows in proportion to W near zero, so that a finite strength makes W zero."""
        return True

    @property
    def is_absolute(self) -> bool:
        """Whether it depends on the absolute values of the entries of W alone, and does not fall
        where one of them grows: the penalty that :class:`Positive` takes.
        """
        return False

    @property
    def is_positive(self) -> bool:
        """Whether it is infinite where an entry of W is negative."""
        return False

    @property
    def is_zero(self) -> bool:
        """Whether it costs nothing, whatever W is: by default where ``alpha`` is the number 0."""
        # An array of strengths may have zeros.
        alpha = getattr(self, "alpha", 1.0)
        return np.ndim(alpha) == 0 and bool(alpha == 0)

    @property
    def has_prox(self) -> bool:
        """Whether ``prox`` is known; a sum or a superposition is solved by its parts."""
        return True

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
            masked = int(np.sum(np.ma.getmaskarray(value))) if np.ma.isMaskedArray(value) else 0
            if masked:
                raise ValueError(
                    f"The '{name}' of {type(self).__name__} must not have masked entries, got a "
                    f"masked array with {masked} of {value.size} entries "
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

    # How it goes together with others

    @property
    def summands(self) -> "tuple[Penalty, ...]":
        """The penalties on the same W that it is the sum of: itself, unless it is written so."""
        return (self,)

    @property
    def quadratic_form(self) -> "Quadratic | None":
        """The same for an objective to add to the loss, where it is smooth and quadratic."""
        return None

    @property
    def adds_row_norms(self) -> bool:
        """Whether ``plus_row_norms`` is known."""
        return False

    def plus_row_norms(self, entries: float, rows: float) -> "Penalty":
        """The sum of it, ``entries`` times the L1 and ``rows`` times the L2,1 norm, by one prox."""
        raise NotImplementedError

    def combinations(self, n_tasks: int) -> Any:
        """K (n_tasks, n_combinations), dense or sparse, where it is a penalty on W K; else None."""
        return None

    @property
    def on_combinations(self) -> "Penalty":
        """The penalty on W K, which has a prox: itself where there is no K."""
        return self

    @property
    def n_superposed(self) -> int:
        """How many parts W is the sum of, with a penalty each; 1 unless it is a superposition."""
        return 1

    def value_of_parts(self, parts: Array) -> float:
        """The sum of the penalties at parts (n_superposed, n_features, n_tasks)."""
        return self.value(parts[0])

    def prox_of_parts(self, parts: Array, step: float | Array) -> Array:
        """The prox of each part (n_superposed, n_features, n_tasks)."""
        return self.prox(parts[0], step)[None]

    @property
    def named_parts(self) -> "dict[str, Penalty]":
        """The penalties that it is made of, by name; none for one that stands for itself."""
        return {}

    # The function itself

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

    def stated(self, W: Any) -> tuple[Any, list[Any]]:
        """``to_cvxpy`` as a pair: the expression, and the constraints if there are any."""
        form = self.to_cvxpy(W)
        return form if isinstance(form, tuple) else (form, [])

    def scaled(self, factor: float) -> "Penalty":
        """The same penalty, ``factor`` times as strong."""
        return type(self)(**{**self.get_params(deep=False), "alpha": self.alpha * factor})

    def without_zeros(self) -> "Penalty | None":
        """The penalty without the summands that cost nothing, None where nothing is left."""
        return None if self.is_zero else self

    def for_tasks(self, chosen: Array) -> "Penalty":
        """The penalty on the columns of W where ``chosen`` (n_tasks,) is true, others being 0."""
        return self

    def __add__(self, other: "Penalty") -> "Penalty":
        if not isinstance(other, Penalty):
            return NotImplemented
        return PenaltySum((self, other))


class Quadratic(Penalty):
    """A smooth, positive semidefinite quadratic penalty tr(W M W') / 2.

    The objective adds it to the loss. Its conjugate at its own gradient equals its value, which
    is all a certificate needs where a norm is present too.
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


class Composite(Penalty):
    """Penalties by the lower-case names of their classes, for nested parameters.

    Parameters
    ----------
    parts : sequence of Penalty
        Of two or more of the same class the names end in -1, -2, ...
    """

    has_prox = False
    parts: Sequence[Penalty]

    def _with(self, parts: Sequence[Penalty]) -> Self:
        """The same with other parts."""
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
            # A part is never mutated: others may hold it too.
            named[name] = clone(named[name]).set_params(**{rest: value}) if rest else value
        self.parts = self._with(list(named.values())).parts
        return self

    def __sklearn_clone__(self) -> Self:
        return self._with([clone(part) for part in self.parts])

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return []

    def check(self, n_features: int, n_tasks: int) -> None:
        for part in self.parts:
            part.check(n_features, n_tasks)

    def scaled(self, factor: float) -> Self:
        return self._with([part.scaled(factor) for part in self.parts])

    def for_tasks(self, chosen: Array) -> Self:
        return self._with([part.for_tasks(chosen) for part in self.parts])


class PenaltySum(Composite):
    """A sum of penalties on the same W, written ``L21(0.1) + Ridge(0.01)``.

    Quadratic parts join the loss. L1, L21 and FusedTasks or PairwiseFusion together have a prox;
    of the others one alone keeps its own. Several are minimised by splitting, with a dual point
    for each.
    """

    def __init__(self, parts: tuple[Penalty, ...]) -> None:
        if not parts or not all(isinstance(part, Penalty) for part in parts):
            raise ValueError(f"A sum needs penalties, one at least; got {parts!r}.")
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

    def to_cvxpy(self, W: Any) -> Any:
        pairs = [part.stated(W) for part in self.parts]
        return sum(value for value, _ in pairs), [c for _, extra in pairs for c in extra]
