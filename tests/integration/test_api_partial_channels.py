"""Searches by partial channels over HTTP: accepted where a space mixes operations, else refused with the reason."""

import pytest
from fastapi.testclient import TestClient

from app.experiment import SEARCH_RECIPES


def test_the_recipe_is_that_of_the_paper(api: TestClient) -> None:
    """Section 4.2 of arXiv:1907.05737."""
    body = {"space": "darts", "dataset": "fashion_mnist", "strategy": "pc_darts", "recipe": "pc-darts-cifar"}
    answer = api.post("/v1/searches", json=body, params={"dry_run": True})
    assert answer.status_code == 200
    recipe = SEARCH_RECIPES["pc-darts-cifar"]
    assert (recipe.epochs, recipe.alpha_warmup_epochs, recipe.batch_size) == (50, 15, 256)
    assert (recipe.learning_rate, recipe.min_learning_rate, recipe.momentum) == (0.1, 0.0, 0.9)
    assert (recipe.alpha_learning_rate, recipe.alpha_weight_decay, recipe.alpha_betas) == (6e-4, 1e-3, (0.5, 0.999))


@pytest.mark.parametrize(("space", "status"), [("darts", 202), ("nasbench201", 202), ("nasbench101", 422)])
def test_a_space_without_a_mixture_is_refused(api: TestClient, space: str, status: int) -> None:
    answer = api.post("/v1/searches", json={"space": space, "dataset": "digits", "strategy": "pc_darts"})
    assert answer.status_code == status
    if status == 422:
        (fault,) = answer.json()["errors"]
        assert (fault["pointer"], fault["value"]) == ("/strategy", "pc_darts")
        assert "no decision chooses between operations on the maps of one source" in fault["message"]
        assert "darts" in fault["allowed"]
        assert "pc_darts" not in fault["allowed"]
