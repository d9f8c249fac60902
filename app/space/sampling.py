"""Members at random. The generator is always an argument."""

from random import Random

from app.space.algebra import Genotype
from app.space.part import Alternatives, Members, Nothing, Part, Point, Product, Sequence, Shared


def sample_per_choice(part: Part, rng: Random) -> Genotype:
    """Each decision uniform over its own options: what a controller draws before it has learnt anything."""
    match part:
        case Point(value):
            return value
        case Product(fields):
            return {name: sample_per_choice(inner, rng) for name, inner in fields}
        case Alternatives(menu):
            return sample_per_choice(rng.choice(menu.parts), rng)
        case Members(menu, k):
            chosen = sorted(rng.sample(range(len(menu.parts)), k))
            return [sample_per_choice(menu.parts[position], rng) for position in chosen]
        case Sequence(body, lengths):
            return [sample_per_choice(body, rng) for _ in range(rng.choice(lengths))]
        case Shared(_, inner):
            return sample_per_choice(inner, rng)
        case Nothing():
            raise AssertionError("a list without a body is empty")
