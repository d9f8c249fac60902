"""Which exact counts a job can make."""

from app.space import SearchSpace
from app.space.classes import reading_of
from app.space.constraints import cost_limits_of

LARGEST_LISTED = 50_000_000  # members whose canonical forms a job compares: half an hour to an hour


def uncountable(space: SearchSpace, equivalence: str) -> str | None:
    """Why the classes of a space cannot be counted exactly; None where they can. Unreadable where none is known."""
    reading = reading_of(space, equivalence)
    if cost_limits_of(space):
        return f"members of {space.name} are valid by their costs, which a count does not look at"
    if reading.count_long is not None or space.plan.size <= LARGEST_LISTED:
        return None
    return (
        f"the classes of {space.name} under {equivalence!r} are counted by listing all of its {space.plan.size} "
        f"members; at most {LARGEST_LISTED} are"
    )
