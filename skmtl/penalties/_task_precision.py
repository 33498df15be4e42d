"""The Gaussian prior between tasks that a penalty amounts to at its minimiser."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Variances below this fraction of the largest are rounding error.
_ROUNDING = 1e-12


class TaskPrecision(NamedTuple):
    r"""The form :math:`\tfrac12 \operatorname{tr}(U P U')` of the coefficients :math:`W = U R'`.

    Attributes
    ----------
    directions : ndarray of shape (n_tasks, r)
        R, orthonormal: the rows of W lie in its span.
    matrix : ndarray of shape (r, r)
        P, symmetric and positive semidefinite.
    """

    directions: Array
    matrix: Array

    @classmethod
    def of_variances(cls, variances: Array, directions: Array, alpha: float) -> Self:
        """From the eigenvalues and eigenvectors of the learned covariance, which may be zero."""
        used = variances > _ROUNDING * variances.max(initial=0.0)
        return cls(directions[:, used], np.diag(alpha / variances[used]))

    def plus(self, other: "TaskPrecision") -> "TaskPrecision":
        """The sum of two forms, at least one of which allows all directions."""
        wide, narrow = sorted((self, other), key=lambda form: form.directions.shape[1])[::-1]
        R = narrow.directions
        along = R.T @ wide.directions
        return TaskPrecision(R, narrow.matrix + along @ wide.matrix @ along.T)


def total(forms: Sequence[TaskPrecision | None]) -> TaskPrecision | None:
    """The sum of forms; None if one is unknown, or if several restrict the directions."""
    known = [form for form in forms if form is not None]
    narrow = [form for form in known if form.directions.shape[1] < len(form.directions)]
    if len(known) < len(forms) or len(narrow) > 1:
        return None
    first, *others = known
    for form in others:
        first = first.plus(form)
    return first
