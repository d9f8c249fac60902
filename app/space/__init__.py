"""What can be decided: search spaces as grammars, their genotypes, sizes, faults, moves and documents.

algebra     Value Record Choice Subset Repeat Ref Term Grammar · Scalar Symbol Genotype Path · one_of record
errors      Fault · SpaceError GrammarError InvalidGenotype OutOfRange
skeleton    ImageInput · CellSkeleton EdgeCellSkeleton ChainSkeleton Skeleton
plan        compile_plan(grammar) -> Plan · validate_grammar · Decision Decisions Factor · paths: step pointer ...
document    SearchSpace Equivalence Constraint · space_to_json space_from_json · grammar_to_json grammar_from_json
counting    space_size(space) -> SpaceSize of Size
zoo         ZOO and one function a published space (`app.space.zoo`)
textbook    the names of the textbook treatment (`app.space.textbook`)
"""

from app.space.algebra import (
    Choice,
    Genotype,
    Grammar,
    Path,
    Record,
    Ref,
    Repeat,
    Scalar,
    Subset,
    Symbol,
    Term,
    Value,
    one_of,
    record,
)
from app.space.codec import grammar_from_json, grammar_to_json
from app.space.counting import Size, SpaceSize, space_size
from app.space.decision import Decision, Decisions, Factor
from app.space.document import Constraint, Equivalence, SearchSpace
from app.space.errors import Fault, GrammarError, InvalidGenotype, OutOfRange, SpaceError
from app.space.path import length_path, pointer, shared_path, step
from app.space.plan import Plan, compile_plan
from app.space.skeleton import (
    CellSkeleton,
    ChainSkeleton,
    DagNetworkSkeleton,
    DagSkeleton,
    EdgeCellSkeleton,
    ImageInput,
    Skeleton,
)
from app.space.spaces import space_from_json, space_to_json
from app.space.wellformed import validate_grammar

__all__ = [
    "CellSkeleton",
    "ChainSkeleton",
    "Choice",
    "Constraint",
    "DagNetworkSkeleton",
    "DagSkeleton",
    "Decision",
    "Decisions",
    "EdgeCellSkeleton",
    "Equivalence",
    "Factor",
    "Fault",
    "Genotype",
    "Grammar",
    "GrammarError",
    "ImageInput",
    "InvalidGenotype",
    "OutOfRange",
    "Path",
    "Plan",
    "Record",
    "Ref",
    "Repeat",
    "Scalar",
    "SearchSpace",
    "Size",
    "Skeleton",
    "SpaceError",
    "SpaceSize",
    "Subset",
    "Symbol",
    "Term",
    "Value",
    "compile_plan",
    "grammar_from_json",
    "grammar_to_json",
    "length_path",
    "one_of",
    "pointer",
    "record",
    "shared_path",
    "space_from_json",
    "space_size",
    "space_to_json",
    "step",
    "validate_grammar",
]
