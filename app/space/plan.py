"""The plan: a grammar compiled once, on which every question about its genotypes runs.

size · rank · unrank · sample        the bijection between [0, size) and the genotypes
check · repair · normalise           any JSON may come in; `check` and `repair` never raise
neighbours · neighbour_indices       every genotype one decision away
mutate · crossover                   members made from members at random
edits · edit                         what turns one member into another, and turning it
read · write · decisions · factors   genotypes as decisions, and what there is to decide
"""

from collections.abc import Iterable, Iterator
from random import Random

from app.space import places, sampling, variation
from app.space.algebra import Genotype, Grammar
from app.space.compile import compile_parts
from app.space.decision import Decision, Decisions, Factor
from app.space.edits import Edit, edited, edits
from app.space.errors import Fault, InvalidGenotype, OutOfRange
from app.space.faults import Faults
from app.space.moves import moves
from app.space.part import Part
from app.space.ranking import MISSES, Ranks
from app.space.repair import Nearest
from app.space.unranking import Unranks
from app.space.wellformed import validate_grammar


def compile_plan(grammar: Grammar) -> "Plan":
    """Check a grammar and compile it; a GrammarError says what is wrong with it, and where."""
    validate_grammar(grammar)
    return Plan(grammar, compile_parts(grammar))


class Plan:
    """A compiled grammar. Make one with `compile_plan`; it never changes, and threads may share it."""

    __slots__ = ("_decisions", "_faults", "_nearest", "_rank", "_unrank", "grammar", "part", "size")

    def __init__(self, grammar: Grammar, part: Part) -> None:
        self.grammar = grammar
        self.part = part
        self.size = part.size
        ranks, unranks = Ranks(), Unranks()
        self._rank, self._unrank = ranks.of(part), unranks.of(part)
        self._faults, self._nearest = Faults(ranks), Nearest(ranks, unranks)
        self._decisions: tuple[Decision, ...] | None = None

    def __repr__(self) -> str:
        return f"<Plan of {self.grammar.start!r}, size {self.size}>"

    def index(self, value: object) -> int | None:
        """The rank of any JSON value, or None where it is not a member."""
        try:
            return self._rank(value)
        except MISSES:
            return None

    def rank(self, genotype: object) -> int:
        """The index of a member; InvalidGenotype has every fault of anything else."""
        index = self.index(genotype)
        if index is None:
            raise InvalidGenotype(self._faults.of(self.part, genotype))
        return index

    def unrank(self, index: int) -> Genotype:
        """The member of an index, in its written order; OutOfRange outside [0, size)."""
        if not 0 <= index < self.size:
            raise OutOfRange(index, self.size)
        return self._unrank(index)

    def sample(self, rng: Random, count: int) -> list[Genotype]:
        """`count` members, independent and uniform over the space."""
        return [self._unrank(rng.randrange(self.size)) for _ in range(count)]

    def sample_per_choice(self, rng: Random) -> Genotype:
        """One member, each decision uniform over its own options; not uniform over the space."""
        return sampling.sample_per_choice(self.part, rng)

    def check(self, value: object) -> tuple[Fault, ...]:
        """Every fault of any JSON value at once; empty for a member."""
        return () if self.index(value) is not None else self._faults.of(self.part, value)

    def repair(self, value: object) -> Genotype:
        """The nearest member to any JSON value: it keeps what still fits (see `repair.py` for the rules)."""
        return self._nearest.of(self.part, value)

    def normalise(self, genotype: object) -> Genotype:
        """A member in the one written order; InvalidGenotype for anything else."""
        return self._unrank(self.rank(genotype))

    def neighbours(self, genotype: object) -> Iterator[Genotype]:
        """Every genotype one decision away, each once (see `moves.py` for what a decision opens and closes)."""
        return map(self._unrank, moves(self.part, self.rank(genotype)))

    def neighbour_indices(self, index: int) -> Iterator[int]:
        """The ranks of the neighbours of a member, given by its rank."""
        if not 0 <= index < self.size:
            raise OutOfRange(index, self.size)
        return moves(self.part, index)

    def mutate(self, rng: Random, genotype: object, count: int = 1) -> list[Genotype]:
        """`count` mutants, independent, each a neighbour (see `variation.py`); NoOther in a space of one member."""
        index = self.rank(genotype)
        return [self._unrank(variation.mutated(self.part, index, rng)) for _ in range(count)]

    def crossover(self, rng: Random, first: object, second: object, count: int = 1) -> list[Genotype]:
        """`count` children, independent: every decision answered as one of the two members answers it."""
        one, other = self.read(first), self.read(second)
        return [variation.crossed(self.part, one, other, rng) for _ in range(count)]

    def edits(self, first: object, second: object) -> tuple[Edit, ...]:
        """The decisions in which two members differ; their number is a distance."""
        return tuple(edits(self.read(first), self.read(second), self.decisions()))

    def edit(self, genotype: object, script: Iterable[Edit]) -> Genotype:
        """The member that a script makes of this one; InvalidGenotype where the script is not one for it."""
        return self.write(edited(self.read(genotype), script))

    def read(self, genotype: object) -> Decisions:
        """The decisions that a member makes, those left without an alternative included."""
        return places.read(self.part, self.rank(genotype))

    def write(self, decisions: Decisions) -> Genotype:
        """The member that decisions make, in its written order. What it never meets is not looked at, so decisions for
        the whole supernet may be given; where one is missing or no answer, InvalidGenotype has its path."""
        return places.write(self.part, decisions)

    def decisions(self) -> tuple[Decision, ...]:
        """Every place where something is chosen, in the order of the grammar."""
        if self._decisions is None:
            self._decisions = places.decisions(self.part)
        return self._decisions

    def factors(self) -> tuple[Factor, ...]:
        """The independent parts whose sizes multiply to `size`."""
        return tuple(places.factors(self.part))
