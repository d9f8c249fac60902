"""Colours by the family of an operation, light and dark."""

from collections.abc import Mapping

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
)


def family(operation: str) -> str:
    """The family of an operation's name."""
    return next((f for prefix, f in _PREFIXES if operation.startswith(prefix)), "other")


def style() -> str:
    """The style sheet of a drawing: light, and dark where the reader prefers it."""
    light = [
        "svg{background:#ffffff}",
        "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1f24}",
        ".title{font-weight:bold}.quiet{fill:#59636e}",
        ".state{fill:#f3f5f8;stroke:#59636e}.block{fill:#f3f5f8;stroke:#59636e}",
        ".wire{fill:none;stroke:#7d8792}.dot{fill:#59636e}",
    ]
    dark = [
        "svg{background:#14171b}text{fill:#eef1f4}.quiet{fill:#a9b3be}",
        ".state{fill:#232930;stroke:#a9b3be}.block{fill:#232930;stroke:#a9b3be}",
        ".wire{stroke:#838d98}.dot{fill:#a9b3be}",
    ]
    for name, (_, fill, line, dark_fill, dark_line) in FAMILIES.items():
        light.append(f".{name}{{fill:{fill};stroke:{line}}}.{name}-wire{{fill:none;stroke:{line}}}")
        dark.append(f".{name}{{fill:{dark_fill};stroke:{dark_line}}}.{name}-wire{{stroke:{dark_line}}}")
    light.append(".none,.none-wire{stroke-dasharray:4 3}")
    return "".join(light) + "@media (prefers-color-scheme: dark){" + "".join(dark) + "}"
