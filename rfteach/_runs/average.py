"""The average of the weights along a training run, which samples better than the last weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class Average:
    """An exponential moving average (EMA) of parameters, with a warm-up.

    In step n the old average keeps the share min(decay, (1 + n) / (10 + n)), so that the random
    initial weights are forgotten soon. At the end of a `with` block, however it ends, the
    parameters hold the average.

    Args:
        parameters: the weights; their order is kept.
        decay: the largest share that the old average keeps in a step.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float):
        self.parameters = list(parameters)
        self.decay = decay
        self.values = [p.detach().clone() for p in self.parameters]
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average a little toward the parameters as they are now."""
        self.updates += 1
        share = min(self.decay, (1 + self.updates) / (10 + self.updates))
        # average.lerp_(parameter, 1 - share) for each, in one call
        torch._foreach_lerp_(self.values, self.parameters, 1 - share)  # pyright: ignore

    def __enter__(self) -> "Average":
        return self

    @torch.no_grad()
    def __exit__(self, *error: object) -> None:
        for parameter, value in zip(self.parameters, self.values, strict=True):
            parameter.copy_(value)
