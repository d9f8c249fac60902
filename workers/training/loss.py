"""What is minimised: cross-entropy of the logits, and of the auxiliary head's where the network has one."""

import torch
import torch.nn.functional as F
from torch import Tensor


def main_logits(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The classifier's logits (B, classes) out of what a network answers; auxiliary heads come after them."""
    return output if isinstance(output, Tensor) else output[0]


def wide(logits: Tensor) -> Tensor:
    """Logits in float32, or in float64 where they are computed in that."""
    return logits if logits.dtype == torch.float64 else logits.float()


def classification_loss(
    output: Tensor | tuple[Tensor, ...], labels: Tensor, *, smoothing: float = 0.0, auxiliary_weight: float = 0.0
) -> Tensor:
    """Mean cross-entropy () in nats of logits (B, classes), plus `auxiliary_weight` times each auxiliary head's.

    Smoothing as in Szegedy et al. (2016); the auxiliary head as in quark0/darts `cnn/train.py`. In float32 at least.
    """
    loss = F.cross_entropy(wide(main_logits(output)), labels, label_smoothing=smoothing)
    if not isinstance(output, Tensor) and auxiliary_weight:
        for auxiliary in output[1:]:
            loss = loss + auxiliary_weight * F.cross_entropy(wide(auxiliary), labels, label_smoothing=smoothing)
    return loss


def distillation_loss(output: Tensor | tuple[Tensor, ...], teacher: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Mean cross-entropy () in nats of logits (B, classes) against what a teacher's logits say; no gradient reaches it.

    In-place distillation: Yu and Huang, "Universally Slimmable Networks" (2019), arXiv:1903.05134, section 3.3.
    """
    return F.cross_entropy(wide(main_logits(output)), wide(main_logits(teacher)).detach().softmax(1))
