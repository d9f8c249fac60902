"""Sizes as they travel: counted once a space, and made complete by what jobs have counted."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log10

from app.api.answers import identity
from app.api.middleware import tag_of
from app.api.schemas.space import EstimateView, FactorView, SizeView, SpaceSizeView
from app.api.services import Services
from app.architecture import size_of
from app.catalogue import Count, counts
from app.space import SearchSpace, Size, SpaceSize
from app.space.counting import exactly
from app.space.derived import derived

LOOK_SECONDS = 1.0  # between two looks into the catalogue for what a job may have counted

sizes_of = derived(size_of)


def completed(space: SearchSpace, found: SpaceSize, counted: Iterable[Count]) -> SpaceSize:
    """The sizes, with the exact counts that jobs have stored in the places of estimates."""
    known = {(count.equivalence, count.version): count for count in counted}
    unique: list[Size] = []
    for size, equivalence in zip(found.unique, space.equivalences, strict=True):
        count = known.get((equivalence.name, equivalence.version))
        stored = None if count is None else exactly(count.exact, count.method, count.equivalence)
        unique.append(size if size.exact is not None or stored is None else stored)
    return replace(found, unique=tuple(unique))


def size_view(space: SearchSpace, counted: Iterable[Count] = ()) -> SpaceSizeView:
    """The sizes of a space as they travel."""
    found = completed(space, sizes_of(space), counted)
    return SpaceSizeView(
        space=identity(space),
        raw=one_size(found.raw),
        valid=one_size(found.valid),
        unique=[one_size(size) for size in found.unique],
        factors=[FactorView(path=f.path, exact=str(f.size), log10=log10(f.size)) for f in space.plan.factors()],
        literature=space.literature,
    )


def one_size(size: Size) -> SizeView:
    """One count as it travels."""
    found = size.estimate
    return SizeView(
        exact=None if size.exact is None else str(size.exact),
        log10=size.log10,
        method=size.method,
        equivalence=size.equivalence,
        estimate=None
        if found is None
        else EstimateView(
            mean=str(found.mean),
            low=str(found.low),
            high=str(found.high),
            confidence=found.confidence,
            samples=found.samples,
            seed=found.seed,
        ),
    )


def stored_counts(services: Services, space: SearchSpace) -> tuple[Count, ...]:
    """What jobs have counted of a space."""
    with services.database.transaction() as session:
        return counts.of_space(session, space.digest, space.surroundings)


@dataclass(slots=True)
class SizeAnswer:
    """The encoded answer about the sizes of a space: for ever once every count is exact, else for a moment."""

    body: bytes = b""
    tag: str = ""
    settled: bool = False
    looked: float = 0.0

    @property
    def fresh(self) -> bool:
        """Whether it can be given as it is."""
        return self.settled or (bool(self.body) and time.monotonic() - self.looked < LOOK_SECONDS)

    def renew(self, services: Services, space: SearchSpace) -> None:
        """Look what is known now."""
        known = all(size.exact is not None for size in sizes_of(space).unique)
        view = size_view(space, () if known else stored_counts(services, space))
        self.looked = time.monotonic()
        self.body = view.model_dump_json().encode()
        self.tag = tag_of(self.body)
        self.settled = all(size.exact is not None for size in view.unique)


@derived
def size_answer(space: SearchSpace) -> SizeAnswer:
    """The answer that is kept with a space."""
    return SizeAnswer()
