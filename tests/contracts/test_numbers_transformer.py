"""Sizes of the transformer, width and recurrent spaces, each beside its source; changed grammars, recounted."""

from math import factorial

import pytest

from app.space import SearchSpace
from app.space.zoo import autoformer_b, autoformer_s, autoformer_t, darts_rnn, nats_size, transformer


@pytest.mark.parametrize(
    ("space", "per_layer", "depths", "size"),
    [
        (autoformer_t(), 4, (12, 13, 14), 1_056_964_608),
        (autoformer_s(), 9, (12, 13, 14), 77_103_263_459_313),
        (autoformer_b(), 9, (14, 15, 16), 6_245_364_340_204_353),
    ],
    ids=lambda value: value.name if isinstance(value, SearchSpace) else "",
)
def test_autoformer(space: SearchSpace, per_layer: int, depths: tuple[int, ...], size: int) -> None:
    """Chen et al., "AutoFormer", ICCV 2021, table 1: three embeddings, heads and ratios a layer, three depths."""
    assert space.plan.size == 3 * sum(per_layer**depth for depth in depths) == size


def test_what_the_paper_of_autoformer_counts() -> None:
    """More than 1.7e16 is three depths of 16 layers each; shallower networks have fewer layers."""
    assert pytest.approx(1.7e16, rel=0.02) == 3 * 3 * 9**16
    assert autoformer_b().plan.size < 3 * 3 * 9**16


def test_transformer() -> None:
    """A layer of the default space has 3 attentions x 3 head counts x 2 networks x 2 ratios x 2 norm places."""
    assert transformer().plan.size == 3 * sum(72**depth for depth in (4, 6, 8, 10, 12))
    assert transformer((), (2,), ("softmax",), (1, 2), (), (), ()).plan.size == 2**2
    assert transformer(norms=(), depths=(1,)).plan.size == 3 * 36


def test_nats_size() -> None:
    """Dong et al., "NATS-Bench", TPAMI 2021: 32,768 candidates."""
    assert nats_size().plan.size == 8**5 == 32_768
    assert nats_size((8, 16), 7).plan.size == 2**7


def test_darts_rnn() -> None:
    """Liu et al., "DARTS", ICLR 2019, section 3.2: 8! inputs and 4^8 activations."""
    assert darts_rnn().plan.size == factorial(8) * 4**8 == 2_642_411_520
    assert darts_rnn(3, ("tanh", "relu")).plan.size == factorial(3) * 2**3
