"""Colours by the family of an operation, light and dark."""

from collections.abc import Collection, Mapping
from typing import Literal

# family -> (title, light fill, light line, dark fill, dark line); text is near black or near white, contrast above 7
FAMILIES: Mapping[str, tuple[str, str, str, str, str]] = {
    "separable": ("separable convolution", "#d6e6fb", "#2f6db5", "#173a61", "#79aeea"),
    "dilated": ("dilated convolution", "#e6dcf8", "#7048b6", "#3a2563", "#b195e8"),
    "convolution": ("convolution", "#d3efec", "#1f7f77", "#10433f", "#66c4ba"),
    "max": ("maximum pooling", "#fbe2cf", "#b45a12", "#5a2d0a", "#eca06a"),
    "average": ("average pooling", "#fbf0c4", "#8f7307", "#4b3c05", "#dcc35c"),
    "attention": ("attention", "#dcdcfb", "#4a4ab8", "#26265f", "#9d9df0"),
    "feed": ("feed-forward network", "#f9d9d5", "#b03a2e", "#5a1f18", "#e98f84"),
    "mobile": ("mobile block", "#f2e3fb", "#8a3fb0", "#45205a", "#cf9aea"),
    "identity": ("skip connection", "#dcf2d5", "#3b8727", "#1f4815", "#8bcf78"),
    "none": ("no connection", "#ededed", "#8a8a8a", "#333333", "#8f8f8f"),
    "merge": ("merge of maps", "#f0e6d8", "#7a5b2e", "#3f3120", "#cfae7c"),
    "activation": ("activation function", "#dfe7ea", "#3f6b7a", "#22363d", "#8db8c6"),
    "other": ("other", "#f6d9e6", "#a8346c", "#551a37", "#e58db5"),
}

_PREFIXES = (
    ("sep_conv", "separable"),
    ("separable_conv", "separable"),
    ("depth_conv", "separable"),
    ("dil_conv", "dilated"),
    ("atrous_conv", "dilated"),
    ("aspp", "dilated"),
    ("conv", "convolution"),
    ("nor_conv", "convolution"),
    ("deform_conv", "convolution"),
    ("modulated_conv", "convolution"),
    ("max_pool", "max"),
    ("maxpool", "max"),
    ("avg_pool", "average"),
    ("attention", "attention"),
    ("multi_query", "attention"),
    ("linear_attention", "attention"),
    ("softmax", "attention"),
    ("ffn", "feed"),
    ("mb", "mobile"),
    ("shuffle", "mobile"),
    ("k3_e", "mobile"),
    ("k5_e", "mobile"),
    ("k7_e", "mobile"),
    ("skip", "identity"),
    ("zero", "identity"),
    ("identity", "identity"),
    ("none", "none"),
    ("sepconv", "separable"),
    ("sum", "merge"),
    ("global_pool_attention", "merge"),
    ("tanh", "activation"),
    ("relu", "activation"),
    ("sigmoid", "activation"),
)


def family(operation: str) -> str:
    """The family of an operation's name."""
    return next((f for prefix, f in _PREFIXES if operation.startswith(prefix)), "other")


def kind_of(operation: str, asked: Collection[str] = ()) -> str:
    """The class of an operation's box: its family, or `menu` where it stands for an open decision."""
    return "menu" if operation in asked else family(operation)


Theme = Literal["auto", "light", "dark"]

# role -> (light, dark): the page, text, quiet text, boxes that are no operation, their lines, wires
PAPER = ("#ffffff", "#14171b")
INK = ("#1b1f24", "#eef1f4")
QUIET = ("#59636e", "#a9b3be")
STATE = ("#f3f5f8", "#232930")
WIRE = ("#7d8792", "#838d98")
MENU = ("#fffdf2", "#1f1d12")
MENU_LINE = ("#8a6d00", "#d2b648")


def _rules(dark: bool) -> str:
    """The colours of one theme."""
    i = int(dark)
    rules = [
        f"svg{{background:{PAPER[i]}}}text{{fill:{INK[i]}}}.quiet{{fill:{QUIET[i]}}}",
        f".state,.block{{fill:{STATE[i]};stroke:{QUIET[i]}}}.menu{{fill:{MENU[i]};stroke:{MENU_LINE[i]}}}",
        f".wire{{stroke:{WIRE[i]}}}.menu-wire{{stroke:{MENU_LINE[i]}}}.way{{stroke:{INK[i]}}}.dot{{fill:{QUIET[i]}}}",
    ]
    for name, (_, *colours) in FAMILIES.items():
        fill, line = colours[2 * i : 2 * i + 2]
        rules.append(f".{name}{{fill:{fill};stroke:{line}}}.{name}-wire{{stroke:{line}}}")
    return "".join(rules)


def style(theme: Theme = "auto") -> str:
    """The style sheet of a drawing: light, dark, or (`auto`) light, and dark where the reader prefers it."""
    rules = (
        "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}"
        "path{fill:none}.title{font-weight:bold}"
        ".none,.none-wire{stroke-dasharray:4 3}.menu,.maybe{stroke-dasharray:2 3}"
        ".way{stroke-width:2.5}"
    )
    match theme:
        case "light" | "dark":
            return rules + _rules(theme == "dark")
        case _:
            return f"{rules}{_rules(False)}@media (prefers-color-scheme: dark){{{_rules(True)}}}"
