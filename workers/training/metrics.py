"""Running sums of loss and hits. Sums stay on the device until they are read, so that a step never waits for it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

NOTHING = float("nan")  # the mean of no images


@dataclass(slots=True)
class Tally:
    """Sums over the images seen so far."""

    loss: Tensor  # float64 (), nats times images
    hits: Tensor  # int64 (), answers that were right
    items: Tensor  # int64 (), answers that there were to give: images, pixels or boxes, see `workers.training.tasks`
    images: int = 0
    more: dict[str, float] = field(default_factory=dict[str, float])  # what else was measured, in percent

    @classmethod
    def empty(cls, device: torch.device | str = "cpu") -> "Tally":
        """Nothing seen yet."""
        hits, items = torch.zeros(2, dtype=torch.int64, device=device)
        return cls(torch.zeros((), dtype=torch.float64, device=device), hits, items)

    def add(self, loss: Tensor, hits: tuple[Tensor, Tensor], images: int) -> None:
        """Counts one batch: its mean loss (), what a task's `hits` says of it, and of how many images it is."""
        self.loss = self.loss + loss.detach().double() * images
        self.hits, self.items = self.hits + hits[0], self.items + hits[1]
        self.images += images

    def plus(self, other: "Tally") -> "Tally":
        """Both together; what else was measured of neither."""
        return Tally(
            self.loss + other.loss, self.hits + other.hits, self.items + other.items, self.images + other.images
        )

    @property
    def mean_loss(self) -> float:
        """Nats an image."""
        return float(self.loss) / self.images if self.images else NOTHING

    @property
    def accuracy(self) -> float:
        """Percent of the answers that there were to give."""
        items = int(self.items)
        return 100.0 * int(self.hits) / items if items else NOTHING

    def metrics(self) -> dict[str, float]:
        """Accuracy (percent), loss (nats an image), the number of images, and what else was measured."""
        return {"accuracy": self.accuracy, "loss": self.mean_loss, "images": float(self.images), **self.more}

    def state(self) -> dict[str, float]:
        """As JSON; exact, because a float's shortest text reads back as the same float."""
        return {"loss": float(self.loss), "hits": int(self.hits), "items": int(self.items), "images": self.images}

    @classmethod
    def restored(cls, state: dict[str, float], device: torch.device | str = "cpu") -> "Tally":
        """The inverse of `state`."""
        tally = cls.empty(device)
        tally.loss += state["loss"]
        tally.hits += int(state["hits"])
        tally.images = int(state["images"])
        tally.items += int(state.get("items", tally.images))  # checkpoints of earlier versions count images alone
        return tally
