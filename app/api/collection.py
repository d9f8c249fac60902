"""Data sets by name: the built-in ones, and what users registered in the catalogue."""

import re
from typing import Any
from uuid import UUID

from app.api.problems import not_found, unprocessable
from app.api.services import Services
from app.catalogue import RegisteredDataset, datasets
from app.experiment import DATASETS, Dataset

REFERENCE = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})(?:@([0-9a-f]{8,64}))?")

Kept = Dataset | RegisteredDataset


def find_dataset(services: Services, reference: str) -> Kept | None:
    """The data set of `name` or `name@digest`, of which eight digits are enough; the caller's own comes first."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        return None
    name, digest = match.groups()
    if name in DATASETS:
        return DATASETS[name] if digest is None else None
    with services.database.transaction() as session:
        return datasets.find(session, name, digest or "", viewer=services.caller.owner)


def dataset_named(services: Services, reference: str) -> Dataset:
    """The data set of a request. Raises a Problem, 422, where the caller sees none of this name."""
    found = find_dataset(services, reference)
    if found is None:
        allowed = (*sorted(DATASETS), "one of GET /v1/datasets")
        raise unprocessable("/dataset", f"there is no data set {reference!r}", reference, allowed)
    return found if isinstance(found, Dataset) else found.dataset


def dataset_at(services: Services, reference: str) -> Kept:
    """The data set in a path. Raises a Problem, 404, where the caller sees none of this name."""
    found = find_dataset(services, reference)
    if found is None:
        raise not_found("data set", reference)
    return found


def carried(dataset: Dataset) -> Dataset | None:
    """What a job's request says of a data set beside its reference: all of a registered one, so that nothing changes
    under a job that waits."""
    return None if dataset.stored is None else dataset


def page_of_datasets(services: Services, after: dict[str, Any] | None, limit: int) -> tuple[RegisteredDataset, ...]:
    """Registered data sets from after a place on, by name."""
    place = None if after is None else (str(after["name"]), UUID(after["id"]))
    with services.database.transaction() as session:
        return datasets.listing(session, viewer=services.caller.owner, after=place, limit=limit)
