"""Layer normalisation (Ba et al., 2016): the features of each token to mean 0 and variance 1."""

from torch import Tensor, nn

from app.architecture import Graph, Node


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` that can leave features out of its statistics: those that an elastic axis does without."""

    def forward(self, input: Tensor, present: Tensor | None = None) -> Tensor:
        """(B, ..., F) to the same; `present` (F,) weighs the features, absent ones are zero in `input`."""
        if present is None:
            return super().forward(input)
        many = present.sum()
        centred = (input - input.sum(-1, keepdim=True) / many) * present
        variance = centred.square().sum(-1, keepdim=True) / many
        scaled = centred * (variance + self.eps).rsqrt()
        if self.weight is not None:  # pyright: ignore[reportUnnecessaryComparison]
            scaled = scaled * self.weight + self.bias
        return scaled


def layer_norm(graph: Graph, node: Node) -> nn.Module:
    """Layer normalisation of a node's features."""
    return LayerNorm(len(node.axis), elementwise_affine=node["affine"])
