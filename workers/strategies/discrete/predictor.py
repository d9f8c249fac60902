"""An ensemble of small feed-forward networks, trained side by side in numpy.

E networks, N members, D columns, H hidden numbers. Two rectified hidden layers, squared error, Adam (Kingma and Ba,
2015, arXiv:1412.6980) with a rate that falls to nothing. Whatever is drawn comes from one seed: on one machine the same
data and seed give the same networks, bit for bit.

They are smaller than the paper's, of ten layers of 20 and 200 epochs: on NAS-Bench-201 more layers, more hidden numbers
or more steps found no better members, and took up to three times as long.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
HIDDEN = (32, 32)
STEPS = 100
BATCH = 64  # members a step
RATE = 0.01
FIRST, SECOND, TINY = 0.9, 0.999, np.float32(1e-8)  # Adam's, Kingma and Ba, algorithm 1


class Ensemble:
    """Networks that differ in their first weights and, of more members than a batch, in their batches."""

    def __init__(self, columns: int, networks: int, seed: Sequence[int]) -> None:
        self._networks = networks
        self._rng = np.random.default_rng(seed)
        widths = (columns, *HIDDEN, 1)
        self._weights: list[Floats] = []  # of each layer (E, ins, outs), then its biases (E, 1, outs)
        for ins, outs in pairwise(widths):
            drawn = self._rng.standard_normal((networks, ins, outs), np.float32)
            self._weights += [drawn * np.float32((2 / max(ins, 1)) ** 0.5), np.zeros((networks, 1, outs), np.float32)]

    def fit(self, x: Floats, y: Floats) -> None:
        """Train on members (N, D) and what is to be predicted of them (N,): about 0, of a deviation about 1."""
        w, n = self._weights, len(x)
        first, second = ([np.zeros_like(weights) for weights in w] for _ in range(2))
        shape = (self._networks, min(n, BATCH))
        for step in range(1, STEPS + 1):
            chosen = self._rng.integers(n, size=shape) if n > BATCH else np.broadcast_to(np.arange(n), shape)
            rate = RATE * min(1.0, 2 * (1 - step / (STEPS + 1)))
            scale = np.float32(rate * (1 - SECOND**step) ** 0.5 / (1 - FIRST**step))
            for j, slope in enumerate(self._slopes(x[chosen], y[chosen])):
                first[j] += (slope - first[j]) * np.float32(1 - FIRST)
                second[j] += (slope * slope - second[j]) * np.float32(1 - SECOND)
                w[j] -= scale * first[j] / (np.sqrt(second[j]) + TINY)

    def predict(self, x: Floats) -> Floats:
        """(E, N) of members (N, D)."""
        return self._layers(np.broadcast_to(x, (self._networks, *x.shape)))[-1][:, :, 0]

    def _slopes(self, x: Floats, y: Floats) -> list[Floats]:
        """The gradient of the mean squared error on (E, batch, D) and (E, batch), by weights."""
        layers = self._layers(x)
        found: list[Floats] = []
        delta: Floats = (layers[-1] - y[:, :, None]) * np.float32(2 / y.shape[1])
        for k in range(len(self._weights) - 2, -1, -2):
            below = layers[k // 2]
            biases: Floats = delta.sum(1, keepdims=True)
            found = [below.transpose(0, 2, 1) @ delta, biases, *found]
            if k:
                delta = (delta @ self._weights[k].transpose(0, 2, 1)) * (below > 0)
        return found

    def _layers(self, x: Floats) -> list[Floats]:
        """What goes in, (E, batch, D), and what comes out of every layer."""
        layers = [x]
        for k in range(0, len(self._weights), 2):
            out = layers[-1] @ self._weights[k] + self._weights[k + 1]
            layers.append(np.maximum(out, np.float32(0)) if k + 2 < len(self._weights) else out)
        return layers
