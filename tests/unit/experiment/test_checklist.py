"""The checklist's answers, each from the records that make it and from those that do not."""

from dataclasses import replace
from typing import Any

import pytest

from app.experiment import (
    DATASETS,
    ORACLE,
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    CatalogueEvaluator,
    ComparedStrategy,
    ComparisonRequest,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SearchRequest,
    SoughtMetric,
    SpaceVersion,
    StoredImages,
    TrainingEvaluator,
    recipe_digest,
)
from app.experiment.checklist import Compared, Facts, Item, Replay, checklist, counted
from app.space.zoo import ZOO

SPACE = ZOO["nasbench201"]
VERSION = SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest)
EVALUATOR = CatalogueEvaluator(
    dataset="cifar10",
    split="selection",
    recipe_name="theirs",
    recipe_digest="0123456789abcdef",
    viewer="local",
    as_of="2026-11-24T00:00:00+00:00",
)
SEARCH = DiscreteSearchRequest(
    space=VERSION,
    document={},
    strategy="evolution",
    parameters={"population": 20, "tournament": 10},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=EVALUATOR,
    budget=200,
    skeleton=SPACE.skeletons["cifar"],
    image=SPACE.input,
    seed=3,
)
TRAINED = replace(SEARCH, evaluator=TrainingEvaluator(dataset="digits", recipe=TRAINING_RECIPES["digits-quick"]))
INHERITED = replace(
    SEARCH,
    evaluator=InheritedEvaluator(
        dataset="digits", recipe=SEARCH_RECIPES["digits-quick"], skeleton=SPACE.skeletons["cifar"]
    ),
)
HALVING = {"least": 1, "most": 27, "eta": 3}
SUPERNET = SearchRequest(
    space=VERSION,
    document={},
    strategy="darts",
    discretisation="argmax",
    skeleton=SPACE.skeletons["cifar"],
    dataset="digits",
    recipe=SEARCH_RECIPES["digits-quick"],
    retrain_skeleton=SPACE.skeletons["cifar"],
    retrain_recipe=TRAINING_RECIPES["digits-quick"],
)
RESULT = {
    "code_version": "0.1.0",
    "seconds": 1.25,
    "report": {
        "judged_by": {"results": 15_625, "results_digest": "d" * 64},
        "gpu_hours": 0.0,
        "evaluations": 200,
        "failed": 3,
    },
}
SHARING = {"kendall": {"coefficient": 0.421, "low": 0.1, "high": 0.7, "n": 20}}


def facts(request: Any = SEARCH, **more: Any) -> Facts:
    given: dict[str, Any] = {"id": "an-id", "request": request, "state": "succeeded", "result": RESULT}
    return Facts(**given | more)


def one(found: Facts, number: str) -> Item:
    (item,) = (item for item in checklist(found) if item.number == number)
    return item


def compared(*strategies: tuple[str, Any], seeds: tuple[int, ...] = (0, 1, 2)) -> Compared:
    members = tuple(
        ComparedStrategy(label=f"{name} {i}", strategy=name, parameters=parameters)  # type: ignore[arg-type]
        for i, (name, parameters) in enumerate(strategies)
    )
    return Compared(id="its-id", request=ComparisonRequest(search=SEARCH, strategies=members, seeds=seeds))


def test_every_question_of_the_checklist_is_asked_once() -> None:
    numbers = [item.number for item in checklist(facts())]
    theirs = ["1a", "1b", "1c", "1d", *(f"2{letter}" for letter in "abcdefgh"), "3a", "3b", "3c"]
    assert numbers == [*theirs, "s1", "s2", "s3", "s4"]
    for found in (facts(), facts(TRAINED), facts(SUPERNET), facts(state="queued", result={})):
        assert [item.number for item in checklist(found)] == numbers
        assert sum(counted(checklist(found)).values()) == len(numbers)
        assert all(item.evidence and item.question.endswith("?") for item in checklist(found))


@pytest.mark.parametrize(
    ("found", "number", "answer", "evidence"),
    [
        (facts(), "1a", "cannot be known", "its authors have the code"),
        (facts(table="a paper"), "1a", "cannot be known", "a table's: a paper"),
        (facts(TRAINED), "1a", "yes", "version 0.1.0"),
        (facts(TRAINED, result={}), "1a", "cannot be known", "none yet"),
        (
            facts(replace(SEARCH, evaluator=ProxyEvaluator(dataset="digits"))),
            "1a",
            "not applicable",
            "nothing is trained",
        ),
        (facts(SUPERNET), "1b", "yes", "version 0.1.0"),
        (facts(), "1c", "cannot be known", "digest 0123456789ab"),
        (facts(TRAINED), "1c", "yes", recipe_digest(TRAINING_RECIPES["digits-quick"])[:12]),
        (facts(), "1d", "yes", "evolution with population 20, tournament 10; budget 200, batch 1, seed 3"),
        (facts(SUPERNET), "1d", "yes", "darts, every field of recipe 'digits-quick'"),
        (facts(), "2a", "not applicable", "POST /v1/comparisons"),
        (facts(), "2b", "yes", "looked up"),
        (facts(TRAINED), "2b", "not applicable", "POST /v1/comparisons"),
        (facts(), "2c", "cannot be known", "one search"),
        (facts(), "2e", "no", "none beside it"),
        (facts(result={}), "2e", "cannot be known", "no report"),
        (facts(), "2f", "no", "no finished comparison"),
        (facts(replace(SEARCH, strategy="random", parameters={})), "2f", "not applicable", "is random search"),
        (facts(SUPERNET), "2f", "yes", "uniformly random genotype"),
        (facts(replace(SUPERNET, baseline=False)), "2f", "no", "no random genotype"),
        (facts(seeds=(3,)), "2g", "no", "one run is in the catalogue, of seed 3"),
        (facts(seeds=(3, 4)), "2g", "yes", "2 runs that differ in nothing but the seed: 3, 4"),
        (facts(table="a paper"), "2h", "yes", "15625 results on cifar10, a paper"),
        (facts(TRAINED), "2h", "no", "measured, not looked up"),
        (facts(), "3a", "not applicable", "default"),
        (
            facts(replace(SEARCH, parameters={"population": 7, "tournament": 10})),
            "3a",
            "cannot be known",
            "population 7;",
        ),
        (facts(replace(SEARCH, strategy="random", parameters={})), "3a", "not applicable", "no settings"),
        (facts(), "3b", "yes", "1.25 s"),
        (facts(result={}), "3b", "cannot be known", "no result yet"),
        (facts(), "3c", "yes", "in one row"),
        (facts(state="queued"), "3c", "no", "the search is queued"),
        (facts(), "s1", "yes", "the split 'selection'"),
        (facts(replace(SEARCH, evaluator=replace(EVALUATOR, split="test"))), "s1", "no", ORACLE),
        (facts(SUPERNET), "s1", "yes", "the split 'architecture'; test is read once"),
        (facts(TRAINED), "s1", "yes", "every training measures test as well, and no decision reads it"),
        (facts(INHERITED), "s1", "yes", "the split 'selection'; test is not read"),
        (facts(replace(SEARCH, evaluator=ProxyEvaluator(dataset="digits"))), "s1", "yes", "proxies on training images"),
        (
            facts(INHERITED),
            "1c",
            "yes",
            recipe_digest(replace(SEARCH_RECIPES["digits-quick"], strategy="single_path"))[:12],
        ),
        (facts(replace(TRAINED, strategy="successive_halving", parameters=HALVING)), "1c", "yes", "decides its epochs"),
        (facts(), "s2", "yes", "d" * 64),
        (facts(result={}), "s2", "cannot be known", "comes with the report"),
        (facts(TRAINED), "s2", "yes", "digits is built in"),
        (facts(), "s3", "cannot be known", "POST /v1/searches/an-id/replay"),
        (facts(replays=(Replay(id="r", identical=True),)), "s3", "yes", "exactly the same"),
        (facts(replays=(Replay(id="r", identical=None),)), "s3", "cannot be known", "other conditions"),
        (
            facts(replays=(Replay(id="r", identical=True), Replay(id="t", identical=False))),
            "s3",
            "no",
            "something else",
        ),
        (facts(), "s4", "yes", "3 of 200 failed"),
        (facts(INHERITED), "s5", "no", "no check"),
        (facts(INHERITED, result=RESULT | {"report": {"sharing": SHARING}}), "s5", "yes", "0.42 over 20 members, 95 %"),
        (facts(SUPERNET, result={}), "s4", "not applicable", "no evaluations of members"),
    ],
)
def test_answers_are_what_the_records_show(found: Facts, number: str, answer: str, evidence: str) -> None:
    item = one(found, number)
    assert (item.answer, evidence in item.evidence) == (answer, True), item


def test_a_comparison_answers_for_what_it_holds() -> None:
    plain = facts(comparisons=[compared(("evolution", {"population": 20, "tournament": 10}), ("local_search", {}))])
    assert [one(plain, number).answer for number in ("2a", "2b", "2c", "2d", "2e", "2f", "2g")] == [
        *("yes", "yes", "no", "yes", "yes", "no", "yes")
    ]
    assert {one(plain, number).link for number in ("2a", "2d", "2e", "2g")} == {"/v1/comparisons/its-id"}
    assert one(plain, "2g").evidence.startswith("3 runs")
    varied = (("evolution", {"population": 20}), ("evolution", {"population": 9}), ("random", {}))
    rich = facts(comparisons=[compared(*varied, seeds=tuple(range(30)))])
    assert (one(rich, "2c").answer, one(rich, "2f").answer) == ("yes", "yes")
    assert "evolution 0, evolution 1" in one(rich, "2c").evidence
    assert one(rich, "2g").evidence.endswith("7, 8, 9, …")
    assert one(replace(plain, comparisons=(*plain.comparisons, *rich.comparisons)), "2g").evidence.startswith("30 runs")


def test_a_registered_data_set_is_known_by_its_digest() -> None:
    stored = StoredImages(digest="7" * 64, pixels_digest="8" * 64, bytes=1, levels=255, mean=(0.5,), deviation=(0.25,))
    data = replace(DATASETS["digits"], name="leaves", packaged=False, stored=stored)
    evaluator = TrainingEvaluator(dataset=data.reference, recipe=TRAINING_RECIPES["digits-quick"], data=data)
    item = one(facts(replace(SEARCH, evaluator=evaluator)), "s2")
    assert (item.answer, item.evidence) == ("yes", f"SHA-256 of leaves@{'7' * 12}: {'7' * 64}")
