"""The handler of profile jobs: latency and peak memory of operations, architectures and what these are made of, and
zero-cost proxies of architectures.

phase      epochs                      steps
proxies    members
profile    blocks of 16 subjects       rounds
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from app.architecture import Axis, Graph, architecture_id, count, lower, lower_operation, macs
from app.architecture.entries import Entry, entries
from app.architecture.workload import workload
from app.experiment import (
    JobResult,
    MeasuredProfile,
    ProfiledArchitecture,
    ProfiledOperation,
    ProfileRequest,
    Target,
)
from app.settings import load_settings
from app.space import InvalidGenotype, space_from_json
from workers.progress import Progress, Stopped
from workers.proxies.profiled import Scored, measured_on, scored
from workers.session import RequestError, choose_device
from workers.stopwatch import Conditions, Reading, Subject, device_name, measure
from workers.training import checkpoint
from workers.training.determinism import limit_threads

PHASE = "profile"
PROXIES_PHASE = "proxies"
BLOCK = 16  # subjects in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Something to be measured."""

    target: Target
    key: str
    operation: str | None
    description: Mapping[str, object]
    entries: Mapping[str, int]
    graph: Graph
    gradient: Mapping[str, bool]  # of every input: whether a backward pass goes on to it
    architecture: ProfiledArchitecture | None = None


def run(request: ProfileRequest, progress: Progress) -> JobResult:
    """Measures. Raises RequestError or InvalidGenotype, or Stopped where `progress` asks to stop."""
    started = time.monotonic()
    device = choose_device(request.device)
    with threads_set(request.threads) as threads:
        conditions = Conditions(
            device=device,
            batch_size=request.batch_size,
            precision=request.precision,
            direction=request.direction,
        )
        provenance: dict[str, Any] = {
            "device": device_name(device),
            "device_type": device.type,
            "threads": threads,
            "torch_version": torch.__version__,
            "code_version": load_settings().code_version,
        }
        planned = unknown(request, plan(request), provenance, progress)
        readings: list[Reading] = []
        scores: list[Scored] = []

        def result(**more: object) -> JobResult:
            seconds = time.monotonic() - started
            told = {"proxies": measured_on(request) | {"architectures": scores}} if request.proxies else {}
            return JobResult(
                result={"measurements": len(readings), **told, **provenance, "seconds": seconds, **more},
                profiles=tuple(
                    profile_of(request, what, reading, provenance)
                    for what, reading in zip(planned, readings, strict=False)
                ),
            )

        def save(phase: str, epoch: int) -> None:
            record = {
                "readings": [asdict(reading) for reading in readings],
                "scores": scores,
                "provenance": provenance,
            }
            progress.checkpoint(phase, epoch, lambda file: checkpoint.save(file, {}, record))

        blocks = -(-len(planned) // BLOCK)
        first = 0
        if found := progress.resume():
            record: Any = checkpoint.load(found.file)[1]
            if record["provenance"] == provenance:
                first = found.epoch if found.phase == PHASE else 0
                readings, scores = [Reading(**reading) for reading in record["readings"]], record.get("scores", [])
            else:
                progress.note(f"the job was begun on {record['provenance']}: starting over")
        for row in scored(request, device, len(scores)):
            scores.append(row)
            progress.report(PROXIES_PHASE, len(scores), len(request.genotypes), {})
            save(PROXIES_PHASE, len(scores))
            if reason := progress.should_stop():
                raise Stopped(reason, result(stopped_in=PROXIES_PHASE))
        for block in range(first, blocks):

            def pause(number: int, block: int = block) -> None:
                if reason := progress.should_stop():
                    raise Stopped(reason, result(stopped_in=PHASE))
                progress.report(PHASE, block, blocks, {}, step=number, steps=request.rounds)

            subjects = [Subject(p.graph, conditions, p.gradient) for p in planned[block * BLOCK : (block + 1) * BLOCK]]
            readings += measure(subjects, request.rounds, pause)
            progress.report(PHASE, block + 1, blocks, {"measurements": float(len(readings))})
            save(PHASE, block + 1)
        return result()


def plan(request: ProfileRequest) -> list[Planned]:
    """Everything that a request asks to be measured, each computation once."""
    if not (request.whole or request.entries):
        wholes = list[Planned]()
    else:
        wholes = [*map(planned_operation, request.operations), *planned_architectures(request)]
    alone: dict[str, Planned] = {}
    if request.entries:
        for graph, image in ((p.graph, p.target == "architecture") for p in wholes):
            for entry in entries(graph, image=image):
                alone.setdefault(entry.key, planned_entry(entry))
        for entry in every_entry(request):
            alone.setdefault(entry.key, planned_entry(entry))
    found = {(p.target, p.key): p for p in (*(wholes if request.whole else ()), *alone.values())}
    if not found and request.proxies is None:
        raise RequestError("nothing is to be measured: the request has no operation and no genotype, or wants neither")
    return list(found.values())


def every_entry(request: ProfileRequest) -> Iterator[Entry]:
    """Everything that a member of the request's space may compute, if that is asked for."""
    if not request.every:
        return
    if request.document is None or request.skeleton is None:
        raise RequestError("every entry is asked for without a space or skeleton")
    space = space_from_json(request.document)
    graph = lower(space.grammar, request.skeleton, request.input or space.input)
    yield from (entry for *_, entry in workload(graph))


def unknown(
    request: ProfileRequest, planned: list[Planned], provenance: Mapping[str, Any], progress: Progress
) -> list[Planned]:
    """What is left to measure: known entries are left out where they were measured as they would be here."""
    known = request.known
    if known is None:
        return planned
    there = {"device": known.device, "threads": known.threads, "torch_version": known.torch_version}
    here = {name: provenance[name] for name in there}
    if here != there:
        progress.note(f"entries are known of {there}, and this is {here}: all of them are measured")
        return planned
    keys = frozenset(known.keys)
    return [p for p in planned if p.target != "entry" or p.key not in keys]


def planned_operation(asked: ProfiledOperation) -> Planned:
    """An operation of the vocabulary on maps from within a network."""
    graph = lower_operation(
        asked.operation,
        channels=asked.channels,
        width=asked.width,
        size=asked.size,
        stride=asked.stride,
        affine=asked.affine,
    )
    height, extent = asked.size
    line = f"{asked.operation} {asked.channels}x{height}x{extent} -> {asked.width}"
    return Planned(
        target="operation",
        key=f"{line} stride={asked.stride} affine={str(asked.affine).lower()}",
        operation=asked.operation,
        description=asdict(asked),
        entries=counted(graph, image=False),
        graph=graph,
        gradient={"x": True},
    )


def planned_architectures(request: ProfileRequest) -> Iterator[Planned]:
    """Members of a space as networks on images."""
    if not request.genotypes:
        return
    if request.document is None or request.skeleton is None:
        raise RequestError("genotypes are given without their space or skeleton")
    space = space_from_json(request.document)
    image = request.input or space.input
    for value in request.genotypes:
        faults = space.plan.check(value)
        if faults:
            raise InvalidGenotype(faults)
        index = space.plan.rank(value)  # pyright: ignore[reportArgumentType]  (checked above)
        genotype = space.plan.unrank(index)
        graph = lower(space.grammar, request.skeleton, image, space.plan.read(genotype))
        id = architecture_id(space, request.skeleton, image, genotype)
        yield Planned(
            target="architecture",
            key=id,
            operation=None,
            description={
                "space": space.identity,
                "genotype": genotype,
                "skeleton": asdict(request.skeleton),
                "input": asdict(image),
            },
            entries=counted(graph, image=True),
            graph=graph,
            gradient={name: False for name, node in graph.nodes.items() if node.op == "input"},
            architecture=ProfiledArchitecture(
                id=id, index=index, genotype=genotype, skeleton=request.skeleton, input=image
            ),
        )


def planned_entry(entry: Entry) -> Planned:
    """One computation alone."""
    graph = entry.graph()
    return Planned(
        target="entry",
        key=entry.key,
        operation=entry.op,
        description={
            "inputs": [shape for shape, _ in entry.inputs],
            "output": entry.output,
            "fields": {name: _numbers(value) for name, value in entry.attrs},
        },
        entries={entry.key: 1},
        graph=graph,
        gradient={f"x{i}": wanted for i, (_, wanted) in enumerate(entry.inputs)},
    )


def counted(graph: Graph, *, image: bool) -> dict[str, int]:
    """The entries of a graph by key."""
    return {entry.key: n for entry, n in entries(graph, image=image).items()}


def profile_of(
    request: ProfileRequest, what: Planned, reading: Reading, provenance: Mapping[str, Any]
) -> MeasuredProfile:
    """A reading with everything that says what it means."""
    return MeasuredProfile(
        target=what.target,
        key=what.key,
        operation=what.operation,
        description=what.description,
        entries=what.entries,
        architecture=what.architecture,
        params=count(what.graph),
        macs=macs(what.graph),
        batch_size=request.batch_size,
        precision=request.precision,
        direction=request.direction,
        **provenance,
        **asdict(reading),
    )


@contextmanager
def threads_set(wanted: int | None) -> Iterator[int]:
    """Within, torch computes on so many CPU threads; by default as many as any job. Raises RequestError."""
    before = torch.get_num_threads()
    available = len(os.sched_getaffinity(0))
    if wanted is None:
        limit_threads()
    elif wanted > available:
        raise RequestError(f"{wanted} threads were asked for, but this worker has {available} processors")
    else:
        torch.set_num_threads(wanted)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _numbers(value: Any) -> Any:
    match value:
        case Axis():
            return len(value)
        case tuple():
            return [_numbers(item) for item in value]
        case _:
            return value
