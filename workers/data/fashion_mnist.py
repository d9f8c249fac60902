"""Fashion-MNIST from its four IDX files, which are not shipped.

<folder>/train-images-idx3-ubyte[.gz]    60,000 images    weights, architecture, selection
<folder>/train-labels-idx1-ubyte[.gz]
<folder>/t10k-images-idx3-ubyte[.gz]     10,000 images    test
<folder>/t10k-labels-idx1-ubyte[.gz]
"""

from pathlib import Path

import torch

from app.experiment import Dataset, Split
from workers.data.images import Images, check_splits
from workers.data.split import stratified
from workers.ingest.idx import file_in, read_idx


def load_idx_pair(dataset: Dataset, folder: Path) -> Images:
    """The folder's images; `test` is the source's own test part. Raises DataError: which file, and what is wrong."""
    train_images, train_labels, test_images, test_labels = (
        torch.from_numpy(read_idx(file_in(folder, f"{prefix}-{part}-ubyte"), rank).copy())
        for prefix in ("train", "t10k")
        for part, rank in (("images-idx3", 3), ("labels-idx1", 1))
    )
    training: dict[Split, int] = {split: size for split, size in dataset.splits.items() if split != "test"}
    indices = stratified(dataset.name, train_labels.tolist(), training)
    indices["test"] = torch.arange(len(train_images), len(train_images) + len(test_images))
    check_splits(dataset, indices)
    return Images(
        dataset=dataset,
        pixels=torch.cat([train_images, test_images]).unsqueeze(1),
        labels=torch.cat([train_labels, test_labels]).long(),
        levels=255,
        indices=indices,
    )
