"""Space documents as JSON, both ways and strict."""

import dataclasses
from typing import Any

from app.space.codec import grammar_from_json, grammar_to_json, integer, items, obj, string
from app.space.constraints import frozen, plain, read_parameters, refuse_contradictions
from app.space.document import EQUIVALENCES, Constraint, Equivalence, SearchSpace
from app.space.errors import Fault, GrammarError
from app.space.limits import LIMITS
from app.space.path import pointer
from app.space.skeleton import ImageInput, Skeleton
from app.space.skeletons import skeleton_from_json, skeleton_to_json
from app.space.value import is_object, shown
from app.space.wellformed import NAME, NAME_RULE

_LARGEST = 65_536  # of any number in a skeleton or an input


def space_to_json(space: SearchSpace) -> dict[str, Any]:
    """The space as a document; `space_from_json` gives it back, with the same digest and the same ranks."""
    return {
        "name": space.name,
        "version": space.version,
        "title": space.title,
        "paper": space.paper,
        "input": dataclasses.asdict(space.input),
        "grammar": grammar_to_json(space.grammar),
        "skeletons": {name: skeleton_to_json(skeleton) for name, skeleton in space.skeletons.items()},
        "constraints": [{"name": c.name, "parameters": plain(c.parameters)} for c in space.constraints],
        "equivalences": [{"name": e.name, "version": e.version} for e in space.equivalences],
        "notes": list(space.notes),
        "literature": space.literature,
    }


def space_from_json(document: object) -> SearchSpace:
    """Read a space document; a GrammarError points to what is wrong in it. Caps are checked before any work."""
    required = ("name", "grammar")
    optional = ("version", "title", "paper", "input", "skeletons", "constraints", "equivalences", "notes", "literature")
    fields = obj(document, required, optional, "")
    grammar = grammar_from_json(fields["grammar"], "/grammar")
    space = SearchSpace(
        name=_name(fields["name"], "/name"),
        version=integer(fields.get("version", 1), 1, LIMITS.integer, "/version"),
        title=string(fields.get("title", ""), LIMITS.text, "/title"),
        paper=string(fields.get("paper", ""), LIMITS.text, "/paper"),
        input=_input(fields.get("input", {}), "/input"),
        grammar=grammar,
        skeletons=_skeletons(fields.get("skeletons", {}), "/skeletons"),
        constraints=_constraints(fields.get("constraints", []), "/constraints"),
        equivalences=_equivalences(fields.get("equivalences", []), "/equivalences"),
        notes=tuple(
            string(note, LIMITS.text, f"/notes/{i}")
            for i, note in enumerate(items(fields.get("notes", []), LIMITS.lengths, "/notes"))
        ),
        literature=string(fields.get("literature", ""), LIMITS.text, "/literature"),
    )
    try:
        _ = space.plan.decisions() if space.constraints else space.plan
    except GrammarError as error:
        faults = [dataclasses.replace(fault, pointer=f"/grammar{fault.pointer}") for fault in error.faults]
        raise GrammarError(f"/grammar{error.pointer}", error.message, faults) from None
    if space.constraints:
        refuse_contradictions(space)
    return space


def _constraints(document: object, at: str) -> tuple[Constraint, ...]:
    read: list[Constraint] = []
    for i, inner in enumerate(items(document, LIMITS.lengths, at)):
        given = obj(inner, ("name",), ("parameters",), f"{at}/{i}")
        parameters = read_parameters(given["name"], given.get("parameters"), f"{at}/{i}")
        read.append(Constraint(given["name"], frozen(parameters)))
    return tuple(read)


def _skeletons(document: object, at: str) -> dict[str, Skeleton]:
    if not is_object(document):
        raise GrammarError(at, f"expected an object of skeletons, found {shown(document)}")
    if len(document) > LIMITS.lengths:
        raise GrammarError(at, f"at most {LIMITS.lengths} skeletons, not {len(document)}")
    return {
        _name(name, pointer(at, name)): skeleton_from_json(inner, pointer(at, name)) for name, inner in document.items()
    }


def _input(document: object, at: str) -> ImageInput:
    names = tuple(f.name for f in dataclasses.fields(ImageInput))
    given = obj(document, (), names, at)
    return ImageInput(**{name: integer(value, 1, _LARGEST, pointer(at, name)) for name, value in given.items()})


def _equivalences(document: object, at: str) -> tuple[Equivalence, ...]:
    read: list[Equivalence] = []
    for i, inner in enumerate(items(document, LIMITS.lengths, at)):
        here = f"{at}/{i}"
        given = obj(inner, ("name",), ("version",), here)
        name = string(given["name"], LIMITS.name, f"{here}/name")
        if name not in EQUIVALENCES:
            message = f"expected one of {', '.join(EQUIVALENCES)}, found {shown(name)}"
            faults = [Fault(f"{here}/name", message, name, tuple(EQUIVALENCES))]
            raise GrammarError(f"{here}/name", message, faults)
        if name in {e.name for e in read}:
            raise GrammarError(f"{here}/name", f"{name!r} is there twice")
        read.append(Equivalence(name, integer(given.get("version", 1), 1, 1, f"{here}/version")))
    return tuple(read)


def _name(value: object, at: str) -> str:
    name = string(value, LIMITS.name, at)
    if not NAME.fullmatch(name):
        raise GrammarError(at, f"a name is {NAME_RULE}; found {shown(name)}")
    return name
