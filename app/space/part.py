"""Parts: a grammar compiled, every reference followed, every size known. The closed union that all questions run on.

    Point         one scalar                                    size 1
    Product       an object of fields                           the product of the fields' sizes
    Alternatives  one option of a menu                          the sum of the options' sizes
    Members       k different options of a menu                 the elementary symmetric polynomial e_k of their sizes
    Sequence      a list of one body, of one of the lengths     the sum of size(body)^n
    Shared        a rule whose decisions belong to the rule     the rule's own

Members of a part are ordered: fields and items from first (most significant) to last, options and lengths as the
grammar lists them. That order is what `rank` and `unrank` count by.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.space.algebra import Scalar, Symbol
from app.space.value import is_object, scalar_key


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One scalar."""

    value: Scalar
    size: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """An object with exactly these fields."""

    fields: tuple[tuple[str, "Part"], ...]
    strides: tuple[int, ...]  # of each field: the product of the sizes after it
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Menu:
    """Options told apart by their symbols; only those that have a member at this depth."""

    symbols: tuple[Symbol, ...]
    parts: tuple["Part", ...]
    key: str | None  # the constant field that holds a Record's symbol; None where no option is a Record
    deep: tuple[Symbol, ...]  # symbols of the options that nest too deep to be here
    scalars: Mapping[tuple[bool, Scalar], int] = field(repr=False)  # scalar_key of a Value's symbol -> its position
    records: Mapping[tuple[bool, Scalar], int] = field(repr=False)  # the same for Records

    def find(self, value: object) -> int | None:
        """The position of the option that any JSON value names."""
        if is_object(value):
            key = scalar_key(value.get(self.key)) if self.key is not None else None
            return None if key is None else self.records.get(key)
        key = scalar_key(value)
        return None if key is None else self.scalars.get(key)


@dataclass(frozen=True, slots=True, eq=False)
class Alternatives:
    """Exactly one option of a menu."""

    menu: Menu
    offsets: tuple[int, ...]  # of each option: the sum of the sizes before it
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """`k` different options of a menu; `ways[r][p]` counts the ways to take r of the options from position p on."""

    menu: Menu
    k: int
    ways: tuple[tuple[int, ...], ...]  # (k + 1) x (options + 1)
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list of one body, of one of the lengths."""

    body: "Part"
    lengths: tuple[int, ...]
    offsets: Mapping[int, int]  # length -> the number of members of the lengths listed before it
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Nothing:
    """The body of a Sequence that can only be empty."""

    size: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What a shared reference leads to: the same members, another root for their decisions."""

    rule: str
    part: "Part"
    size: int


Part = Point | Product | Alternatives | Members | Sequence | Shared | Nothing


def bare(part: Part) -> Part:
    """The part itself, without the rules that share it."""
    while isinstance(part, Shared):
        part = part.part
    return part


def ways(sizes: Iterable[int], k: int) -> tuple[tuple[int, ...], ...]:
    """Row r, column p: e_r of the sizes from position p on. e_r(p) = size_p · e_{r-1}(p+1) + e_r(p+1)."""
    backwards = list(sizes)[::-1]
    rows: list[list[int]] = [[1] * (len(backwards) + 1)]
    for r in range(1, k + 1):
        row = [0]
        for p, size in enumerate(backwards):
            row.append(size * rows[r - 1][p] + row[p])
        rows.append(row)
    return tuple(tuple(row[::-1]) for row in rows)
