"""Cached properties that say on what they depend, so that copies can forget what has changed."""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, Literal, TypeVar

Part = Literal["loss", "penalty", "features"]
Value = TypeVar("Value")


class _Cached(cached_property[Value]):
    parts: frozenset[Part] = frozenset()


def depends_on(*parts: Part) -> Callable[[Callable[[Any], Value]], cached_property[Value]]:
    """A cached property whose value holds as long as these parts of an objective do."""

    def decorate(function: Callable[[Any], Value]) -> cached_property[Value]:
        found = _Cached(function)
        found.parts = frozenset(parts)
        return found

    return decorate


def forget(owner: object, part: Part) -> None:
    """Drop the cached properties of an objective that depend on a part that was replaced."""
    for name in _names(type(owner), part):  # type: ignore[arg-type]
        owner.__dict__.pop(name, None)


@cache
def _names(kind: type, part: Part) -> frozenset[str]:
    return frozenset(
        name
        for base in kind.__mro__
        for name, value in vars(base).items()
        if isinstance(value, _Cached) and part in value.parts
    )
