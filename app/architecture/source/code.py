"""Code: expressions of Python as text that knows where it may be broken."""

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = 120
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
