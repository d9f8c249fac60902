"""The sizes of the published spaces over HTTP: integers that independent programs computed."""

import pytest
from fastapi.testclient import TestClient

from app.space.zoo import ZOO

RAW = {
    "simple_cell": 241_591_910_400,
    "nasbench101": 512_290_394,
    "nasbench201": 15_625,
    "nats_size": 32_768,
    "nasbench_macro": 6_561,
    "nasnet": 5_107_366_597_713_630_212_832_188_866_560_000,
    "amoebanet": 309_834_464_941_077_422_470_594_560_000,
    "pnasnet": 556_627_761_561_600,
    "enas_micro": 25_628_906_250_000_000_000_000_000,
    "enas_macro": 160_618_186_625_454_535_808_756_219_904,
    "darts": 1_076_746_950_455_072_400,
    "nasbench301": 1_076_746_950_455_072_400,
    "darts_rnn": 2_642_411_520,
    "unconstrained_dag": 230_844_665_274_826_752,
    "mobilenet_ofa": 21_758_655_492_572_485_851,
    "proxylessnas": 221_502_229_807_900_608,
    "fbnet": 984_770_902_183_611_232_881,
    "mnasnet": 15_045_919_506_432,
    "autoformer_t": 1_056_964_608,
    "autoformer_s": 77_103_263_459_313,
    "autoformer_b": 6_245_364_340_204_353,
    "nas_fpn": 78_586_200_000_000_000,
    "autodeeplab": 28_657 * 556_627_761_561_600,
    "hierarchical": 749_048_330_965_186_233_494_494_102_694_564_493_649,
}
UNIQUE = {
    ("simple_cell", "operand-swap"): 17_664_768_000,
    ("simple_cell", "relabelling"): 5_194_395_866,
    ("nasbench101", "isomorphism"): 423_624,
    ("nasbench201", "nats-string"): 6_466,
    ("nasbench201", "functional"): 4_930,
    ("nasbench201", "pruned-isomorphism"): 8_765,
    ("nasbench201", "relabelling"): 14_125,
    ("nasbench_macro", "functional"): 3_969,
    ("nasnet", "relabelling"): 145_148_306_957_009_767_961_115_386_769,
    ("amoebanet", "relabelling"): 9_905_855_783_806_307_416_326_400,
    ("pnasnet", "relabelling"): 3_147_356_952_080,
    ("enas_micro", "relabelling"): 983_159_844_659_835_386_896,
    ("darts", "relabelling"): 146_021_935_250_523_556,
    ("nasbench301", "relabelling"): 146_021_935_250_523_556,
    ("proxylessnas", "functional"): 54_375_883_032_510_144,
    ("fbnet", "functional"): 327_700_343_401_999_790_625,
    ("hierarchical", "motif-renaming"): 1_040_349_489_770_703_064_693_605_323_785_328_779,
}
VALID = {"nas_fpn": 3_017_710_080_000_000}
PARAMETRISED = {"chain", "multibranch", "transformer", "detection_head"}  # nobody published a number for these


def test_no_space_is_left_out() -> None:
    assert {*RAW, *PARAMETRISED} == {*ZOO}
    assert {name for name, _ in UNIQUE} < {*ZOO}


@pytest.mark.parametrize("name", RAW)
def test_its_sizes_are_answered(api: TestClient, name: str) -> None:
    found = api.get(f"/v1/spaces/{name}/size").json()
    assert found["raw"]["exact"] == str(RAW[name])
    if name in VALID:
        assert found["valid"]["exact"] == str(VALID[name])
    classes = {size["equivalence"]: size["exact"] for size in found["unique"]}
    expected = {equivalence: str(exact) for (space, equivalence), exact in UNIQUE.items() if space == name}
    assert expected.items() <= classes.items()
