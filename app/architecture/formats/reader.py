"""A reader of texts: terminals matched at a position, and errors that point at it. Nothing is ever evaluated."""

import re

from app.architecture.formats.format import FormatError
from app.space.value import shown

LONGEST = 100_000  # characters of a text


class Reader:
    """A text and a position in it."""

    __slots__ = ("at", "text")

    def __init__(self, value: object) -> None:
        if not isinstance(value, str):
            raise FormatError("", f"expected a text, found {shown(value)}", value)
        if len(value) > LONGEST:
            raise FormatError("", f"a text of at most {LONGEST} characters, not {len(value)}", len(value), (LONGEST,))
        self.text = value
        self.at = 0

    def accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What matches here, if it does; the position moves behind it."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def expect(self, pattern: re.Pattern[str], *what: str) -> re.Match[str]:
        """What matches here; FormatError says that `what` was expected."""
        found = pattern.match(self.text, self.at)
        if found is None:
            rest = self.text[self.at : self.at + 20]
            here = f"found {rest!r}" if rest else "the text ends"
            raise self.error(self.at, f"expected {' or '.join(what)}; {here}", rest, what)
        self.at = found.end()
        return found

    def error(self, at: int, message: str, value: object, allowed: tuple[object, ...] = ()) -> FormatError:
        """An error at a position."""
        return FormatError(f"/{at}", message, value, allowed)
