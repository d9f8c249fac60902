"""Settings of skeletons: fields that say what they are and how large they may be, once for documents, HTTP and docs."""

from dataclasses import dataclass, field
from typing import Any

NUMBERS = 64  # the longest list of numbers in a skeleton


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a setting means and which numbers it may hold; of a list, which numbers its items may be."""

    meaning: str
    least: int = 1
    most: int = 65_536


def setting(default: Any, meaning: str, least: int = 1, most: int = 65_536) -> Any:
    """A field of a skeleton. Its type is bool, int, float, a Literal of words, or a tuple of one of these."""
    return field(default=default, metadata={"bounds": Bounds(meaning, least, most)})
