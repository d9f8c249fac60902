"""Boxes with classes.

Shapes: B images, L places, C classes, K boxes of an image.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.data.images import VOID
from workers.training.augment import Movement
from workers.training.boxes import detections, finds, generalised
from workers.training.places import Places, assigned, read

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss, as published


@dataclass(frozen=True, slots=True)
class Detection:
    """Maps of class logits and of box offsets, labels (B, K, 5). One of `workers.training.tasks.Task`."""

    classes: int
    size: tuple[int, int]  # height and width of the images

    def loss(
        self,
        output: Tensor | tuple[Tensor, ...],
        labels: Tensor,
        *,
        smoothing: float = 0.0,
        auxiliary_weight: float = 0.0,
    ) -> Tensor:
        """Mean over images of (focal loss of all places + 1 - GIoU of those with a box) / places with a box: ().

        In nats as far as it is one. Raises ValueError where labels are to be smoothed: the focal loss has none.
        """
        if smoothing:
            raise ValueError(f"label_smoothing {smoothing}: the focal loss of detection has none, give 0")
        places = self._read(output)
        boxes = assigned(places, labels)
        there = boxes >= 0
        mine = labels.gather(1, boxes.clamp_min(0)[..., None].expand(-1, -1, 5))  # (B, L, 5)
        wanted = F.one_hot(mine[..., 0].clamp_min(0), self.classes) * there[..., None]
        focal = focal_loss(places.logits, wanted.to(places.logits.dtype)).sum((1, 2))
        beside = torch.where(there, 1 - generalised(places.boxes, mine[..., 1:].to(places.boxes.dtype)), 0).sum(1)
        return ((focal + beside) / there.sum(1).clamp_min(1)).mean()

    def distillation(self, output: Tensor | tuple[Tensor, ...], teacher: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Mean binary cross-entropy () in nats against a teacher's classes, and 1 - GIoU with its boxes, each as much
        as it believes in its place."""
        own, other = self._read(output), self._read(teacher)
        said = other.logits.detach().sigmoid()
        belief = said.amax(2)
        beside = 1 - generalised(own.boxes, other.boxes.detach())
        return F.binary_cross_entropy_with_logits(own.logits, said) + (belief * beside).sum() / belief.sum()

    @torch.no_grad()
    def hits(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes that an image's as many most confident detections find, of all boxes.

        To find one is to have its class and to overlap it by half. As many false ones are as bad as missed ones.
        """
        places = self._read(output)
        boxes = (labels[..., 0] != VOID).sum(1, keepdim=True)
        found = finds(detections(places.logits, places.boxes).first(labels.shape[1]), labels)
        return (found & (torch.arange(found.shape[1], device=labels.device) < boxes)).sum(), boxes.sum()

    def measure(self) -> "Precision":
        """Average precision."""
        return Precision(self)

    def moved(self, labels: Tensor, movement: Movement) -> Tensor:
        """Boxes move with their image and are cut off at its sides."""
        return movement.of_boxes(labels, self.size)

    def _read(self, output: Tensor | tuple[Tensor, ...]) -> Places:
        assert isinstance(output, tuple), "maps of classes, then of boxes"
        return read(output, self.classes, self.size)


def focal_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """α-balanced focal loss of each number, in nats: (...) and 0 or 1 (...) to (...).

    Lin, Goyal, Girshick, He and Dollár (2017), arXiv:1708.02002, equation 5.
    """
    chance = logits.sigmoid()
    right = wanted * chance + (1 - wanted) * (1 - chance)
    balance = wanted * ALPHA + (1 - wanted) * (1 - ALPHA)
    return balance * (1 - right) ** GAMMA * F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")


class Precision:
    """Average precision of a split; keeps every detection."""

    def __init__(self, task: Detection) -> None:
        self.task = task
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []  # score, class, whether it finds a box; of those that stand
        self.boxes = torch.zeros(task.classes, dtype=torch.int64)

    @torch.no_grad()
    def add(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> None:
        """Takes a batch."""
        assert isinstance(output, tuple), "maps of classes, then of boxes"
        places = read(output, self.task.classes, self.task.size)
        found = detections(places.logits, places.boxes)
        columns = found.scores, found.classes, finds(found, labels)
        self.seen.append(tuple(x[found.kept].cpu() for x in columns))  # pyright: ignore[reportArgumentType]
        there = labels[..., 0][labels[..., 0] != VOID].cpu()
        self.boxes += torch.bincount(there, minlength=self.task.classes)

    def metrics(self) -> dict[str, float]:
        """`ap50`: percent, mean over the classes that have a box of the average precision at an overlap of half."""
        if not self.seen or not bool(self.boxes.any()):
            return {}
        scores, classes, hits = (torch.cat(column) for column in zip(*self.seen, strict=True))
        found = [
            average_precision(scores[classes == c], hits[classes == c], int(self.boxes[c]))
            for c in range(self.task.classes)
            if self.boxes[c]
        ]
        return {"ap50": 100 * sum(found) / len(found)}


def average_precision(scores: Tensor, hits: Tensor, boxes: int) -> float:
    """The area under the envelope of precision over recall, in [0, 1]: scores (D,), bool (D,), the number of boxes.

    As PASCAL VOC counts since 2010 (Everingham et al., 2015, section 4.1): all points, precision made to fall.
    """
    if not len(scores):
        return 0.0
    right = hits[scores.argsort(descending=True, stable=True)].double()
    precision = right.cumsum(0) / torch.arange(1, len(right) + 1)
    envelope = precision.flip(0).cummax(0).values.flip(0)
    return float((envelope * right).sum()) / boxes
