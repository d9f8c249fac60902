"""What a network's answers are held to, by the task of the data set: loss, hits, measures.

    task              answers                               hits, of
    classification    logits (B, C), then auxiliary ones    images whose highest logit is their label's, of all
    segmentation      logits (B, C, h, w)                   pixels likewise, of those with a class
    detection         maps of classes, then of boxes        boxes among the as many most confident detections, of all

Every loss is a mean over images of numbers that hang on one image alone, so that parts of a batch add up to it.
"""

from typing import Protocol

from torch import Tensor

from app.experiment import Dataset
from workers.training.augment import Movement
from workers.training.classification import Classification
from workers.training.detection import Detection
from workers.training.segmentation import Segmentation

Output = Tensor | tuple[Tensor, ...]


class Measure(Protocol):
    """What a whole split is needed for."""

    def add(self, output: Output, labels: Tensor) -> None:
        """Takes a batch."""
        ...

    def metrics(self) -> dict[str, float]:
        """What was measured, in percent; nothing that is not defined."""
        ...


class Task(Protocol):
    """What is to be learnt; labels are as `workers.data.images` says."""

    def loss(self, output: Output, labels: Tensor, *, smoothing: float = 0.0, auxiliary_weight: float = 0.0) -> Tensor:
        """What is minimised: ()."""
        ...

    def distillation(self, output: Output, teacher: Output) -> Tensor:
        """How far an answer is from a teacher's, whom no gradient reaches: ()."""
        ...

    def hits(self, output: Output, labels: Tensor) -> tuple[Tensor, Tensor]:
        """How many answers are right, and how many there are to give: int64 (), int64 ()."""
        ...

    def measure(self) -> Measure:
        """What else is told of a split; nothing seen yet."""
        ...

    def moved(self, labels: Tensor, movement: Movement) -> Tensor:
        """Labels of images that were moved."""
        ...


def task_for(dataset: Dataset) -> Task:
    """The task of a data set."""
    match dataset.task:
        case "classification":
            return Classification()
        case "segmentation":
            return Segmentation(dataset.num_classes)
        case "detection":
            return Detection(dataset.num_classes, (dataset.input.height, dataset.input.width))
