"""State documents, read strictly: a value with its place, so that a ValueError names the place of what is wrong."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST = 2**63 - 1  # of a count
_SHOWN = 80  # characters of a wrong value


@dataclass(frozen=True, slots=True)
class Found:
    """A JSON value at a place of a document; `at` is a JSON pointer."""

    value: Any
    at: str = ""

    def refused(self, expected: str) -> ValueError:
        """The error that says what was expected here."""
        try:
            shown = repr(self.value)
        except ValueError:
            shown = "a number of thousands of digits"
        text = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        return ValueError(f"{self.at or '/'}: expected {expected}, found {text}")

    def field(self, name: str) -> "Found":
        """A member of an object."""
        if not isinstance(self.value, Mapping) or name not in self.value:
            raise self.refused(f"an object with {name!r}")
        return Found(self.value[name], f"{self.at}/{name}")

    def items(self, length: int | None = None, most: int = MOST) -> "list[Found]":
        """The items of a list, of a length where one is given."""
        if not isinstance(self.value, list | tuple):
            raise self.refused("a list")
        if length is not None and len(self.value) != length:
            raise self.refused(f"a list of {length}")
        if len(self.value) > most:
            raise self.refused(f"a list of at most {most}")
        return [Found(value, f"{self.at}/{i}") for i, value in enumerate(self.value)]

    def maybe(self) -> "Found | None":
        """None where null stands here."""
        return None if self.value is None else self

    def whole(self, least: int = 0, most: int = MOST) -> int:
        """A whole number within bounds, inclusive."""
        if type(self.value) is not int or not least <= self.value <= most:
            raise self.refused(f"a whole number from {least} to {most}")
        return self.value

    def number(self, least: float = -math.inf) -> float:
        """A finite number."""
        try:
            number = float(self.value) if type(self.value) in (int, float) else math.nan
        except OverflowError:
            number = math.inf
        if not math.isfinite(number) or number < least:
            raise self.refused("a finite number" if least == -math.inf else f"a finite number, at least {least:g}")
        return number

    def rank(self, size: int) -> int:
        """A member's rank in a space of `size`, written in decimal."""
        text = self.value
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= len(str(size)):
            rank = int(text)
            if rank < size and str(rank) == text:
                return rank
        raise self.refused(f"a rank in [0, {size}) as a decimal string")

    def ranks(self, size: int) -> list[int]:
        """Different members by their ranks."""
        found = [item.rank(size) for item in self.items()]
        if len(set(found)) < len(found):
            raise self.refused("each member once")
        return found

    def same(self, expected: object) -> None:
        """ValueError unless exactly this, as JSON, stands here."""
        if not _alike(self.value, expected):
            raise self.refused(json.dumps(expected))


def written(ranks: Iterable[int]) -> list[str]:
    """Ranks in a document: decimal strings, as they may exceed what JSON numbers hold."""
    return [str(rank) for rank in ranks]


def _alike(value: object, expected: object) -> bool:
    try:
        return json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return False
