"""What is computed from a space once and lives as long as the space does."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from app.space.document import SearchSpace

T = TypeVar("T")


def derived(make: "Callable[[SearchSpace], T]") -> "Callable[[SearchSpace], T]":
    """Compute once a space. The answer is kept by the space itself, so dropping the space drops it."""

    def once(space: "SearchSpace") -> T:
        kept = space.derived
        if make not in kept:
            kept[make] = make(space)
        return cast("T", kept[make])

    once.__doc__ = make.__doc__
    return once
