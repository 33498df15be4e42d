"""The parameters of optional norms of the entries and rows of W, shared by several families."""

from numbers import Real

from sklearn.utils._param_validation import Interval

_AT_LEAST_0 = [Interval(Real, 0, None, closed="left")]

# The rule, type and text of ``sparse`` and ``block``.
SPARSE = (_AT_LEAST_0, "float", "Strength of the L1 norm relative to ``alpha``, >= 0.")
BLOCK = (
    _AT_LEAST_0,
    "float",
    "Strength of the L2,1 norm relative to ``alpha``, >= 0. It selects features for all tasks.",
)
