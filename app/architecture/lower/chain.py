"""Chains: a stem, one layer after another, a classifier.

    builds    fields
    chain     layers: a Repeat of a Choice of operations

Where a position is one of the skeleton's `reductions` the width doubles and the extents halve.
"""

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.skeleton import ChainSkeleton, ImageInput


def network(b: Layers, cursor: Cursor, skeleton: ChainSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """The layers in a row. Each allowed length has its exit; exits of unlike widths meet side by side."""
    positive(channels=skeleton.channels, num_classes=skeleton.num_classes)
    wrong = [i for i in skeleton.reductions if i < 0]
    if wrong:
        raise LoweringError("/skeleton/reductions", f"{wrong[0]} is not a position of a layer", wrong[0])
    x = b.unary("stem/relu", "relu", b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True))
    width = skeleton.channels
    layers = cursor["layers"].items()
    # a length of nothing leaves the stem alone
    exits = [(not_(layers[0][0]) if layers else TRUE, b.mean("exit/mean", x))]
    for i, (_, last, operations) in enumerate(layers):
        reduction = i in skeleton.reductions
        width *= 1 + reduction
        x = mixed(b, f"layer{i}", operations, x, width, 1 + reduction)
        exits.append((last, b.mean(f"exit{i}/mean", x)))
    return (b.linear("head/linear", b.join("exits", exits), skeleton.num_classes),)
