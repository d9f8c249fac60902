"""Training one genotype from scratch, as trainings, searches and their baselines do alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from app.architecture import Graph, lower
from app.experiment import Split, TrainingRecipe
from app.space import Genotype, SearchSpace, Skeleton
from workers.data.images import Images
from workers.network import Network
from workers.training.determinism import seeded
from workers.training.evaluation import evaluate
from workers.training.parallel import Team
from workers.training.trainer import Trainer

FITTED: tuple[Split, ...] = ("weights", "architecture")  # what a training from scratch may fit to
JUDGED: tuple[Split, ...] = ("selection", "test")  # what it is judged on; `test` is read once, at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One genotype on one skeleton, ready to be trained."""

    genotype: Genotype
    skeleton: Skeleton
    graph: Graph
    trainer: Trainer

    def judged(self, images: Images) -> dict[Split, dict[str, float]]:
        """Accuracy (percent), loss (nats) and what else the task measures on the splits that nothing was fitted to."""
        found: dict[Split, dict[str, float]] = {}
        for split in JUDGED:
            tally = evaluate(
                self.trainer.network,
                self.trainer.network,
                images,
                split,
                self.trainer.feed.normalisation,
                self.trainer.device,
            )
            found[split] = tally.metrics()
        return found


def discrete_graph(space: SearchSpace, genotype: Genotype, skeleton: Skeleton, images: Images) -> Graph:
    """The plain graph of a genotype on a data set's images."""
    return lower(space.grammar, skeleton, images.dataset.input, space.plan.read(genotype))


def candidate(
    space: SearchSpace,
    genotype: Genotype,
    skeleton: Skeleton,
    recipe: TrainingRecipe,
    images: Images,
    *,
    seed: int,
    device: torch.device,
    note: Callable[[str], None] = lambda text: None,
    recompute: bool = False,
    team: Team | None = None,
) -> Candidate:
    """A freshly initialised network with its trainer; the same for the same arguments."""
    graph = discrete_graph(space, genotype, skeleton, images)
    with seeded(seed, "network"):
        network = Network(graph)
    network.recompute = recompute
    trainer = Trainer(network, recipe, images, seed=seed, device=device, splits=FITTED, note=note, team=team)
    return Candidate(genotype=genotype, skeleton=skeleton, graph=graph, trainer=trainer)


def weights_record(candidate: Candidate, judged: Mapping[Split, Mapping[str, float]]) -> dict[str, object]:
    """What is written into the header of a weights file: enough to build the network again and to prepare its input."""
    normalisation = candidate.trainer.feed.normalisation
    return {
        "genotype": candidate.genotype,
        "dataset": candidate.trainer.images.dataset.reference,
        "normalisation": {
            "mean": normalisation.mean,
            "deviation": normalisation.deviation,
            "splits": normalisation.splits,
            "levels": candidate.trainer.feed.levels,
        },
        "metrics": judged,
    }
