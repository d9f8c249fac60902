"""Parallel chains (after Inception, Szegedy et al., 2015): branches of several lengths and their merge.

    builds      fields
    branches    paths: a Repeat of `branch`; merge: add, concat or a Choice of both
    branch      layers: a Repeat of a Choice of operations

A module of all branches stands at every width; a factorised reduction halves between two modules. Side by side, the
branches are brought to the width by a 1x1 convolution. No layer, or no branch, is the input itself.
"""

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, not_
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.operation import mixed
from app.space.skeleton import BranchSkeleton, ImageInput

MERGES = ("add", "concat")


def network(b: Layers, cursor: Cursor, skeleton: BranchSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, modules, classifier."""
    positive(channels=skeleton.channels, num_modules=skeleton.num_modules, num_classes=skeleton.num_classes)
    x = b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True)
    for i in range(skeleton.num_modules):
        if i:
            x = b.factorised_reduction(f"reduction{i}", x, 2 * len(x.axis))
        x = module(b, f"module{i}", cursor, x)
    return (b.classifier("head", b.unary("last/relu", "relu", x), skeleton.num_classes),)


def module(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """The branches on one input and their merge."""
    paths = cursor["paths"].items()
    branches = [(present, tower(b, f"{at}/{i}", path["layers"], x)) for i, (present, _, path) in enumerate(paths)]
    branches.append((not_(paths[0][0]) if paths else TRUE, x))
    terms: list[tuple[Guard, Node]] = []
    for guard, merge in cursor["merge"].values():
        if merge not in MERGES:
            raise LoweringError(
                cursor["merge"].path, f"branches are merged by add or concat, not {merge!r}", merge, MERGES
            )
        if merge == "concat":
            wide = b.concat(f"{at}/concat", branches)
            terms.append((guard, b.relu_conv_norm(f"{at}/fit", wide, len(x.axis))))
        else:
            terms.append((guard, b.sum(f"{at}/add", branches)))
    return b.sum(f"{at}/merge", terms)


def tower(b: Layers, at: str, layers: Cursor, x: Node) -> Node:
    """Operations one after another that keep the shape; the exits of the allowed lengths meet in one sum."""
    items = layers.items()
    exits = [(not_(items[0][0]) if items else TRUE, x)]
    for i, (_, last, choice) in enumerate(items):
        x = mixed(b, f"{at}/{i}", choice, x, len(x.axis))
        exits.append((last, x))
    return b.sum(f"{at}/exit", exits)
