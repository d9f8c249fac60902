"""Examples of the questions about genotypes, and of their batches."""

from collections.abc import Callable

from app.api.answers import canonical_form, neighbours, validation
from app.api.batches import in_order
from app.api.costs import costs
from app.api.examples.example import BROKEN, DARTS, DARTS_V2, REQUEST_ID, TINY, Example, Json, question, refused
from app.api.memory import memory
from app.api.schemas.cost import CostQuestion
from app.api.schemas.genotype import CanonicalQuestion, GenotypeQuestion, NeighbourQuestion
from app.api.schemas.memory import MemoryQuestion
from app.api.schemas.model import Output


def about_genotypes() -> tuple[Example, ...]:
    """Examples of the questions about a genotype."""
    good, bad = {"genotype": DARTS_V2}, {"genotype": BROKEN}
    few: Json = good | {"limit": 2}
    priced: Json = good | {"skeleton": "cifar", "by_node": False}
    custom: Json = good | {"skeleton": TINY, "input": {"channels": 1, "height": 8, "width": 8}, "by_node": False}
    trained: Json = good | {"skeleton": "cifar", "batch_size": 96, "direction": "training"}
    misspelt: Json = good | {"skeleton": "cifra"}
    return (
        question(
            "validate", "member", "A member", good, lambda: validation(DARTS, GenotypeQuestion.model_validate(good))
        ),
        question(
            "validate",
            "broken",
            "Everything that is wrong, and the nearest member",
            bad,
            lambda: validation(DARTS, GenotypeQuestion.model_validate(bad)),
        ),
        question(
            "neighbours",
            "two",
            "Two of the genotypes one decision away",
            few,
            lambda: neighbours(DARTS, NeighbourQuestion.model_validate(few)),
        ),
        question(
            "canonical", "v2", "DARTS_V2", good, lambda: canonical_form(DARTS, CanonicalQuestion.model_validate(good))
        ),
        question(
            "cost",
            "cifar",
            "DARTS_V2 as its paper trains it on CIFAR",
            priced,
            lambda: costs(DARTS, CostQuestion.model_validate(priced)),
        ),
        question(
            "cost",
            "custom",
            "The same on a skeleton and an image of one's own",
            custom,
            lambda: costs(DARTS, CostQuestion.model_validate(custom)),
        ),
        question(
            "memory",
            "training",
            "What a training step of DARTS_V2 holds at its largest moment",
            trained,
            lambda: memory(DARTS, MemoryQuestion.model_validate(trained)),
        ),
        question("draw", "text", "The two cells as text", good | {"form": "text"}),
        question(
            "cost",
            "misspelt",
            "A skeleton that the space does not have",
            misspelt,
            refused(lambda: costs(DARTS, CostQuestion.model_validate(misspelt))),
            status=422,
        ),
        question(
            "canonical",
            "broken",
            "What is not a member has no canonical form",
            bad,
            refused(lambda: canonical_form(DARTS, CanonicalQuestion.model_validate(bad))),
            status=422,
        ),
    )


def about_batches() -> tuple[Example, ...]:
    """Examples of batches: a member and what is none."""
    both = [{"genotype": DARTS_V2}, {"genotype": BROKEN}]
    cheap = [item | {"skeleton": TINY, "by_node": False} for item in both]
    small: list[Json] = [item | {"skeleton": TINY, "batch_size": 8} for item in both]
    held = [MemoryQuestion.model_validate(item) for item in small]
    asked = [GenotypeQuestion.model_validate(item) for item in both]
    alike = [CanonicalQuestion.model_validate(item) for item in both]
    priced = [CostQuestion.model_validate(item) for item in cheap]
    few = [NeighbourQuestion.model_validate(item | {"limit": 1}) for item in both]
    batches: tuple[tuple[str, list[Json], Callable[[], Output]], ...] = (
        ("validate", both, lambda: in_order(DARTS, asked, validation, REQUEST_ID)),
        ("neighbours", [i | {"limit": 1} for i in both], lambda: in_order(DARTS, few, neighbours, REQUEST_ID)),
        ("canonical", both, lambda: in_order(DARTS, alike, canonical_form, REQUEST_ID)),
        ("memory", small, lambda: in_order(DARTS, held, memory, REQUEST_ID)),
        ("cost", cheap, lambda: in_order(DARTS, priced, costs, REQUEST_ID)),
    )
    return (
        *(
            question(f"{path}/batch", "two", "A member, and a genotype that is none", {"items": items}, reply)
            for path, items, reply in batches
        ),
        question("draw/batch", "two", "A member, and a genotype that is none", {"items": both}),
    )
