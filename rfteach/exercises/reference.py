"""The right samplers, and wrong ones, on the field that the checkers use."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from rfteach.exercises.inputs import waves


def at(x: Tensor, t: float) -> Tensor:
    """Return the field at points x (batch, *event), all at time t."""
    return waves(x, x.new_full((len(x),), t))


def walk(x: Tensor, n: int, *, sign: float = 1, first: float = 0, clock: float = 1) -> Tensor:
    """Make n Euler steps of 1/n: `sign` is their direction, `first` and `clock` their times."""
    for i in range(n):
        x = x + sign * at(x, first + clock * i / n) / n
    return x


def stepped(step: Callable[[Tensor, float, float], Tensor], x: Tensor, n: int) -> Tensor:
    """Make n equal steps `step(x, t, dt)` from t = 0 to t = 1."""
    for i in range(n):
        x = step(x, i / n, 1 / n)
    return x


def midpoint(x: Tensor, n: int) -> Tensor:
    """Make n steps of the midpoint method."""
    return stepped(lambda x, t, h: x + h * at(x + h / 2 * at(x, t), t + h / 2), x, n)


def on_grid(x: Tensor, times: Tensor, looks: Tensor) -> Tensor:
    """Make Euler steps from each of the `times` to the next, with the arrows of time `looks`."""
    for dt, look in zip(times.diff(), looks, strict=True):
        x = x + dt * at(x, float(look))
    return x
