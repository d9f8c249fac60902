"""The rewritten network of a graph, with kernels where this deployment and this device have them."""

from collections.abc import Callable

import torch

from app.architecture import Graph
from app.settings import load_settings
from workers.supernet.native import kernels
from workers.supernet.rewrite import FusedNetwork, NativeNetwork


def rewritten(graph: Graph, device: torch.device, note: Callable[[str], None] = lambda text: None) -> FusedNetwork:
    """A `FusedNetwork`, or a `NativeNetwork` where the setting `native` allows it on a CPU; neither is moved there.

    `note` is told where kernels were compiled, or cannot be had. Raises BuildError where they are required.
    """
    if device.type != "cpu":
        return FusedNetwork(graph)
    settings = load_settings()
    native = kernels(settings.native, settings.cache_root / "native", note)
    return (NativeNetwork if native else FusedNetwork)(graph)
