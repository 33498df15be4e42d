"""Where a solver is."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Point:
    """Coefficients W (d, T), intercepts b, and the image Z of both that the objective keeps.

    From rows of data Z are the predictors, from moments the Gram matrix times W.
    """

    W: Array
    b: Array
    Z: Array

    def extrapolate(self, other: "Point", factor: float) -> "Point":
        """self + factor (self - other), Z included: a line needs no product with X."""
        return Point(
            *(
                mine + mine.dtype.type(factor) * (mine - theirs)
                for mine, theirs in ((self.W, other.W), (self.b, other.b), (self.Z, other.Z))
            )
        )

    def astype(self, dtype: Any) -> "Point":
        if self.W.dtype == self.b.dtype == self.Z.dtype == dtype:
            return self
        return Point(*(part.astype(dtype, copy=False) for part in (self.W, self.b, self.Z)))
