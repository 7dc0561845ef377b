"""Fresh inputs for the checkers: seeded, of several shapes and dtypes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rfteach._interpolation import along

# (batch, event, dtype). The first is plain, so that a mistake is recognized on it, and large enough
# to be drawn. In the second, times of shape (batch,) would silently multiply along the wrong axis.
# The third comes twice, so that an answer cannot keep something from one call for the next.
EVENTS = [
    (200, (2,), torch.float32),
    (4, (4,), torch.float32),
    (5, (2,), torch.float64),
    (5, (2,), torch.float64),
    (4, (1, 6, 5), torch.float32),
    (3, (4, 5), torch.float64),
    (1, (2,), torch.float32),
]
# Images of three channels first: for points in the plane a mean over the entries is half of the
# sum, and other mistakes look alike, too.
IMAGES_FIRST = [(7, (3, 4, 5), torch.float64), *EVENTS]
PLANE = [case for case in EVENTS if case[1] == (2,)]  # for exercises about the plane
# Numbers of steps to go with EVENTS. At 49 a loop over `arange(0, 1, 1 / 49)` makes a step too
# many, and `int(1 / (1 / 93))` is 92.
STEPS = (8, 3, 49, 49, 2, 93, 1)


class Inputs:
    """Random tensors of one shape and dtype, the same in each check with the same seed."""

    def __init__(self, batch: int, event: tuple[int, ...], dtype: torch.dtype, seed: int):
        self.shape, self.dtype = (batch, *event), dtype
        self._generator = torch.Generator().manual_seed(seed)

    def points(self) -> Tensor:
        """Return standard normal points, shape (batch, *event)."""
        return self._made(torch.randn(self.shape, generator=self._generator, device="cpu"))

    def times(self, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Return uniform times between `low` and `high`, shape (batch,).

        In a small batch both ends are among them. In a large one they are not, so that a mistake
        that divides by zero there is known by its other values.
        """
        uniform = torch.rand(self.shape[0], generator=self._generator, device="cpu")
        if len(uniform) < 100:
            uniform[0] = 0
            uniform[1:][-1:] = 1  # of two or more
        return self._made(low + (high - low) * uniform)

    def _made(self, values: Tensor) -> Tensor:
        return values.to(torch.get_default_device(), self.dtype)


def inputs(cases: list[tuple] = EVENTS, *, seed: int = 0) -> Iterator[Inputs]:
    """Yield one source of inputs for each case."""
    for i, case in enumerate(cases):
        yield Inputs(*case, seed=1000 * seed + i)


def along_last(t: Tensor, x: Tensor) -> Tensor:
    """Give times the axis that they multiply when the trailing ones are forgotten: a mistake.

    Where that would raise, return the right ones.
    """
    return t.expand(x.shape) if x.shape[-1] == len(t) else along(t, x)


def waves(x: Tensor, t: Tensor) -> Tensor:
    """A smooth field for points of any shape that depends on every coordinate and on time."""
    return torch.cos(1.3 * x + 0.4) * (1 + along(t, x)) + 0.5 * torch.sin(5 * along(t, x)) - 0.3 * x


def swirl(x: Tensor, t: Tensor) -> Tensor:
    """A smooth field of the plane that changes from place to place and in time."""
    x1, x2 = x.unbind(dim=1)
    first = torch.sin(x1) + t * x2
    return torch.stack([first, t * torch.cos(x1) * x2 + 0.5 * x1 - t.square()], dim=1)


def steady(x: Tensor, t: Tensor) -> Tensor:
    """A field of the plane that does not change in time."""
    return torch.stack([x[:, 1], torch.sin(x[:, 0])], dim=1)


def everywhere_alike(x: Tensor, t: Tensor) -> Tensor:
    """A field of the plane that is the same at all places."""
    return torch.stack([t.square(), torch.cos(t)], dim=1)
