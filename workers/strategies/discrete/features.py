"""What a predictor sees of a member: features, each of which it has or not.

way        in spaces of cells, a way from input to output of a cell, as the operations along it: the path encoding of
           White et al., 2021 (arXiv:1910.11858). Cells that compute alike look alike
decision   everywhere else, a decision's answer (one-hot), in users' own spaces too

How many ways a cell has grows exponentially with its size: where there are many, decisions are looked at instead.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from app.space import SearchSpace
from app.space.encodings import TooManyWays, ways
from app.space.places import read
from app.space.wiring import wirings

Feature = tuple[object, ...]
WAYS = 100  # through one cell
PROBED = 20  # members that are looked at before cells are seen by their ways
REMEMBERED = 50_000  # members
COLUMNS = 500  # of a matrix


class Features:
    """The features of the members of one space, by rank."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        rng = Random(0)
        self._by_ways = all(self._ways(rng.randrange(space.plan.size)) for _ in range(PROBED))
        self.of = lru_cache(REMEMBERED)(self._of)

    def _of(self, rank: int) -> tuple[Feature, ...]:
        """The features of a member, in an order of their own."""
        cells = self._ways(rank) if self._by_ways else {}
        found: list[Feature] = [(cell, *way) for cell, through in cells.items() for way in through]
        for path, answer in read(self._space.plan.part, rank).items():
            if not any(path.startswith(cell) for cell in cells):
                found += [(path, "=", symbol) for symbol in answer]
        return tuple(found)

    def _ways(self, rank: int) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """The ways through each cell, by the cell's path; empty without cells, or where one has too many."""
        plan = self._space.plan
        try:
            found = {wiring.path: ways(wiring) for wiring in wirings(plan.grammar, plan.unrank(rank))}
        except TooManyWays:
            return {}
        return {} if any(len(through) > WAYS for through in found.values()) else found


class Columns:
    """The features that tell given members apart: the most frequent, of equals the one that was met first.

    The others are cut off, as in section 4 of the paper: what is seldom met is seldom learnt.
    """

    def __init__(self, members: Sequence[Iterable[Feature]]) -> None:
        met = Counter(feature for member in members for feature in member)
        telling = [(feature, count) for feature, count in met.items() if count < len(members)]
        kept = sorted(telling, key=lambda item: -item[1])[:COLUMNS]
        self._places = {feature: place for place, (feature, _) in enumerate(kept)}

    @property
    def count(self) -> int:
        """How many columns a matrix has."""
        return len(self._places)

    def matrix(self, members: Sequence[Iterable[Feature]]) -> NDArray[np.float32]:
        """(members, columns): 1 where a member has the feature, else 0."""
        found = np.zeros((len(members), len(self._places)), np.float32)
        for row, member in enumerate(members):
            found[row, [self._places[feature] for feature in member if feature in self._places]] = 1.0
        return found
