"""Fits that fail leave the estimator as it was."""

from types import TracebackType
from typing import Any


class Restored:
    """A context in which an error or an interruption restores an estimator's attributes.

    Otherwise an estimator could hold the columns of new data and the coefficients of old ones.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator, self.before = estimator, dict(vars(estimator))

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            own = vars(self.estimator)
            own.clear()
            own.update(self.before)
