"""The rule that divides a data set: stratified, exact, and the same on every machine for ever.

1. Within each class, images are put in the order of SHA-256("<key>:<index>"), index being the place in the file.
2. The r-th of the n images of its class stands at (r + 1/2) / n; all images are sorted by that, then by class.
3. The splits take consecutive runs of their sizes.

No random generator is involved, so no library's version can change it, and every split holds each class in its
share of the whole, to within one image at either end of its run. The key of a built-in data set is its name.
"""

import hashlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

from app.experiment.dataset import Split


def drawn(key: str, labels: Sequence[int], sizes: Mapping[Split, int]) -> dict[Split, list[int]]:
    """The indices of each split, ascending; the sizes add up to the number of labels."""
    assert sum(sizes.values()) == len(labels), "checked by the caller"
    classes: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        classes.setdefault(label, []).append(index)
    places: list[tuple[Fraction, int, int]] = []
    for label, members in classes.items():
        ordered = sorted(members, key=lambda index: hashlib.sha256(f"{key}:{index}".encode()).digest())
        places += [(Fraction(2 * r + 1, 2 * len(members)), label, index) for r, index in enumerate(ordered)]
    places.sort()
    found: dict[Split, list[int]] = {}
    start = 0
    for split, size in sizes.items():
        found[split] = sorted(index for *_, index in places[start : start + size])
        start += size
    return found
