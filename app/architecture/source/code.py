"""Code: expressions of Python as text that knows where it may be broken."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLUMNS = 120
PROSE = 112  # columns of a docstring, half as many where all of them may double
CHUNK = 50  # characters of a part of a string that is too long for one line
ATOM, PRODUCT, SUM = 2, 1, 0  # how tightly an expression binds


@dataclass(frozen=True, slots=True)
class Code:
    """An expression: on one line, and as `open items close` where it is too long for one."""

    text: str
    binds: int = ATOM
    open: str = ""
    items: tuple["Code", ...] = ()
    close: str = ""

    @property
    def atom(self) -> str:
        """The text, in parentheses where something could come apart beside it."""
        return self.text if self.binds == ATOM else f"({self.text})"


def call(open: str, items: Sequence[Code], close: str = ")") -> Code:
    """A call, a list or a tuple."""
    return Code(f"{open}{', '.join(i.text for i in items)}{close}", ATOM, open, tuple(items), close)


def total(terms: Sequence[Code]) -> Code:
    """The sum of several terms."""
    return Code(" + ".join(t.text for t in terms), SUM, items=tuple(terms))


def statement(code: Code, indent: int, before: str = "", after: str = "", comment: str = "") -> list[str]:
    """The lines of `before`, the expression, `after` and a comment; none longer than COLUMNS where that can be."""
    margin, tail = " " * indent, after + (f"  # {comment}" if comment else "")
    line = f"{margin}{before}{code.text}{tail}"
    if len(line) <= COLUMNS:
        return [line]
    if code.binds != ATOM or not code.items:
        lines = [f"{margin}    {code.text}"]
        if len(lines[0]) > COLUMNS and code.binds == SUM:
            first, *rest = code.items
            lines = [f"{margin}    {first.text}", *(f"{margin}    + {t.text}" for t in rest)]
        return [f"{margin}{before}(", *lines, f"{margin}){tail}"]
    inner = f"{margin}    {', '.join(i.text for i in code.items)}"
    lines = [inner]
    if len(inner) > COLUMNS:
        lines = [line for item in code.items for line in statement(item, indent + 4, after=",")]
    return [f"{margin}{before}{code.open}", *lines, f"{margin}{code.close}{tail}"]


def prose(text: str, indent: str = "") -> list[str]:
    """The lines of a text in a docstring, which nothing in it can end; every line but the first is indented."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    for width in (PROSE, PROSE // 2):
        lines = [_quoted(line) for line in textwrap.wrap(shown, width, subsequent_indent=indent)]
        if max(map(len, lines), default=0) <= PROSE:
            break
    return lines


def sentence(text: str) -> str:
    """A docstring of one line, with what there is room for."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    quoted = [_quoted(textwrap.shorten(shown, width)) for width in (PROSE - 8, PROSE // 2 - 4)]
    return f'    """{quoted[0] if len(quoted[0]) <= PROSE - 8 else quoted[1]}"""'


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def table(name: str, entries: Mapping[str, str]) -> list[str]:
    """A dictionary of strings, an entry a line or several."""
    lines: list[str] = []
    for key, value in entries.items():
        line = f"    {_string(key)}: {_string(value)},"
        if len(line) <= COLUMNS:
            lines.append(line)
            continue
        first, second = ([_string(t[i : i + CHUNK]) for i in range(0, len(t), CHUNK)] for t in (key, value))
        lines += ["    (", *(f"        {part}" for part in first), "    ): ("]
        lines += [*(f"        {part}" for part in second), "    ),"]
    return [f"{name} = {{", *lines, "}"] if lines else [f"{name} = {{}}"]


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
