"""Edit scripts: the decisions in which two members differ, in the grammar's order.

    before    after     what happened
    (a,)      (b,)      the decision is answered differently
    None      (b,)      it is opened: only the second member meets it
    (a,)      None      it is closed: only the first member meets it

Making a script's changes to the first member gives the second. Its length is a metric on the members: the Hamming
distance of their decisions, where not meeting a decision counts as an answer of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.space.algebra import Path, Symbol
from app.space.decision import Decision, Decisions, Kind
from app.space.errors import Fault, InvalidGenotype
from app.space.value import shown

Answer = tuple[Symbol, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One decision changed."""

    path: Path
    kind: Kind
    before: Answer | None
    after: Answer | None


def edits(first: Decisions, second: Decisions, places: Iterable[Decision]) -> Iterator[Edit]:
    """What turns the one into the other; `places` are the space's decisions."""
    for place in places:
        before, after = first.get(place.path), second.get(place.path)
        if before is None and after is None:
            continue
        if before is None or after is None or keyed(before) != keyed(after):
            yield Edit(place.path, place.kind, before, after)


def edited(decisions: Decisions, script: Iterable[Edit]) -> dict[Path, Answer]:
    """The decisions after a script; InvalidGenotype, with decision paths, where they were not as it says."""
    made = dict(decisions)
    faults: list[Fault] = []
    for edit in script:
        found = made.get(edit.path)
        if found is None or edit.before is None:
            fits = found is edit.before
        else:
            fits = keyed(found) == keyed(edit.before)
        if not fits:
            message = f"expected {answer(edit.before)} before the change, found {answer(found)}"
            faults.append(Fault(edit.path, message, None if found is None else list(found)))
        elif edit.after is None:
            del made[edit.path]
        else:
            made[edit.path] = edit.after
    if faults:
        raise InvalidGenotype(faults)
    return made


def keyed(given: Answer) -> tuple[tuple[bool, Symbol], ...]:
    """An answer in which 1 and true differ."""
    return tuple((isinstance(symbol, bool), symbol) for symbol in given)


def answer(given: Answer | None) -> str:
    """An answer in a message."""
    return "no answer" if given is None else ", ".join(map(shown, given))
