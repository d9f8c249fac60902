"""The provenance of a search over a supernet says everything that decided it."""

import json

from app.api.provenance import of_supernet
from app.experiment import SEARCH_RECIPES, TRAINING_RECIPES, Bounds, SearchRequest, SpaceVersion
from app.space import space_to_json
from app.space.zoo import ZOO

SPACE = ZOO["nasbench201"]
SKELETON = SPACE.skeletons["cifar"]


def parameters(*, bounds: Bounds, seeds: tuple[int, ...]) -> object:
    request = SearchRequest(
        space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
        document=space_to_json(SPACE),
        strategy="gdas",
        discretisation="argmax",
        skeleton=SKELETON,
        dataset="digits",
        recipe=SEARCH_RECIPES["digits-quick"],
        retrain_skeleton=SKELETON,
        retrain_recipe=TRAINING_RECIPES["digits-quick"],
        bounds=bounds,
        seeds=seeds,
    )
    return json.loads(of_supernet(request)["parameters"])


def test_seeds_and_bounds_that_were_asked_for_are_told() -> None:
    plain = {"discretisation": "argmax", "baseline": True}
    assert parameters(bounds=Bounds(), seeds=()) == plain
    asked = parameters(bounds=Bounds(max_params=9, max_latency_ms=0.5), seeds=(3, 1))
    assert asked == plain | {"seeds": [3, 1], "max_params": 9, "max_latency_ms": 0.5}
