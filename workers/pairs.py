"""Transfers whose trainings are jobs of their own: one for each architecture on each place, and their join.

    child       what it trains
    source-0    the first architecture on the source
    target-0    the same on the target
    source-1 …

The evaluations are the children's. An architecture that one of its two children has not measured is left out of the
report, which says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from app.catalogue import Evaluation
from app.experiment import Accuracy, JobResult, TrainedThere, TrainingRequest, TransferRequest, transfer_report
from app.experiment.transfer import Side, Trained
from app.space import Genotype, InvalidGenotype, SearchSpace, space_from_json
from workers.progress import ChildRequest, Ended, Progress
from workers.session import images_for

SIDES: tuple[Side, ...] = ("source", "target")
FEWEST = 2  # architectures have an order


class ChildrenFailed(RuntimeError):
    """Too few trainings succeeded for a comparison; the message has their reasons."""


def joined(request: TransferRequest, progress: Progress) -> JobResult:
    """The report of all trainings. Raises Waiting until they have ended, and ChildrenFailed where too few succeeded."""
    space = space_from_json(request.document)
    genotypes = members(space, request.genotypes)
    for place in (request.source, request.target):
        images_for((place.skeleton,), place.dataset, place.data)  # refused before any training
    asked = {
        f"{side}-{i}": ChildRequest("training", training(request, side, genotype))
        for i, genotype in enumerate(genotypes)
        for side in SIDES
    }
    ended = progress.children(asked)
    missing = {name: reason(child) for name, child in ended.items() if child.state != "succeeded"}
    pairs = [i for i in range(len(genotypes)) if not any(f"{side}-{i}" in missing for side in SIDES)]
    if len(pairs) < FEWEST:
        told = "; ".join(f"{name} {why}" for name, why in missing.items())
        raise ChildrenFailed(f"{len(pairs)} of {len(genotypes)} architectures were trained on both places: {told}")
    trained = [
        Trained(
            index=str(space.plan.rank(genotypes[i])),
            origin=request.origins[i],
            genotype=genotypes[i],
            source=there(ended[f"source-{i}"].evaluations),
            target=there(ended[f"target-{i}"].evaluations),
        )
        for i in pairs
    ]
    results: dict[str, Mapping[str, Any]] = {name: child.result or {} for name, child in ended.items()}
    notes = each(note for result in results.values() for note in result.get("notes", ()))
    notes += [f"{name} {why}, so its architecture is left out" for name, why in missing.items()]
    report = transfer_report(
        trained,
        seed=request.seed,
        notes=notes,
        seconds=sum(result.get("seconds", 0.0) for result in results.values()),
        gpu_hours=sum(child.gpu_seconds for child in ended.values()) / 3600,
    )
    assert report is not None, "there are enough"
    provenance = {
        name: ", ".join(each(str(result[name]) for result in results.values() if name in result))
        for name in ("device", "torch_version", "code_version")
    }
    return JobResult(
        result={
            "report": asdict(report),
            "weights": {name: result["weights"] for name, result in results.items() if result.get("weights")},
            "children": {name: str(child.job_id) for name, child in ended.items()},
            **provenance,
            "seed": request.seed,
            "seconds": report.seconds,
        }
    )


def members(space: SearchSpace, genotypes: Iterable[object]) -> tuple[Genotype, ...]:
    """The genotypes in their normal form. Raises InvalidGenotype."""
    found: list[Genotype] = []
    for genotype in genotypes:
        faults = space.plan.check(genotype)
        if faults:
            raise InvalidGenotype(faults)
        found.append(space.plan.normalise(genotype))  # pyright: ignore[reportArgumentType]  (checked above)
    return tuple(found)


def training(request: TransferRequest, side: Side, genotype: Genotype) -> TrainingRequest:
    """One architecture on one place."""
    place = request.source if side == "source" else request.target
    return TrainingRequest(
        space=request.space,
        document=request.document,
        genotype=genotype,
        skeleton=place.skeleton,
        dataset=place.dataset,
        data=place.data,
        recipe=place.recipe,
        keep_weights=request.keep_weights,
        seed=request.seed,
        device=request.device,
    )


def there(evaluations: Iterable[Evaluation]) -> TrainedThere:
    """An architecture on one place, as the catalogue has it."""
    by_split = {evaluation.split: evaluation for evaluation in evaluations}
    accuracy = {
        split: Accuracy(percent=found.metrics["accuracy"], split=split, images=int(found.metrics["images"]))
        for split, found in by_split.items()
    }
    return TrainedThere(accuracy=accuracy, params=by_split["test"].params, macs=by_split["test"].macs)


def reason(child: Ended) -> str:
    """Why a child has no result."""
    return f"{child.state}: {child.error['detail']}" if child.error else f"was {child.state}"


def each(texts: Iterable[str]) -> list[str]:
    """Every text once, in the order of the first."""
    return list(dict.fromkeys(texts))
