"""The average of the weights along a training run, which samples better than the last weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Average:
    """An exponential moving average of parameters, with a warm-up.

    In step n the old average keeps the share min(decay, (1 + n) / (10 + n)), so that the random
    initial weights are forgotten soon.

    Args:
        parameters: the weights; their order is kept.
        decay: the largest share that the old average keeps in a step.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float):
        self.decay = decay
        self.values = [p.detach().clone() for p in parameters]
        self.updates = 0

    def update(self, parameters: Iterable[Tensor]) -> None:
        """Move the average a little toward the parameters as they are now."""
        self.updates += 1
        share = min(self.decay, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            torch._foreach_lerp_(self.values, list(parameters), 1 - share)  # average.lerp_ of each
