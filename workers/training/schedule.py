"""Learning rates and drop-path probabilities as functions of the epoch."""

import math

from app.experiment import SearchRecipe, TrainingRecipe


def cosine(epoch: int, epochs: int, high: float, low: float, warmup_epochs: int = 0) -> float:
    """The learning rate of epoch `epoch` of 0..epochs - 1.

        epoch < warmup:  high · (epoch + 1) / (warmup + 1)
        otherwise:       low + (high − low) · (1 + cos(π t / T)) / 2,  t = epoch − warmup, T = epochs − warmup

    Constant within an epoch, as in quark0/darts. Loshchilov and Hutter, SGDR (2017), without restarts.
    """
    if epoch < warmup_epochs:
        return high * (epoch + 1) / (warmup_epochs + 1)
    t, whole = epoch - warmup_epochs, max(1, epochs - warmup_epochs)
    return low + (high - low) * (1 + math.cos(math.pi * t / whole)) / 2


def learning_rate(recipe: TrainingRecipe | SearchRecipe, epoch: int) -> float:
    """The weights' learning rate under a recipe."""
    warmup = recipe.warmup_epochs if isinstance(recipe, TrainingRecipe) else 0
    return cosine(epoch, recipe.epochs, recipe.learning_rate, recipe.min_learning_rate, warmup)


def drop_path_probability(recipe: TrainingRecipe, epoch: int) -> float:
    """Grows linearly from 0 over the epochs, as in quark0/darts `cnn/train.py`."""
    return recipe.drop_path * epoch / recipe.epochs
