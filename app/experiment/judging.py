"""Judging: members of a space with the weights of a supernet that another job has trained, which asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.experiment.discrete import InheritedEvaluator
from app.experiment.job import Device, SpaceVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMember:
    """What is judged, as a strategy proposed it."""

    index: str  # rank of the genotype, decimal
    fidelity: int | None = None  # images of `selection`; None: all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingRequest:
    """Judge some members, as the search that asks for it would itself."""

    space: SpaceVersion
    document: Mapping[str, object]
    evaluator: InheritedEvaluator  # the search's
    supernet: str  # SHA-256 of the file, an artefact of the search
    members: tuple[JudgedMember, ...]
    seed: int = 0  # the search's
    device: Device = "auto"
