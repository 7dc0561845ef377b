"""Solving dZ/dt = v(Z, t) from t = 0 to t = 1: sampling from a flow.

The methods differ in one function, `step(v, x, t0, t1)`; everything around it is shared. All sample
without gradients and leave `x0` as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_velocity_output
from rfteach._velocity import CountedVelocity, Velocity


@dataclass(frozen=True)
class Trajectory:
    """The path of a cloud of points through a flow.

    Attributes:
        times: the k + 1 times at which the states were kept, rising from 0 to 1.
        states: the points at those times, shape (k + 1, n, *event).
        evaluations: NFE, the number of calls of the velocity actually made.
        complete: whether every solver step was kept; False for `keep="end"`.
    """

    times: Float[Tensor, " times"]
    states: Float[Tensor, "times n *event"]
    evaluations: int
    complete: bool = True

    @property
    def start(self) -> Float[Tensor, "n *event"]:
        """The points Z_0 at t = 0."""
        return self.states[0]

    @property
    def end(self) -> Float[Tensor, "n *event"]:
        """The points Z_1 at t = 1: the samples."""
        return self.states[-1]


class OneTime(CountedVelocity):
    """A counted velocity that takes one time for the whole cloud."""

    def __call__(self, x: Tensor, t: float | Tensor) -> Tensor:
        # a copy: one that works in place would move the points themselves
        v = super().__call__(x.clone(), x.new_full((len(x),), float(t)))
        check_velocity_output(v, x)
        return v


Step = Callable[[OneTime, Tensor, float, float], Tensor]


def _euler_step(v: OneTime, x: Tensor, t0: float, t1: float) -> Tensor:
    return x + (t1 - t0) * v(x, t0)


def _heun_step(v: OneTime, x: Tensor, t0: float, t1: float) -> Tensor:
    dt = t1 - t0
    k0 = v(x, t0)
    k1 = v(x + dt * k0, t1)
    return x + dt / 2 * (k0 + k1)


def _rk4_step(v: OneTime, x: Tensor, t0: float, t1: float) -> Tensor:
    dt, middle = t1 - t0, (t0 + t1) / 2
    k0 = v(x, t0)
    k1 = v(x + dt / 2 * k0, middle)
    k2 = v(x + dt / 2 * k1, middle)
    k3 = v(x + dt * k2, t1)
    return x + dt / 6 * (k0 + 2 * k1 + 2 * k2 + k3)


class _AdamsBashforthStep:
    """A step along the line through the slope here and the one before."""

    def __init__(self):
        self.before: tuple[Tensor, float] | None = None

    def __call__(self, v: OneTime, x: Tensor, t0: float, t1: float) -> Tensor:
        slope = mean = v(x, t0)
        if self.before is not None:
            last, time = self.before
            mean = slope + (t1 - t0) / 2 * (slope - last) / (t0 - time)
        self.before = slope, t0
        return x + (t1 - t0) * mean


@torch.no_grad()
def solve(step: Step, velocity: Velocity, x0: Tensor, steps, keep: str) -> Trajectory:
    check_data("x0", x0)
    grid = _grid(steps)
    if keep not in ("path", "end"):
        raise ValueError(f'keep = {keep!r}, but it must be "path" or "end"')
    v = OneTime(velocity)
    kept = grid if keep == "path" else [0.0, 1.0]
    states = x0.new_empty(len(kept), *x0.shape)
    states[0] = x = x0
    for i, (t0, t1) in enumerate(pairwise(grid)):
        x = step(v, x, t0, t1)
        if keep == "path":
            states[i + 1] = x
    states[-1] = x
    times = torch.tensor(kept, device=x0.device, dtype=x0.dtype)
    return Trajectory(times, states, v.evaluations, complete=keep == "path")


def _grid(steps: int | Tensor) -> list[float]:
    """Return the times between the steps, from 0 to 1."""
    if not isinstance(steps, Tensor):
        if hasattr(steps, "__len__") and not isinstance(steps, str):
            raise TypeError(
                f"steps is of type {type(steps).__name__}; for the times of the steps pass "
                f"torch.tensor(steps), or else their number"
            )
        check_count("steps", steps)
        return [i / steps for i in range(steps + 1)]
    grid = steps.tolist()
    rising = steps.ndim == 1 and len(grid) > 1 and all(a < b for a, b in pairwise(grid))
    if not rising or (grid[0], grid[-1]) != (0, 1):
        raise ValueError(f"steps = {grid}, but times must rise from 0 to 1; or pass their number")
    return grid


def euler(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 100,
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Solve by Euler's method: Z_{t+dt} = Z_t + v(Z_t, t) dt, one evaluation a step, order 1.

    Args:
        velocity: callable `velocity(x, t)`.
        x0: points at t = 0, shape (n, *event).
        steps: number N of equal steps; the velocity is evaluated at t = 0, 1/N, ..., (N - 1)/N. Or
            the N + 1 times themselves, rising from 0 to 1 (see `shift_times`).
        keep: "path" keeps every state; "end" only the first and the last, in constant memory.

    Raises:
        ValueError: `steps` is below 1 or does not rise from 0 to 1, `keep` is another word, `x0` is
            empty or not finite, or the velocity returns a wrong shape.
        TypeError: `x0` is not a floating-point tensor, or `steps` neither an integer
            nor a tensor of times.
    """
    return solve(_euler_step, velocity, x0, steps, keep)


def heun(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 50,
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Solve by Heun's method (an Euler step, then the mean of both slopes): 2 evaluations, order 2.

    Arguments and errors are those of `euler`; the velocity is also evaluated at t = 1.
    """
    return solve(_heun_step, velocity, x0, steps, keep)


def rk4(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 25,
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Solve by the classical Runge-Kutta method: 4 evaluations a step, order 4.

    Arguments and errors are those of `euler`; the velocity is also evaluated at t = 1.
    """
    return solve(_rk4_step, velocity, x0, steps, keep)


def adams_bashforth(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 100,
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Solve by the two-step method of Adams and Bashforth: one evaluation a step, order 2.

    It remembers the slope of the step before, and extrapolates: Z_{t+dt} = Z_t + dt (3 v - v') / 2
    for equal steps. The first step is Euler's. Arguments and errors are those of `euler`.
    """
    return solve(_AdamsBashforthStep(), velocity, x0, steps, keep)
