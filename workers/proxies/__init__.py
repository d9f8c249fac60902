"""Zero-cost proxies: what one batch of images, or none, tells of a network that was never trained.

    scores = compute(["synflow", "naswot"], network, (images, labels), seed=0)
    scores["synflow"].value     # a finite number, more is taken to be better; None where the proxy is not defined
    scores["synflow"].reason    # why it is not, or None

synflow snip grasp fisher grad_norm    saliency     of weights and feature maps, by gradients
jacov naswot                           separation   of the images of a batch
zen                                    zen          how far a small change of the input moves the feature map
params macs                            sizes        what every proxy has to beat
"""

from workers.proxies.computation import FUNCTIONS, compute
from workers.proxies.definition import Score, Undefined

__all__ = ["FUNCTIONS", "Score", "Undefined", "compute"]
