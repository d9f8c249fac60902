"""Real jobs that are small, as they are asked for over HTTP."""

from collections.abc import Mapping
from random import Random

Asked = tuple[str, Mapping[str, object]]

CELLS = {
    "0->1": "nor_conv_3x3",
    "0->2": "none",
    "1->2": "skip_connect",
    "0->3": "nor_conv_1x1",
    "1->3": "avg_pool_3x3",
    "2->3": "none",
}
SMALL = {"family": "edge_cells", "channels": 4, "num_cells": 3}


def training(rng: Random) -> Asked:
    """One network for an epoch; a seed of its own, so that it is not known already."""
    recipe = {"epochs": 1, "batch_size": 256}
    body = {"space": "nasbench201", "dataset": "digits", "genotype": CELLS, "skeleton": SMALL, "recipe": recipe}
    return "/v1/trainings", body | {"seed": rng.randrange(2**31)}


def search(rng: Random) -> Asked:
    """A supernet for an epoch, and the two trainings after it."""
    recipe = {"epochs": 1, "batch_size": 256}
    body = {"space": "nasbench201", "dataset": "digits", "skeleton": SMALL, "retrain_skeleton": SMALL}
    return "/v1/searches", body | {"recipe": recipe, "retrain_recipe": recipe, "seed": rng.randrange(2**31)}


def profile(rng: Random) -> Asked:
    """One operation, measured."""
    place = {"channels": rng.choice((4, 8, 16)), "size": [8, 8]}
    operation = {"operation": rng.choice(("conv_3x3", "sep_conv_3x3")), **place}
    return "/v1/profiles", {"operations": [operation], "rounds": 3, "device": "cpu", "threads": 1}


def transfer(rng: Random) -> Asked:
    """Three networks on two skeletons, one after the other or by six child jobs."""
    recipe = {"epochs": 1, "batch_size": 256}
    place: dict[str, object] = {"dataset": "digits", "skeleton": SMALL, "recipe": recipe}
    target = place | {"skeleton": SMALL | {"channels": 8}}
    body = {"space": "nasbench201", "sample": {"count": 3, "seed": rng.randrange(1000)}, "source": place}
    return "/v1/transfers", body | {"target": target, "seed": rng.randrange(2**31), "fan_out": rng.random() < 0.7}


def drawn(rng: Random) -> Asked:
    """One of them; trainings and profiles are the most."""
    (make,) = rng.choices((training, search, profile, transfer), weights=(4, 1, 4, 1))
    return make(rng)
