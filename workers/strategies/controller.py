"""The controller of ENAS: an LSTM that answers the open decisions of a supernet one after another.

    h_t = LSTM(e(answer t-1), h_t-1)      e: what an answer is embedded as; at first a learnt start
    z_t = C tanh(W h_t / T)               one number an option; W and e are shared by decisions with the same options

    choice, length            softmax(z)
    k bare members of n       one after another, with sigmoid(z_i + log(left / (n - i - left))): so every member is
                              drawn in one way only, and all are equally likely where z is 0
    members that decide       none is drawn: all are there, and each decides

Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (2018), arXiv:1802.03268, section 2.2: an
LSTM of 100 units. Without biases and from uniform numbers as in melodyguan/enas `src/cifar10/micro_controller.py`; C
and T of its `scripts/ptb_search.sh`. Where that points at earlier nodes, each list of options has a head of its own.
Shapes: O options of a decision.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.space import Path
from workers.supernet.weights import Relaxed

UNITS = 100
BOUND = 2.5  # C
TEMPERATURE = 5.0  # T
SPREAD = 0.1  # parameters begin uniform within ± this

Choose = Callable[[Tensor], int]  # log-probabilities (O,) -> the number of an answer


@dataclass(frozen=True, slots=True)
class Walk:
    """Answers to all decisions, and how likely they were."""

    taken: dict[Path, tuple[int, ...]]  # the numbers of the options
    chances: dict[Path, Tensor]  # (O,) of each option, given the answers before
    log_probability: Tensor  # (), of all answers together
    entropy: Tensor  # (), nats: of every answer given those before, added up


class Controller(nn.Module):
    """A distribution over the answers to some decisions."""

    def __init__(self, relaxed: tuple[Relaxed, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.asked = [r for r in relaxed if r.rule != "present"]
        kinds: dict[object, int] = {}
        self.kinds = [
            kinds.setdefault((r.rule, r.decision.k, *((type(o), o) for o in r.options)), len(kinds)) for r in self.asked
        ]
        sizes = {kind: len(r.options) for r, kind in zip(self.asked, self.kinds, strict=True)}
        self.start = nn.Parameter(torch.empty(1, UNITS))
        self.cell = nn.LSTMCell(UNITS, UNITS, bias=False)
        self.heads = nn.ModuleList(nn.Linear(UNITS, n, bias=False) for n in sizes.values())
        self.embeddings = nn.ModuleList(nn.Embedding(n, UNITS) for n in sizes.values())
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-SPREAD, SPREAD, generator=generator)

    def walk(self, choose: Choose) -> Walk:
        """Answers every decision in the grammar's order, as `choose` picks from the log-probabilities."""
        state: tuple[Tensor, Tensor] | None = None
        before: Tensor = self.start
        taken: dict[Path, tuple[int, ...]] = {}
        chances: dict[Path, Tensor] = {}
        logs: list[Tensor] = []
        entropies: list[Tensor] = []

        def answer(log_probabilities: Tensor) -> int:
            chosen = choose(log_probabilities.detach())
            logs.append(log_probabilities[chosen])
            entropies.append(-(log_probabilities.exp() * log_probabilities).sum())
            return chosen

        for r, kind in zip(self.asked, self.kinds, strict=True):
            hidden, memory = self.cell(before, state)
            state = hidden, memory
            logits = BOUND * (self.heads[kind](hidden)[0] / TEMPERATURE).tanh()
            if r.rule == "softmax":
                log_probabilities = logits.log_softmax(0)
                taken[r.path] = (answer(log_probabilities),)
                chances[r.path] = log_probabilities.exp()
            else:
                taken[r.path], chances[r.path] = _members(logits, r.decision.k, answer)
            embedding = self.embeddings[kind]
            before = embedding(torch.tensor(taken[r.path])).mean(0, keepdim=True)
        nothing = self.start.new_zeros(1)
        return Walk(taken, chances, torch.stack([*logs, *nothing]).sum(), torch.stack([*entropies, *nothing]).sum())


def _members(logits: Tensor, k: int, answer: Choose) -> tuple[tuple[int, ...], Tensor]:
    """k of the options, each decided in turn, and how likely each was; what is left no choice is not drawn."""
    taken: list[int] = []
    chances: list[Tensor] = []
    for i, logit in enumerate(logits):
        left, open_ = k - len(taken), len(logits) - i
        if left in (0, open_):
            chances.append(torch.full_like(logit, float(left > 0)))
            if left:
                taken.append(i)
            continue
        logit = logit + math.log(left / (open_ - left))
        there = nn.functional.logsigmoid(logit)
        chances.append(there.exp())
        if answer(torch.stack((there, nn.functional.logsigmoid(-logit)))) == 0:
            taken.append(i)
    return tuple(taken), torch.stack(chances)
