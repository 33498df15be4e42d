"""The iterates of solvers."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Point:
    """Coefficients W (d, T), intercepts b, and their image Z under the objective's linear map.

    For objectives on rows of data Z holds the linear predictors, for those on Gram matrices the
    products of these with W.
    """

    W: Array
    b: Array
    Z: Array

    def extrapolate(self, other: "Point", factor: float) -> "Point":
        """self + factor (self - other), including Z, which saves a product with X."""
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


class LaterPoint(Point):
    """A point that is computed on first use, since most iterates are never inspected."""

    def __init__(self, make: Callable[[], Point]) -> None:
        vars(self)["_make"] = make

    @cached_property
    def made(self) -> Point:
        """The computed point."""
        point: Point = vars(self)["_make"]()
        return point

    @property
    def W(self) -> Array:
        return self.made.W

    @property
    def b(self) -> Array:
        return self.made.b

    @property
    def Z(self) -> Array:
        return self.made.Z
