"""Decisions: the places of a grammar where something is chosen.

kind     path      answer                     written by `read` as
choice   /a/op     exactly one symbol         (symbol,)
subset   /a/node3  k different symbols        (symbol, ...) in the order of the options
length   /layers#  the length of a Repeat     (length,)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import Literal

from app.space.algebra import Path, Symbol

Decisions = Mapping[Path, tuple[Symbol, ...]]
Kind = Literal["choice", "subset", "length"]


@dataclass(frozen=True, slots=True)
class Decision:
    """One place where something is chosen: its options in the grammar's order, and how many of them are taken."""

    path: Path
    kind: Kind
    options: tuple[Symbol, ...]
    k: int = 1

    @property
    def answers(self) -> int:
        """How many answers there are; one means that the grammar leaves nothing open here."""
        return comb(len(self.options), self.k)


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the independent parts whose sizes multiply to the size of the space."""

    path: Path
    size: int
