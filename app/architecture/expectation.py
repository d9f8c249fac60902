"""Expectations: the total of guarded amounts where every decision is drawn from its weights, and its slopes in them.

The expectation is a polynomial of degree one in the weights of each decision, so that with c_o for its slope in the
weight of option o, answering o for certain gives E - Σ_p w_p c_p + c_o.
"""

from collections.abc import Container, Iterable, Mapping, Sequence, Set

from app.architecture.guard import FALSE, TRUE, Guard, Question, Weight
from app.space.algebra import Path

Amounts = tuple[float, ...]
Slopes = Mapping[Path, list[Amounts]]  # of a decision: one an option


class Expectation:
    """Guarded amounts, ready to be asked at many weights."""

    def __init__(self, amounts: Iterable[tuple[Guard, Amounts]]) -> None:
        total: dict[int, tuple[Guard, Amounts]] = {}
        for guard, more in amounts:
            if guard is not FALSE:
                _, before = total.get(id(guard), (guard, (0.0,) * len(more)))
                total[id(guard)] = guard, tuple([a + b for a, b in zip(before, more, strict=True)])
        self.entries: Sequence[tuple[Guard, Amounts]] = tuple(total.values())
        self.measures = len(self.entries[0][1]) if self.entries else 0
        self._order: list[Guard] | None = None

    @property
    def order(self) -> list[Guard]:
        """All guards that ask something, those inside them too: who asks before whom it leads to."""
        if self._order is None:
            found: dict[int, Guard] = {}
            stack = [guard for guard, _ in self.entries]
            while stack:
                guard = stack.pop()
                if guard.question is not None and id(guard) not in found:
                    found[id(guard)] = guard
                    stack.extend(guard.then)
            self._order = sorted(found.values(), key=_place)
        return self._order

    def at(self, drawn: "Drawn") -> Amounts:
        """The expected totals."""
        total = [0.0] * self.measures
        for guard, amounts in self.entries:
            p = drawn.chance(guard)
            if p:
                for i, amount in enumerate(amounts):
                    total[i] += p * amount
        return tuple(total)

    def slopes(self, drawn: "Drawn", paths: Container[Path] | None = None) -> Slopes:
        """The slope of the totals in the weight of every option of the decisions at some paths, or of all.

        Of a member of a subset, which is there or not, in the weight of its being there.
        """
        reach: dict[int, list[float]] = {id(guard): list(amounts) for guard, amounts in self.entries}
        found: dict[Path, list[list[float]]] = {}
        leading = self._leading(paths)
        for guard in self.order:
            flow, q = reach.get(id(guard)), guard.question
            if flow is None or q is None or id(guard) not in leading or not any(flow):
                continue
            if paths is None or q.path in paths:
                here = found.setdefault(q.path, [[0.0] * self.measures for _ in q.options])
                for answer, branch in enumerate(guard.then):
                    if branch is not FALSE:
                        value = drawn.chance(branch)
                        option = answer if q.member is None else q.member
                        sign = -value if q.member is not None and answer else value
                        here[option] = [slope + f * sign for slope, f in zip(here[option], flow, strict=True)]
            for p, branch in zip(drawn.answers(q), guard.then, strict=True):
                if p and id(branch) in leading:
                    onward = reach.get(id(branch))
                    more = [f * p for f in flow]
                    if onward is not None:
                        more = [a + b for a, b in zip(onward, more, strict=True)]
                    reach[id(branch)] = more
        return {path: [tuple(slope) for slope in slopes] for path, slopes in found.items()}

    def after(self, place: tuple[int, ...], drawn: "Drawn") -> "Expectation":
        """What is left once all decisions before a place in the grammar are drawn: equal wherever those are as here."""
        left: dict[int, tuple[Guard, list[float]]] = {id(guard): (guard, list(a)) for guard, a in self.entries}
        for guard in self.order:
            q = guard.question
            if q is None or q.place >= place or id(guard) not in left:
                continue
            _, flow = left.pop(id(guard))
            for p, branch in zip(drawn.answers(q), guard.then, strict=True):
                if p and branch is not FALSE:
                    _, onward = left.get(id(branch), (branch, [0.0] * self.measures))
                    left[id(branch)] = branch, [a + f * p for a, f in zip(onward, flow, strict=True)]
        return Expectation((guard, tuple(flow)) for guard, flow in left.values())

    def _leading(self, paths: Container[Path] | None) -> Set[int]:
        """The identities of the guards that ask a decision at some paths, or lead to one that does."""
        found: set[int] = set()
        for guard in reversed(self.order):
            q = guard.question
            if paths is None or (q is not None and q.path in paths) or any(id(g) in found for g in guard.then):
                found.add(id(guard))
        return found


class Drawn:
    """Weights of decisions, and how likely they make guards; it remembers, for guards of one arena."""

    def __init__(self, weight: Weight) -> None:
        self._weight = weight
        self._answers: dict[tuple[int, ...], Sequence[float]] = {}
        self._chances: dict[int, float] = {}
        self._kept: list[Guard] = []  # alive, so that their identities are keys

    def answers(self, question: Question) -> Sequence[float]:
        """How likely each answer to a question is."""
        found = self._answers.get(question.place)
        if found is None:
            if question.member is None:
                found = [self._weight(question.path, (option,)) for option in question.options]
            else:
                taken = self._weight(question.path, (question.options[question.member],))
                found = [taken, 1 - taken]
            self._answers[question.place] = found
        return found

    def chance(self, guard: Guard) -> float:
        """How likely it is that a guard holds."""
        if guard.question is None:
            return 1.0 if guard is TRUE else 0.0
        found = self._chances.get(id(guard))
        if found is None:
            found = 0.0
            for p, branch in zip(self.answers(guard.question), guard.then, strict=True):
                if p and branch is not FALSE:
                    found += p if branch is TRUE else p * self.chance(branch)
            self._chances[id(guard)] = found
            self._kept.append(guard)
        return found


def _place(guard: Guard) -> tuple[int, ...]:
    assert guard.question is not None
    return guard.question.place
