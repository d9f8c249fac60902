"""Formulas as text that are computed as they are written: sums, products and powers of letters.

k²·C·D + n·D        a product is written ·, a square ²
D²/2                divisions leave no remainder, or the formula does not hold there
2·x·M(x)            M: features of squeeze-and-excitation on so many channels
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache

Letters = Mapping[str, int]
Term = Callable[[Letters], int]


def squeezed(channels: int) -> int:
    """Features of squeeze-and-excitation: a quarter of the channels as a multiple of 8, never a tenth less."""
    wanted = channels // 4
    nearest = max(8, (wanted + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * wanted else nearest + 8


def evaluate(formula: str, letters: Letters) -> int:
    """The number that a formula is; ValueError where it has an unknown letter or a division that leaves a rest."""
    return _compiled(formula)(letters)


@cache
def letters_in(formula: str) -> frozenset[str]:
    """The letters that a formula reads."""
    return frozenset(n.id for n in ast.walk(_parsed(formula)) if isinstance(n, ast.Name)) - {"M"}


def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula.replace("²", "**2").replace("·", "*"), mode="eval").body


@cache
def _compiled(formula: str) -> Term:
    return _term(_parsed(formula), formula)


def _divided(a: int, b: int) -> int:
    quotient, rest = divmod(a, b)
    if rest:
        raise ValueError(f"{a} / {b} is no whole number")
    return quotient


_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divided,
    ast.Pow: pow,
}


def _term(node: ast.expr, formula: str) -> Term:
    match node:
        case ast.Constant(value=int(value)):
            return lambda letters: value
        case ast.Name(id=name):
            return lambda letters: _read(letters, name, formula)
        case ast.BinOp(left=left, op=op, right=right):
            first, second, joined = _term(left, formula), _term(right, formula), _OPERATORS[type(op)]
            return lambda letters: joined(first(letters), second(letters))
        case ast.Call(func=ast.Name(id="M"), args=[argument]):
            inner = _term(argument, formula)
            return lambda letters: squeezed(inner(letters))
        case _:
            raise ValueError(f"{formula}: no formula is written with {ast.unparse(node)}")


def _read(letters: Letters, name: str, formula: str) -> int:
    if name not in letters:
        raise ValueError(f"{formula}: no letter {name!r} among {', '.join(letters)}")
    return letters[name]
