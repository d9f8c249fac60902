"""ProxylessNAS: an inverted residual of six kinds in each of 21 layers, or none where nothing changes shape.

Cai, Zhu and Han, "ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware", ICLR 2019,
arXiv:1812.00332. Stages of 4, 4, 4, 4, 4 and 1 layers on ImageNet. `zero` leaves only the residual of its layer; the
first layers of the stages have none, and so no `zero`.
"""

from app.space.algebra import Grammar, Record, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import ImageInput, MobileSkeleton

PROXYLESSNAS_OPERATIONS = ("mb3_k3", "mb6_k3", "mb3_k5", "mb6_k5", "mb3_k7", "mb6_k7")
DEPTHS = (4, 4, 4, 4, 4, 1)

SKELETONS = {
    "search": MobileSkeleton(depths=DEPTHS, widths=(24, 40, 80, 96, 192, 320)),
    "imagenet": MobileSkeleton(depths=DEPTHS, widths=(32, 40, 80, 96, 192, 320)),  # as the found network was released
    "small": MobileSkeleton(
        depths=DEPTHS,
        stem=8,
        stem_stride=1,
        first=4,
        widths=(6, 8, 12, 16, 20, 24),
        strides=(1, 2, 1, 1, 2, 1),
        head=64,
        num_classes=10,
    ),
}


def proxylessnas(
    depths: tuple[int, ...] = DEPTHS, operations: tuple[str, ...] = PROXYLESSNAS_OPERATIONS
) -> SearchSpace:
    """The space of the paper; `depths` are the layers of each stage, of which only the first has no `zero`.

    The operations stand in the order of the published search, `zero` last.
    """
    positions = [i for depth in depths for i in range(depth)]
    layers = tuple((f"layer{n}", one_of(*operations, *(("zero",) if i else ()))) for n, i in enumerate(positions))
    return SearchSpace(
        name="proxylessnas",
        version=1,
        title="ProxylessNAS: an inverted residual or nothing in each of 21 layers",
        paper="https://arxiv.org/abs/1812.00332",
        grammar=Grammar({"proxylessnas": record("mobile", layers=Record("positions", layers))}, "proxylessnas"),
        skeletons=SKELETONS if depths == DEPTHS else {},  # they hold as many layers as the paper
        input=ImageInput(height=224, width=224),
        equivalences=(Equivalence("functional"),),
        literature="7^21 = 5.6e17 where every layer is taken to have all seven options. Six of the 21 have no zero, "
        "which makes it 6^6 * 7^15 = 2.2e17.",
    )
