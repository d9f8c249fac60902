"""What a document may build: every record that lowering understands, by the family of skeletons it stands in.

Answers and guides are made of this table; a test holds it against the meanings, the zoo and the documents.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a record, or fields of one kind: `node*` stands for node1, node2, ..., `i->j` for 0->1, 0->2, ..."""

    name: str  # "*" alone: any name
    holds: str
    required: bool = True

    def matches(self, name: str) -> bool:
        """Whether this is the field of that name."""
        pattern = re.escape(self.name).replace(r"i\->j", r"\d+->\d+")
        return re.fullmatch(pattern.replace(r"\*", ".+" if self.name == "*" else r"\d+"), name) is not None


@dataclass(frozen=True, slots=True)
class Combinator:
    """One record: the name it builds, its fields, and what becomes of them."""

    builds: str
    family: str  # of the skeletons it stands in
    root: bool  # whether a space may start with it
    meaning: str
    fields: tuple[Part, ...]

    def part(self, name: str) -> Part | None:
        """The field of a name."""
        return next((part for part in self.fields if part.matches(name)), None)


def _root(builds: str, family: str, meaning: str, *fields: Part) -> Combinator:
    return Combinator(builds, family, True, meaning, fields)


def _inner(builds: str, family: str, meaning: str, *fields: Part) -> Combinator:
    return Combinator(builds, family, False, meaning, fields)


def _maybe(name: str, holds: str) -> Part:
    return Part(name, holds, required=False)


_OPERATION = "an operation"
_OPERATIONS = "a list of operations, of one or several lengths"
_TERM = "a term"
_BIT = "0 or 1"
_LABEL = _maybe("kind", "what tells this alternative of a choice from the others; means nothing")
_NODE = "a subset of edges, or a pair"
_STRIDE = _maybe("stride", "1 or 2")
_FACTOR = _maybe("width", "a factor on the channels")
_MERGE = "add or concat"


def _cells(family: str) -> Iterable[Combinator]:
    """The parts of cells whose nodes read two states."""
    yield _inner("pair", family, "A node that adds up two edges, or concatenates them",
                 Part("left", "an edge"), Part("right", "an edge"), _maybe("combine", _MERGE))  # fmt: skip
    yield _inner("edge", family, "An operation on an earlier state",
                 Part("input", "the number of a state; 0 and 1 are the inputs"), Part("op", _OPERATION))  # fmt: skip
    yield _inner("cell", family, "A cell that concatenates all of its nodes", Part("*", _NODE))


COMBINATORS: tuple[Combinator, ...] = (
    _root("cells", "cells", "Stacked cells, each on the two before it; one cell of both kinds, or two",
          _maybe("normal", "a cell"), _maybe("reduce", "a cell"), _maybe("cell", "a cell")),
    _root("shared_cell", "cells", "One cell in both uses, its nodes directly", Part("node*", "a pair")),
    *_cells("cells"),
    _inner("cell_of_unused", "cells", "A cell that concatenates the nodes that no other reads", Part("*", _NODE)),
    _root("edge_cells", "edge_cells", "Three stages of one cell with an operation on every edge", Part("i->j",
           _OPERATION)),
    _root("dag_cells", "dag", "Stacks of one cell whose vertices carry operations", Part("cell", "a choice of dags")),
    _inner("dag", "dag", "A cell of so many vertices, the first its input, the last its output",
           Part("vertices", "their number"), Part("i->j", _BIT), _maybe("v*", _OPERATION)),
    _root("dag_network", "dag_network", "A whole network as a graph whose vertices carry operations",
          Part("i->j", _BIT), _maybe("v*", _OPERATION)),
    _root("chain", "chain", "Layers one after another", Part("layers", _OPERATIONS)),
    _root("branches", "branches", "A module of parallel chains", Part("paths", "a list of branches"),
           Part("merge", _MERGE)),
    _inner("branch", "branches", "One of the parallel chains", Part("layers", _OPERATIONS)),
    _root("skips", "skips", "Layers that concatenate earlier ones", Part("layer*", "a layer")),
    _inner("layer", "skips", "An operation, and the earlier layers that join it", Part("op", _OPERATION),
           _maybe("skip*", _BIT)),
    _root("mobile", "mobile", "Inverted residuals in the skeleton's stages",
          Part("layers", "a list of operations, or a record of positions")),
    _inner("positions", "mobile", "One layer a field, where not all have the same options", Part("*", _OPERATION)),
    _root("units", "mobile", "Units of elastic inverted residuals",
          _maybe("resolution", "height and width that the image is brought to"), Part("unit*", "a unit")),
    _inner("unit", "mobile", "A list of blocks, of one or several lengths", Part("blocks", "a list of mbconv")),
    _inner("mbconv", "mobile", "An inverted residual", Part("kernel", "an odd number"), Part("expand", "a factor")),
    _root("mnas", "mobile", "Blocks of equal layers", Part("block*", "a block")),
    _inner("block", "mobile", "The convolution, width and number of the layers of a block",
           Part("conv", "conv, sepconv or mb and an expansion"), Part("kernel", "an odd number"),
           Part("se", "the share of channels that squeeze-and-excitation keeps; 0 without"),
           Part("skip", "none, identity or pool"), Part("width", "a factor on the skeleton's width"),
           Part("layers", "a number added to the skeleton's")),
    _root("widths", "widths", "A fixed network of open widths", Part("*", "channels of one stage")),
    _root("transformer", "transformer", "Layers of a transformer encoder",
          _maybe("embed", "features of a token"), Part("layers", "a list of layers, of one or several lengths")),
    _inner("layer", "transformer", "Attention, then a feed-forward network; what is left out is the skeleton's",
           _maybe("attention", "softmax, multi_query or linear"), _maybe("heads", "a number"), _maybe("ffn",
           "gelu or swiglu"),
           _maybe("mlp_ratio", "inner features over those of a token"), _maybe("norm", "pre or post")),
    _root("recurrent", "recurrent", "A recurrent cell", Part("*", "a step")),
    _inner("step", "recurrent", "A node that reads an earlier one",
           Part("input", "the number of a node"), Part("activation", "tanh, relu, sigmoid or identity")),
    _root("hierarchy", "hierarchy", "Motifs of motifs", Part("cell", "the outermost motif"), Part("*", "a motif")),
    _inner("motif", "hierarchy", "A small graph; its edges carry operations or other motifs",
           Part("i->j", "an operation, the name of a motif, or none")),
    _root("trellis", "trellis", "A path through layers and resolutions, with one cell in every place of it",
          Part("cell", "a cell"), Part("path", "the first state")),
    _inner("state", "trellis", "A resolution, and the state of the next layer",
           Part("level", "4, 8, 16 or 32 times less than the image"), _maybe("next", "a choice of shared states")),
    *_cells("trellis"),
    _root("fpn", "fpn", "Merges that make a pyramid of feature maps", Part("merge*", "a merge")),
    _inner("merge", "fpn", "Two earlier maps joined at a level",
           Part("inputs", "a subset of two earlier maps"), Part("level", "3 to 7"), Part("op",
           "sum, global_pool_attention or concat")),
    _root("head", "head", "Links between the levels of a pyramid, then a tower at each",
          _maybe("i->j", "an operation or none"), Part("level*", "a tower")),
    _inner("tower", "head", "Layers of one level", Part("layers", _OPERATIONS)),
    _root("free", "free", "A network of any terms: stem, body, classifier", Part("body", _TERM)),
    _inner("sequence", "free", "Terms one after another", _LABEL, Part("*", _TERM)),
    _inner("residual", "free", "The input and a term on it, added up", _LABEL, Part("inner", _TERM)),
    _inner("parallel", "free",
           "Terms on one input, side by side; concatenated, they are brought to the width of the first",
           _LABEL, _maybe("merge", f"{_MERGE}; add where it is left out"), Part("*", _TERM)),
    _inner("graph", "free", "Vertices that add up the terms that lead to them; 0 is the input, the last the output",
           _LABEL, Part("i->j", _TERM)),
    _inner("stack", "free", "Items one after another", _LABEL, Part("layers",
           "a list of one term, of one or several lengths")),
    _inner("apply", "free", "An operation of the vocabulary", _LABEL, Part("op", _OPERATION), _STRIDE, _FACTOR),
    _inner("scale", "free", "A term at half the extents, brought back to the shape of its input",
           _LABEL, Part("inner", _TERM), _FACTOR),
    _inner("mbconv", "free", "An inverted residual, kernel and expansion slices of one tensor", _LABEL,
           Part("kernel", "an odd number"), Part("expand", "a factor"), _maybe("se",
           "squeeze-and-excitation: true or false"),
           _STRIDE, _FACTOR),
    _inner("layer", "free", "A layer of a transformer; the places of the maps are its tokens", _LABEL,
           _maybe("heads", "a number"), _maybe("head_dim", "features of a head, 16 where it is left out"),
           _maybe("attention", "softmax, multi_query or linear"), _maybe("ffn", "gelu or swiglu"),
           _maybe("mlp_ratio", "inner features over the channels"), _maybe("norm", "pre or post")),
)  # fmt: skip


def combinator(builds: str, family: str) -> Combinator | None:
    """The record of a name in a family."""
    return next((c for c in COMBINATORS if (c.builds, c.family) == (builds, family)), None)
