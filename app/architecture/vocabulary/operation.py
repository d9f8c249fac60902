"""What an operation of the vocabulary is: its fields, its shape rule, its formulas and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.architecture.vocabulary.formula import evaluate, letters_in
from app.architecture.vocabulary.place import Cost, Place, Shape

DOMAINS: Mapping[str, str] = {
    "classification": "Cells and chains of image classifiers",
    "mobile": "Blocks of networks for small devices",
    "detection": "All of classification and mobile, deformable convolutions, merges and changes of level",
    "segmentation": "Dense prediction: atrous convolutions, changes of resolution, the pyramid of its head",
    "transformer": "Attention, feed-forward networks and mixers over the places of maps",
}

# The cells of Auto-DeepLab predict at every place with these (Liu et al., 2019, arXiv:1901.02985)
DENSE = (
    *("none", "skip_connect", "max_pool_3x3", "avg_pool_3x3"),
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
)

SHAPE = "(C, h, w) -> (D, H, W) with H = ceil(h / s), W = ceil(w / s)"

Scalar = int | float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What parametrises an operation: given with its place, or said by its name."""

    name: str
    meaning: str
    unit: str
    letter: str | None = None  # in the formulas
    values: tuple[Scalar, ...] = ()  # allowed ones, where they can be listed
    least: float | None = None
    most: float | None = None
    odd: bool = False
    default: Scalar | None = None  # what holds where none is given; None: it must be given, or follows from another
    fixed: bool = False  # the name of the operation says it: always the default

    def refuses(self, value: object) -> str | None:
        """What is wrong with a value; None of one that is allowed."""
        if self.values:
            fits = any(type(value) is type(v) and value == v for v in self.values)
            return None if fits else f"one of {', '.join(map(str, self.values))}"
        rule = f"{'an odd' if self.odd else 'a'} number from {self.least:g} to {self.most:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return rule
        whole = self.unit == "factor" or isinstance(value, int)
        assert self.least is not None
        assert self.most is not None
        return None if whole and self.least <= value <= self.most and (not self.odd or value % 2 == 1) else rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the vocabulary."""

    name: str  # as grammars and genotypes write it
    title: str
    family: str  # operations that are built alike
    domains: tuple[str, ...]  # where it is used; its own first
    fields: tuple[Field, ...]
    shape_rule: str
    params: str  # as a formula
    macs: str  # as a formula
    activations: str  # as a formula: numbers that convolutions and linear maps put out
    source: str
    price: Callable[[Place], Cost]  # the formulas of params and MACs as code
    shape: Callable[[Place], Shape]  # the shape rule as code
    multiple: int = 1  # of both numbers of channels
    keeps: bool = False  # whether it puts out as many channels as come in, at stride 1
    spelling: str = ""  # of one whose name has its fields: how the name is written
    derived: Callable[[Place], Mapping[str, int]] | None = None  # letters that follow from its fields

    @property
    def domain(self) -> str:
        """The domain it was made for."""
        return self.domains[0]

    @property
    def fixed(self) -> Mapping[str, Scalar | None]:
        """The fields that its name says."""
        return {field.name: field.default for field in self.fields if field.fixed}

    def refuses(self, place: Place) -> tuple[str, str] | None:
        """(field, why) where it cannot stand at a place, None where it can."""
        for name, number in (("channels", place.channels), ("output_channels", place.width)):
            if number % self.multiple:
                return name, f"a multiple of {self.multiple}"
        if self.keeps and place.width != place.channels:
            return "output_channels", f"as many as come in, {place.channels}"
        stride = next(field for field in self.fields if field.name == "stride")
        rule = stride.refuses(place.stride)
        return None if rule is None else ("stride", rule)

    def letters(self, place: Place) -> Mapping[str, int]:
        """What the letters of the formulas are at a place."""
        rows, columns = place.output
        h, w = place.size
        found = {"C": place.channels, "D": place.width, "s": place.stride, "h": h, "w": w, "H": rows, "W": columns}
        found |= {"n": norm(place), "c": int(place.channels != place.width)}
        found["r"] = int(place.channels != place.width or place.stride != 1)
        values = dict(place.fields)
        for field in self.fields:
            value = values.get(field.name, field.default)
            if field.letter is not None and field.letter not in found and isinstance(value, int):
                found[field.letter] = int(value)
        return {**found, **(self.derived(place) if self.derived is not None else {})}

    def count(self, place: Place) -> tuple[int, int, int]:
        """(params, MACs, activations) at a place, by the formulas as they are written."""
        letters = self.letters(place)
        params, macs, activations = (evaluate(f, letters) for f in (self.params, self.macs, self.activations))
        return params, macs, activations


def norm(place: Place) -> int:
    """Learnable numbers a channel of a norm."""
    return 2 if place.affine else 0


CHANNELS = Field(name="channels", letter="C", unit="channels", meaning="Channels of the input", least=1, most=65_536)
WIDTH = Field(
    name="output_channels",
    letter="D",
    unit="channels",
    meaning="Channels of the output; as many as come in where it is not given",
    least=1,
    most=65_536,
)
STRIDE = Field(
    name="stride",
    letter="s",
    unit="places",
    meaning="Places from one output to the next, in both directions",
    values=(1, 2),
    default=1,
)
AFFINE = Field(
    name="affine",
    unit="",
    meaning="Whether its norms learn a scale and a shift: n is 2, else 0",
    values=(True, False),
    default=True,
)

# What the names of operations say: unit and meaning
_SAID: Mapping[str, tuple[str, str]] = {
    "kernel": ("places", "Height and width of the window"),
    "dilation": ("places", "Distance of neighbours in the window"),
    "expansion": ("factor", "Inner channels over those of the input"),
    "groups": ("groups", "Groups of channels that do not see each other"),
    "se": ("", "Squeeze-and-excitation after the depthwise convolution, its inner features M(x)"),
    "activation": ("", "The function between its convolutions"),
    "heads": ("heads", "Attention heads"),
    "head_dim": ("features", "Features of a head"),
    "kind": ("", "The kind of it"),
    "ratio": ("factor", "Inner features over those of the input"),
    "norm": ("", "Whether normalisation stands before (pre) or after (post)"),
    "rates": ("places", "Dilations of its convolutions, side by side"),
    "offsets": ("numbers", "Learnt numbers for every weight and place"),
}


def fixed(said: Mapping[str, Scalar]) -> tuple[Field, ...]:
    """The fields that a name says, each with its only value."""
    return tuple(
        Field(name=name, unit=_SAID[name][0], meaning=_SAID[name][1], values=(value,), default=value, fixed=True)
        for name, value in said.items()
    )


def domains_of(name: str, domain: str) -> tuple[str, ...]:
    """The domains of an operation: detection uses all of classification and mobile."""
    above = ("detection",) if domain in ("classification", "mobile") else ()
    return (domain, *above, *(("segmentation",) if name in DENSE else ()))


def operation(
    name: str,
    title: str,
    source: str,
    price: Callable[[Place], Cost],
    params: str,
    macs: str,
    activations: str,
    *,
    family: str,
    domain: str = "classification",
    also: tuple[str, ...] = (),
    multiple: int = 1,
    said: Mapping[str, Scalar] | None = None,
) -> Operation:
    """An operation on maps."""
    learns = "n" in letters_in(params)
    return Operation(
        name=name,
        title=title,
        family=family,
        domains=(*domains_of(name, domain), *also),
        fields=(CHANNELS, WIDTH, STRIDE, *((AFFINE,) if learns else ()), *fixed(said or {})),
        shape_rule=SHAPE,
        params=params,
        macs=macs,
        activations=activations,
        source=source,
        price=price,
        shape=lambda place: (place.width, *place.output),
        multiple=multiple,
    )
