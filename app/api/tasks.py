"""What networks are for: every data set here has one label an image, and that teaches classifiers alone."""

from app.api.problems import unprocessable
from app.architecture import task_of
from app.space import SearchSpace

ANSWERS = {
    "segmentation": "logits at every pixel, which need a label at every pixel",
    "detection": "maps of classes and boxes, which need boxes for labels",
}


def untaught(space: SearchSpace) -> str | None:
    """Why no data set here teaches the networks of a space; None where one does."""
    wanted = ANSWERS.get(task_of(space.grammar) or "")
    return None if wanted is None else f"its networks answer with {wanted}; the data sets here have one label an image"


def teachable(space: SearchSpace) -> None:
    """Refuse to train the networks of a space that no data set here teaches."""
    why = untaught(space)
    if why is not None:
        raise unprocessable("/space", why, space.name)
