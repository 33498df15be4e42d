"""What a fit keeps for new tasks: its training data, and what was computed from them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from skmtl.design import TaskData
from skmtl.estimators.base._one_task import Frame, Spectrum
from skmtl.estimators.base._prior import Prior
from skmtl.estimators.base._variances import Variances

Array = NDArray[Any]

# The entries of X that are kept although a few sums would do.
_FEW = 100_000


@dataclass(frozen=True, eq=False)
class Learned:
    """What is known of a task: its coordinates, its data's spectrum, and its label's scale."""

    frame: Frame
    spectrum: Spectrum
    weight: float
    scale: float


class Training:
    """The training data of a fit, and what was computed from them on demand.

    The data are a reference to the user's arrays where validation did not copy them. Copies share
    them, and pickles do not contain them.

    Parameters
    ----------
    data : TaskData or None
        None if new tasks cannot be fitted.

    Attributes
    ----------
    scales : ndarray of shape (n_tasks,) or None
        Those by which the labels were divided.
    variances : Variances or None
    prior : Prior or None
        That of a new task of which nothing is known.
    tasks : dict from int to Learned
        The tasks of the fit by position.
    """

    def __init__(self, data: TaskData | None) -> None:
        self.data = data
        self.scales = None if data is None else data.scales
        self.variances: Variances | None = None
        self.prior: Prior | None = None
        self.tasks: dict[int, Learned] = {}
        self._sample: Any = None if data is None else _sample(data.X)

    @property
    def is_small(self) -> bool:
        """Whether keeping the data costs little memory."""
        return self.data is not None and _n_entries(self.data.X) <= _FEW

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "data": None, "prior": None, "_sample": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = type(self)(self.data)
        vars(new).update(vars(self), tasks=dict(self.tasks))
        return new

    def read(self, what: str) -> TaskData:
        """The data, from which ``what`` is to be computed.

        Raises
        ------
        ValueError
            If they were lost in a pickle, or the user has changed them.
        """
        if self.data is None:
            raise ValueError(
                f"{what} is computed from the training data, which pickles do not contain and "
                f"fit_batches does not keep. Compute it once before pickling, or fit the estimator "
                f"again by fit."
            )
        if not np.array_equal(self._sample, _sample(self.data.X)):
            raise ValueError(
                f"{what} is computed from the training data, but X was changed after the fit, "
                f"which keeps a reference to it. Fit the estimator again, and change a copy of X."
            )
        return self.data


def _n_entries(X: Any) -> int:
    return int(X.nnz) if sp.issparse(X) else int(X.size)


def _sample(X: Any) -> Array:
    """Some entries, by which changes of whole columns or rows are noticed."""
    if sp.issparse(X):
        return np.array(X.data[:: max(1, X.data.size // 256)])
    n, d = X.shape
    return np.array(X[:: max(1, n // 4), :: max(1, d // 64)])
