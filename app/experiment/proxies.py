"""Zero-cost proxies as they are asked for: what each is called, means and needs. What computes them is a worker's.

Of each, more is taken to be better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.experiment.dataset import Dataset

ProxyName = Literal["synflow", "snip", "grasp", "fisher", "grad_norm", "jacov", "naswot", "zen", "params", "macs"]
ProxyNeed = Literal["images", "labels", "classes", "relu", "batch_norm"]

NEEDS: Mapping[ProxyNeed, str] = {
    "images": "the pixels of a batch; without it only their shape is read",
    "labels": "the classes of the batch",
    "classes": "a network that answers one number a class and image",
    "relu": "at least one ReLU in the network",
    "batch_norm": "at least one batch normalisation in the network",
}
"""What a proxy may need. Of a network that does not have it a proxy has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyDeclaration:
    """A proxy, without what computes it."""

    name: ProxyName
    title: str
    formula: str
    paper: str  # where it was proposed
    link: str
    needs: tuple[ProxyNeed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedProxies:
    """Proxies to compute of members, on a batch drawn from the split `weights` of a data set."""

    names: tuple[ProxyName, ...]
    dataset: str
    data: Dataset | None = None  # what `dataset` stands for, where it is a registered one
    images: int = 64  # of the batch
    seed: int = 0  # of the batch and of the networks' initial weights


ABDELFATTAH = "M. S. Abdelfattah et al. (2021), Zero-Cost Proxies for Lightweight NAS, arXiv:2101.08134"

PROXIES: Mapping[str, ProxyDeclaration] = {
    proxy.name: proxy
    for proxy in (
        ProxyDeclaration(
            name="synflow",
            title="How much flows from an image of ones through the absolute weights, by weight",
            formula="Σ |∂R/∂w · w|, R the sum of the logits of an image of ones under |parameters|",
            paper="H. Tanaka et al. (2020), Pruning neural networks without any data by iteratively conserving "
            "synaptic flow, arXiv:2006.05467",
            link="https://arxiv.org/abs/2006.05467",
            needs=("classes",),
        ),
        ProxyDeclaration(
            name="snip",
            title="How much the loss hangs on each weight, summed",
            formula="Σ |∂L/∂w · w|",
            paper="N. Lee, T. Ajanthan and P. H. S. Torr (2019), SNIP: Single-shot Network Pruning based on "
            "Connection Sensitivity, arXiv:1810.02340",
            link="https://arxiv.org/abs/1810.02340",
            needs=("images", "labels", "classes"),
        ),
        ProxyDeclaration(
            name="grasp",
            title="How much removing weights would take from the gradient's flow, negated and summed",
            formula="-Σ (H ∂L/∂w) · w, H the Hessian of L",
            paper="C. Wang, G. Zhang and R. Grosse (2020), Picking Winning Tickets Before Training by Preserving "
            "Gradient Flow, arXiv:2002.07376",
            link="https://arxiv.org/abs/2002.07376",
            needs=("images", "labels", "classes"),
        ),
        ProxyDeclaration(
            name="fisher",
            title="How much the loss would change without each channel, by Fisher's information",
            formula="Σ over channels of 1/2N Σₙ (Σ a · ∂Lₙ/∂a)²",
            paper="J. Turner, E. J. Crowley, M. O'Boyle, A. Storkey and G. Gray (2020), BlockSwap: Fisher-guided "
            "Block Substitution for Network Compression on a Budget, arXiv:1906.04113",
            link="https://arxiv.org/abs/1906.04113",
            needs=("images", "labels", "classes"),
        ),
        ProxyDeclaration(
            name="grad_norm",
            title="The Euclidean norm of the loss's gradient, layer by layer",
            formula="Σ over layers of ‖∂L/∂w‖₂",
            paper=ABDELFATTAH,
            link="https://arxiv.org/abs/2101.08134",
            needs=("images", "labels", "classes"),
        ),
        ProxyDeclaration(
            name="jacov",
            title="How little the gradients at different images are correlated",
            formula="-Σ (log(σᵢ + k) + 1/(σᵢ + k)), σ the eigenvalues of the correlations of ∂Σ logits/∂xₙ, k = 1e-5",
            paper="J. Mellor, J. Turner, A. Storkey and E. J. Crowley (2020), Neural Architecture Search without "
            "Training, arXiv:2006.04647v1",
            link="https://arxiv.org/abs/2006.04647v1",
            needs=("images", "classes"),
        ),
        ProxyDeclaration(
            name="naswot",
            title="How differently the images of a batch switch the ReLUs",
            formula="log |det K|, Kᵢⱼ the number of ReLUs that are on for both images or off for both",
            paper="J. Mellor, J. Turner, A. Storkey and E. J. Crowley (2021), Neural Architecture Search without "
            "Training, arXiv:2006.04647",
            link="https://arxiv.org/abs/2006.04647",
            needs=("images", "relu"),
        ),
        ProxyDeclaration(
            name="zen",
            title="How far a small change of the input moves the last feature map, batch normalisation accounted for",
            formula="log E‖f(x) - f(x + 0.01 ε)‖ + Σ log √(mean of σ²), all drawn from the unit normal distribution",
            paper="M. Lin et al. (2021), Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image Recognition, "
            "arXiv:2102.01063",
            link="https://arxiv.org/abs/2102.01063",
            needs=("batch_norm",),
        ),
        ProxyDeclaration(
            name="params",
            title="The number of parameters: what every other proxy has to beat",
            formula="numbers in the parameters",
            paper=ABDELFATTAH,
            link="https://arxiv.org/abs/2101.08134",
        ),
        ProxyDeclaration(
            name="macs",
            title="Multiply-adds of convolutions and linear maps for one image: the other such number",
            formula="multiply-adds of convolutions and linear maps for one image",
            paper=ABDELFATTAH,
            link="https://arxiv.org/abs/2101.08134",
        ),
    )
}
"""Every proxy by its name."""
