"""The examples of the OpenAPI. Answers to pure questions are computed, so that no documented answer can be wrong.

What a route makes in the catalogue (jobs, architectures) is shown by its request; its answer is described by schema.
"""

from functools import cache

from app.api.examples.access import about_access
from app.api.examples.catalogue import about_catalogue
from app.api.examples.comparisons import about_comparisons
from app.api.examples.datasets import about_benchmarks, about_datasets
from app.api.examples.example import BROKEN, DARTS_V2, MINE, TINY, Example
from app.api.examples.experiments import about_experiments
from app.api.examples.fairness import about_fairness
from app.api.examples.genotypes import about_batches, about_genotypes
from app.api.examples.operations import about_operations
from app.api.examples.profiles import about_profiles
from app.api.examples.spaces import about_members, about_spaces
from app.api.examples.transfers import about_transfers
from app.api.examples.variation import about_variation


@cache
def examples() -> tuple[Example, ...]:
    """Every example, by route."""
    return (
        *about_spaces(),
        *about_members(),
        *about_genotypes(),
        *about_variation(),
        *about_batches(),
        *about_experiments(),
        *about_comparisons(),
        *about_catalogue(),
        *about_profiles(),
        *about_operations(),
        *about_transfers(),
        *about_datasets(),
        *about_benchmarks(),
        *about_fairness(),
        *about_access(),
    )


__all__ = ["BROKEN", "DARTS_V2", "MINE", "TINY", "Example", "examples"]
