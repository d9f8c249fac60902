"""Menus: the lists of options that open decisions choose from, each named once by a letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from app.architecture.cursor import Cursor
from app.architecture.guard import TRUE, Guard
from app.space.algebra import Repeat
from app.space.path import length_path, symbol_text


@dataclass(frozen=True, slots=True)
class Menu:
    """A list of options."""

    letter: str  # in brackets, as drawings say it
    options: tuple[str, ...]

    @property
    def title(self) -> str:
        """How many there are."""
        return f"one of {len(self.options)}"


class Menus:
    """Gives every list its letter, in the order in which they are met; decided places are their answers."""

    def __init__(self) -> None:
        self._letters: dict[tuple[str, ...], str] = {}
        self.asked: set[str] = set()  # the texts that stand for an open decision

    def of(self, choice: Cursor, *, under: str | None = None) -> str:
        """What stands at a place: its answer, or the letter of its options, with its path below `under`."""
        options = [symbol_text(value) for _, value in choice.values()]
        if len(options) == 1:
            return options[0]
        letter = self.letter(options)
        text = letter if under is None else f"{choice.path.removeprefix(under).removeprefix('/')} {letter}"
        self.asked.add(text)
        return text

    def letter(self, options: Sequence[str]) -> str:
        """The letter of a list."""
        key = tuple(options)
        if key not in self._letters:
            n, name = len(self._letters), ""
            while True:
                name, n = ascii_uppercase[n % 26] + name, n // 26 - 1
                if n < 0:
                    break
            self._letters[key] = f"[{name}]"
        return self._letters[key]

    def mark(self, text: str) -> str:
        """A text that stands for open decisions."""
        self.asked.add(text)
        return text

    def mark_if_open(self, text: str) -> str:
        """A text that may hold the letter of a list."""
        return self.mark(text) if any(letter in text for letter in self._letters.values()) else text

    def under(self, path: str) -> tuple[str, ...]:
        """A line that says where the decisions are; none where none is open."""
        return (f"decisions under {path or '/'}",) if self.asked else ()

    def lengths(self, row: Cursor) -> tuple[str, ...]:
        """A line that says how long a list may be; none where that is decided."""
        certain = self.least(row.items())
        if certain is None or not isinstance(row.term, Repeat):
            return ()
        allowed = row.term.lengths
        return (f"{length_path(row.path)}: one of {len(allowed)} lengths, {min(allowed)} to {max(allowed)}",)

    @staticmethod
    def least(items: Sequence[tuple[Guard, Guard, Cursor]]) -> int | None:
        """How many items there are in any case; None where their number is decided."""
        sure = sum(present is TRUE for present, _, _ in items)
        return None if sure == len(items) else sure

    def clear(self) -> None:
        """Forget all of them."""
        self._letters.clear()
        self.asked.clear()

    @property
    def found(self) -> tuple[Menu, ...]:
        """All of them."""
        return tuple(Menu(letter, options) for options, letter in self._letters.items())
