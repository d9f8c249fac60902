"""A class a pixel.

Shapes: B images, C classes, H × W pixels of the labels, h × w of the logits.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.data.images import VOID
from workers.training.augment import Movement
from workers.training.loss import main_logits, wide


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Logits (B, C, h, w), labels (B, H, W), VOID where nothing is asked. One of `workers.training.tasks.Task`."""

    classes: int

    def loss(
        self,
        output: Tensor | tuple[Tensor, ...],
        labels: Tensor,
        *,
        smoothing: float = 0.0,
        auxiliary_weight: float = 0.0,
    ) -> Tensor:
        """Mean over images of the mean cross-entropy in nats over their pixels with a class: (). No network that
        segments has an auxiliary head here."""
        at = F.cross_entropy(
            resized(output, labels), labels, ignore_index=VOID, label_smoothing=smoothing, reduction="none"
        )
        asked = (labels != VOID).sum((1, 2))
        return (at.sum((1, 2)) / asked.clamp_min(1)).mean()

    def distillation(self, output: Tensor | tuple[Tensor, ...], teacher: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Mean cross-entropy () in nats against a teacher's classes, over all pixels."""
        return F.cross_entropy(wide(main_logits(output)), wide(main_logits(teacher)).detach().softmax(1))

    @torch.no_grad()
    def hits(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels whose highest logit is their label's, of those that have a class."""
        return (resized(output, labels).argmax(1) == labels).sum(), (labels != VOID).sum()

    def measure(self) -> "Confusion":
        """Mean intersection over union."""
        return Confusion(self.classes)

    def moved(self, labels: Tensor, movement: Movement) -> Tensor:
        """A map moves with its image; what comes in has no class."""
        return movement.of_maps(labels[:, None], VOID)[:, 0]


def resized(output: Tensor | tuple[Tensor, ...], labels: Tensor) -> Tensor:
    """Logits at every pixel of the labels (B, C, H, W), bilinear where they come from fewer or more."""
    logits, size = wide(main_logits(output)), labels.shape[1:]
    if logits.shape[2:] == size:
        return logits
    return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)


class Confusion:
    """How often each class was taken for each."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)  # by label, by answer

    @torch.no_grad()
    def add(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> None:
        """Takes a batch."""
        asked, answers = labels != VOID, resized(output, labels).argmax(1)
        pairs = labels[asked] * self.classes + answers[asked]
        self.counts += torch.bincount(pairs.cpu(), minlength=self.classes**2).view(self.classes, -1)

    def metrics(self) -> dict[str, float]:
        """`miou`: percent, mean over the classes that are there or were answered of intersection over union."""
        shared = self.counts.diagonal()
        union = self.counts.sum(0) + self.counts.sum(1) - shared
        there = union > 0
        return {"miou": 100 * float((shared[there] / union[there]).double().mean())} if bool(there.any()) else {}
