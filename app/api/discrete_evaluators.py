"""Evaluators of discrete searches as they are asked for, made complete: what measures, where, and what it can say."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.api.answers import chosen_skeleton
from app.api.collection import carried
from app.api.costs import Network, Supernet, network_cost, supernet_cost
from app.api.discrete_results import Results, results_at
from app.api.draws import some_rank
from app.api.experiments import search_recipe, searched_skeleton, trained_skeleton, training_recipe
from app.api.problems import relocated, unprocessable
from app.api.schemas.discrete_search import (
    MAX_FIDELITY,
    MAX_IMAGES,
    CatalogueEvaluatorBody,
    DiscreteSearchFields,
    EvaluatorBody,
    InheritedEvaluatorBody,
    ProxyEvaluatorBody,
    TrainingEvaluatorBody,
    WarmStartBody,
)
from app.api.schemas.sharing import SharingCheckBody
from app.api.services import Services
from app.api.tasks import task_for, teaching
from app.architecture import LoweringError, lower
from app.experiment import (
    CatalogueEvaluator,
    Dataset,
    Evaluator,
    InheritedEvaluator,
    ProxyEvaluator,
    RecipeAt,
    SharingCheck,
    TrainingEvaluator,
    WarmStart,
)
from app.experiment.proxies import NEEDS, PROXIES, ProxyNeed
from app.space import GrammarError, ImageInput, SearchSpace, Skeleton

MAX_EPOCHS = 2000  # of a training
MAX_TRAININGS = 10_000  # of a search, each a job of its own
OPERATIONS_OF: Mapping[ProxyNeed, frozenset[str]] = {
    "relu": frozenset({"relu", "relu6"}),
    "batch_norm": frozenset({"batch_norm"}),
}
"""Nodes of a graph, one of which a proxy with this need looks at."""
RUNGS = 2  # below the highest fidelity, by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An evaluator, where its networks stand, and what it measures."""

    evaluator: Evaluator
    skeleton: Skeleton
    image: ImageInput
    metrics: tuple[str, ...]  # the one that is sought by default first
    dataset: Dataset | None  # None of results of the catalogue, whose images nobody needs
    results: Results | None = None  # of the catalogue

    @property
    def fidelity(self) -> tuple[int, int] | None:
        """(the one that is taken for the highest by default, the highest possible); None where there are none."""
        match self.evaluator:
            case TrainingEvaluator(recipe=recipe):
                return recipe.epochs, MAX_EPOCHS
            case InheritedEvaluator():
                assert self.dataset is not None
                images = self.dataset.splits["selection"]
                return images, images
            case ProxyEvaluator(images=images):
                assert self.dataset is not None
                return images, min(MAX_IMAGES, self.dataset.splits["weights"])
            case CatalogueEvaluator(fidelities=levels):
                return (levels[-1].fidelity, MAX_FIDELITY) if levels else None


def judgement(services: Services, space: SearchSpace, body: DiscreteSearchFields, sought: set[str]) -> Judgement:
    """The evaluator with every default chosen. Raises a Problem where its parts do not fit together.

    `sought`: names of metrics that are asked for, which may be rare among results.
    """
    asked: EvaluatorBody = body.evaluator
    if isinstance(asked, CatalogueEvaluatorBody):
        return looked_up(services, space, asked, body, sought)
    with relocated("/dataset", "/evaluator/dataset"):
        dataset = teaching(services, space, asked.dataset)
    skeleton = trained_skeleton(space, body.skeleton, dataset, "/skeleton")
    name, data = dataset.reference, carried(dataset)
    match asked:
        case TrainingEvaluatorBody():
            recipe = training_recipe(asked.recipe, dataset, "/evaluator/recipe")
            evaluator = TrainingEvaluator(dataset=name, data=data, recipe=recipe, seeds=tuple(asked.seeds))
            metrics = ("accuracy", "loss")
        case InheritedEvaluatorBody():
            evaluator = inherited(space, asked, dataset)
            metrics = ("accuracy", "loss")
        case ProxyEvaluatorBody():
            enough(asked.images, dataset, "/evaluator/images")
            evaluator, metrics = ProxyEvaluator(dataset=name, data=data, images=asked.images), tuple(PROXIES)
    networks(space, skeleton, dataset.input)
    return Judgement(evaluator=evaluator, skeleton=skeleton, image=dataset.input, metrics=metrics, dataset=dataset)


def inherited(space: SearchSpace, asked: InheritedEvaluatorBody, dataset: Dataset) -> InheritedEvaluator:
    """Weights of one supernet. Raises where the space has none on its skeleton."""
    with relocated("/recipe", "/evaluator/recipe"):
        recipe = search_recipe(asked.recipe, dataset)
    if recipe.pressure is not None:
        message = "paths are drawn uniformly, whatever they cost: give objectives or bounds instead"
        raise unprocessable("/evaluator/recipe/pressure", message, recipe.pressure.cost, (None,))
    with relocated("/skeleton", "/evaluator/skeleton"):
        skeleton = searched_skeleton(space, asked.skeleton, dataset)
        supernet_cost(Supernet(space, space.digest, skeleton, dataset.input))
    return InheritedEvaluator(
        dataset=dataset.reference,
        data=carried(dataset),
        recipe=recipe,
        skeleton=skeleton,
        paths=asked.paths,
        children=asked.children,
        check=None if asked.check is None else checked(space, asked.check, skeleton, dataset),
    )


def checked(space: SearchSpace, asked: SharingCheckBody, skeleton: Skeleton, dataset: Dataset) -> SharingCheck:
    """What is to be found out of the weights. Raises where members have no network of their own on the skeleton."""
    recipe = training_recipe(asked.recipe, dataset, "/evaluator/check/recipe")
    networks(space, skeleton, dataset.input)
    return SharingCheck(members=asked.members, recipe=recipe, seeds=tuple(asked.seeds))


def networks(space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> None:
    """Refuse a skeleton and images on which a member of the space has no network."""
    index = some_rank(space)
    if index is None:
        raise unprocessable("/space", "no member was found that meets its constraints", space.name)
    with relocated("/input", "/evaluator/dataset"), relocated("/genotype", "/space"):
        network_cost(Network(space, space.digest, index, skeleton, image))


def defined(judged: Judgement, space: SearchSpace, proxy: str, pointer: str) -> None:
    """Refuse a proxy that no member has, as far as the open space tells: it lacks what the proxy looks at."""
    if proxy == "zen" and task_for(space) != "classification":
        message = "it is of a classifier's map before its last pooling, and these networks answer with maps"
        raise unprocessable(pointer, message, proxy, tuple(name for name in PROXIES if name != proxy))
    needed: dict[ProxyNeed, frozenset[str]] = {
        need: OPERATIONS_OF[need] for need in PROXIES[proxy].needs if need in OPERATIONS_OF
    }
    if not needed:
        return
    try:
        graph = lower(space.grammar, judged.skeleton, judged.image)
    except (LoweringError, GrammarError):
        return  # too large to look at as a whole, or members alone have networks
    there = {node.op for node in graph.nodes.values()}
    for need, operations in needed.items():
        if not there & operations:
            able = tuple(name for name, known in PROXIES.items() if need not in known.needs)
            message = f"it needs {NEEDS[need]}, which no member of {space.name} has on this skeleton"
            raise unprocessable(pointer, message, proxy, able)


def enough(images: int, dataset: Dataset, pointer: str) -> None:
    """Refuse a batch of more images than there are to draw from."""
    there = dataset.splits["weights"]
    if images > there:
        message = f"the split `weights` of {dataset.reference} has {there} images"
        raise unprocessable(pointer, message, images, (f"at most {there}",))


def looked_up(
    services: Services,
    space: SearchSpace,
    asked: CatalogueEvaluatorBody,
    body: DiscreteSearchFields,
    sought: set[str],
) -> Judgement:
    """Results of the catalogue: one cohort, or of every fidelity one that differs in the recipe alone."""
    on = None if body.skeleton is None else chosen_skeleton(space, body.skeleton)
    levels = sorted(asked.fidelities or (), key=lambda level: level.fidelity)
    numbers = [level.fidelity for level in levels]
    if len(set(numbers)) < len(numbers):
        raise unprocessable("/evaluator/fidelities", "a fidelity has one recipe", numbers)
    if levels and asked.recipe is not None and asked.recipe != levels[-1].recipe:
        message = f"the recipe of the highest fidelity, {numbers[-1]}, is {levels[-1].recipe}"
        raise unprocessable("/evaluator/recipe", message, asked.recipe, (levels[-1].recipe,))
    if levels:
        asked = asked.model_copy(update={"recipe": levels[-1].recipe})
    found = results_at(services, space, asked, on, sought)
    stages = [results_at(services, space, found.narrowed(level.recipe), found.skeleton, sought) for level in levels]
    evaluator = CatalogueEvaluator(
        dataset=found.dataset,
        split=found.split,
        recipe_name=found.recipe_name,
        recipe_digest=found.recipe_digest,
        viewer=services.caller.owner,
        as_of=found.as_of,
        evaluation=found.evaluation,
        fidelities=tuple(
            RecipeAt(fidelity=number, recipe_name=stage.recipe_name, recipe_digest=stage.recipe_digest)
            for number, stage in zip(numbers, stages, strict=True)
        ),
    )
    lacking = [number for number, stage in zip(numbers, stages, strict=True) if not sought <= {*stage.metrics}]
    if lacking and sought <= {*found.metrics}:
        message = f"results of the fidelities {lacking} lack one of {sorted(sought)}"
        raise unprocessable("/evaluator/fidelities", message, lacking)
    return Judgement(
        evaluator=evaluator,
        skeleton=found.skeleton,
        image=found.image,
        metrics=found.metrics,
        dataset=None,
        results=found,
    )


def fidelities(judged: Judgement, given: dict[str, int], eta: int, pointer: str) -> dict[str, int]:
    """The least and the most fidelity of a strategy that needs fidelities, by default or as given.

    By default the most is what the evaluator would take anyway, and the least so many times `eta` below it that there
    are three rungs; of the catalogue's results, the lowest there is.
    """
    known = judged.fidelity
    if known is None:
        message = "this strategy asks for results at several fidelities; say which recipe stands for which"
        raise unprocessable("/evaluator/fidelities", message)
    usual, highest = known
    levels = judged.evaluator.fidelities if isinstance(judged.evaluator, CatalogueEvaluator) else ()
    most = given.get("most", usual)
    least = given.get("least", min(most, levels[0].fidelity) if levels else max(1, most // eta**RUNGS))
    if most > highest:
        raise unprocessable(f"{pointer}/parameters/most", f"at most {highest} here", most, (f"at most {highest}",))
    if least > most:
        raise unprocessable(f"{pointer}/parameters/least", f"the most is {most}", least, (f"at most {most}",))
    if levels:
        there = [level.fidelity for level in levels]
        missing = [rung for rung in rungs(least, most, eta) if rung not in there]
        if missing:
            message = (
                f"the strategy asks for fidelities {rungs(least, most, eta)}, from `least` times `eta` {eta} up to "
                f"`most`; there are no results for {missing}"
            )
            raise unprocessable("/evaluator/fidelities", message, there)
    return given | {"least": least, "most": most}


def rungs(least: int, most: int, eta: int) -> list[int]:
    """The fidelities from the least on, each `eta` times the one before, up to the most."""
    found = [least]
    while found[-1] * eta <= most:
        found.append(found[-1] * eta)
    return found


def warmed(services: Services, space: SearchSpace, asked: WarmStartBody, budget: int, judged: Judgement) -> WarmStart:
    """A warm start with every default chosen. Raises a Problem where its parts do not fit together."""
    if asked.proxy not in PROXIES:
        raise unprocessable("/warm_start/proxy", "there is no such proxy", asked.proxy, tuple(PROXIES))
    if asked.kept > budget:
        raise unprocessable("/warm_start/kept", f"the budget is {budget}", asked.kept, (f"at most {budget}",))
    if asked.candidates < asked.kept:
        message = f"of {asked.candidates} members, {asked.kept} cannot be kept"
        raise unprocessable("/warm_start/candidates", message, asked.candidates, (f"at least {asked.kept}",))
    dataset = judged.dataset
    if asked.dataset is not None:
        with relocated("/dataset", "/warm_start/dataset"):
            dataset = teaching(services, space, asked.dataset)
    if dataset is None:
        message = "the catalogue has results, and no images: name the data set that the proxy looks at"
        raise unprocessable("/warm_start/dataset", message)
    here = judged.image, judged.skeleton.num_classes
    if (dataset.input, dataset.num_classes) != here:
        message = f"the networks take {here[0]} and tell {here[1]} classes; this data set has "
        message += f"{dataset.input} and {dataset.num_classes}"
        raise unprocessable("/warm_start/dataset", message, dataset.reference)
    enough(asked.images, dataset, "/warm_start/images")
    defined(judged, space, asked.proxy, "/warm_start/proxy")
    networks(space, judged.skeleton, judged.image)
    evaluator = ProxyEvaluator(dataset=dataset.reference, data=carried(dataset), images=asked.images)
    return WarmStart(proxy=asked.proxy, evaluator=evaluator, candidates=asked.candidates, kept=asked.kept)
