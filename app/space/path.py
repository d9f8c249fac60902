"""Places: decision paths inside a grammar, JSON pointers inside a value.

    /normal/node3        the decision of node3: symbols and field names, never JSON positions
    /layers#             the length of the Repeat at /layers; its items are /layers/0, /layers/1, ...
    @l3s2                the root of the decisions that belong to the shared rule `l3s2`

In a path a step is written with `~` as ~0, `/` as ~1 and `#` as ~2, so that no two places share a path.
"""

from app.space.algebra import Path, Symbol


def symbol_text(symbol: Symbol) -> str:
    """A symbol as it is written in a path, before escaping: strings as they are, the rest as in JSON."""
    if isinstance(symbol, bool):
        return "true" if symbol else "false"
    return symbol if isinstance(symbol, str) else repr(symbol)


def step(path: Path, symbol: Symbol) -> Path:
    """The place below `path` that a field name, an option's symbol or an item's position leads to."""
    text = symbol_text(symbol)
    if "~" in text or "/" in text or "#" in text:
        text = text.replace("~", "~0").replace("/", "~1").replace("#", "~2")
    return f"{path}/{text}"


def length_path(path: Path) -> Path:
    """The decision of a Repeat's length."""
    return f"{path}#"


def shared_path(rule: str) -> Path:
    """The root of a shared rule's decisions."""
    return f"@{rule}"


def pointer(base: str, token: object) -> str:
    """The JSON pointer (RFC 6901) one step below `base`."""
    return f"{base}/{str(token).replace('~', '~0').replace('/', '~1')}"
