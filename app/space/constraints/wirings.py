"""Wirings: 0/1 matrices of edges i->j with i < j, from vertex 0, the input, to the last one, the output.

A wiring is `connected` where some way leads from input to output. Its edges are counted whole, or `pruned`: only those
on some way from input to output, as NAS-Bench-101 (Ying et al., 2019) counts them; unconnected, there are none. As a
number, its bits are the edges in the order 0->1, 0->2, 1->2, 0->3, ..., the first of them the highest.

    wirings   how many there are, for any number of vertices up to `VERTICES`
    accepts   which of some wirings are among them, vectorised
    draw      some of them, independent and uniform

Counting needs no list. Vertices on a way from input to output are `through`; of the others some are `ahead` (reached
from the input), some `back` (they reach the output), some `aside`. Given the kinds in their order, edges are free
except for this: nothing leaves what is reached for what is not, nor enters what reaches from what does not, and every
vertex has the edge that makes it what it is. So each vertex contributes a factor, and `core` counts what is through.
"""

from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERTICES = 16  # that are counted; a fraction of a second
CODED = 11  # that are numbers of 64 bits
SHARE = 1 / 10_000  # of all wirings below which `draw` does not try
_BATCH = 4_096


def edges_among(vertices: int) -> int:
    """Places where an edge may be."""
    return vertices * (vertices - 1) // 2


def wirings(
    vertices: int, max_edges: int | None = None, min_edges: int = 0, *, pruned: bool = True, connected: bool = True
) -> int:
    """How many wirings have between `min_edges` and `max_edges` edges; ValueError beyond `VERTICES`.

    Numbers of wirings by their edges are the digits of one integer, a polynomial at a power of two (Kronecker).
    """
    if not 2 <= vertices <= VERTICES:
        raise ValueError(f"wirings have 2 to {VERTICES} vertices, not {vertices}")
    places = edges_among(vertices)
    most = places if max_edges is None else min(max_edges, places)
    digit = places + 1  # bits: no number of wirings is larger than 2^places
    x = 1 << digit
    found = _connected(vertices - 2, 1 + x, 2 if pruned else 1 + x)
    if not connected and pruned:
        found += 2**places - _connected(vertices - 2, 2, 2)  # they have no edge that counts
    elif not connected:
        found = (1 + x) ** places
    return sum(found >> digit * n & x - 1 for n in range(max(min_edges, 0), most + 1))


def core(inner: int, edge: int) -> int:
    """Wirings of `inner` vertices beside input and output, each with an edge in and an edge out; `edge` is 1 + x.

    Inclusion and exclusion over the vertices that lack one of the two: `ways[k]` has k earlier ones with edges out.
    """
    ways = [-1, 1]
    for _ in range(inner):
        entered = [p * (edge**k - 1) for k, p in enumerate(ways)]
        ways = [later - stay for later, stay in zip([0, *entered], [*entered, 0], strict=True)]
    return sum(p * (edge**k - 1) for k, p in enumerate(ways))


def _connected(inner: int, edge: int, other: int) -> int:
    """Connected wirings: `edge` stands for an edge that is through, there or not, `other` for any other edge."""
    return sum(core(through, edge) * around(inner, through, other) for through in range(inner + 1))


@cache
def around(inner: int, through: int, other: int = 2) -> int:
    """The edges of `inner` vertices that are not through, over all ways to choose the `through` ones that are."""
    rest = inner - through
    return sum(
        _orders(through, rest - back - aside, back, aside, other)
        for back in range(rest + 1)
        for aside in range(rest - back + 1)
    )


def _orders(through: int, ahead: int, back: int, aside: int, other: int) -> int:
    """The edges that are not through, over all orders of so many vertices of each kind."""

    @cache
    def ways(t: int, a: int, b: int, n: int) -> int:
        """The first t + a + b + n vertices."""
        if not t + a + b + n:
            return 1
        found = ways(t - 1, a, b, n) if t else 0
        if a:  # some edge from what is reached, any from the rest
            found += ways(t, a - 1, b, n) * (other ** (1 + t + a - 1) - 1) * other ** (b + n)
        if b:  # some edge to what reaches the output later, any to what is aside later; those to `ahead` are above
            found += ways(t, a, b - 1, n) * (other ** (1 + through - t + back - b) - 1) * other ** (aside - n)
        if n:
            found += ways(t, a, b, n - 1) * other ** (n - 1)
        return found

    return ways(through, ahead, back, aside)


def accepts(
    codes: "NDArray[Any]",
    vertices: int,
    max_edges: int | None = None,
    min_edges: int = 0,
    *,
    pruned: bool = True,
    connected: bool = True,
) -> "NDArray[Any]":
    """Which of the wirings with these numbers, int64 (N,), `wirings` counts: bool (N,)."""
    import numpy as np

    places = edges_among(vertices)
    edge = {(i, j): codes >> (places - 1 - edges_among(j) - i) & 1 == 1 for j in range(1, vertices) for i in range(j)}
    last = vertices - 1
    always, never = np.ones(len(codes), bool), np.zeros(len(codes), bool)
    ahead, back = [always] + [never] * last, [never] * last + [always]
    for (i, j), there in edge.items():
        ahead[j] = ahead[j] | there & ahead[i]
    for i, j in sorted(edge, reverse=True):
        back[i] = back[i] | edge[i, j] & back[j]
    number = np.zeros(len(codes), np.int64)
    for (i, j), there in edge.items():
        number += there & ahead[i] & back[j] if pruned else there
    found = (number >= min_edges) & (number <= (places if max_edges is None else max_edges))
    return found & ahead[last] if connected else found


def draw(
    rng: Random,
    count: int,
    vertices: int,
    max_edges: int | None = None,
    min_edges: int = 0,
    *,
    pruned: bool = True,
    connected: bool = True,
) -> list[int]:
    """`count` of the wirings that `wirings` counts, as numbers, independent and uniform: drawn until they fit.

    ValueError beyond `CODED` vertices, and where fewer than `SHARE` of all wirings fit.
    """
    import numpy as np

    if not 2 <= vertices <= CODED:
        raise ValueError(f"wirings are drawn of 2 to {CODED} vertices, not {vertices}")
    all_of_them = 2 ** edges_among(vertices)
    fitting = wirings(vertices, max_edges, min_edges, pruned=pruned, connected=connected)
    if fitting < SHARE * all_of_them:
        raise ValueError(f"only {fitting} of {all_of_them} wirings fit: too few to draw until one does")
    numbers = np.random.Generator(np.random.PCG64(rng.getrandbits(128)))
    found: list[int] = []
    while len(found) < count:
        codes = numbers.integers(all_of_them, size=min(_BATCH, 2 * count * all_of_them // fitting + 8), dtype=np.int64)
        fits = accepts(codes, vertices, max_edges, min_edges, pruned=pruned, connected=connected)
        found += codes[fits].tolist()
    return found[:count]
