"""Standard errors of means over folds, whose training sets overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def corrected_error(values: NDArray[Any], ratio: float) -> float:
    """Standard error of a mean over resamplings, with Nadeau and Bengio's correction.

    Since training sets overlap, J values are less informative than J independent ones: their
    variance is multiplied by 1 / J + n_test / n_train instead of 1 / J.

    Parameters
    ----------
    values : ndarray of shape (J,)
    ratio : float
        n_test / n_train.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52, 2003,
    https://doi.org/10.1023/A:1024068626366
    """
    return float(np.sqrt((1 / len(values) + ratio) * np.var(values, ddof=1)))
