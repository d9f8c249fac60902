"""Caps on grammars and documents that anyone may post. They are checked before any work."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a grammar may ask of the machine."""

    nodes: int = 5_000  # terms of a document; the largest published space has some 400
    rules: int = 2_000
    nesting: int = 32  # terms inside one another, in one rule
    depth: int = 32  # the recursion bound
    descent: int = 96  # terms inside one another, in a derivation
    fields: int = 1_000  # of one Record
    options: int = 1_000  # of one Choice or Subset
    k: int = 64
    lengths: int = 64  # of one Repeat
    length: int = 1_000  # the longest list
    parts: int = 5_000  # of the compiled plan
    ways: int = 100_000  # numbers in the tables of all subsets, one of n thousand bits counting 1 + n times
    faults: int = 100  # that are told of one document
    members: int = 100_000  # JSON values in the largest genotype
    bits: int = 13_000  # of the size: below the 4,300 decimal digits that Python writes
    places: int = 10_000  # decisions that are listed
    text: int = 4_000  # characters of a title, a paper, a note
    name: int = 64  # characters of a field, a symbol
    integer: int = 2**53 - 1  # the largest integer that every JSON reader holds exactly


LIMITS = Limits()
