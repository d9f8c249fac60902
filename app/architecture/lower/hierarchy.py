"""Motifs of motifs (Liu et al., 2018): a cell whose edges carry small graphs, which carry operations.

    builds       fields
    hierarchy    motifs under any names, and `cell`, the outermost graph
    motif        "0->1", "0->2", "1->2", ...: a Choice of `none`, operations and other motifs' names

Node 0 of a graph is its input, the last its output; a node merges the edges that lead to it, and is zero without any.
`none` is no edge: what only feeds one is not built. A motif is unfolded at every edge that names it, with weights of
its own, while its decisions are the same everywhere.
"""

from app.architecture.builder import NODES
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import Guard, any_of, not_
from app.architecture.lower.edge_cells import read_edges
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import operation
from app.space.skeleton import HierarchySkeleton, ImageInput

NONE = "none"
STAGES = 3


def network(b: Layers, cursor: Cursor, skeleton: HierarchySkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, three stages of cells, separable convolutions between and after them, classifier."""
    positive(channels=skeleton.channels, num_cells=skeleton.num_cells, num_classes=skeleton.num_classes)
    motifs = Motifs(cursor, concat=skeleton.merge == "concat")
    many = STAGES * skeleton.num_cells * motifs.unfolded("cell")
    if many > NODES:
        message = f"the motifs unfold to {many} operations in {STAGES * skeleton.num_cells} cells; {NODES} at most"
        raise LoweringError("/cell", message, many, (NODES,))
    x = b.unary("stem/relu", "relu", b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True))
    for stage in range(STAGES):
        width = skeleton.channels * 2**stage
        if stage:
            x = operation(b, "", "separable_conv_3x3", f"reduction{stage}", x, width, 2)
        for c in range(skeleton.num_cells):
            x = motifs.build(b, f"stage{stage}/cell{c}", "cell", x)
    x = operation(b, "", "separable_conv_3x3", "final", x, len(x.axis))
    return (b.classifier("head", b.unary("last/relu", "relu", x), skeleton.num_classes),)


class Motifs:
    """The graphs of a hierarchy by their names, read once and built many times."""

    def __init__(self, cursor: Cursor, *, concat: bool) -> None:
        self.concat = concat
        self.graphs = {name: graph for name, graph in cursor.fields.items() if name != "cell"}
        self.graphs["cell"] = cursor["cell"]
        self.counted: dict[str, int] = {}
        self.inside: list[str] = []  # the motifs that are being read, outermost first

    def edges(self, name: str) -> dict[int, list[tuple[int, list[tuple[Guard, str]]]]]:
        """Node -> its edges: (earlier node, what they may carry but `none`)."""
        return {
            node: [(i, [(g, str(label)) for g, label in choice.values() if label != NONE]) for i, choice in sources]
            for node, sources in read_edges(self.graphs[name]).items()
        }

    def unfolded(self, name: str) -> int:
        """How many operations a graph stands for."""
        if name in self.inside:
            raise LoweringError(self.graphs[name].path, f"the motif {name!r} is inside itself", [*self.inside, name])
        if name not in self.graphs:
            return 1
        if name not in self.counted:
            self.inside.append(name)
            sources = [edge for edges in self.edges(name).values() for edge in edges]
            self.counted[name] = sum(self.unfolded(label) for _, labels in sources for _, label in labels)
            self.inside.pop()
        return self.counted[name]

    def build(self, b: Layers, at: str, name: str, x: Node) -> Node:
        """A graph on one input, of the input's width and extents."""
        states = [x]
        for node, sources in self.edges(name).items():
            here = f"{at}/node{node}"
            parts: list[tuple[Guard, Node]] = []
            for i, labels in sources:
                made = [(g, self.edge(b, f"{here}/{i}/{label}", name, label, states[i])) for g, label in labels]
                if self.concat and made:
                    parts.append((any_of(*(g for g, _ in made)), b.sum(f"{here}/{i}", made)))
                else:
                    parts += made
            there = any_of(*(g for g, _ in parts))
            terms = [(not_(there), operation(b, "", NONE, f"{here}/none", x, len(x.axis)))]
            if self.concat and parts:
                terms.append((there, b.relu_conv_norm(f"{here}/fit", b.concat(f"{here}/concat", parts), len(x.axis))))
            else:
                terms += parts
            states.append(b.sum(here, terms))
        return states[-1]

    def edge(self, b: Layers, at: str, outer: str, label: str, x: Node) -> Node:
        """What an edge carries: another motif or an operation."""
        if label in self.graphs:
            return self.build(b, at, label, x)
        return operation(b, self.graphs[outer].path, label, at, x, len(x.axis))
