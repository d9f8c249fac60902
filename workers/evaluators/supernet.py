"""The supernet of a search: trained once on members that are drawn step by step, kept, and found by later attempts.

    phase       epochs          metrics
    supernet    the recipe's    weights_loss, weights_accuracy of what was drawn, learning_rate

    uniform     one member a step, each as likely as any other: Guo et al. (2020), arXiv:1904.00420
    sandwich    the largest, and the smallest and some between learn from it: Yu et al. (2020), arXiv:2003.11142

The file that is kept is the artefact `supernet`. It is trained rewritten (`workers.supernet.rewrite`); what it is
called stays as it is.
"""

import hashlib
import math
import time
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from app.architecture import Graph, LoweringError, lower
from app.experiment import InheritedEvaluator, Split
from app.space import Genotype, SearchSpace
from workers.data import Images
from workers.evaluators.judged import SPLIT, Judged
from workers.inheritance import inherit
from workers.network import Network
from workers.progress import Stopped
from workers.rewritten import rewritten
from workers.session import RequestError, Session
from workers.strategies.discrete import Proposal
from workers.strategies.sandwich import Sandwich
from workers.strategies.single_path import SinglePath
from workers.supernet.fit import SupernetFit
from workers.training import checkpoint, drive, evaluate, recalibrate
from workers.training.augment import Augmentation
from workers.training.determinism import deterministic, generator, seeded
from workers.training.discrete import discrete_graph
from workers.training.feed import Feed
from workers.training.metrics import Tally

PHASE = "supernet"
ARTEFACT = "supernet"
CALIBRATED = 2_048  # images of `weights` for batch statistics, in whole batches; a sample of them is enough


class Supernet:
    """A supernet and how it is fitted; the same for the same session, evaluator and seed."""

    def __init__(self, evaluator: InheritedEvaluator, s: Session) -> None:
        """Nothing is trained yet. Raises RequestError where it cannot be built, or not be trained so."""
        recipe = evaluator.recipe
        if recipe.pressure is not None:
            raise RequestError(f"the recipe {recipe.name!r} has a pressure, which members that are drawn cannot heed")
        self.evaluator = evaluator
        self.session = s
        self.graph = open_graph(s.space, evaluator, s.images)
        with seeded(s.seed, "supernet"):
            network = rewritten(self.graph, s.device, s.progress.note)
        self.network = network.to(s.device)
        self.feed = Feed(
            s.images,
            ("weights",),
            batch_size=recipe.batch_size,
            augmentation=Augmentation.of(recipe),
            seed=s.seed,
            stream="recalibration",
            device=s.device,
        )
        self.trained = False
        self.seconds = 0.0  # of training

    @cached_property
    def fit(self) -> SupernetFit:
        """How it is trained. Raises Unmet where the space has no valid member."""
        s, recipe = self.session, self.evaluator.recipe
        drawn_by = {"uniform": SinglePath, "sandwich": Sandwich}[self.evaluator.paths]
        strategy = drawn_by(s.space, self.graph, seed=s.seed, device=s.device)
        if isinstance(strategy, Sandwich) and not (strategy.largest.exact and strategy.smallest.exact):
            s.progress.note(
                "the largest and the smallest member are the most extreme that were found, not surely of all"
            )
        return SupernetFit(
            self.network,
            strategy,
            replace(recipe, alpha_warmup_epochs=recipe.epochs),  # nothing is learnt of decisions: no batch is read
            s.images,
            seed=s.seed,
            device=s.device,
            note=s.progress.note,
        )

    def train(self) -> None:
        """To the end of the recipe, from where an earlier attempt left it. Raises Stopped; what is trained is kept."""
        if self.trained or self.found():
            return
        progress, earlier, started = self.session.progress, 0.0, time.monotonic()
        saved = progress.resume()
        if saved is not None and saved.phase == PHASE:
            tensors, record = checkpoint.load(saved.file)
            fit, earlier = fitted(record)
            self.fit.restore(tensors, fit)

        def write(file: Path) -> None:
            tensors, fit = self.fit.state()
            self.seconds = earlier + time.monotonic() - started
            checkpoint.save(file, tensors, {"fit": fit, "seconds": self.seconds})

        with self.determined():
            reason = drive(self.fit, PHASE, progress, write)
        if reason:
            raise Stopped(reason)
        progress.keep(ARTEFACT, write)
        self.trained = True

    def found(self) -> bool:
        """Whether it was trained, now or by an earlier attempt, whose file is taken over."""
        file = None if self.trained else self.session.progress.artefact(ARTEFACT)
        if file is not None:
            self.take(file)
        return self.trained

    def take(self, file: Path) -> None:
        """Take over the weights of a file that was kept. Raises CheckpointError where they are another supernet's."""
        tensors, record = checkpoint.load(file)
        checkpoint.restore_module(self.network, checkpoint.part("model/", tensors))
        _, self.seconds = fitted(record)
        self.trained = True

    def judged(self, proposal: Proposal) -> Judged:
        """What a member is worth, by as many images of `selection` as its fidelity says."""
        started, all_of_them = time.monotonic(), self.session.images.dataset.splits[SPLIT]
        number = all_of_them if proposal.fidelity is None else min(proposal.fidelity, all_of_them)
        genotype = self.session.space.plan.unrank(proposal.rank)
        tally = self.tally(genotype, fewer(self.session.images, number, self.session.seed), SPLIT)
        finite = math.isfinite(tally.mean_loss)
        measured = {name: value for name, value in tally.metrics().items() if name != "images"}
        return Judged(
            rank=proposal.rank,
            fidelity=proposal.fidelity,
            values={name: value for name, value in measured.items() if math.isfinite(value)} if finite else None,
            failure=None if finite else f"the loss on {SPLIT} is {tally.mean_loss}",
            whole=number == all_of_them,
            seconds=time.monotonic() - started,
        )

    def tally(self, genotype: Genotype, images: Images, split: Split) -> Tally:
        """A member with its part of the weights, its batch statistics measured anew, on a split of these images."""
        s = self.session
        with self.determined(), seeded(s.seed, "network"):  # what is drawn at first is overwritten
            small = Network(discrete_graph(s.space, genotype, self.evaluator.skeleton, s.images)).to(s.device)
            inherit(small, self.network, s.space.plan.read(genotype))
            batches = -(-CALIBRATED // self.feed.batch_size)
            recalibrate(small, small, islice(self.feed.plain(self.feed.batch_size), batches))
            return evaluate(small, small, images, split, self.feed.normalisation, s.device)

    def determined(self) -> Any:
        """A context in which torch is deterministic, where the recipe asks for that."""
        return deterministic(self.evaluator.recipe.deterministic, strict=self.session.device.type == "cpu")


def fitted(record: dict[str, object]) -> tuple[dict[str, object], float]:
    """The place in the training and the seconds that it took, out of a file's record. Raises CheckpointError."""
    match record:
        case {"fit": dict(fit), "seconds": float(seconds)}:
            return fit, seconds
    raise checkpoint.CheckpointError(f"the record has no fit and seconds, only {sorted(record)}")


def digest_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fewer(images: Images, number: int, seed: int) -> Images:
    """So many of the images of `selection`, in their order: the first of the seed's shuffle."""
    whole = images.indices[SPLIT]
    chosen = torch.randperm(len(whole), generator=generator(seed, SPLIT, "images"))[:number].sort().values
    return replace(images, indices={**images.indices, SPLIT: whole[chosen]})


def open_graph(space: SearchSpace, evaluator: InheritedEvaluator, images: Images) -> Graph:
    """The graph of all members at once. Raises RequestError where the space has none on this skeleton and image."""
    try:
        return lower(space.grammar, evaluator.skeleton, images.dataset.input)
    except LoweringError as error:
        raise RequestError(
            f"no supernet of {space.name} on this skeleton and {images.dataset.name}: {error}"
        ) from error
