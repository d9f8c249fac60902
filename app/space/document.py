"""A search space: a grammar with everything that belongs to it, identified by name, version and digest."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from app.space.algebra import Grammar, Scalar
from app.space.codec import grammar_to_json
from app.space.plan import Plan, compile_plan
from app.space.skeleton import ImageInput, Skeleton
from app.space.skeleton.setting import identifying

EQUIVALENCES: Mapping[str, str] = MappingProxyType(
    {
        "operand-swap": "The two operands of a node have no order.",
        "relabelling": "The inner nodes of a cell have no order, nor the operands of a node; every cell for itself.",
        "isomorphism": "Vertices on no way from input to output are dropped, then the inner ones have no order.",
        "motif-renaming": "Motifs of one level have no order: renaming them throughout changes nothing.",
        "branch-order": "Parallel branches that are merged by a sum or side by side have no order.",
        "nats-string": "Equal unique strings of NATS-Bench, with its zero rule.",
        "functional": "Skip is identity, none is zero, an operation on zero is zero, a sum has no order; a layer that "
        "keeps its input moves freely among layers of one shape.",
        "pruned-isomorphism": "Edges on no way from input to output are dropped, then the inner nodes have no order.",
    }
)


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A named, versioned reading of "the same": it counts and compares, and never identifies."""

    name: str
    version: int = 1


Parameter = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A named condition that members must meet beside the grammar, with its parameters."""

    name: str
    parameters: tuple[tuple[str, Parameter], ...] = ()


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """A grammar, what surrounds its genotypes (skeletons, input) and how they may be compared (equivalences)."""

    name: str
    version: int
    title: str
    paper: str  # where it was published; empty where it was not
    grammar: Grammar
    skeletons: Mapping[str, Skeleton]
    input: ImageInput = field(default_factory=ImageInput)
    constraints: tuple[Constraint, ...] = ()
    equivalences: tuple[Equivalence, ...] = ()
    notes: tuple[str, ...] = ()
    literature: str = ""  # what its papers say of its size, and why that differs from the exact one

    def __post_init__(self) -> None:
        object.__setattr__(self, "skeletons", MappingProxyType(dict(self.skeletons)))

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.digest))

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of what decides the members and their order: the grammar and the constraints."""
        rules = grammar_to_json(self.grammar)
        rules["rules"] = dict(sorted(rules["rules"].items()))  # rules have no order; fields, options and lengths do
        constraints = [[c.name, [list(p) for p in c.parameters]] for c in self.constraints]  # tuples become lists
        text = json.dumps({"grammar": rules, "constraints": constraints}, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def surroundings(self) -> str:
        """SHA-256, in hexadecimal, of what surrounds the genotypes: the skeletons and the input."""
        skeletons = {name: identifying(skeleton) for name, skeleton in sorted(self.skeletons.items())}
        text = json.dumps({"skeletons": skeletons, "input": dataclasses.asdict(self.input)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def plan(self) -> Plan:
        """The compiled grammar."""
        return compile_plan(self.grammar)

    @cached_property
    def derived(self) -> dict[Callable[..., object], object]:
        """What was computed from this space, by the function that computed it (`derived.py`)."""
        return {}

    @property
    def identity(self) -> dict[str, str | int]:
        """What every index and id is answered with."""
        return {"name": self.name, "version": self.version, "digest": self.digest}
