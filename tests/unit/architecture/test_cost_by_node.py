"""What every kind of node costs, each beside its formula: k²·C·D weights, each used at every place that is put out."""

import pytest

from app.architecture import TRUE, Axis, Cost, Layers, Node, cost, lower_operation
from app.architecture.lower.attention import attend, feed_forward
from app.architecture.lower.fpn import merged
from app.architecture.lower.mbconv import squeeze
from app.architecture.lower.pyramid import resample

C, D, H, W = 8, 12, 10, 6
PLACES = H * W
HALVED = (H // 2) * (W // 2)

Row = tuple[str, int, int, int]  # op, params, macs, activations


def rows(total: Cost) -> list[Row]:
    """The nodes of a cost, and that the totals are their sums."""
    assert total.params == sum(node.params for node in total.by_node)
    assert total.macs == sum(node.macs for node in total.by_node)
    assert total.activations == sum(node.activations for node in total.by_node)
    return [(node.op, node.params, node.macs, node.activations) for node in total.by_node]


class Place:
    """A builder with one input of C channels."""

    def __init__(self) -> None:
        self.b = Layers()
        self.x = self.b.input("x", C, (H, W))

    def rows(self, output: Node) -> list[Row]:
        return rows(cost(self.b.finish([output])))


def conv(weights: int, width: int, places: int, bias: int = 0, op: str = "conv") -> Row:
    return op, weights + bias, weights * places, width * places


def norm(width: int) -> Row:
    return "batch_norm", 2 * width, 0, 0


OPERATIONS = {
    ("sep_conv_3x3", 1): [
        conv(9 * C, C, PLACES),
        conv(C * C, C, PLACES),
        norm(C),
        conv(9 * C, C, PLACES),
        conv(C * D, D, PLACES),
        norm(D),
    ],
    ("dil_conv_5x5", 1): [conv(25 * C, C, PLACES), conv(C * D, D, PLACES), norm(D)],
    ("depth_conv_3x3", 2): [conv(9 * C, C, HALVED), norm(C), conv(C * D, D, HALVED), norm(D)],
    ("atrous_conv_3x3", 1): [conv(9 * C * D, D, PLACES), norm(D)],
    ("atrous_conv_5x5", 2): [conv(25 * C * D, D, HALVED), norm(D)],
    ("conv_7x1_1x7", 2): [conv(7 * C * D, D, H * W // 2), conv(7 * D * D, D, HALVED), norm(D)],
    ("deform_conv_3x3", 1): [
        conv(9 * C * 18, 18, PLACES, bias=18),
        conv(9 * C * D, D, PLACES, op="deform_conv"),
        norm(D),
    ],
    ("modulated_conv_3x3", 2): [
        conv(9 * C * 18, 18, HALVED, bias=18),
        conv(9 * C * 9, 9, HALVED, bias=9),
        conv(9 * C * D, D, HALVED, op="deform_conv"),
        norm(D),
    ],
    ("skip_connect", 2): [conv(C * D // 2, D // 2, HALVED), conv(C * D // 2, D // 2, HALVED), norm(D)],
    ("max_pool_3x3", 1): [conv(C * D, D, PLACES), norm(D)],
    ("none", 2): [],
}


@pytest.mark.parametrize(("name", "stride"), OPERATIONS)
def test_operations_on_maps(name: str, stride: int) -> None:
    total = cost(lower_operation(name, channels=C, width=D, size=(H, W), stride=stride))
    assert rows(total) == OPERATIONS[name, stride]


def test_squeeze_and_excitation() -> None:
    """Two maps of the means with biases; the gate that scales the maps costs nothing."""
    place = Place()
    found = place.rows(squeeze(place.b, "squeeze", place.x, Axis.of(2)))
    assert found == [("linear", C * 2 + 2, C * 2, 2), ("linear", 2 * C + C, 2 * C, C)]


@pytest.mark.parametrize(("kind", "shared"), [("softmax", 16), ("linear", 16), ("multi_query", 4)])
def test_attention(kind: str, shared: int) -> None:
    """Four heads of four features: maps to queries, keys, values and out; their products are not counted."""
    place = Place()
    tokens = place.b.add("tokens", "tokens", [place.x], place.x.axis, (PLACES,))
    found = place.rows(attend(place.b, "attention", kind, tokens, Axis.of(16), C, head_dim=4))
    expected = [("linear", C * n + n, C * n * PLACES, n * PLACES) for n in (16, shared, shared)]
    assert found == [*expected, ("linear", 16 * C + C, 16 * C * PLACES, C * PLACES)]


def test_attention_with_relative_positions() -> None:
    """Keys and values have a row for every distance in both directions, and one for the class token: params alone."""
    place = Place()
    tokens = place.b.add("tokens", "tokens", [place.x], place.x.axis, (PLACES,))
    plain, relative = (
        place.rows(attend(place.b, f"{r}", "softmax", tokens, Axis.of(16), C, head_dim=4, relative=r, grid=(H, W)))
        for r in (0, 3)
    )
    assert [row for row in relative if row[0] == "attention"] == [("attention", 4 * (2 * 3 + 2) * 4, 0, 0)]
    assert [row for row in relative if row[0] != "attention"] == plain


@pytest.mark.parametrize(("kind", "ups"), [("gelu", 1), ("swiglu", 2)])
def test_feed_forward_networks(kind: str, ups: int) -> None:
    """One map in and one out, or two in, one of which gates the other."""
    place, inner = Place(), 20
    tokens = place.b.add("tokens", "tokens", [place.x], place.x.axis, (PLACES,))
    found = place.rows(feed_forward(place.b, "ffn", kind, tokens, Axis.of(inner), C))
    up = ("linear", C * inner + inner, C * inner * PLACES, inner * PLACES)
    assert found == [*[up] * ups, ("linear", inner * C + C, inner * C * PLACES, C * PLACES)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [("sum", []), ("global_pool_attention", []), ("concat", [conv(2 * C * D, D, PLACES), norm(D)])],
)
def test_merges_of_a_pyramid(how: str, expected: list[Row]) -> None:
    place = Place()
    other = place.b.conv("other", place.x, C)
    width = D if how == "concat" else C
    found = place.rows(merged(place.b, "merge", how, [(TRUE, place.x), (TRUE, other)], width))
    assert found == [conv(C * C, C, PLACES), *expected]


def test_changes_of_resolution() -> None:
    """Up and down between levels, and to any extents: nothing is learnt and nothing multiplied."""
    place = Place()
    down = resample(place.b, "down", place.x, (3, 5), (3, 2))
    up = resample(place.b, "up", down, (5, 3), (H, W))
    assert place.rows(place.b.resize("anywhere", up, (7, 13), "bilinear")) == []
    # what comes after a change is counted at its extents
    assert place.rows(place.b.conv("after", down, D, 3)) == [conv(9 * C * D, D, 3 * 2)]


def test_what_is_shared_counts_once_and_works_every_time() -> None:
    """A tied map has the weights of another, and multiplies for itself."""
    b = Layers()
    x = b.add("mean", "mean", [b.input("x", C, (H, W))], Axis.of(C), ())
    first = b.linear("first", x, C, bias=False)
    second = b.add("second", "tied_linear", [first, first], Axis.of(C), (), bias=False)
    assert rows(cost(b.finish([second]))) == [("linear", C * C, C * C, C), ("tied_linear", 0, C * C, C)]
