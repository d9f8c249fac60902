"""Scenes composed of the packaged digits: a label at every pixel, or a box around every digit.

One to four digits stand on a black canvas, at one to three times their size, at least a pixel apart. Scene i of a
split is drawn from SHA-256("digit_scenes:<split>:<i>:<draw>") and from digits of that split of `digits` alone, so
that the splits are the same on every machine and have no digit in common.
"""

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from app.experiment import DATASETS, SPLITS, Dataset, Split
from workers.data.digits import load_digits
from workers.data.images import VOID, Images, check_splits

MOST = 4  # digits in a scene
SCALES = (1, 1, 1, 2, 2, 3)  # by how much a digit is enlarged, each entry as likely as any other
TRIES = 32  # places that are tried for a digit before it is left out
SIDE = 8  # pixels of a digit


def load_scenes(dataset: Dataset) -> Images:
    """The scenes with the labels of the data set's task: maps of classes, or boxes."""
    digits = load_digits(DATASETS["digits"])
    pixels: list[Tensor] = []
    labels: list[Tensor] = []
    indices: dict[Split, Tensor] = {}
    for split in SPLITS:
        there = digits.indices[split]
        indices[split] = torch.arange(len(pixels), len(pixels) + dataset.splits[split])
        for number in range(dataset.splits[split]):
            scene, classes, boxes = composed(digits, there, f"digit_scenes:{split}:{number}", dataset.input.height)
            pixels.append(scene)
            labels.append(classes if dataset.task == "segmentation" else boxes)
    check_splits(dataset, indices)
    return Images(
        dataset=dataset,
        pixels=torch.stack(pixels).unsqueeze(1),
        labels=torch.stack(labels),
        levels=digits.levels,
        indices=indices,
    )


def composed(digits: Images, there: Tensor, key: str, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """One scene of `side` x `side` pixels: pixels uint8 (H, W), classes int64 (H, W), boxes int64 (MOST, 5).

    `there` are the indices of the digits that may stand in it.
    """
    draw = draws(key)
    scene = torch.zeros(side, side, dtype=torch.uint8)
    classes = torch.zeros(side, side, dtype=torch.int64)
    boxes = torch.full((MOST, 5), VOID)
    taken: list[tuple[int, int, int]] = []  # left, top, side
    for place in range(1 + next(draw) % MOST):
        index = int(there[next(draw) % len(there)])
        scale = SCALES[next(draw) % len(SCALES)]
        size = SIDE * scale
        for _ in range(TRIES):
            left, top = next(draw) % (side - size + 1), next(draw) % (side - size + 1)
            if all(apart((left, top, size), other) for other in taken):
                break
        else:
            continue
        taken.append((left, top, size))
        ink = digits.pixels[index, 0].repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        label = int(digits.labels[index])
        scene[top : top + size, left : left + size] = ink
        classes[top : top + size, left : left + size] = (ink > 0) * (1 + label)
        rows, columns = (torch.where((ink > 0).any(axis))[0] for axis in (1, 0))
        boxes[place] = torch.stack(
            [
                torch.tensor(label),
                left + columns[0],
                top + rows[0],
                left + columns[-1] + 1,
                top + rows[-1] + 1,
            ]
        )
    return scene, classes, boxes


def apart(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Whether two squares (left, top, side) have at least a pixel between them."""
    return any(a[axis] + a[2] < b[axis] or b[axis] + b[2] < a[axis] for axis in (0, 1))


def draws(key: str) -> Iterator[int]:
    """Numbers of 64 bits, for ever; no random generator is involved, so no library's version can change them."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{key}:{number}".encode()).digest()
        yield from (int.from_bytes(digest[i : i + 8], "big") for i in range(0, 32, 8))
        number += 1
