"""What sharing weights is worth: whether the weights of one supernet order members as trainings of their own do.

Yu et al. (2020), "Evaluating the Search Phase of Neural Architecture Search", arXiv:1902.08142, found that they often
do not. So some members, drawn uniformly whatever the search prefers, are judged with inherited weights and trained from
scratch, on the skeleton and the data set of the supernet; both are measured on `selection`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.experiment.ranks import RankCorrelation, correlation, kendall, spearman
from app.experiment.recipe import TrainingRecipe, recipe_digest

FEW = 10  # members below which a coefficient says little: |rho| under 0.65 is within chance (p = 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingCheck:
    """How many members are trained from scratch, and how."""

    members: int
    recipe: TrainingRecipe
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMember:
    """One member, both ways: percent of `selection`."""

    index: str  # rank of the genotype, decimal
    inherited: float
    standalone: float  # the mean over the seeds
    deviation: float | None  # between the seeds, the sample standard deviation; None of one
    jobs: tuple[str, ...]  # UUIDs of the trainings, by seed


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingReport:
    """How alike the two orders are."""

    split: str
    recipe: str  # of the trainings from scratch
    recipe_digest: str
    seeds: tuple[int, ...]
    spearman: RankCorrelation
    kendall: RankCorrelation  # tau-b
    pairs: tuple[SharedMember, ...]  # in the order in which they were drawn
    notes: tuple[str, ...]


def sharing_report(
    check: SharingCheck, pairs: Sequence[SharedMember], *, split: str, seed: int, notes: Sequence[str] = ()
) -> SharingReport:
    """The report on members that were measured both ways; chance in intervals and p-values comes from `seed`."""
    inherited, standalone = [one.inherited for one in pairs], [one.standalone for one in pairs]
    few = [f"{len(pairs)} members: of so few a coefficient says little"] if len(pairs) < FEW else []
    return SharingReport(
        split=split,
        recipe=check.recipe.name,
        recipe_digest=recipe_digest(check.recipe),
        seeds=check.seeds,
        spearman=correlation(spearman, inherited, standalone, seed),
        kendall=correlation(kendall, inherited, standalone, seed),
        pairs=tuple(pairs),
        notes=(*notes, *few),
    )
