"""What an index is made of: the option, the members or the items that a part's rank counts by.

index = offset of the option + the option's own index            Alternatives
index <-> [(position, own index), ...], positions rising         Members
index <-> length, [own index, ...]                               Sequence
"""

from bisect import bisect_right

from app.space.part import Alternatives, Members, Sequence


def option(part: Alternatives, index: int) -> tuple[int, int]:
    """The position of the option taken, and its own index."""
    position = bisect_right(part.offsets, index) - 1
    return position, index - part.offsets[position]


def members(part: Members, index: int) -> list[tuple[int, int]]:
    """The positions of the options taken, each with its own index."""
    chosen: list[tuple[int, int]] = []
    position = 0
    for left in range(part.k, 0, -1):
        row, rest = part.ways[left], part.ways[left - 1]
        while index >= row[position] - row[position + 1]:
            index -= row[position] - row[position + 1]
            position += 1
        position += 1
        digit, index = divmod(index, rest[position])
        chosen.append((position - 1, digit))
    return chosen


def members_index(part: Members, chosen: list[tuple[int, int]]) -> int:
    """The inverse of `members`, for positions in any order."""
    index, start = 0, 0
    for left, (position, digit) in zip(range(part.k, 0, -1), sorted(chosen), strict=True):
        row = part.ways[left]
        index += row[start] - row[position] + digit * part.ways[left - 1][position + 1]
        start = position + 1
    return index


def length(part: Sequence, index: int) -> tuple[int, int]:
    """The length of the list, and the index among the lists of that length."""
    offset, n = max((offset, n) for n, offset in part.offsets.items() if offset <= index)
    return n, index - offset


def items(part: Sequence, n: int, index: int) -> list[int]:
    """The own indices of a list's items, given its index among the lists of that length."""
    found: list[int] = []
    for _ in range(n):
        index, digit = divmod(index, part.body.size)
        found.append(digit)
    return found[::-1]
