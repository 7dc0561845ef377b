"""Fresh inputs for the checkers: seeded, of several shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

# (batch, event, dtype). The first is plain, so that a mistake is recognized on it, and large enough
# to be drawn. In the second, times of shape (batch,) would silently multiply along the wrong axis.
EVENTS = [
    (200, (2,), torch.float32),
    (4, (4,), torch.float32),
    (5, (2,), torch.float64),
    (4, (1, 6, 5), torch.float32),
    (3, (4, 5), torch.float64),
    (1, (2,), torch.float32),
]
PLANE = [case for case in EVENTS if case[1] == (2,)]  # for exercises about the plane


class Inputs:
    """Random tensors of one shape and dtype, the same in each check with the same seed."""

    def __init__(self, batch: int, event: tuple[int, ...], dtype: torch.dtype, seed: int):
        self.shape, self.dtype = (batch, *event), dtype
        self.plane = event == (2,)  # whether the points can be drawn
        self._generator = torch.Generator().manual_seed(seed)

    def points(self) -> Tensor:
        """Return standard normal points, shape (batch, *event)."""
        return self._made(torch.randn(self.shape, generator=self._generator, device="cpu"))

    def times(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return uniform times between `low` and `high`, shape (batch,)."""
        uniform = torch.rand(self.shape[0], generator=self._generator, device="cpu")
        return self._made(low + (high - low) * uniform)

    def _made(self, values: Tensor) -> Tensor:
        return values.to(torch.get_default_device(), self.dtype)


def inputs(cases: list[tuple] = EVENTS, *, seed: int = 0) -> Iterator[Inputs]:
    """Yield one source of inputs for each case."""
    for i, case in enumerate(cases):
        yield Inputs(*case, seed=1000 * seed + i)


def along(t: Tensor, x: Tensor) -> Tensor:
    """Give times (batch,) trailing axes, so that they multiply points (batch, *event)."""
    return t.reshape(-1, *[1] * (x.ndim - 1))


def along_last(t: Tensor, x: Tensor) -> Tensor:
    """Give times the axis that they multiply when the trailing ones are forgotten: a mistake.

    Where that would raise, return the right ones.
    """
    return t.expand(x.shape) if x.shape[-1] == len(t) else along(t, x)


def waves(x: Tensor, t: Tensor) -> Tensor:
    """A smooth field for points of any shape that depends on every coordinate and on time."""
    return torch.cos(1.3 * x + 0.4) * (1 + along(t, x)) + 0.5 * torch.sin(5 * along(t, x)) - 0.3 * x
