"""Training one network from scratch under a recipe.

Shapes: B images, C channels, H × W pixels.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from app.experiment import Split, TrainingRecipe
from workers.data.images import Images
from workers.network import Network
from workers.training import checkpoint
from workers.training.augment import Augmentation
from workers.training.determinism import generator
from workers.training.feed import Feed
from workers.training.metrics import Tally
from workers.training.micro_batches import MicroBatches
from workers.training.parallel import Team, synchronise
from workers.training.precision import autocast
from workers.training.schedule import drop_path_probability, learning_rate


class Trainer:
    """SGD on a network's weights over some splits; one of `workers.training.Fit`.

    `network(x)` answers what the data set's task is taught by (`workers.training.tasks`); drop path acts on a `Network`
    only. Everything random comes from `seed`; the network's own initialisation is the caller's.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: TrainingRecipe,
        images: Images,
        *,
        seed: int,
        device: torch.device,
        splits: tuple[Split, ...] = ("weights", "architecture"),
        note: Callable[[str], None] = lambda text: None,
        team: Team | None = None,
    ) -> None:
        """`team`: the processes that share each batch, where there are others. Where memory runs out for one of them
        the error is raised: all have to go on in as many parts."""
        self.network = network.to(device)
        self.team = team
        if team is not None:
            synchronise(network, team)
        self.recipe = recipe
        self.images = images
        self.device = device
        self.feed = Feed(
            images,
            splits,
            batch_size=recipe.batch_size,
            augmentation=Augmentation.of(recipe),
            seed=seed,
            stream="training",
            device=device,
        )
        self.optimiser = torch.optim.SGD(
            network.parameters(),
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
        self.autocast = autocast(recipe.precision, device, note)
        self.drop_path_generator = generator(seed, "drop path", device=device)
        if isinstance(network, Network):
            network.generator = self.drop_path_generator
        self.micro_batches = MicroBatches(note, (self.drop_path_generator,))
        self.epoch = 0
        self.step = 0
        self.tally = Tally.empty(device)

    @property
    def epochs(self) -> int:
        """Epochs in all."""
        return self.recipe.epochs

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return self.feed.steps

    def advance(self) -> None:
        """One optimiser step on the next batch."""
        if self.step == 0:
            self._begin_epoch()
        x, labels = self.feed.batch(self.epoch * self.steps + self.step)
        if self.team is None:
            counted = self.micro_batches.compute(len(labels), lambda: self._backward(x, labels))
        else:
            counted = self.team.added(self._backward(x, labels))
            self.team.add_up(self.network.parameters())
        if self.recipe.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimiser.step()
        self.tally = self.tally.plus(counted)
        self.step += 1
        if self.step == self.steps:
            self.epoch, self.step = self.epoch + 1, 0

    def _backward(self, x: Tensor, labels: Tensor) -> Tally:
        """The gradients of a batch, or of this process's share of it, and what is to be counted of it."""
        self.optimiser.zero_grad(set_to_none=True)
        task, tally = self.feed.task, Tally.empty(self.device)
        for whole in self.micro_batches.of(len(labels)):
            part = whole if self.team is None else self.team.mine(whole)
            if self.team is not None and isinstance(self.network, Network):
                self.network.place = part.rows.start - whole.rows.start, whole.rows.stop - whole.rows.start
            of_part = labels[part.rows]
            with self.autocast():
                output = self.network(x[part.rows])
            loss = task.loss(
                output,
                of_part,
                smoothing=self.recipe.label_smoothing,
                auxiliary_weight=self.recipe.auxiliary_weight,
            )
            (loss * part.share).backward()
            tally.add(loss, task.hits(output, of_part), len(of_part))
        if isinstance(self.network, Network):
            self.network.place = None
        return tally

    def _begin_epoch(self) -> None:
        self.tally = Tally.empty(self.device)
        self._schedule(self.epoch)

    def _schedule(self, epoch: int) -> None:
        self.network.train()
        if isinstance(self.network, Network):
            self.network.drop_path = drop_path_probability(self.recipe, epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.recipe, epoch)

    def metrics(self) -> dict[str, float]:
        """Training loss (nats, auxiliary and smoothing included), accuracy (percent) and learning rate."""
        return {
            "loss": self.tally.mean_loss,
            "accuracy": self.tally.accuracy,
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
        }

    def state(self) -> tuple[dict[str, Tensor], dict[str, object]]:
        """Weights, momentum, generators and place."""
        tensors = {
            **checkpoint.under("model/", self.network.state_dict()),
            **checkpoint.under("sgd/", checkpoint.optimiser_state(self.optimiser)),
            "rng/augment": self.feed.generator.get_state(),
            "rng/drop_path": self.drop_path_generator.get_state(),
        }
        return tensors, {
            "epoch": self.epoch,
            "step": self.step,
            "tally": self.tally.state(),
            "parts": self.micro_batches.parts,
        }

    def restore(self, tensors: Mapping[str, Tensor], record: Mapping[str, object]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another network's."""
        checkpoint.restore_module(self.network, checkpoint.part("model/", tensors))
        checkpoint.restore_optimiser(self.optimiser, checkpoint.part("sgd/", tensors))
        self.feed.generator.set_state(tensors["rng/augment"])
        self.drop_path_generator.set_state(tensors["rng/drop_path"])
        self.epoch, self.step, tally = checkpoint.place(record)
        self.micro_batches.parts = checkpoint.parts(record)
        self.tally = Tally.restored(tally, self.device)
        self._schedule(self.epoch if self.step else max(0, self.epoch - 1))
