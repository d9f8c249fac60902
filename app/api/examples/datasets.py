"""Examples of data sets that are added."""

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
