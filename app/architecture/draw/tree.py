"""A derivation as a tree: what can be drawn of every member of every space, whether or not it has a meaning."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from app.architecture.cursor import Cursor
from app.space.algebra import Choice, Record, Repeat, Subset, Value
from app.space.path import symbol_text

ROWS = 400  # of one drawing
WIDE = 36  # characters of a record that is written in one row


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree: a field or an item, and what stands there; `value` is empty where rows below say it."""

    level: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TreeSketch:
    """The rows of a derivation from top to bottom; `more` is cut."""

    title: str
    rows: tuple[Row, ...]
    more: bool = False
    notes: tuple[str, ...] = ()  # lines under the title
    asked: frozenset[str] = frozenset()  # the values that stand for an open decision

    @property
    def operations(self) -> tuple[str, ...]:
        """What has a colour of its own."""
        return tuple(row.value for row in self.rows if row.value)


def tree(cursor: Cursor) -> TreeSketch:
    """The derivation under a cursor whose decisions are all made."""
    title = cursor.builds if isinstance(cursor.term, Record) else "genotype"
    found = list(islice(_below(cursor, 0), ROWS + 1)) or list(_rows(cursor, "genotype", 0))
    return TreeSketch(title, tuple(found[:ROWS]), len(found) > ROWS)


def _below(cursor: Cursor, level: int) -> Iterator[Row]:
    """The rows of what is directly inside a place."""
    match cursor.term:
        case Record():
            for name, inner in cursor.fields.items():
                yield from _rows(inner, name, level)
        case Repeat():
            for i, (_, _, item) in enumerate(cursor.items()):
                yield from _rows(item, str(i), level)
        case Subset():
            for i, (_, member) in enumerate(cursor.cases()):
                yield from _rows(member, str(i), level)
        case Choice():
            yield from _below(cursor.cases()[0][1], level)
        case _:
            return


def _rows(cursor: Cursor, name: str, level: int) -> Iterator[Row]:
    """The row of a place and the rows below it; a small record of values is one row."""
    match cursor.term:
        case Value(value):
            yield Row(level, name, symbol_text(value))
        case Choice():
            yield from _rows(cursor.cases()[0][1], name, level)
        case _:
            below = list(islice(_below(cursor, level + 1), ROWS + 1))
            short = ", ".join(f"{row.name} {row.value}" for row in below)
            flat = isinstance(cursor.term, Record) and all(map(_is_value, cursor.fields.values()))
            if flat and len(short) <= WIDE:
                yield Row(level, name, short or cursor.builds)
            else:
                yield Row(level, name, "" if below else "nothing")
                yield from below


def _is_value(cursor: Cursor) -> bool:
    while isinstance(cursor.term, Choice):
        cursor = cursor.cases()[0][1]
    return isinstance(cursor.term, Value)
