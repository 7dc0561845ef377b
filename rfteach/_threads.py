"""How many threads a training run uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SMALL = 100_000  # weights; the networks of the plane have 13,000


def training_threads(parameters: Sequence[Tensor]) -> int:
    """Return how many threads to train these weights on: one for a small network on a CPU.

    Its layers are so quick that two threads mostly wait for each other. Alone on the machine that
    gains nothing, and beside other programs a step can take ten times as long. Any other network
    gets as many as PyTorch has now. A convolution, whose weights serve every pixel, is never small.
    """
    on_cpu = all(p.device.type == "cpu" for p in parameters)
    plain = all(p.ndim <= 2 for p in parameters)
    small = sum(p.numel() for p in parameters) < SMALL
    return 1 if on_cpu and plain and small else torch.get_num_threads()
