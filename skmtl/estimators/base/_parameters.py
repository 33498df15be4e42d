"""Constructor parameters, each declared once with its type, default, rule and description.

A parameter is a class attribute of an estimator or of a mixin::

    ridge: float = parameter(0.0, [Interval(Real, 0, None, closed="left")], "float", "Strength.")

:func:`estimator` turns the parameters of a class and its bases into what scikit-learn and readers
expect: an ``__init__`` with an explicit signature, ``_parameter_constraints``, and the Parameters
section of the docstring.
"""

import inspect
import linecache
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import is_not
from typing import Any, Literal, Self, TypeVar, dataclass_transform
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import make_constraint

from skmtl._site import DocumentedEstimator
from skmtl.estimators.base._docstrings import compose, keep_text
from skmtl.estimators.base._elsewhere import explain_alpha, explain_missing

Class = TypeVar("Class", bound=type[Any])

# The order in signatures. Only the first group is positional.
GROUPS = ("strength", "grid", "family", "search", "loss", "data", "labels", "stages", "solving")
_FIELDS = "_parameters"
# Constructors that assign the parameters and do nothing else.
_assigning: WeakSet[Any] = WeakSet()
_NO_DEFAULT = object()


@dataclass(frozen=True)
class Parameter:
    """One constructor parameter.

    Attributes
    ----------
    default : object
    rule : list
        Constraints for scikit-learn's ``validate_parameter_constraints``.
    kind : str
        The type in the docstring.
    text : str
        The description in the docstring.
    group : str
        One of GROUPS.
    annotation : object
        The type in the signature.
    """

    default: Any
    rule: list[Any]
    kind: str
    text: str
    group: str
    annotation: Any


@dataclass(frozen=True)
class _Declared:
    """The declaration of a parameter in a class body; group None: the class lacks it."""

    default: Any
    group: str | None
    given: dict[str, Any]
    annotation: Any = Any

    def complete(self, name: str, inherited: Parameter | None) -> Parameter | None:
        """The parameter completed from the bases; None if the class lacks it."""
        if self.group is None:
            return None
        changed = {"default": self.default, "annotation": self.annotation, **self.given}
        if inherited is not None:
            return replace(inherited, **changed)
        missing = [what for what in ("rule", "kind", "text") if what not in self.given]
        if missing:
            raise TypeError(
                f"The parameter {name!r} must have a rule, a kind and a text, since no base "
                f"declares it; missing are {missing}. State them, or correct the name."
            )
        return Parameter(group=self.group, **changed)


def parameter(
    default: Any,
    rule: Sequence[Any] | None = None,
    kind: str | None = None,
    text: str | None = None,
    *,
    group: str = "family",
) -> Any:
    """Declare a keyword-only parameter; see :class:`Parameter`.

    A class that redeclares a parameter of its bases may leave out what stays the same.
    """
    if group not in GROUPS:
        raise ValueError(f"The group of a parameter must be one of {GROUPS}, got {group!r}.")
    given = {"rule": rule, "kind": kind, "text": None if text is None else inspect.cleandoc(text)}
    return _Declared(default, group, {name: x for name, x in given.items() if x is not None})


def strength(
    default: Any,
    rule: Sequence[Any] | None = None,
    kind: str | None = None,
    text: str | None = None,
    *,
    kw_only: Literal[False] = False,
) -> Any:
    """Declare the strength of the penalty, the only parameter that may be passed by position.

    ``kw_only`` is not used; its default tells type checkers that the parameter is positional.
    """
    return parameter(default, rule, kind, text, group=GROUPS[0])


def absent(*, init: Literal[False] = False) -> Any:
    """Declare that a class lacks a parameter of its bases.

    ``init`` is not used; its default tells type checkers that ``__init__`` lacks the parameter.
    """
    return _Declared(None, None, {})


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter, strength, absent))
def estimator(cls: Class) -> Class:
    """Give a class the constructor, the constraints and the docstring of its parameters.

    Bases that declare parameters must be decorated too. A class may redeclare a parameter of its
    bases, for example with another default or text.
    """
    own = {}
    for name, declared in list(vars(cls).items()):
        if isinstance(declared, _Declared):
            own[name] = replace(declared, annotation=inspect.get_annotations(cls)[name])
            # A class attribute would hide that an instance lacks the attribute.
            delattr(cls, name)
    setattr(cls, _FIELDS, own)
    keep_text(cls)
    if cls.__name__.startswith("_"):
        return cls  # a mixin, of which there are no instances
    fields = _collect(cls)
    cls.__init__ = _make_init(cls, fields)
    cls._parameter_constraints = {name: field.rule for name, field in fields.items()}
    compose(cls, {name: (field.kind, field.default, field.text) for name, field in fields.items()})
    return cls


def _collect(cls: type) -> dict[str, Parameter]:
    """The parameters of a class and of its bases, in the order of the signature."""
    found: dict[str, Parameter | None] = {}
    # A redeclared parameter keeps its place in the signature.
    for base in reversed(cls.__mro__):
        for name, declared in vars(base).get(_FIELDS, {}).items():
            found[name] = declared.complete(name, found.get(name))
    present = [(name, field) for name, field in found.items() if field is not None]
    return dict(sorted(present, key=lambda item: GROUPS.index(item[1].group)))


def _make_init(cls: type, fields: dict[str, Parameter]) -> Any:
    """``__init__`` as if written by hand, with source code for ``inspect.getsource``."""
    arguments, starred = ["self"], False
    for name, field in fields.items():
        if field.group != GROUPS[0] and not starred:
            arguments.append("*")
            starred = True
        arguments.append(f"{name}: annotations[{name!r}] = defaults[{name!r}]")
    body = "".join(f"    self.{name} = {name}\n" for name in fields) or "    pass\n"
    source = f"def __init__({', '.join(arguments)}) -> None:\n{body}"
    file = f"<constructor of {cls.__module__}.{cls.__qualname__}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {
        "annotations": {name: field.annotation for name, field in fields.items()},
        "defaults": {name: field.default for name, field in fields.items()},
    }
    exec(compile(source, file, "exec"), namespace)
    init = namespace["__init__"]
    _assigning.add(init)
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


# Types of parameters that copies may share.
_CONSTANTS = {bool, int, float, str, type(None), np.float64, np.int64}
# The parameters' names, their defaults (where these are valid), and scikit-learn's constraints.
_Rules = tuple[list[str], list[Any], list[tuple[Any, ...]]]
# By class, with the constructor and the constraints from which they were derived.
_names: WeakKeyDictionary[type, tuple[Any, list[str]]] = WeakKeyDictionary()
_rules: WeakKeyDictionary[type, tuple[Any, Any, _Rules]] = WeakKeyDictionary()


class QuickValidation(DocumentedEstimator):
    """Validation and clones whose cost is small even beside that of a small fit.

    Classes are inspected once, and parameters that cannot change are not copied.
    """

    def __new__(cls, *args: Any, **params: Any) -> Self:
        if params:
            # Before Python raises a TypeError of its own.
            message = explain_missing(cls, params, cls._get_param_names())
            if message is not None:
                raise TypeError(message)
        made: Self = super().__new__(cls)
        return made

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of nested objects by ``name__parameter``.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        estimator

        Raises
        ------
        ValueError
            If the estimator has no such parameter; the message says which families have it, or
            lists the valid parameters.
        """
        message = explain_missing(type(self), params, self._get_param_names())
        if message is not None:
            raise ValueError(message)
        changed: Self = super().set_params(**params)
        return changed

    @classmethod
    def _get_param_names(cls) -> list[str]:
        init, names = _names.get(cls, (None, []))
        if init is not cls.__init__:
            names = super()._get_param_names()
            _names[cls] = cls.__init__, names
        return names.copy()

    def __sklearn_clone__(self) -> Self:
        params, cls = dict(vars(self)), type(self)
        # Unfitted, and nothing is set but the parameters, by a constructor that only assigns them.
        if cls.__init__ in _assigning and params.keys() == set(self._get_param_names()):
            if not _CONSTANTS.issuperset(map(type, params.values())):
                for name, value in params.items():
                    if type(value) not in _CONSTANTS:
                        params[name] = clone(value, safe=False)
            new = cls.__new__(cls)
            new.__dict__.update(params)
            return new
        cloned: Self = super().__sklearn_clone__()
        return cloned

    def _validate_params(self) -> None:
        if not _has_valid_parameters(self):
            names, _, constraints = _rules[type(self)][2]
            message = None
            if "alpha" in names and not _satisfies(self.alpha, constraints[names.index("alpha")]):
                message = explain_alpha(self)
            if message is not None:
                raise ValueError(message)
            super()._validate_params()  # raises, with scikit-learn's message


def _has_valid_parameters(model: Any) -> bool:
    """Whether scikit-learn's validation accepts the parameters of an estimator."""
    cls = type(model)
    init, given, rules = _rules.get(cls, (None, None, None))
    if rules is None or init is not cls.__init__ or given is not cls._parameter_constraints:
        rules = _make_rules(cls)
        _rules[cls] = cls.__init__, cls._parameter_constraints, rules
    names, defaults, constraints = rules
    # Without a loop in Python over all parameters, most of which have their defaults.
    try:
        values = [*map(vars(model).__getitem__, names)]
    except KeyError:  # not an attribute of the instance
        values = [getattr(model, name) for name in names]
    changed = compress(zip(values, constraints, strict=True), map(is_not, values, defaults))
    return all(_satisfies(value, allowed) for value, allowed in changed)


def _satisfies(value: Any, constraints: tuple[Any, ...]) -> bool:
    for constraint in constraints:  # faster than any()
        if constraint.is_satisfied_by(value):
            return True
    return False


def _make_rules(cls: type[Any]) -> _Rules:
    names = cls._get_param_names()
    made = [_make_constraints(cls, name) for name in names]
    parameters = inspect.signature(cls.__init__).parameters
    defaults = [parameters[name].default for name in names]
    valid = map(_satisfies, defaults, made)
    return names, [x if ok else _NO_DEFAULT for x, ok in zip(defaults, valid, strict=True)], made


def _make_constraints(cls: type[Any], name: str) -> tuple[Any, ...]:
    given = cls._parameter_constraints.get(name, "no_validation")
    constraints = [object] if given == "no_validation" else given  # every value is an object
    return tuple(make_constraint(constraint) for constraint in constraints)
