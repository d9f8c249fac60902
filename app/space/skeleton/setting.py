"""Settings of skeletons: fields that say what they are and how large they may be, once for documents, HTTP and docs."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

NUMBERS = 64  # the longest list of numbers in a skeleton


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a setting means and which numbers it may hold; of a list, which numbers its items may be."""

    meaning: str
    least: int = 1
    most: int = 65_536
    later: bool = False  # it came after skeletons had been identified: at its default it is no part of an identity


def setting(default: Any, meaning: str, least: int = 1, most: int = 65_536, *, later: bool = False) -> Any:
    """A field of a skeleton. Its type is bool, int, float, a Literal of words, or a tuple of one of these."""
    return field(default=default, metadata={"bounds": Bounds(meaning, least, most, later)})


def identifying(skeleton: Any) -> dict[str, Any]:
    """The settings that tell a skeleton from others, in their order; what came later counts where it is used."""
    found: dict[str, Any] = dataclasses.asdict(skeleton)
    for declared in dataclasses.fields(skeleton):
        bounds: Bounds | None = declared.metadata.get("bounds")
        if bounds is not None and bounds.later and found[declared.name] == declared.default:
            del found[declared.name]
    return found
