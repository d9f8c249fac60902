"""Examples of data sets and of tables that are added."""

from app.api.examples.example import Example, Json


def about_datasets() -> tuple[Example, ...]:
    """Examples of data sets that are added."""
    body: Json = {
        "name": "leaves",
        "path": "leaves",
        "licence": "CC BY 4.0",
        "source": "Photographs of our own",
        "visibility": "private",
    }
    return (
        Example(
            method="post",
            path="/v1/datasets",
            name="folder",
            summary="Images in the folder `datasets/leaves` of the data root, one folder for each class",
            status=202,
            body=body,
        ),
    )


def about_benchmarks() -> tuple[Example, ...]:
    """Examples of published tables that are added."""
    body: Json = {
        "path": "nasbench201.csv.gz",
        "space": "nasbench201",
        "format": "nasbench201",
        "genotype": "arch",
        "metrics": {"accuracy": "test_accuracy_percent"},
        "dataset": "cifar10",
        "split": "test",
        "recipe": "nasbench201-200-epochs",
        "source": "NAS-Bench-201 (Dong and Yang, 2020)",
        "licence": "MIT",
    }
    return (
        Example(
            method="post",
            path="/v1/benchmarks",
            name="table",
            summary="The file `tables/nasbench201.csv.gz` of the data root",
            status=202,
            body=body,
        ),
    )
