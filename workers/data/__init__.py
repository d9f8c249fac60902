"""Images for searching and training: whole sets as uint8 tensors with fixed, named splits.

images = load("digits")                                    # shipped with this package
images = load("fashion_mnist", Path("/var/lib/cellar"))    # IDX files in the data root
x, y = images.of("weights", "architecture")                # uint8 (N, C, H, W), int64 (N,) of a classification
"""

from workers.data.images import VOID, DataError, Images, Normalisation
from workers.data.load import load

__all__ = ["VOID", "DataError", "Images", "Normalisation", "load"]
