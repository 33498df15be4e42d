"""Parameters that a search or a mixture needs to be the same in all estimators that it fits."""

import inspect
from typing import Any

import joblib
import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are equal, in what they contain."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if sparse.issparse(one) and sparse.issparse(other):
        return bool(one.shape == other.shape and (one != other).nnz == 0)
    # Hashes compare frames with their labels, and dicts of arrays.
    return one is other or bool(joblib.hash(one) == joblib.hash(other))


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
