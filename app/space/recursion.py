"""Which rules recurse: the strongly connected sets of a grammar's references."""

from collections.abc import Iterator, Mapping

from app.space.algebra import Choice, Grammar, Record, Ref, Repeat, Subset, Term


def terms(root: Term) -> Iterator[Term]:
    """Every term below `root`, itself first, references not followed."""
    waiting = [root]
    while waiting:
        term = waiting.pop()
        yield term
        waiting.extend(reversed(children(term)))


def children(term: Term) -> tuple[Term, ...]:
    """The terms directly inside a term."""
    match term:
        case Record(_, fields):
            return tuple(inner for _, inner in fields)
        case Choice(options) | Subset(options, _):
            return options
        case Repeat(body, _):
            return (body,)
        case _:
            return ()


def references(grammar: Grammar) -> dict[str, tuple[str, ...]]:
    """rule -> the rules that it refers to, in the order of their first mention; undefined ones left out."""
    return {
        rule: tuple(dict.fromkeys(t.rule for t in terms(body) if isinstance(t, Ref) and t.rule in grammar.rules))
        for rule, body in grammar.rules.items()
    }


def reachable(edges: Mapping[str, tuple[str, ...]], start: str) -> set[str]:
    """What can be reached from `start`, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        for rule in edges[waiting.pop()]:
            if rule not in found:
                found.add(rule)
                waiting.append(rule)
    return found


def components(grammar: Grammar) -> dict[str, int]:
    """Recursive rule -> the number of its strongly connected set (Tarjan, 1972); other rules are absent."""
    edges = references(grammar)
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_rules: set[str] = set()
    found: dict[str, int] = {}
    for root in edges:
        if root in order:
            continue
        walk: list[tuple[str, Iterator[str]]] = [(root, iter(edges[root]))]
        order[root] = low[root] = len(order)
        stack.append(root)
        open_rules.add(root)
        while walk:
            rule, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[rule])
                if low[rule] == order[rule]:
                    at = stack.index(rule)
                    together = stack[at:]
                    del stack[at:]
                    open_rules.difference_update(together)
                    if len(together) > 1 or rule in edges[rule]:
                        found.update(dict.fromkeys(together, order[rule]))
            elif following not in order:
                order[following] = low[following] = len(order)
                stack.append(following)
                open_rules.add(following)
                walk.append((following, iter(edges[following])))
            elif following in open_rules:
                low[rule] = min(low[rule], order[following])
    return found
