"""Measures how much memory a graph's network holds at its largest moment.

Counted is what is held above what was there before, and the network is built within, so that its weights count. With
one thread: with several oneDNN lays out copies of its own for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from app.architecture import Graph
from app.architecture.memory import MemoryDirection, Optimiser
from app.experiment import Precision
from workers.network import Network
from workers.peak import peak_of
from workers.stopwatch import Conditions, Subject
from workers.training.determinism import seeded


def measured_peak(
    graph: Graph,
    *,
    batch_size: int,
    precision: Precision = "float32",
    direction: MemoryDirection = "forward",
    optimiser: Optimiser = "sgd",
) -> int:
    """Bytes that a plain graph's network holds at its largest moment on one CPU thread, weights and input included.

    The second pass or step counts as well as the first: by then the state of an optimiser is there.
    """
    conditions = Conditions(
        device=torch.device("cpu"),
        batch_size=batch_size,
        precision=precision,
        direction="forward" if direction == "forward" else "forward+backward",
    )

    def work() -> object:
        if direction == "training":
            return _train(graph, conditions, optimiser)
        subject = Subject(graph, conditions, {n.name: False for n in graph.nodes.values() if n.op == "input"})
        subject()
        subject()
        return subject

    with one_thread():
        return peak_of(work)


def _train(graph: Graph, conditions: Conditions, optimiser: Optimiser) -> object:
    """Two steps as `workers.training.trainer` takes them."""
    with seeded(0, "memory"):
        network = Network(graph).train()
        inputs = {
            node.name: torch.rand(conditions.batch_size, len(node.axis), *node.size)
            for node in graph.nodes.values()
            if node.op == "input"
        }
    parameters = list(network.parameters())
    chosen: torch.optim.Optimizer = (
        torch.optim.SGD(parameters, 0.025, 0.9, weight_decay=3e-4)
        if optimiser == "sgd"
        else torch.optim.Adam(parameters, 1e-3)
    )
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=conditions.precision == "bfloat16"):
            out = network(inputs)
        outputs = out if isinstance(out, tuple) else (out,)
        loss = sum(y.float().square().mean() for y in outputs)
        chosen.zero_grad(set_to_none=True)
        assert isinstance(loss, torch.Tensor)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        chosen.step()
        del out, outputs, loss
    return network, chosen


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch computes on one CPU thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
