"""What torch calls the operations of a graph: the numbers that parametrise them, how they are made and called.

`numbers` are what may differ between two places of one class; `form` is what may not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.architecture.axis import Axis
from app.architecture.graph import Graph, Node, parameters
from app.architecture.source.code import PRODUCT, Code, call, total

Numbers = Mapping[str, str]  # a number by its name, as it is written

FUNCTIONS = {
    "relu": "F.relu",
    "relu6": "F.relu6",
    "hswish": "F.hardswish",
    "hsigmoid": "F.hardsigmoid",
    "gelu": "F.gelu",
    "silu": "F.silu",
    "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh",
}
KINDS = {"width": "channels", "features": "channels"}  # numbers that count the same thing


def stateful(graph: Graph, node: Node) -> bool:
    """Whether the catalogue holds tensors of a node's own."""
    return node.op == "batch_norm" or bool(parameters(graph, node))


def numbers(graph: Graph, node: Node) -> dict[str, int]:
    """The numbers of a node by name."""
    found: dict[str, int] = {}
    if node.op in ("conv", "deform_conv", "group_conv", "linear", "tied_linear"):
        found |= {"channels": len(graph.nodes[node.inputs[0]].axis), "width": len(node.axis)}
    match node.op:
        case "conv" | "deform_conv":
            found |= _pair("kernel", [len(axis) for axis in node["kernel"]]) | _pair("stride", node["stride"])
            found["dilation"] = node["dilation"]
            if node.op == "conv" and node["pad"] is not None:
                found["padding"] = node["pad"]
        case "group_conv" | "shuffle":
            found["groups"] = node["groups"]
        case "batch_norm":
            found["channels"] = len(node.axis)
        case "layer_norm" | "class_token":
            found["features"] = len(node.axis)
        case "embedding" | "position":
            found |= {"rows": node["rows"], "features": len(node.axis)}
            if node.op == "embedding":
                found["channel"] = node["channel"]
        case "max_pool" | "avg_pool":
            found |= {"kernel": node["kernel"], "stride": node["stride"], "padding": node["pad"]}
        case "zero":
            found |= {"width": len(node.axis), "stride": node["stride"]}
        case "rest" | "truncate":
            found["width"] = len(node.axis)
            if node.op == "truncate" and _beyond(graph, node):
                found["beyond"] = len(node.axis) - len(graph.nodes[node.inputs[0]].axis)
        case "row":
            found["index"] = node["index"]
        case "resize" | "maps":
            found |= dict(zip(("height", "breadth"), node["extents"], strict=True))
        case "attention":
            found["head_dim"] = node["head_dim"]
            if node["relative"]:
                found |= {"relative": node["relative"], "lead": node["lead"]}
                found |= dict(zip(("height", "breadth"), node["grid"], strict=True))
        case _:
            pass
    return found


def _pair(name: str, values: Sequence[int]) -> dict[str, int]:
    rows, columns = values
    return {name: rows} if rows == columns else {f"{name}_rows": rows, f"{name}_columns": columns}


def _beyond(graph: Graph, node: Node) -> bool:
    """Whether a truncation has channels that its input lacks."""
    return len(node.axis) > len(graph.nodes[node.inputs[0]].axis)


def form(graph: Graph, node: Node) -> tuple[object, ...]:
    """What two nodes written by one line share: everything but their numbers."""
    tied = node.op == "tied_linear"
    ranks = tuple([len(graph.nodes[i].size) for i in (node.inputs[:1] if tied else node.inputs)])
    kept = tuple([(k, v is None if k == "pad" else v) for k, v in node.attrs if _worded(k, v)])
    return ("linear" if tied else node.op, ranks, kept, tuple(numbers(graph, node)))


def _worded(key: str, value: Any) -> bool:
    """Whether an attribute is no number: a word, a truth value, and whether there is a padding at all."""
    if key in ("drop_path", "grid", "extents"):
        return False
    return key == "pad" or isinstance(value, bool | str) or not isinstance(value, int | float | tuple | Axis)


def made(node: Node, n: Numbers) -> Code | None:
    """The submodule of a node; None where it is a function of its inputs."""
    match node.op:
        case "conv":
            return _convolution(node, n)
        case "deform_conv":
            return _module("DeformableConv", n["channels"], n["width"], _both("kernel", n), **_steps(n), bias="False")
        case "group_conv":
            return _module("nn.Conv2d", n["channels"], n["width"], "1", groups=n["groups"], bias="False")
        case "batch_norm":
            return _module("nn.BatchNorm2d", n["channels"], affine="" if node["affine"] else "False")
        case "layer_norm":
            return _module("nn.LayerNorm", n["features"], elementwise_affine="" if node["affine"] else "False")
        case "linear":
            return _module("nn.Linear", n["channels"], n["width"], bias="" if node["bias"] else "False")
        case "max_pool" | "avg_pool":
            average = node.op == "avg_pool"
            return _module(
                "nn.AvgPool2d" if average else "nn.MaxPool2d",
                n["kernel"],
                stride=n["stride"],
                padding=_unless("0", n["padding"]),
                ceil_mode="True" if node["ceil"] else "",
                count_include_pad="False" if average and n["padding"] != "0" else "",
            )
        case "embedding":
            return _module("nn.Embedding", n["rows"], n["features"])
        case "position":
            return _module("Position", n["rows"], n["features"])
        case "class_token":
            return _module("ClassToken", n["features"])
        case "attention" if node["relative"]:
            grid = f"({n['height']}, {n['breadth']})"
            return _module("RelativeAttention", n["head_dim"], n["relative"], grid, n["lead"])
        case _:
            return None


def _module(name: str, *values: str, **named: str) -> Code:
    """A constructor; a keyword without a value is left out."""
    return call(f"{name}(", [*map(Code, values), *(Code(f"{k}={v}") for k, v in named.items() if v)])


def _unless(default: str, value: str) -> str:
    return "" if value == default else value


def _both(name: str, n: Numbers) -> str:
    """A number for both directions, or a pair."""
    return n[name] if name in n else f"({n[f'{name}_rows']}, {n[f'{name}_columns']})"


def _steps(n: Numbers) -> dict[str, str]:
    return {"stride": _unless("1", _both("stride", n)), "dilation": _unless("1", n["dilation"])}


def _convolution(node: Node, n: Numbers) -> Code:
    padding = n.get("padding") or _around(n)
    named = {**_steps(n), "padding": _unless("0", padding)}
    named["groups"] = n["width"] if node["depthwise"] else ""
    named["bias"] = "" if node["bias"] else "False"
    return _module("nn.Conv2d", n["channels"], n["width"], _both("kernel", n), **named)


def _around(n: Numbers) -> str:
    """The padding that keeps the extents of an odd kernel."""

    def half(kernel: str) -> str:
        dilation = n["dilation"]
        if not kernel.isdigit():
            return f"{kernel} // 2" if dilation == "1" else f"{dilation} * ({kernel} // 2)"
        reach = int(kernel) // 2
        if reach == 0 or dilation.isdigit():
            return str(reach and reach * int(dilation))
        return dilation if reach == 1 else f"{reach} * {dilation}"

    if "kernel" in n:
        return half(n["kernel"])
    return f"({half(n['kernel_rows'])}, {half(n['kernel_columns'])})"


def called(graph: Graph, node: Node, n: Numbers, own: str, args: Sequence[Code]) -> Code:
    """What a node computes of its inputs; `own` is its submodule, of a tied map the map that it shares."""
    x = args[0]
    maps = len(graph.nodes[node.inputs[0]].size) == 2
    match node.op:
        case op if op in FUNCTIONS:
            return call(f"{FUNCTIONS[op]}(", args)
        case "embedding":
            return Code(f"{own}({x.atom}[:, {n['channel']}].flatten(1).long())")
        case "multiply":
            return Code(f"{x.atom} * {args[1].atom}", PRODUCT)
        case "scale":
            return Code(f"{x.atom} * {args[1].atom}[:, :, None, None]", PRODUCT)
        case "shift":
            return call("shift(", args)
        case "mean":
            return Code(f"{x.atom}.mean({'(2, 3)' if maps else '1'})")
        case "resize" if maps:
            extents = call("(", [Code(n["height"]), Code(n["breadth"])])
            return call("F.interpolate(", [x, extents, Code(f'mode="{node["mode"]}"')])
        case "resize":
            return Code(f"{x.atom}[:, :, None, None].expand(-1, -1, {n['height']}, {n['breadth']})")
        case "row":
            return Code(f"{x.atom}[:, :, {n['index']}].flatten(1)")
        case "tokens":
            return Code(f"{x.atom}.flatten(2).transpose(1, 2)")
        case "maps":
            return Code(f"{x.atom}.transpose(1, 2).unflatten(2, ({n['height']}, {n['breadth']}))")
        case "attention" if not node["relative"]:
            kind = "linear_attention" if node["kind"] == "linear" else "attention"
            return call(f"{kind}(", [*args, Code(n["head_dim"])])
        case "first":
            return Code(f"{x.atom}[:, 0]")
        case "average":
            return call("torch.stack([", args, "]).mean(0)")
        case "highway":
            gate, candidate, state = args
            return call("torch.lerp(", [state, candidate, Code(f"{gate.atom}.sigmoid()")])
        case "zero":
            return call("zeros(", [x, Code(n["width"]), *([Code(n["stride"])] if n["stride"] != "1" else [])])
        case "sum":
            return total(args) if len(args) > 1 else x
        case "concat":
            return call("torch.cat(", [call("[", args, "]"), Code("1" if maps else "-1")])
        case "rest":
            return Code(f"{x.atom}[:, -{n['width']} :]")
        case "truncate" if "beyond" in n:
            return call("widened(", [x, Code(n["beyond"])])
        case "truncate":
            return Code(f"{x.atom}[:, : {n['width']}]")
        case "shuffle":
            return call("F.channel_shuffle(", [x, Code(n["groups"])])
        case "tied_linear":
            bias = [Code(f"{own}.bias")] if node["bias"] else []
            return call("F.linear(", [x, Code(f"{own}.weight"), *bias])
        case _:
            return call(f"{own}(", args)
