"""A class an image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.training.augment import Movement
from workers.training.loss import classification_loss, distillation_loss, main_logits


@dataclass(frozen=True, slots=True)
class Classification:
    """Logits (B, C), then those of auxiliary heads; labels (B,). One of `workers.training.tasks.Task`."""

    def loss(
        self,
        output: Tensor | tuple[Tensor, ...],
        labels: Tensor,
        *,
        smoothing: float = 0.0,
        auxiliary_weight: float = 0.0,
    ) -> Tensor:
        """Mean cross-entropy () in nats."""
        return classification_loss(output, labels, smoothing=smoothing, auxiliary_weight=auxiliary_weight)

    def distillation(self, output: Tensor | tuple[Tensor, ...], teacher: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Mean cross-entropy () in nats against a teacher's classes."""
        return distillation_loss(output, teacher)

    @torch.no_grad()
    def hits(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images whose highest logit is their label's, of all."""
        return (main_logits(output).argmax(1) == labels).sum(), torch.tensor(len(labels))

    def measure(self) -> "Nothing":
        """Nothing beside the accuracy."""
        return Nothing()

    def moved(self, labels: Tensor, movement: Movement) -> Tensor:
        """A class is the same wherever its image went."""
        return labels


class Nothing:
    """Measures nothing."""

    def add(self, output: Tensor | tuple[Tensor, ...], labels: Tensor) -> None:
        """Takes a batch."""

    def metrics(self) -> dict[str, float]:
        """Nothing."""
        return {}
