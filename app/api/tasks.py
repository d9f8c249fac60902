"""What networks are for: classes of images, classes of pixels, or boxes; a data set teaches one of these."""

from app.api.collection import dataset_named
from app.api.problems import unprocessable
from app.api.services import Services
from app.architecture import task_of
from app.experiment import DATASETS, Dataset, Task, TrainingRecipe
from app.space import SearchSpace

ANSWERS = {
    "classification": "a class an image, which need a label an image",
    "segmentation": "logits at every pixel, which need a label at every pixel",
    "detection": "maps of classes and boxes, which need boxes for labels",
}
TEACHES = {
    "classification": "has one label an image",
    "segmentation": "has a label at every pixel",
    "detection": "has boxes for labels",
}


def task_for(space: SearchSpace) -> Task:
    """What the networks of a space are for; of one without a meaning nothing is known, and they are refused later."""
    return task_of(space.grammar) or "classification"


def teachable(space: SearchSpace, dataset: Dataset, pointer: str = "/dataset") -> None:
    """Refuse to teach the networks of a space by a data set for another task. Raises a Problem, 422."""
    task = task_for(space)
    if dataset.task != task:
        message = f"the networks of {space.name} answer with {ANSWERS[task]}; this data set {TEACHES[dataset.task]}"
        fits = (name for name, known in sorted(DATASETS.items()) if known.task == task)
        raise unprocessable(pointer, message, dataset.reference, tuple(fits))


def teaching(services: Services, space: SearchSpace, reference: str) -> Dataset:
    """The data set that a request names, where it teaches the networks of a space. Raises a Problem, 422."""
    dataset = dataset_named(services, reference)
    teachable(space, dataset)
    return dataset


def learnable(recipe: TrainingRecipe, dataset: Dataset, pointer: str) -> None:
    """Refuse a recipe that asks of a task what it has not. Raises a Problem, 422."""
    if dataset.task == "detection" and recipe.label_smoothing:
        message = "the focal loss, which detectors learn by, is of labels that are not smoothed"
        raise unprocessable(f"{pointer}/label_smoothing", message, recipe.label_smoothing, (0,))
