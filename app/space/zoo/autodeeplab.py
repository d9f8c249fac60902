"""Auto-DeepLab: a path through layers and levels of resolution, and the one cell that stands at every step of it.

Liu, Chen, Schroff, Adam, Hua, Yuille and Fei-Fei, "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic
Image Segmentation", CVPR 2019, arXiv:1901.02985. A level is its stride, 4 to 32; each layer stays or moves one level.
What a step may do belongs to its layer and level, not to the way that led there: states are shared rules.
"""

from app.space.algebra import Choice, Grammar, Record, Ref, Term, Value, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import ImageInput, TrellisSkeleton

AUTODEEPLAB_OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

SKELETONS = {
    "search": TrellisSkeleton(channels=8, stem_channels=64),
    "cityscapes": TrellisSkeleton(channels=20),
    "small": TrellisSkeleton(channels=2, stem_channels=4, head_channels=4, rate=8),
}


def autodeeplab(
    num_layers: int = 12,
    levels: tuple[int, ...] = (4, 8, 16, 32),
    *,
    fixed: bool = True,
    num_blocks: int = 5,
    operations: tuple[str, ...] = AUTODEEPLAB_OPERATIONS,
) -> SearchSpace:
    """The space of the paper; `fixed` keeps layer 1 at the first level, otherwise it may move like any other."""

    def edge(i: int) -> Record:
        return record("edge", input=one_of(*range(2 + i)), op=one_of(*operations))

    def step(layer: int, position: int) -> Term:
        """Where layer `layer` may be, coming from the level at `position`."""
        near = range(max(position - 1, 0), min(position + 2, len(levels)))
        return Choice(tuple(Ref(f"l{layer}s{levels[to]}", shared=True) for to in near))

    def state(layer: int, position: int) -> Record:
        onward = {"next": step(layer + 1, position)} if layer < num_layers else {}
        return record("state", level=Value(levels[position]), **onward)

    blocks = tuple((f"block{2 + i}", record("pair", left=edge(i), right=edge(i))) for i in range(num_blocks))
    start = Ref(f"l1s{levels[0]}", shared=True) if fixed else step(1, 0)
    rules: dict[str, Term] = {"autodeeplab": record("trellis", cell=Record("cell", blocks), path=start)}
    for layer in range(1, num_layers + 1):
        reached = range(min(layer if fixed else layer + 1, len(levels)))
        rules |= {f"l{layer}s{levels[position]}": state(layer, position) for position in reached}
    return SearchSpace(
        name="autodeeplab",
        version=1,
        title="Auto-DeepLab: a path through layers and resolutions, and its cell",
        paper="https://arxiv.org/abs/1901.02985",
        grammar=Grammar(rules, "autodeeplab"),
        skeletons=SKELETONS,
        input=ImageInput(height=321, width=321),
        equivalences=(Equivalence("operand-swap"), Equivalence("relabelling")),
        notes=(
            "Its networks answer with logits at every pixel, and learn from data sets with a class at every pixel.",
            "The skeleton keeps the paper's encoder and the pyramid at the level where the path ends, not its decoder.",
        ),
        literature="The paper gives 2.9e4 paths, which are the 28,657 with layer 1 at level 4 (with layer 1 free they "
        "are 75,025), 5.6e14 cells and 1e19 altogether: the same numbers, rounded.",
    )
