"""What a Reflow costs: forward passes of the network, and the GPU days that they take.

One unit serves for everything: a forward pass of the network on one image. A pair costs as many as
the solver makes evaluations. An image in a training step costs three, since the backward pass does
about twice the arithmetic of the forward one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

TRAINING = 3  # forward passes that an image in a training step is worth
SECONDS_A_DAY = 24 * 60 * 60


def count_operations(network: Callable[..., Any], *inputs: Any, **options: Any) -> int:
    """Count the floating-point operations of `network(*inputs, **options)`.

    PyTorch counts matrix products, convolutions and attention, an addition and a multiplication as
    two operations. What goes entry by entry, such as an activation, is left out. On PyTorch's meta
    device, where tensors have a shape but no values, a network of any size is counted in no memory.

    Args:
        network: any callable; a module in training mode is counted as it is.
        *inputs: its arguments.
        **options: its keyword arguments.
    """
    with FlopCounterMode(display=False) as counter:
        network(*inputs, **options)
    return counter.get_total_flops()


@dataclass(frozen=True)
class ReflowCost:
    """A Reflow in numbers, and what it costs in forward passes on one image.

    Attributes:
        pairs: pairs made in each round.
        evaluations: network evaluations for a pair: the steps of the solver, times 2 for Heun's
            method, times 2 again with classifier-free guidance.
        images: images trained on in each round, the steps times the batch size.
        rounds: rounds of Reflow.
        distilled: images trained on to distill the last flow.

    Raises:
        ValueError: a number is negative.
        TypeError: a number is not an integer.
    """

    pairs: int = 0
    evaluations: int = 0
    images: int = 0
    rounds: int = 1
    distilled: int = 0

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}; pass an int")
            if value < 0:
                raise ValueError(f"{name} = {value}, but it cannot be negative")

    @property
    def solving(self) -> int:
        """Forward passes to make the pairs of all rounds."""
        return self.rounds * self.pairs * self.evaluations

    @property
    def training(self) -> int:
        """Forward passes that training is worth, in all rounds and in the distillation."""
        return TRAINING * (self.rounds * self.images + self.distilled)

    @property
    def total(self) -> int:
        """Forward passes for everything."""
        return self.solving + self.training

    def days(self, operations: float, rate: float) -> float:
        """Return the days that it takes one device.

        Args:
            operations: of a forward pass on one image, as `count_operations` gives them.
            rate: operations that the device really does in a second: its peak, times the share of
                it that such a network reaches.

        Raises:
            ValueError: one of them is not positive and finite.
        """
        for name, value in (("operations", operations), ("rate", rate)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} = {value}, but it must be positive and finite")
        return self.total * operations / rate / SECONDS_A_DAY
