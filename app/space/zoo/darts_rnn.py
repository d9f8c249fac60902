"""DARTS' recurrent cell: eight nodes, each one activation of one earlier state.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, arXiv:1806.09055, section 3.2. State 0
comes from the input and the previous hidden state; the new hidden state is the mean of the nodes.
"""

from app.space.algebra import Grammar, Record, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ImageInput, RecurrentSkeleton

ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")

SKELETONS = {
    "ptb": RecurrentSkeleton(num_classes=10_000),
    "search": RecurrentSkeleton(hidden=300, embed=300, num_classes=10_000),
    "cifar": RecurrentSkeleton(hidden=128),
    "small": RecurrentSkeleton(hidden=16),
}


def darts_rnn(num_nodes: int = 8, activations: tuple[str, ...] = ACTIVATIONS) -> SearchSpace:
    """The space of the paper: node i reads one of the states 0 to i - 1."""
    nodes = tuple(
        (f"node{i}", record("step", input=one_of(*range(i)), activation=one_of(*activations)))
        for i in range(1, 1 + num_nodes)
    )
    return SearchSpace(
        name="darts_rnn",
        version=1,
        title="DARTS' recurrent cell: an earlier state and an activation for each of eight nodes",
        paper="https://arxiv.org/abs/1806.09055",
        grammar=Grammar({"darts_rnn": Record("recurrent", nodes)}, "darts_rnn"),
        skeletons=SKELETONS,
        input=ImageInput(channels=1, height=35, width=850),
        literature="The paper does not print a number; about 1e9 is said. The exact size is 8!·4^8.",
        notes=(
            "The cell reads the rows of an image as the steps of a sequence. The paper's own task, the perplexity of "
            "Penn Treebank, needs a text and its embedding, which are not part of the network here.",
        ),
    )
