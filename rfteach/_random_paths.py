"""Random paths with the laws of a flow: the score, and a solver that adds noise at every step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_data, check_times, check_velocity_output
from rfteach._rows import where_to_draw
from rfteach._solvers import Trajectory, solve
from rfteach._velocity import Velocity


def score(velocity: Velocity) -> Velocity:
    """Return the score of a flow from Gaussian noise: (x, t) -> grad log p_t(x), for 0 <= t < 1.

    Here p_t is the law of X_t = (1 - t) X0 + t X1 for X0 ~ N(0, I) *independent* of X1, as a 1-RF
    is trained. Then E[X0 | X_t = x] = x - t v(x, t), and the score is minus this mean over 1 - t
    (Tweedie's formula; for flows: Ma et al. 2024, arXiv 2401.08740). An error of the velocity is
    multiplied by t / (1 - t). There is no score at t = 1: the data need not have a density.

    For the flows of Reflow it is wrong: the two ends of their pairs depend on each other.

    Args:
        velocity: callable `velocity(x, t)`, of a flow from N(0, I).

    Returns:
        A callable `score(x, t)` for x of shape (batch, *event) and t of shape (batch,); ValueError
        where a time is 1 or out of range.
    """

    def grad_log_density(
        x: Float[Tensor, "batch *event"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch *event"]:
        check_times(t, x)
        if (t == 1).any():
            raise ValueError("t = 1, but the score is defined for t < 1 only; stop a step earlier")
        v = velocity(x, t)
        check_velocity_output(v, x)
        time = t.reshape(-1, *[1] * (x.ndim - 1))
        return (time * v - x) / (1 - time)

    return grad_log_density


def euler_maruyama(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    steps: int | Float[Tensor, " times"] = 100,
    noise: float | Callable[[float], float],
    generator: torch.Generator | None = None,
    keep: Literal["path", "end"] = "path",
) -> Trajectory:
    """Sample random paths with the laws of a flow: dX = (v + g^2/2 score) dt + g dW.

    For every g the law of X_t is that of the flow, as long as the velocity is exact and the steps
    are small (Song et al. 2021, arXiv 2011.13456; Albergo et al. 2023, arXiv 2303.08797). The
    method of Euler and Maruyama: one evaluation a step, at its start, since the score follows from
    the velocity (see `score`, whose conditions hold here too). With g = 0 it is `euler`.

    Args:
        velocity: callable `velocity(x, t)`, of a flow from N(0, I).
        x0: points at t = 0, shape (n, *event).
        steps: number N of equal steps, or the N + 1 times themselves, rising from 0 to 1.
        noise: g, a number or a function of the time, at least 0; it is asked for g at the start of
            each step. Let it fall to 0 at t = 1, as `lambda t: 2 * (1 - t) ** 0.5`, or the last
            step leaves its noise in the samples.
        generator: source of the noise, on any device; PyTorch's global one when None.
        keep: "path" keeps every state; "end" only the first and the last.

    Raises:
        ValueError: as `euler`, or g is negative or not finite.
        TypeError: `x0` is not a floating-point tensor.
    """
    scale = noise if callable(noise) else lambda t: noise
    check_data("x0", x0)
    draw_on, _ = where_to_draw(generator, x0.device)

    def step(v: Callable[[Tensor, float], Tensor], x: Tensor, t0: float, t1: float) -> Tensor:
        g = float(scale(t0))
        if not 0 <= g < math.inf:
            raise ValueError(f"noise = {g} at t = {t0}, but it must be at least 0 and finite")
        slope, dt = v(x, t0), t1 - t0
        toward = (t0 * slope - x) / (1 - t0)  # the score
        kick = torch.randn(x.shape, generator=generator, device=draw_on, dtype=x.dtype).to(x)
        return x + dt * (slope + g**2 / 2 * toward) + g * math.sqrt(dt) * kick

    return solve(step, velocity, x0, steps, keep)
