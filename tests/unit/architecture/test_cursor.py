from random import Random

import pytest

from app.architecture import FALSE, TRUE, Cursor, LoweringError, given
from app.space import Choice, Grammar, Record, Ref, Repeat, Subset, Value, compile_plan, one_of, record

EDGE = [record("edge", input=Value(i), op=one_of("a", "b")) for i in range(3)]
GRAMMAR = Grammar(
    {
        "net": record("net", node=Subset(tuple(EDGE), 2), layers=Repeat(one_of("x", "y"), (1, 3)), last=Ref("last")),
        "last": Choice((Value("stop"), record("go", kind=Value("go"), far=one_of(1, 2)))),
    },
    "net",
)


def test_open_places_give_every_part_under_its_guard() -> None:
    root = Cursor.root(GRAMMAR)
    members = root["node"].cases()
    assert [edge["input"].value for _, edge in members] == [0, 1, 2]
    assert [edge.path for _, edge in members] == ["/node/0", "/node/1", "/node/2"]
    assert [given(g, {"/node": (0, 2)}, {}) for g, _ in members] == [TRUE, FALSE, TRUE]
    assert [(edge["op"].path, [v for _, v in edge["op"].values()]) for _, edge in members[:1]] == [
        ("/node/0/op", ["a", "b"])
    ]
    items = root["layers"].items()
    assert [item.path for _, _, item in items] == ["/layers/0", "/layers/1", "/layers/2"]
    for length in (1, 3):
        decided = {"/layers#": (length,)}
        assert [given(present, decided, {}) is TRUE for present, _, _ in items] == [j < length for j in range(3)]
        assert [given(last, decided, {}) is TRUE for _, last, _ in items] == [j == length - 1 for j in range(3)]


def test_decided_places_give_the_chosen_parts_for_certain() -> None:
    decided = {"/node": (2, 0), "/node/0/op": ("b",), "/layers#": (1,), "/last": ("go",), "/last/go/far": (2,)}
    root = Cursor.root(GRAMMAR, decided)
    assert [(g, edge["input"].value) for g, edge in root["node"].cases()] == [(TRUE, 0), (TRUE, 2)]
    assert root["node"].cases()[0][1]["op"].values() == [(TRUE, "b")]
    assert [(present, last) for present, last, _ in root["layers"].items()] == [(TRUE, TRUE)]
    ((certain, chosen),) = root["last"].cases()
    assert certain is TRUE
    assert chosen["far"].values() == [(TRUE, 2)]
    assert chosen.step == "go"


def test_paths_are_those_of_the_plan() -> None:
    plan = compile_plan(GRAMMAR)
    known = {decision.path for decision in plan.decisions()}
    for genotype in plan.sample(Random(0), 20):
        decided = plan.read(genotype)
        assert decided.keys() <= known
        root = Cursor.root(GRAMMAR, decided)
        assert all(g is TRUE for g, _ in root["node"].cases())


def test_what_is_certain_by_the_grammar_is_not_asked() -> None:
    grammar = Grammar({"net": record("net", all=Subset(tuple(EDGE), 3), one=one_of("only"))}, "net")
    root = Cursor.root(grammar)
    assert [g for g, _ in root["all"].cases()] == [TRUE] * 3
    assert root["one"].values() == [(TRUE, "only")]


@pytest.mark.parametrize(
    ("decided", "pointer"),
    [
        ({"/node": (0,)}, "/node"),
        ({"/node": (0, 0)}, "/node"),
        ({"/node": (0, 7)}, "/node"),
        ({"/node/0/op": ("c",)}, "/node/0/op"),
        ({"/layers#": (2,)}, "/layers#"),
    ],
)
def test_a_wrong_answer_is_named_with_its_place(decided: dict[str, tuple[object, ...]], pointer: str) -> None:
    root = Cursor.root(GRAMMAR, decided)

    def read() -> None:
        root["layers"].items()
        for _, edge in root["node"].cases():
            edge["op"].values()

    with pytest.raises(LoweringError) as caught:
        read()
    assert caught.value.pointer == pointer
    assert caught.value.value == decided[pointer]
    assert caught.value.allowed


def test_a_wrong_reading_is_named_with_its_place() -> None:
    root = Cursor.root(GRAMMAR)
    for read in (lambda: root["nodes"], lambda: root["node"].value, lambda: root["node"].items(), lambda: root.value):
        with pytest.raises(LoweringError):
            read()
    with pytest.raises(LoweringError) as caught:
        _ = root["layers"].builds
    assert caught.value.pointer == "/layers"


def test_shared_rules_are_decided_once() -> None:
    grammar = Grammar(
        {
            "net": Choice(
                (
                    record("left", side=Value("left"), next=Ref("state", shared=True)),
                    record("right", side=Value("right"), next=Ref("state", shared=True)),
                )
            ),
            "state": record("state", op=one_of("a", "b")),
        },
        "net",
    )
    states = [case["next"]["op"] for _, case in Cursor.root(grammar).cases()]
    assert [state.path for state in states] == ["@state/op", "@state/op"]
    assert states[0].values()[0][0] is not TRUE
    assert states[0].values()[0][0] == states[1].values()[0][0]


def test_options_that_nest_too_deep_are_no_options() -> None:
    grammar = Grammar(
        {"term": Choice((record("leaf", kind=Value("leaf")), record("pair", kind=Value("pair"), inner=Ref("term"))))},
        "term",
        depth=2,
    )
    cursor, kinds = Cursor.root(grammar), []
    while True:
        cases = cursor.cases()
        kinds.append([case["kind"].value for _, case in cases])
        if len(cases) == 1:
            break
        cursor = cases[1][1]["inner"]
    assert kinds == [["leaf", "pair"], ["leaf"]]
    assert [d.options for d in compile_plan(grammar).decisions()] == [("leaf", "pair"), ("leaf",)]


def test_a_record_keeps_the_order_of_its_fields() -> None:
    root = Cursor.root(Grammar({"net": Record("net", (("b", Value(1)), ("a", Value(2))))}, "net"))
    assert list(root.fields) == ["b", "a"]
    assert root.builds == "net"
