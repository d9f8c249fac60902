"""Running sums of loss and hits. Sums stay on the device until they are read, so that a step never waits for it."""

from dataclasses import dataclass

import torch
from torch import Tensor

NOTHING = float("nan")  # the mean of no images


@dataclass(slots=True)
class Tally:
    """Sums over the images seen so far."""

    loss: Tensor  # float64 (), nats times images
    hits: Tensor  # int64 (), images whose highest logit was their label's
    images: int = 0

    @classmethod
    def empty(cls, device: torch.device | str = "cpu") -> "Tally":
        """Nothing seen yet."""
        return cls(
            torch.zeros((), dtype=torch.float64, device=device), torch.zeros((), dtype=torch.int64, device=device)
        )

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Counts one batch: its mean loss (), logits (B, classes), labels (B,)."""
        self.loss = self.loss + loss.detach().double() * len(labels)
        self.hits = self.hits + (logits.detach().argmax(1) == labels).sum()
        self.images += len(labels)

    @property
    def mean_loss(self) -> float:
        """Nats an image."""
        return float(self.loss) / self.images if self.images else NOTHING

    @property
    def accuracy(self) -> float:
        """Percent."""
        return 100.0 * int(self.hits) / self.images if self.images else NOTHING

    def state(self) -> dict[str, float]:
        """As JSON; exact, because a float's shortest text reads back as the same float."""
        return {"loss": float(self.loss), "hits": int(self.hits), "images": self.images}

    @classmethod
    def restored(cls, state: dict[str, float], device: torch.device | str = "cpu") -> "Tally":
        """The inverse of `state`."""
        tally = cls.empty(device)
        tally.loss += state["loss"]
        tally.hits += int(state["hits"])
        tally.images = int(state["images"])
        return tally
