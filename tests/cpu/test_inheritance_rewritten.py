"""Members of a supernet that was trained rewritten: they inherit what they would from one that was trained plainly."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.architecture import lower
from app.space import ImageInput
from app.space.zoo import ZOO
from workers.inheritance import inherit
from workers.network import Network
from workers.strategies.single_path import SinglePath
from workers.supernet.rewrite import FusedNetwork
from workers.training import checkpoint, recalibrate

pytestmark = pytest.mark.usefixtures("exactly")

IMAGE = ImageInput(channels=3, height=16, width=16)
SMALL: dict[str, dict[str, Any]] = {
    "darts": {"channels": 2, "num_cells": 3, "affine": False},
    "nasbench201": {"channels": 2, "num_cells": 1, "affine": False},
    "mobilenet_ofa": {
        "stem": 4,
        "first": 4,
        "widths": (4, 4, 8, 8, 8),
        "strides": (1, 1, 2, 1, 1),
        "head": 8,
        "features": 8,
    },
}
STEPS = 4


def fitted(network: Network, strategy: SinglePath) -> Network:
    """After some steps of SGD on drawn members."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), 0.02, momentum=0.9)
    data = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        x = torch.randn((6, *shape()), generator=data)
        labels = torch.randint(0, 3, (6,), generator=data)
        optimiser.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(x, strategy.draw()), labels).backward()
        optimiser.step()
    return network


def shape() -> tuple[int, int, int]:
    return IMAGE.channels, IMAGE.height, IMAGE.width


def answers(small: Network) -> Tensor:
    """What a member answers, its batch statistics measured anew."""
    data = torch.Generator().manual_seed(6)
    batches = [(torch.randn((6, *shape()), generator=data), torch.zeros(6)) for _ in range(3)]
    recalibrate(small, small, islice(iter(batches), 2))
    with torch.no_grad():
        return small.eval()(batches[2][0])


@pytest.mark.parametrize("name", SMALL)
def test_members_answer_alike_whichever_way_the_supernet_was_trained(name: str, tmp_path: Path) -> None:
    space = ZOO[name]
    skeleton: Any = space.skeletons.get("search") or next(iter(space.skeletons.values()))
    skeleton = replace(skeleton, **SMALL[name], num_classes=3)
    graph = lower(space.grammar, skeleton, IMAGE)
    plain, rewritten = Network(graph), FusedNetwork(graph)
    checkpoint.restore_module(rewritten, plain.state_dict())
    bigs = [fitted(big, SinglePath(space, graph, seed=3, device=torch.device("cpu"))) for big in (plain, rewritten)]
    # and a file of either is one of the other: what was kept before is read after
    for big, other in ((plain, FusedNetwork(graph)), (rewritten, Network(graph))):
        checkpoint.save(tmp_path / "kept", big.state_dict(), {})
        checkpoint.restore_module(other, checkpoint.load(tmp_path / "kept")[0])
        bigs.append(other)
    members = SinglePath(space, graph, seed=11, device=torch.device("cpu"))
    seen: list[Tensor] = []
    for number in range(3):
        read = space.plan.read(space.plan.unrank(members.member(number)))
        found: list[Tensor] = []
        for big in bigs:
            small = Network(lower(space.grammar, skeleton, IMAGE, read))
            inherit(small, big, read)
            found.append(answers(small))
        for one in found[1:]:
            torch.testing.assert_close(one, found[0], rtol=1e-9, atol=1e-9)
        seen.append(found[0])
    assert not torch.allclose(seen[0], seen[1]), "members differ"
