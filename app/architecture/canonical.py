"""Identity and canonical forms.

    architecture_id    two genotypes are the same architecture: isomorphic graphs on one skeleton and input
    canonical          the lowest-ranked genotype of a class under an equivalence that the space declares

Identity is not equivalence: relabelling the nodes of a cell is an equivalence of genotypes and gives, for cells that
concatenate all their nodes, one architecture; looser equivalences only count and compare.
"""

import dataclasses
import hashlib
import json

from app.architecture.isomorphism import certificate
from app.architecture.lower import lower
from app.space import Genotype, ImageInput, SearchSpace, Skeleton
from app.space.classes import canonical_rank
from app.space.skeleton.setting import identifying


def architecture_id(space: SearchSpace, skeleton: Skeleton, image: ImageInput, genotype: object) -> str:
    """32 hexadecimal digits, equal exactly for isomorphic graphs on the same skeleton, input and space digest."""
    graph = lower(space.grammar, skeleton, image, space.plan.read(genotype))
    surroundings = {"skeleton": identifying(skeleton), "image": dataclasses.asdict(image)}
    text = json.dumps([space.digest, surroundings, certificate(graph)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def canonical(space: SearchSpace, genotype: object, equivalence: str | None = None) -> Genotype:
    """The lowest-ranked member that is the same under an equivalence that the space declares, or under its default.

    InvalidGenotype of what is no member, Unreadable of an equivalence that is not the space's.
    """
    return space.plan.unrank(canonical_rank(space, space.plan.rank(genotype), equivalence))


def canonical_id(space: SearchSpace, genotype: object) -> str:
    """A compact name of the class: the space's digest, shortened, and the rank of the canonical form."""
    return f"{space.digest[:16]}-{canonical_rank(space, space.plan.rank(genotype))}"
