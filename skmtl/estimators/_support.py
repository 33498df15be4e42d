"""The features that a row-sparse estimator selects, as an attribute."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skmtl.estimators.base import TaskEstimator, estimator


@estimator
class RowSupport(TaskEstimator):
    """An estimator whose penalty sets rows of W to zero.

    Attributes
    ----------
    support_ : ndarray of shape (n_features,)
        True where a feature has a non-zero coefficient in some task.
    """

    @property
    def support_(self) -> NDArray[np.bool_]:
        """Features (n_features,) with a non-zero coefficient in some task."""
        check_is_fitted(self)
        return np.asarray(np.atleast_2d(self.coef_).any(axis=0))
