"""The code that papers published, as it lies in a checkout each, brought to run beside this one.

    quark0/darts                  Liu et al., 2019        cnn/model_search.py, architect.py, model.py     f276dd3
    yuhuixu1993/PC-DARTS          Xu et al., 2020         model_search.py, architect.py                   b74702f
    D-X-Y/AutoDL-Projects         Dong and Yang, 2019     xautodl/models                                  f46486e

Nothing of theirs is changed. They are of the time of torch 0.3 to 1.6 and want a GPU: while they run here `.cuda()`
answers the tensor or module itself, and what they import of torchvision and never call is an empty module. Signatures
that torch gave up (`x.sub_(a, y)` of y times a) are put right where it has dropped them.

A step is what their training loops do with one batch of each split, without their logging.
"""

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor]
Step = Callable[[], None]
Made = tuple[Step, int]  # and how many learnable numbers the network has
ABSENT = ("torchvision", "torchvision.transforms", "torchvision.datasets")


def on_this_device() -> None:
    """Let `.cuda()` do nothing, and `torch.cuda.FloatTensor` be a tensor."""

    def same(self: Any, *_: Any, **__: Any) -> Any:
        return self

    torch.Tensor.cuda = same  # pyright: ignore[reportAttributeAccessIssue]
    nn.Module.cuda = same  # pyright: ignore[reportAttributeAccessIssue]
    torch.cuda.FloatTensor = torch.empty  # pyright: ignore[reportAttributeAccessIssue]


@contextmanager
def importing(folder: Path) -> Iterator[Callable[[str], Any]]:
    """Imports of modules in a folder, forgotten afterwards: two checkouts have modules of the same names."""
    before, path = set(sys.modules), list(sys.path)
    for name in ABSENT:
        if name not in sys.modules:
            sys.modules[name] = ModuleType(name)
    for name in ABSENT[1:]:
        setattr(sys.modules["torchvision"], name.partition(".")[2], sys.modules[name])
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            where = getattr(sys.modules[name], "__file__", None)
            if name in ABSENT or (where is not None and Path(where).is_relative_to(folder)):
                del sys.modules[name]


def size(network: nn.Module) -> int:
    """Learnable numbers of a network."""
    return sum(p.numel() for p in network.parameters())


def bilevel(
    folder: Path, both: Sequence[Pair], *, channels: int, cells: int, second_order: bool, rates: tuple[float, float]
) -> Made:
    """One step of `train_search.py`, as quark0/darts and PC-DARTS have it; learning rates of weights and of α."""
    rate, alpha_rate = rates
    with importing(folder) as module:
        searched, architect = module("model_search"), module("architect")
    network = searched.Network(channels, 10, cells, nn.CrossEntropyLoss())
    given = SimpleNamespace(momentum=0.9, weight_decay=3e-4, arch_learning_rate=alpha_rate, arch_weight_decay=1e-3)
    learner = architect.Architect(network, given)
    optimiser = torch.optim.SGD(network.parameters(), rate, momentum=0.9, weight_decay=3e-4)
    criterion = nn.CrossEntropyLoss()
    (x, labels), (held, truth) = both

    def step() -> None:
        network.train()
        learner.step(x, labels, held, truth, rate, optimiser, unrolled=second_order)
        optimiser.zero_grad()
        criterion(network(x), labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimiser.step()

    return step, size(network)


def discrete(folder: Path, batch: Pair, *, channels: int, cells: int, drop_path: float) -> Made:
    """One step of `train.py` of quark0/darts on DARTS_V2, with the auxiliary head."""
    with importing(folder) as module, redirect_stdout(StringIO()):
        model, genotypes = module("model"), module("genotypes")
        network = model.NetworkCIFAR(channels, 10, cells, True, genotypes.DARTS_V2)
    network.drop_path_prob = drop_path
    optimiser = torch.optim.SGD(network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4)
    criterion = nn.CrossEntropyLoss()
    x, labels = batch

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        logits, auxiliary = network(x)
        loss = criterion(logits, labels)
        loss += 0.4 * criterion(auxiliary, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimiser.step()

    return step, size(network)


def autodl(folder: Path, both: Sequence[Pair], found: dict[str, Any], space: str) -> Made:
    """One step of `GDAS.py` and `DARTS-V1.py` of AutoDL-Projects: the weights, then α."""
    with importing(folder) as module:
        models = module("xautodl.models")
        names = models.get_search_spaces("cell", space)
        network = models.get_cell_based_tiny_net(
            found | {"num_classes": 10, "space": names, "affine": False, "track_running_stats": True}
        )
    optimiser = torch.optim.SGD(network.get_weights(), 0.025, momentum=0.9, nesterov=True, weight_decay=5e-4)
    adam = torch.optim.Adam(network.get_alphas(), lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    criterion = nn.CrossEntropyLoss()
    (x, labels), (held, truth) = both

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        criterion(network(x)[1], labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimiser.step()
        adam.zero_grad()
        criterion(network(held)[1], truth).backward()
        adam.step()

    return step, size(network) - sum(a.numel() for a in network.get_alphas())
