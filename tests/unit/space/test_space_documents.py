"""Space documents: both ways, strict, and refused at the place that is wrong."""

import copy
import json
import time
from typing import Any

import pytest

from app.space import (
    CellSkeleton,
    ChainSkeleton,
    Constraint,
    Grammar,
    GrammarError,
    Ref,
    SearchSpace,
    Subset,
    Value,
    grammar_to_json,
    one_of,
    record,
    space_from_json,
    space_to_json,
)
from app.space.skeletons import skeleton_from_json, skeleton_to_json
from app.space.zoo import ZOO, darts


def document() -> dict[str, Any]:
    return json.loads(json.dumps(space_to_json(ZOO["darts"])))


def refused(value: object) -> tuple[str, str]:
    with pytest.raises(GrammarError) as raised:
        space_from_json(value)
    assert raised.value.faults[0].pointer == raised.value.pointer
    return raised.value.pointer, raised.value.message


def test_terms_read_as_they_are_written() -> None:
    edge = record("edge", input=Value(0), op=one_of("a", "b"))
    grammar = Grammar(
        {"g": record("r", pair=Subset((edge,), 1), rest=Ref("other", shared=True)), "other": Value(0.5)}, "g", 2
    )
    assert grammar_to_json(grammar) == {
        "start": "g",
        "depth": 2,
        "rules": {
            "g": {
                "record": "r",
                "fields": {
                    "pair": {
                        "subset": [{"record": "edge", "fields": {"input": 0, "op": {"choice": ["a", "b"]}}}],
                        "k": 1,
                    },
                    "rest": {"ref": "other", "shared": True},
                },
            },
            "other": 0.5,
        },
    }


def test_a_small_document_is_enough() -> None:
    space = space_from_json({"name": "tiny", "grammar": {"start": "g", "rules": {"g": {"choice": ["a", "b", 3]}}}})
    assert space.plan.size == 3
    assert space.identity == {"name": "tiny", "version": 1, "digest": space.digest}
    assert space_from_json(space_to_json(space)) == space


def set_at(value: Any, pointer: str, inner: object) -> Any:
    *path, last = pointer.split("/")[1:]
    target = value
    for token in path:
        target = target[int(token) if isinstance(target, list) else token]
    target[int(last) if isinstance(target, list) else last] = inner
    return value


CELL = "/grammar/rules/cell"
WRONG: dict[str, list[object]] = {
    "/name": [None, "", "Darts", "a" * 65, "../x", "-x", 3, "a b"],
    "/version": [0, -1, 1.5, "1", True, 10**400],
    "/title": [None, "x" * 4_001, "a\x00b", "\ud800"],
    "/paper": [3],
    "/notes": ["text", ["x"] * 65],
    "/notes/0": [],
    "/input": [[], {"channels": 0}, {"width": 2**20}, {"depth": 3}],
    "/grammar": [None, [], {}, {"start": "g"}, {"start": "g", "rules": {}}],
    "/grammar/start": ["gone", 3],
    "/grammar/depth": [0, 33, "2", None, True],
    "/grammar/rules": [[], {f"r{i}": 0 for i in range(2_001)}],
    CELL: [None, [], {}, {"record": "cell"}, {"choice": ["a"], "subset": ["a"], "k": 1}, {"value": 3}],
    f"{CELL}/record": [None, "Bad Name"],
    f"{CELL}/fields": [[], None],
    f"{CELL}/fields/node2/k": [0, 3, 65, 10**5000, "2", None, 1.5],
    f"{CELL}/fields/node2/subset": [[], {}, None],
    f"{CELL}/fields/node2/subset/0": [None, {"choice": []}, {"choice": ["a", "a"]}],
    f"{CELL}/fields/node2/subset/0/fields/op/choice/0": [None, float("nan"), 2**53, "x" * 65, []],
    "/grammar/rules/darts/fields/normal/ref": ["gone", None],
    "/grammar/rules/darts/fields/normal/shared": [1, "true"],
    "/skeletons": [[], {"Bad Name": {"family": "cells"}}],
    "/skeletons/cifar": [{}, [], {"family": "trees"}, {"family": "chain", "stem": "cifar"}],
    "/skeletons/cifar/channels": [0, -4, "36", 1e9, True],
    "/skeletons/cifar/stem": ["mnist", 3],
    "/skeletons/cifar/affine": [1, "yes"],
    "/constraints": [[{"name": "max-edges"}], {}],
    "/equivalences": [
        {},
        [{"name": "same-colour"}],
        [{}],
        [{"name": "relabelling"}] * 2,
        [{"name": "relabelling", "version": 2}],
    ],
}
CASES = [(pointer, i) for pointer, values in WRONG.items() for i in range(len(values))]


@pytest.mark.parametrize(("pointer", "case"), CASES)
def test_what_is_wrong_is_refused_at_its_place(pointer: str, case: int) -> None:
    value = WRONG[pointer][case]
    found, message = refused(set_at(document(), pointer, value))
    assert found.startswith(pointer) or pointer.startswith(found), (found, message)
    assert message
    assert len(message) < 400


@pytest.mark.parametrize(
    "where", ["", "/grammar", CELL, f"{CELL}/fields/node2", "/input", "/skeletons/cifar", "/equivalences/0"]
)
def test_unknown_fields_are_refused(where: str) -> None:
    pointer, message = refused(set_at(document(), f"{where}/colour", "red"))
    assert pointer == f"{where}/colour"
    assert "unknown field 'colour'" in message


@pytest.mark.parametrize("value", [None, [], 3, "text", {}, {"name": "x"}, {"grammar": {}}])
def test_what_is_no_document_is_refused(value: object) -> None:
    refused(value)


def test_every_fault_of_a_grammar_has_its_pointer_into_the_document() -> None:
    value = document()
    set_at(value, f"{CELL}/fields/node2/k", 2)
    set_at(value, f"{CELL}/fields/node3/subset/1/fields/op/choice/3", "skip_connect")
    set_at(value, "/grammar/rules/spare", 3)
    set_at(value, f"{CELL}/fields/node5", {"repeat": {"ref": "gone"}, "lengths": [1, 1]})
    with pytest.raises(GrammarError) as raised:
        space_from_json(value)
    assert {f.pointer for f in raised.value.faults} == {
        f"{CELL}/fields/node3/subset/1/fields/op/choice/3",
        f"{CELL}/fields/node5/lengths/1",
        f"{CELL}/fields/node5/repeat/ref",
    }
    set_at(value, f"{CELL}/fields/node3/subset/1/fields/op/choice/3", "sep_conv_3x3")
    set_at(value, f"{CELL}/fields/node5", 1)
    assert refused(value)[0] == "/grammar/rules/spare"


def test_deep_and_large_documents_are_refused_at_once() -> None:
    deep: Any = 0
    for _ in range(50_000):
        deep = {"repeat": deep, "lengths": [1]}
    wide = {"choice": [{"choice": list(range(900))} for _ in range(900)]}
    for term in (deep, wide, {"choice": list(range(10**6))}):
        started = time.process_time()
        refused({"name": "x", "grammar": {"start": "g", "rules": {"g": term}}})
        assert time.process_time() - started < 1


def test_the_digest_knows_order_and_nothing_else() -> None:
    space = ZOO["darts"]
    value = document()
    rules = value["grammar"]["rules"]
    value["grammar"]["rules"] = dict(reversed(rules.items()))
    assert space_from_json(value).digest == space.digest  # rules have no order
    value = document() | {"title": "Another title", "notes": ["a note"], "skeletons": {}}
    assert space_from_json(value).digest == space.digest  # what surrounds a genotype is not decided
    value = document()
    value["grammar"]["rules"]["cell"]["fields"] = dict(reversed(value["grammar"]["rules"]["cell"]["fields"].items()))
    assert space_from_json(value).digest != space.digest  # fields have: the ranks are others
    value = document()
    value["grammar"]["rules"]["cell"]["fields"]["node2"]["subset"].reverse()
    assert space_from_json(value).digest != space.digest
    assert darts(none=True).digest != space.digest
    constrained = SearchSpace(
        name="darts",
        version=1,
        title="",
        paper="",
        grammar=space.grammar,
        skeletons={},
        constraints=(Constraint("max-edges", (("edges", 9),)),),
    )
    assert constrained.digest != space.digest


def test_digests_of_the_zoo_never_change_unnoticed() -> None:
    """Indices and ids are stored with these; another digest is another version of the space."""
    assert {name: space.digest[:16] for name, space in ZOO.items()} == {
        "simple_cell": "e51cb654ae109080",
        "nasbench101": "88ce29f89ef8c4d3",
        "nasbench201": "e112f3f086c896e6",
        "darts": "43d0dfcd4014a08f",
        "chain": "cbf4140628bb404c",
        "unconstrained_dag": "03dd317418e71b66",
        "nasnet": "478e4ef94b4da3e8",
        "amoebanet": "c15c24c7eb9d9ba9",
        "pnasnet": "53036c2d5538e945",
        "enas_micro": "593007504569d429",
        "nasbench301": "8e9ef5b37c8ec1fe",
        "nats_size": "0199b7fed360d320",
        "nasbench_macro": "0bc365b56cfb9a44",
        "mobilenet_ofa": "60e694acc596be47",
        "proxylessnas": "4523eb7787323e16",
        "fbnet": "3f35ccd3141b817f",
        "mnasnet": "4fb190e955fdf462",
        "autoformer_t": "6d06ff2f231c517f",
        "autoformer_s": "f4a2d7ba9ac5e6d9",
        "autoformer_b": "d7038ae819c542e7",
        "transformer": "28183127b7382705",
        "darts_rnn": "535a2d718a97bd90",
        "enas_macro": "3749c8102327d735",
        "multibranch": "407a402b94e9b786",
        "hierarchical": "3b898baa5ad52cbf",
        "autodeeplab": "554bb4b117a22e16",
        "nas_fpn": "296aed9e3a71e25e",
        "detection_head": "44c3e15b42a3fe74",
    }


def test_a_space_is_a_value() -> None:
    assert darts() == ZOO["darts"]
    assert hash(darts()) == hash(ZOO["darts"])
    assert darts() != darts(none=True)
    assert ZOO["darts"].plan is ZOO["darts"].plan
    with pytest.raises(TypeError):
        ZOO["darts"].skeletons["other"] = CellSkeleton()  # type: ignore[index]
    with pytest.raises(AttributeError):
        ZOO["darts"].name = "other"  # type: ignore[misc]


def test_skeletons_of_the_zoo() -> None:
    """DARTS: section 3.1 and 3.2 of the paper (16 channels and 8 cells; 36 and 20; ImageNet 48 and 14)."""
    skeletons = ZOO["darts"].skeletons
    search, cifar, imagenet = skeletons["search"], skeletons["cifar"], skeletons["imagenet"]
    assert search == CellSkeleton(channels=16, num_cells=8, affine=False, norm_after_pool=True)
    assert cifar == CellSkeleton(channels=36, num_cells=20)
    assert imagenet == CellSkeleton(channels=48, num_cells=14, stem="imagenet", num_classes=1000)
    for space in ZOO.values():
        assert "small" in space.skeletons
        for skeleton in space.skeletons.values():
            assert skeleton_from_json(json.loads(json.dumps(skeleton_to_json(skeleton)))) == skeleton


def test_a_skeleton_keeps_its_defaults() -> None:
    assert skeleton_from_json({"family": "chain", "reductions": [1]}) == ChainSkeleton(reductions=(1,))
    with pytest.raises(GrammarError) as raised:
        skeleton_from_json({"family": "chain", "reductions": [1, -1]}, "/skeleton")
    assert raised.value.pointer == "/skeleton/reductions/1"


def test_reading_changes_nothing() -> None:
    value = document()
    before = copy.deepcopy(value)
    space_from_json(value)
    assert value == before
