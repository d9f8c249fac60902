"""Conditions: a guard as text, `/normal/node2 has 0 and /normal/node2/0/op = sep_conv_3x3|dil_conv_3x3`."""

from collections.abc import Iterator

from app.architecture.guard import FALSE, TRUE, Guard
from app.space.path import symbol_text

LONGEST = 160  # characters of a condition


def condition(guard: Guard, longest: int = LONGEST) -> str:
    """When a guard holds: ways of answering, `or` between them; empty where it always does, cut where it is long."""
    if guard is FALSE:
        return "never"
    text = ""
    for way in _ways(guard):
        text = f"{text} or {way}" if text else way
        if len(text) > longest:
            return text[: longest - 1] + "…"
    return text


def _ways(guard: Guard) -> Iterator[str]:
    """The ways through the diagram that end in TRUE, answers that lead to the same place taken together."""
    question = guard.question
    if question is None:
        if guard is TRUE:
            yield ""
        return
    for branch in dict.fromkeys(guard.then):
        if branch is FALSE:
            continue
        if question.member is None:
            answers = [symbol_text(o) for o, t in zip(question.options, guard.then, strict=True) if t is branch]
            test = f"{question.path} = {'|'.join(answers)}"
        else:
            verb = "has" if branch is guard.then[0] else "lacks"
            test = f"{question.path} {verb} {symbol_text(question.options[question.member])}"
        for rest in _ways(branch):
            yield f"{test} and {rest}" if rest else test
