"""The zero-cost proxies of a profile: members one after another, each with what was computed of it, as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch

from app.architecture import architecture_id
from app.experiment import ProfileRequest, described
from app.space import InvalidGenotype, space_from_json
from workers.proxies.scoring import SPLIT, Scoring
from workers.session import RequestError, images_for

Scored = dict[str, Any]
"""A member: `architecture_id`, `index`, `genotype`; by proxy its `values`, null where one is not defined, the `reasons`
for that, and the `seconds` that it took."""


def measured_on(request: ProfileRequest) -> dict[str, Any]:
    """What the proxies of a request are computed with: data set, split, images, seed, skeleton."""
    wanted = request.proxies
    assert wanted is not None, "there are some"
    dataset = described(wanted.dataset, wanted.data)
    return {
        "names": list(wanted.names),
        "dataset": dataset.reference,
        "split": SPLIT,
        "images": wanted.images,
        "seed": wanted.seed,
        "skeleton": None if request.skeleton is None else asdict(request.skeleton),
        "input": asdict(dataset.input),
    }


def scored(request: ProfileRequest, device: torch.device, known: int) -> Iterator[Scored]:
    """Members in their order, without the first `known`. Raises DataError, InvalidGenotype or RequestError."""
    wanted = request.proxies
    if wanted is None:
        return
    if request.document is None or request.skeleton is None:
        raise RequestError("proxies are of members: they are asked for without a space or skeleton")
    space, skeleton = space_from_json(request.document), request.skeleton
    images = images_for((skeleton,), wanted.dataset, wanted.data)
    scoring = Scoring(space, skeleton, images, seed=wanted.seed, device=device)
    if wanted.images > scoring.most:
        there = f"{SPLIT} of {images.dataset.reference} has {scoring.most}"
        raise RequestError(f"a batch of {wanted.images} images was asked for; {there}")
    for value in request.genotypes[known:]:
        faults = space.plan.check(value)
        if faults:
            raise InvalidGenotype(faults)
        index = space.plan.rank(value)  # pyright: ignore[reportArgumentType]  (checked above)
        genotype = space.plan.unrank(index)
        found = scoring.scores(genotype, wanted.names, wanted.images)
        yield {
            "architecture_id": architecture_id(space, skeleton, images.dataset.input, genotype),
            "index": str(index),
            "genotype": genotype,
            "values": {name: timed.score.value for name, timed in found.items()},
            "reasons": {name: timed.score.reason for name, timed in found.items() if timed.score.reason is not None},
            "seconds": {name: timed.seconds for name, timed in found.items()},
        }
