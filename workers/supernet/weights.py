"""How the open decisions of a supernet become weights.

    decision                                   parameter            weight of its options
    choice, length                             α, one an option     softmax(α)
    subset whose members decide something      none                 1: every member is there, as in DARTS
                                               α, one an option     softmax(α), where edges are normalised (PC-DARTS)
    subset of bare members                     α, one an option     sigmoid(α), each member on its own

A subset's guard asks member by member, so in DARTS every candidate edge is present and only the operations on it
compete: the continuous relaxation of Liu et al. (2019), section 2.2.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from app.space import Decision, Path, Plan, Symbol
from app.space.path import step

Weights = Mapping[Path, Tensor]  # one entry an option of the decision, (O,)
Draws = Mapping[Path, Tensor | Sequence[Tensor | float]]  # the same; a number 0 says that nothing is to be computed
Rule = Literal["softmax", "present", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Relaxed:
    """One open decision of a supernet and how it is weighted."""

    decision: Decision
    rule: Rule

    @property
    def path(self) -> Path:
        """Where the decision is."""
        return self.decision.path

    @property
    def options(self) -> tuple[Symbol, ...]:
        """What can be chosen there."""
        return self.decision.options


def relax(plan: Plan, open_paths: Mapping[Path, object], *, normalised_edges: bool = False) -> tuple[Relaxed, ...]:
    """The decisions of a space that a supernet's graph leaves open, in the grammar's order.

    `normalised_edges`: members of a subset that decide something compete too, as in PC-DARTS (Xu et al., 2020).
    """
    paths = list(open_paths)
    found: list[Relaxed] = []
    for decision in plan.decisions():
        if decision.path not in open_paths:
            continue
        rule: Rule = "softmax"
        if decision.kind == "subset":
            deciding = all(below(decision, symbol, paths) for symbol in decision.options)
            rule = ("softmax" if normalised_edges else "present") if deciding else "sigmoid"
        found.append(Relaxed(decision, rule))
    missing = set(paths) - {r.path for r in found}
    if missing:
        raise ValueError(f"the graph asks {sorted(missing)}, which are no decisions of the space")
    return tuple(found)


def below(decision: Decision, member: Symbol, paths: Iterable[Path]) -> list[Path]:
    """The decisions that are made within one option of another."""
    place = step(decision.path, member)
    return [path for path in paths if path.startswith((f"{place}/", f"{place}#")) or path == place]


def initial_alpha(
    relaxed: tuple[Relaxed, ...], generator: torch.Generator, deviation: float = 1e-3
) -> dict[Path, Tensor]:
    """α of every decision that has one, float32 (O,): `deviation` times standard normal, as in quark0/darts.

    Sigmoids start at k / O, so that as many members are there as will be chosen.
    """
    alpha: dict[Path, Tensor] = {}
    for r in relaxed:
        if r.rule == "present":
            continue
        alpha[r.path] = deviation * torch.randn(len(r.options), generator=generator)
        if r.rule == "sigmoid":
            share = r.decision.k / len(r.options)
            alpha[r.path] += math.log(share / (1 - share))
    return alpha


def soft_weights(
    relaxed: tuple[Relaxed, ...], alpha: Mapping[Path, Tensor], like: Tensor | None = None
) -> dict[Path, Tensor]:
    """Weights (O,) of every open decision at α, differentiable in it. `like` says where weights without α live."""
    like = next(iter(alpha.values()), torch.zeros(())) if like is None else like
    weights: dict[Path, Tensor] = {}
    for r in relaxed:
        match r.rule:
            case "softmax":
                weights[r.path] = alpha[r.path].softmax(0)
            case "sigmoid":
                weights[r.path] = alpha[r.path].sigmoid()
            case "present":
                weights[r.path] = torch.ones(len(r.options), dtype=like.dtype, device=like.device)
    return weights


def as_vector(weights: Tensor | Sequence[Tensor | float], like: Tensor) -> Tensor:
    """Weights (O,) as one tensor, of the type and on the device of another."""
    if isinstance(weights, Tensor):
        return weights
    return torch.stack([w if isinstance(w, Tensor) else like.new_tensor(w) for w in weights])


def uniform_weights(relaxed: tuple[Relaxed, ...], like: Tensor) -> dict[Path, Tensor]:
    """Weights of a search that has learnt nothing: every option alike."""
    alpha = {path: torch.zeros_like(a).to(like) for path, a in initial_alpha(relaxed, torch.Generator()).items()}
    return soft_weights(relaxed, alpha, like)
