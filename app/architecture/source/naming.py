"""Names: of submodules, variables and classes, out of the places of a graph."""

import keyword
import re
from collections.abc import Collection, Iterable

LONGEST = 48  # characters of a name

# what a module is, has or can do already, and what the file defines; a name too many does no harm
RESERVED = re.compile(
    "(add|call|dump|extra|get|load|named|register|set|share|state|to|zero|T)_.*|apply|bfloat16|buffers|children"
    "|compile|cpu|cuda|double|eval|float|forward|half|ipu|modules|mtia|parameters|to|train|training|type|xpu"
    "|F|json|len|nn|re|self|super|torch|(linear_)?attention|shift|widened|zeros"
)


def plain(name: str) -> str:
    """A name reduced to words: that of a place in the catalogue and that of its submodule here agree."""
    words = re.findall("[A-Za-z0-9]+", name)
    return "_".join(word[4:] if word.startswith("part") and word[4:].isdigit() else word for word in words)


def identifier(place: str, taken: Collection[str] = ()) -> str:
    """A name of Python's for a place, unlike those taken."""
    words = re.findall("[A-Za-z0-9]+", place) or ["part"]
    while len(words) > 1 and len("_".join(words)) > LONGEST:
        words = words[1:]
    name = "_".join(words)[:LONGEST]
    if name[0].isdigit():
        name = f"part{name}"
    if keyword.iskeyword(name) or RESERVED.fullmatch(name):
        name += "_"
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def camel(name: str) -> str:
    """SeparableConv of separable_conv."""
    return "".join(word[0].upper() + word[1:] for word in re.findall("[A-Za-z0-9]+", name))


def stem_of(place: str) -> str:
    """The last word of a place without its numbers: sep_conv of cell0/node2/sep_conv_3x3, cell of cell0."""
    word = re.sub(r"_?\d+x\d+", "", place.rsplit("/", 1)[-1])
    return re.sub(r"[\d_]+$", "", word)


def class_name(places: Iterable[str], content: str, taken: Collection[str]) -> str:
    """A class's name: the word that its places share, else what it is made of."""
    stems = {stem_of(place) for place in places}
    word = stems.pop() if len(stems) == 1 else ""
    name = camel(word)[:LONGEST] if re.match("[A-Za-z]", word) else camel(content)[:LONGEST]
    if keyword.iskeyword(name) or name in ("Network", "None", "True", "False"):
        name += "Block"
    number, found = 2, name
    while found in taken:
        found, number = f"{name}{number}", number + 1
    return found
