"""The supernet of a search: trained once on uniformly drawn single paths, kept, and found by later attempts.

    phase       epochs          metrics
    supernet    the recipe's    weights_loss, weights_accuracy of the paths that were drawn, learning_rate

Single-path one-shot search: Guo et al. (2020), arXiv:1904.00420. The file that is kept is the artefact `supernet`.
"""

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from app.architecture import Graph, LoweringError, lower
from app.experiment import InheritedEvaluator, Split
from app.space import Genotype, SearchSpace
from workers.data import Images
from workers.inheritance import inherit
from workers.network import Network
from workers.progress import Stopped
from workers.session import RequestError, Session
from workers.strategies.single_path import SinglePath
from workers.supernet.fit import SupernetFit
from workers.training import checkpoint, drive, evaluate, recalibrate
from workers.training.determinism import deterministic, seeded
from workers.training.discrete import discrete_graph
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
            raise RequestError(f"the recipe {recipe.name!r} has a pressure, which uniformly drawn paths cannot heed")
        self.evaluator = evaluator
        self.session = s
        graph = open_graph(s.space, evaluator, s.images)
        with seeded(s.seed, "supernet"):
            network = Network(graph)
        self.network = network.to(s.device)
        self.fit = SupernetFit(
            network,
            SinglePath(s.space, graph, seed=s.seed, device=s.device),
            replace(recipe, alpha_warmup_epochs=recipe.epochs),  # paths learn nothing, so no batch is read for them
            s.images,
            seed=s.seed,
            device=s.device,
            note=s.progress.note,
        )
        self.trained = False
        self.seconds = 0.0  # of training

    def train(self) -> None:
        """To the end of the recipe, from where an earlier attempt left it. Raises Stopped; what is trained is kept."""
        if self.trained or self.found():
            return
        progress, earlier, started = self.session.progress, 0.0, time.monotonic()
        saved = progress.resume()
        if saved is not None and saved.phase == PHASE:
            tensors, record = checkpoint.load(saved.file)
            earlier = self._restore(tensors, record)

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
            tensors, record = checkpoint.load(file)
            self.seconds = self._restore(tensors, record)
            self.trained = True
        return self.trained

    def judged(self, genotype: Genotype, images: Images, split: Split) -> Tally:
        """A member with its part of the weights, its batch statistics measured anew, on a split of these images."""
        s = self.session
        with self.determined(), seeded(s.seed, "network"):  # what is drawn at first is overwritten
            small = Network(discrete_graph(s.space, genotype, self.evaluator.skeleton, s.images)).to(s.device)
            inherit(small, self.network, s.space.plan.read(genotype))
            batches = -(-CALIBRATED // self.fit.feed.batch_size)
            recalibrate(small, small, islice(self.fit.feed.plain(self.fit.feed.batch_size), batches))
            return evaluate(small, small, images, split, self.fit.feed.normalisation, s.device)

    def determined(self) -> Any:
        """A context in which torch is deterministic, where the recipe asks for that."""
        return deterministic(self.evaluator.recipe.deterministic, strict=self.session.device.type == "cpu")

    def _restore(self, tensors: Any, record: dict[str, object]) -> float:
        match record:
            case {"fit": dict(fit), "seconds": float(seconds)}:
                self.fit.restore(tensors, fit)
                return seconds
        raise checkpoint.CheckpointError(f"the record has no fit and seconds, only {sorted(record)}")


def open_graph(space: SearchSpace, evaluator: InheritedEvaluator, images: Images) -> Graph:
    """The graph of all members at once. Raises RequestError where the space has none on this skeleton and image."""
    try:
        return lower(space.grammar, evaluator.skeleton, images.dataset.input)
    except LoweringError as error:
        raise RequestError(
            f"no supernet of {space.name} on this skeleton and {images.dataset.name}: {error}"
        ) from error
