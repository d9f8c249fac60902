"""Ranks drawn from a space one by one, each kept or rejected; the share that was kept is part of the answer."""

from random import Random

from app.api.problems import unprocessable
from app.architecture import judge_of
from app.space import SearchSpace, representatives
from app.space.constraints import valid
from app.space.derived import derived
from app.space.errors import Unmet, Unreadable
from app.space.validity import Judge, kept_ranks, valid_ranks

TRIES = 20_000  # draws, before a sampler that rejects most of them gives up
LEAST = 0.02  # share of draws kept, below which it does


def too_few(tried: int, kept: int) -> bool:
    """Whether a sampler rejects so much that it gives up."""
    return tried >= TRIES and kept < LEAST * tried


def class_ranks(space: SearchSpace, rng: Random, count: int, equivalence: str | None) -> tuple[list[int], float]:
    """Ranks uniform over classes, of each class the lowest valid one."""
    try:
        return representatives.class_ranks(space, rng, count, equivalence, judge_of(space))
    except Unmet as error:
        message = f"{error.found} of {error.tried} members drawn stand for their class: too few to go on"
        raise unprocessable("/distribution", message, "uniform-unique", ("uniform", "per-choice")) from error
    except Unreadable as error:
        why = f"which members of a class under {error.equivalence!r} are valid is not cheap to tell"
        raise unprocessable("/distribution", why, "uniform-unique", ("uniform", "per-choice")) from error


@derived
def some_rank(space: SearchSpace) -> int | None:
    """The rank of a valid member, the first if that is one; None where none was found."""
    if valid_judge(space)(0):
        return 0
    try:
        return valid_ranks(space, Random(0), 1, judge_of(space))[0][0]
    except Unmet:
        return None


def choice_ranks(space: SearchSpace, rng: Random, count: int) -> tuple[list[int], float]:
    """Ranks of members whose decisions are drawn one by one, the valid ones."""
    plan = space.plan
    return kept_ranks(
        lambda n: [plan.rank(plan.sample_per_choice(rng)) for _ in range(n)], valid_judge(space), count, too_few
    )


def valid_judge(space: SearchSpace) -> Judge:
    """Whether the member of a rank meets everything that its space asks."""
    if not space.constraints:
        return lambda index: True
    meets, judge = valid(space), judge_of(space)
    return lambda index: meets(index) and (judge is None or judge(index))
