"""The same supernet in fewer and cheaper steps: equal values and gradients, equal names in the state."""

from workers.supernet.rewrite.fused import FusedNetwork
from workers.supernet.rewrite.native import NativeNetwork

__all__ = ["FusedNetwork", "NativeNetwork"]
