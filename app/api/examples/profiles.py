"""Examples of what is measured, and of what follows from it."""

from app.api.examples.example import DARTS_V2, TINY, Example, Json


def about_profiles() -> tuple[Example, ...]:
    """Examples of what is measured, and of what follows from it."""
    place: Json = {"channels": 16, "size": [32, 32]}
    names = ("skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_5x5")
    operations: Json = {
        "operations": [{"operation": name, **place} for name in names],
        "batch_size": 16,
        "direction": "forward+backward",
    }
    image: Json = {"channels": 1, "height": 8, "width": 8}
    network: Json = {"space": "darts", "skeleton": TINY, "input": image}
    whole: Json = network | {"genotypes": [DARTS_V2], "members": ["42"], "rounds": 5, "device": "cpu", "threads": 1}
    scored: Json = {
        "space": "nasbench201",
        "members": ["13835", "6311"],
        "proxies": ["synflow", "naswot"],
        "dataset": "digits",
        "images": 64,
        "device": "cpu",
    }
    asked: Json = {"genotype": DARTS_V2, "skeleton": TINY, "input": image, "device": "NVIDIA H100 80GB HBM3"}
    return (
        Example(
            method="post",
            path="/v1/profiles",
            name="operations",
            summary="Operations of DARTS, with gradients",
            status=202,
            body=operations,
        ),
        Example(
            method="post",
            path="/v1/profiles",
            name="architectures",
            summary="Two networks, as a whole and all that they compute",
            status=202,
            body=whole,
        ),
        Example(
            method="post",
            path="/v1/profiles",
            name="proxies",
            summary="Two zero-cost proxies of two networks, on digits",
            status=202,
            body=scored,
        ),
        Example(
            method="post",
            path="/v1/spaces/{space}/latency",
            name="unmeasured",
            summary="DARTS_V2 on a device on which nothing was measured yet",
            status=422,
            parameters={"space": "darts"},
            body=asked,
        ),
    )
