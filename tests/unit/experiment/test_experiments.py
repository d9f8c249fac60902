import json
from dataclasses import asdict, fields, replace

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from app.experiment import (
    DATASETS,
    SEARCH_RECIPES,
    SPLITS,
    TRAINING_RECIPES,
    Pressure,
    SearchRecipe,
    SearchRequest,
    SpaceVersion,
    TrainingRecipe,
    TrainingRequest,
    recipe_digest,
)
from app.space import CellSkeleton, space_to_json
from app.space.zoo import ZOO


def search_request() -> SearchRequest:
    space = ZOO["darts"]
    return SearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy="darts",
        discretisation="darts",
        skeleton=CellSkeleton(channels=8, num_cells=3, affine=False),
        dataset="digits",
        recipe=SEARCH_RECIPES["digits-quick"],
        retrain_skeleton=CellSkeleton(channels=8, num_cells=3),
        retrain_recipe=TRAINING_RECIPES["digits-quick"],
        seed=3,
    )


def test_data_sets_have_every_split_and_their_published_sizes() -> None:
    assert {name: dict(d.splits) for name, d in DATASETS.items()} == {
        "digits": {"weights": 640, "architecture": 480, "selection": 177, "test": 500},
        "digit_boxes": {"weights": 480, "architecture": 480, "selection": 160, "test": 320},
        "digit_scenes": {"weights": 480, "architecture": 480, "selection": 160, "test": 320},
        "fashion_mnist": {"weights": 25_000, "architecture": 25_000, "selection": 10_000, "test": 10_000},
    }
    assert all(tuple(d.splits) == SPLITS for d in DATASETS.values())
    # 1,797 in optdigits.tes; 60,000 and 10,000 of Fashion-MNIST
    assert [sum(d.splits.values()) for d in DATASETS.values()] == [1797, 1440, 1440, 70_000]
    assert [name for name, d in DATASETS.items() if d.packaged] == ["digits", "digit_boxes", "digit_scenes"]
    assert [d.task for d in DATASETS.values()] == ["classification", "detection", "segmentation", "classification"]
    assert "same writers occur in every split" in DATASETS["digits"].notes


def test_a_search_request_survives_json() -> None:
    request = search_request()
    document = json.loads(json.dumps(to_jsonable_python(asdict(request))))
    assert TypeAdapter(SearchRequest).validate_python(document) == request


def test_a_training_request_survives_json() -> None:
    search = search_request()
    request = TrainingRequest(
        space=search.space,
        document=search.document,
        genotype=ZOO["darts"].plan.unrank(12345),
        skeleton=search.retrain_skeleton,
        dataset="digits",
        recipe=search.retrain_recipe,
    )
    document = json.loads(json.dumps(to_jsonable_python(asdict(request))))
    assert TypeAdapter(TrainingRequest).validate_python(document) == request
    with pytest.raises(ValidationError, match="device"):
        TypeAdapter(TrainingRequest).validate_python({**document, "device": "abacus"})


@pytest.mark.parametrize("recipe", [TRAINING_RECIPES["digits-quick"], SEARCH_RECIPES["digits-quick"]])
def test_a_recipe_digest_is_of_everything_but_the_name(recipe: TrainingRecipe | SearchRecipe) -> None:
    digest = recipe_digest(recipe)
    assert recipe_digest(replace(recipe, name="other")) == digest
    changed = {
        "precision": "bfloat16",
        "alpha_betas": (0.1, 0.2),
        "pressure": Pressure(cost="macs", strength=0.5),
        "strategy": "single_path",
        **{f.name: not getattr(recipe, f.name) for f in fields(recipe) if isinstance(getattr(recipe, f.name), bool)},
    }
    for field in fields(recipe):
        if field.name != "name":
            value = changed.get(field.name)
            value = getattr(recipe, field.name) + 1 if value is None else value
            assert recipe_digest(replace(recipe, **{field.name: value})) != digest, field.name


DIGESTS = {
    "darts-cifar": "7081e62950c38d9aac90b42ba588a72a1f6d7fd15c9f11a646f90cd094cefd39",
    "digits-quick": "579b3dcb5ceb5a10a6c727b92a1b4f2b76c8bf030327b7df417d15eb257f837a",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_fields_that_came_later_leave_the_digests_of_stored_results_alone(name: str) -> None:
    assert recipe_digest(TRAINING_RECIPES[name]) == DIGESTS[name]
    assert recipe_digest(replace(TRAINING_RECIPES[name], nesterov=True)) != DIGESTS[name]


def test_the_recipe_of_nasbench201_is_the_papers() -> None:
    """Dong and Yang 2020, section 2.2 and their configuration for 200 epochs."""
    recipe = TRAINING_RECIPES["nasbench201-cifar"]
    assert (recipe.epochs, recipe.batch_size, recipe.warmup_epochs) == (200, 256, 0)
    assert (recipe.learning_rate, recipe.min_learning_rate, recipe.weight_decay) == (0.1, 0.0, 5e-4)
    assert (recipe.momentum, recipe.nesterov, recipe.gradient_clip, recipe.label_smoothing) == (0.9, True, 0.0, 0.0)
    assert (recipe.crop_padding, recipe.flip, recipe.cutout, recipe.drop_path) == (4, True, 0, 0.0)


def test_recipes_of_searches_on_nasbench201_are_those_of_their_code() -> None:
    """D-X-Y/AutoDL-Projects and xiangning-chen/DrNAS, the files that are named beside the recipes."""
    published = {  # epochs, batch, learning rates, weight decay; of α: learning rate, weight decay, first beta
        "darts-nasbench201": (50, 64, 0.025, 0.001, 5e-4, 3e-4, 1e-3, 0.5),
        "gdas-nasbench201": (250, 64, 0.025, 0.001, 5e-4, 3e-4, 1e-3, 0.5),
        "gdas-cifar": (250, 256, 0.025, 0.001, 5e-4, 3e-4, 1e-3, 0.5),
        "random-nasbench201": (250, 64, 0.025, 0.001, 5e-4, 3e-4, 1e-3, 0.5),
        "enas-nasbench201": (250, 128, 0.05, 5e-4, 2.5e-4, 1e-3, 0.0, 0.0),
        "drnas-nasbench201": (100, 64, 0.025, 0.001, 3e-4, 3e-4, 0.0, 0.5),
    }
    for name, numbers in published.items():
        r = SEARCH_RECIPES[name]
        weights = (r.epochs, r.batch_size, r.learning_rate, r.min_learning_rate, r.weight_decay)
        assert (*weights, r.alpha_learning_rate, r.alpha_weight_decay, r.alpha_betas[0]) == numbers, name
        assert (r.momentum, r.alpha_betas[1], r.gradient_clip, r.alpha_warmup_epochs) == (0.9, 0.999, 5.0, 0)


def test_darts_recipes_are_the_papers() -> None:
    # Liu et al. (2019), section A.1; quark0/darts train_search.py and train.py with --auxiliary --cutout
    search, train = SEARCH_RECIPES["darts-cifar"], TRAINING_RECIPES["darts-cifar"]
    assert (search.epochs, search.batch_size, search.learning_rate, search.min_learning_rate) == (50, 64, 0.025, 0.001)
    assert (search.alpha_learning_rate, search.alpha_betas, search.alpha_weight_decay) == (3e-4, (0.5, 0.999), 1e-3)
    assert (train.epochs, train.batch_size, train.drop_path, train.cutout) == (600, 96, 0.2, 16)
    assert (train.momentum, train.weight_decay, train.gradient_clip, train.auxiliary_weight) == (0.9, 3e-4, 5.0, 0.4)
