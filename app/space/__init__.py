"""What can be decided: search spaces as grammars, their genotypes, sizes, faults, moves and documents.

algebra     Value Record Choice Subset Repeat Ref Term Grammar · Scalar Symbol Genotype Path · one_of record
errors      Fault · SpaceError GrammarError InvalidGenotype NoOther OutOfRange
skeleton    ImageInput · Skeleton, one dataclass a family: CellSkeleton ChainSkeleton ...
plan        compile_plan(grammar) -> Plan · validate_grammar · Decision Decisions Factor · paths: step pointer ...
edits       Edit: one decision changed · encodings, wiring: members as numbers and as graphs
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
from app.space.edits import Edit
from app.space.errors import Fault, GrammarError, InvalidGenotype, NoOther, OutOfRange, SpaceError
from app.space.path import length_path, pointer, shared_path, step
from app.space.plan import Plan, compile_plan
from app.space.skeleton import (
    BranchSkeleton,
    CellSkeleton,
    ChainSkeleton,
    DagNetworkSkeleton,
    DagSkeleton,
    EdgeCellSkeleton,
    FpnSkeleton,
    FreeSkeleton,
    HeadSkeleton,
    HierarchySkeleton,
    ImageInput,
    MobileSkeleton,
    RecurrentSkeleton,
    Skeleton,
    SkipSkeleton,
    TransformerSkeleton,
    TrellisSkeleton,
    WidthSkeleton,
)
from app.space.spaces import space_from_json, space_to_json
from app.space.wellformed import validate_grammar

__all__ = [
    "BranchSkeleton",
    "CellSkeleton",
    "ChainSkeleton",
    "Choice",
    "Constraint",
    "DagNetworkSkeleton",
    "DagSkeleton",
    "Decision",
    "Decisions",
    "EdgeCellSkeleton",
    "Edit",
    "Equivalence",
    "Factor",
    "Fault",
    "FpnSkeleton",
    "FreeSkeleton",
    "Genotype",
    "Grammar",
    "GrammarError",
    "HeadSkeleton",
    "HierarchySkeleton",
    "ImageInput",
    "InvalidGenotype",
    "MobileSkeleton",
    "NoOther",
    "OutOfRange",
    "Path",
    "Plan",
    "Record",
    "RecurrentSkeleton",
    "Ref",
    "Repeat",
    "Scalar",
    "SearchSpace",
    "Size",
    "Skeleton",
    "SkipSkeleton",
    "SpaceError",
    "SpaceSize",
    "Subset",
    "Symbol",
    "Term",
    "TransformerSkeleton",
    "TrellisSkeleton",
    "Value",
    "WidthSkeleton",
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
