"""Parameters that a search or a mixture needs to be the same in all estimators that it fits."""

import inspect
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are equal; arrays by their entries."""
    return one is other or (type(one) is type(other) and np.array_equal(one, other))


def overrides(estimator: Any, name: str, value: Any) -> bool:
    """Whether setting the parameter to ``value`` would replace a value that the user has chosen."""
    given = getattr(estimator, name)
    default = inspect.signature(type(estimator)).parameters[name].default
    return not (is_same(given, value) or is_same(given, default))


def accepts(estimator: Any, name: str, value: Any) -> bool:
    """Whether ``value`` is valid for the parameter."""
    constraints = estimator._parameter_constraints
    try:
        validate_parameter_constraints(constraints, {name: value}, type(estimator).__name__)
    except InvalidParameterError:
        return False
    return True
