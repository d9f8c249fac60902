"""Searching one supernet: its weights by SGD on one split, the strategy's parameters on another, alternating.

Shapes: B images, C channels, H × W pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from app.experiment import SearchRecipe
from workers.data.images import Images
from workers.recomputation import norms_of, recomputed
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.weights import Draws
from workers.training import checkpoint
from workers.training.augment import Augmentation
from workers.training.checkpoint import CheckpointError
from workers.training.feed import Feed
from workers.training.metrics import Tally
from workers.training.micro_batches import MicroBatches
from workers.training.precision import autocast
from workers.training.schedule import learning_rate


class Drawing(Protocol):
    """The part of a strategy that a fit needs; see `workers.strategies.protocol.Strategy`."""

    def reach(self, share: float) -> None:
        """Be told how much of the search is done."""
        ...

    def draw(self) -> Draws:
        """Draws for one step of the network's weights."""
        ...

    def students(self) -> Sequence[Draws]:
        """Draws that learn from what the network answers at those of `draw`, in the same step."""
        ...

    def learn(self, loss: BilevelLoss) -> None:
        """One step of the strategy."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        ...


class SupernetFit:
    """The bilevel search of DARTS (algorithm 1 of Liu et al., 2019); one of `workers.training.Fit`.

    `network(x, weights)` answers what the data set's task is taught by. In each step the strategy learns from a batch
    of the `architecture` split, then the weights from one of the `weights` split. An epoch is one pass over `weights`;
    `architecture` is passed over as often as that takes. Where memory is short batches are computed in parts; of the
    losses that a strategy learns from each part is then computed once more, when its gradient is wanted.
    """

    def __init__(
        self,
        network: nn.Module,
        strategy: Drawing,
        recipe: SearchRecipe,
        images: Images,
        *,
        seed: int,
        device: torch.device,
        note: Callable[[str], None] = lambda text: None,
        pressure: Callable[[Draws], Tensor] | None = None,
    ) -> None:
        """`pressure` is added to the loss that the strategy learns from: ()."""
        self.network = network.to(device)
        self.strategy = strategy
        self.recipe = recipe
        self.device = device
        self.pressure = pressure
        augmentation = Augmentation.of(recipe)
        self.feed, self.architecture_feed = (
            Feed(
                images,
                (split,),
                batch_size=recipe.batch_size,
                augmentation=augmentation,
                seed=seed,
                stream=f"search {split}",
                device=device,
            )
            for split in ("weights", "architecture")
        )
        # Both splits are seen through the statistics of the one that the weights are fitted to.
        self.architecture_feed.normalisation = self.feed.normalisation
        self.optimiser = torch.optim.SGD(
            network.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
        self.autocast = autocast(recipe.precision, device, note)
        self.micro_batches = MicroBatches(note)
        self.finished = False
        self.epoch = 0
        self.step = 0
        self.tally = Tally.empty(device)
        self.architecture_tally = Tally.empty(device)

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.epoch if self.finished else self.recipe.epochs

    def finish(self) -> None:
        """No further epoch: the search ends with those that are done. Called between two epochs."""
        self.finished = True

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return self.feed.steps

    def advance(self) -> None:
        """One step of the strategy and one of the weights."""
        if self.step == 0:
            self.tally, self.architecture_tally = Tally.empty(self.device), Tally.empty(self.device)
            self._schedule(self.epoch)
        number = self.epoch * self.steps + self.step
        self.strategy.reach(number / (self.epochs * self.steps))
        x, labels = self.feed.batch(number)
        if self.epoch >= self.recipe.alpha_warmup_epochs:
            self.optimiser.zero_grad(set_to_none=True)  # the strategy needs the memory and not them
            self._learn(x, labels, *self.architecture_feed.batch(number))
        draws = self.strategy.draw()
        work = partial(self._backward, draws, self.strategy.students(), x, labels)
        for loss, hits, images in self.micro_batches.compute(len(labels), work):
            self.tally.add(loss, hits, images)
        if self.recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimiser.step()
        self.step += 1
        if self.step == self.steps:
            self.epoch, self.step = self.epoch + 1, 0

    def _learn(self, x: Tensor, labels: Tensor, seen: Tensor, seen_labels: Tensor) -> None:
        """One step of the strategy on a batch of `architecture`, `seen`, beside the one that the weights learn from."""
        before = replace(self.architecture_tally)

        def work() -> None:
            self.architecture_tally = replace(before)
            self.strategy.learn(
                BilevelLoss(
                    lambda draws: self._pressed(draws, seen, seen_labels),
                    lambda draws: self._loss(draws, x, labels, Tally.empty(self.device)),
                    self.optimiser,
                    lambda draws: self._right(draws, seen, seen_labels),
                    self.pressure,
                )
            )

        self.micro_batches.compute(max(len(labels), len(seen_labels)), work)

    def _backward(
        self, draws: Draws, students: Sequence[Draws], x: Tensor, labels: Tensor
    ) -> list[tuple[Tensor, tuple[Tensor, Tensor], int]]:
        """The gradients of one step of the weights; loss, hits and number of images of each part."""
        self.optimiser.zero_grad(set_to_none=True)
        task, found = self.feed.task, list[tuple[Tensor, tuple[Tensor, Tensor], int]]()
        for part in self.micro_batches.of(len(labels)):
            images, of_part = x[part.rows], labels[part.rows]
            answer = self._answer(draws, images)
            loss = task.loss(answer, of_part)
            found.append((loss.detach(), task.hits(answer, of_part), len(of_part)))
            (loss * part.share).backward()
            for student in students:
                (task.distillation(self._answer(student, images), answer) * part.share).backward()
        return found

    def _loss(self, weights: Draws, x: Tensor, labels: Tensor, tally: Tally) -> Tensor:
        """The mean loss of a batch, (); of several parts only what goes into them is kept for its gradient."""
        parts = self.micro_batches.of(len(labels))
        norms = norms_of(self.network) if len(parts) > 1 else ()
        work = partial(self._loss_and_hits, weights)
        losses: list[Tensor] = []
        for part in parts:
            pair = x[part.rows], labels[part.rows]
            loss, hits = work(*pair) if len(parts) == 1 else recomputed(work, *pair, norms=norms)
            tally.add(loss, hits, len(pair[1]))
            losses.append(loss * part.share)
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def _loss_and_hits(self, weights: Draws, x: Tensor, labels: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output = self._answer(weights, x)
        return self.feed.task.loss(output, labels), self.feed.task.hits(output, labels)

    def _answer(self, weights: Draws, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        with self.autocast():
            return self.network(x, weights)

    @torch.no_grad()
    def _right(self, weights: Draws, x: Tensor, labels: Tensor) -> float:
        tally = Tally.empty(self.device)
        for part in self.micro_batches.of(len(labels)):
            output = self._answer(weights, x[part.rows])
            tally.add(tally.loss, self.feed.task.hits(output, labels[part.rows]), 0)
        return int(tally.hits) / max(1, int(tally.items))

    def _pressed(self, weights: Draws, x: Tensor, labels: Tensor) -> Tensor:
        loss = self._loss(weights, x, labels, self.architecture_tally)
        return loss if self.pressure is None else loss + self.pressure(weights)

    def _schedule(self, epoch: int) -> None:
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, epoch)

    def metrics(self) -> dict[str, float]:
        """Losses (nats) and accuracies (percent) on both splits while training, and the learning rate."""
        found = {
            "weights_loss": self.tally.mean_loss,
            "weights_accuracy": self.tally.accuracy,
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
        }
        if self.architecture_tally.images:
            found["architecture_loss"] = self.architecture_tally.mean_loss
            found["architecture_accuracy"] = self.architecture_tally.accuracy
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Draws, momentum, the strategy, generators and place."""
        tensors = {
            **checkpoint.under("model/", self.network.state_dict()),
            **checkpoint.under("sgd/", checkpoint.optimiser_state(self.optimiser)),
            **checkpoint.under("strategy/", self.strategy.state()),
            "rng/weights": self.feed.generator.get_state(),
            "rng/architecture": self.architecture_feed.generator.get_state(),
        }
        return tensors, {
            "epoch": self.epoch,
            "step": self.step,
            "tally": self.tally.state(),
            "architecture_tally": self.architecture_tally.state(),
            "parts": self.micro_batches.parts,
            "finished": self.finished,
        }

    def restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, object]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another network's or space's."""
        checkpoint.restore_module(self.network, checkpoint.part("model/", tensors))
        checkpoint.restore_optimiser(self.optimiser, checkpoint.part("sgd/", tensors))
        self.strategy.restore(checkpoint.part("strategy/", tensors))
        self.feed.generator.set_state(tensors["rng/weights"])
        self.architecture_feed.generator.set_state(tensors["rng/architecture"])
        self.epoch, self.step, tally = checkpoint.place(record)
        self.micro_batches.parts = checkpoint.parts(record)
        self.finished = record.get("finished") is True
        self.tally = Tally.restored(tally, self.device)
        match record.get("architecture_tally"):
            case dict(tally):
                self.architecture_tally = Tally.restored(tally, self.device)
            case other:
                raise CheckpointError(f"the record has no architecture_tally but {other!r}")
        self._schedule(self.epoch if self.step else max(0, self.epoch - 1))
