"""The weights of features in a penalty, as users pass them."""

from typing import Any

import numpy as np

from skmtl.penalties._base import Array


def read_weights(weights: Any, n_features: int) -> Array | None:
    """The weights as floats; None if they are not finite numbers >= 0, one for each feature."""
    try:
        read = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    valid = read.shape == (n_features,) and (np.isfinite(read) & (read >= 0)).all()
    return read if valid else None
