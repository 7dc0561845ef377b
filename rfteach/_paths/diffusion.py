"""The rival: a denoising diffusion model, its noise levels and losses.

Diffusion models count noise levels down, k = T - 1, ..., 0, from noise to data. Here, a network
sees level k at the time t = 1 - (k + 1) / T, so that t = 0 is noise, as in the whole book.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rfteach._checks import (
    check_count,
    check_pair,
    check_times,
    check_unit_interval,
    check_velocity_output,
)
from rfteach._interpolation import along
from rfteach._optional import optional
from rfteach._paths.gaussian import GaussianPath
from rfteach._velocity import Velocity

SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


class NoiseSchedule:
    """The noise levels of a diffusion model: X_k = noise[k] X0 + signal[k] X1, for k < T.

    Args:
        name: "linear" (Ho et al. 2020, Section 4: beta from 0.0001 to 0.02) or "cosine" (Nichol and
            Dhariwal 2021, equation 17).
        levels: number T of levels.

    Attributes:
        signal: weight of the data in each level, shape (T,), double precision: the root of what the
            papers call alpha-bar. Level 0 is nearly data, level T - 1 nearly noise.
        noise: weight of the noise, shape (T,); signal^2 + noise^2 = 1.

    Raises:
        ValueError: there is no schedule of this name, or `levels` is below 1.
        TypeError: `levels` is not an integer.
        ImportError: diffusers is not installed.
    """

    def __init__(self, name: Literal["linear", "cosine"] = "linear", levels: int = 1000):
        if name not in SCHEDULES:
            raise ValueError(f"there is no schedule {name!r}; take one of {', '.join(SCHEDULES)}")
        check_count("levels", levels)
        self.name, self.levels = name, levels
        kept = self.scheduler("DDIMScheduler").alphas_cumprod.double()
        self.signal, self.noise = kept.sqrt(), (1 - kept).sqrt()

    def __repr__(self) -> str:
        return f"NoiseSchedule({self.name!r}, levels={self.levels})"

    def scheduler(self, kind: str, **settings):
        """Return a scheduler of diffusers with these levels: `DDIMScheduler`, for instance."""
        with torch.device("cpu"):  # numbers that multiply points of any device
            return getattr(optional("diffusers"), kind)(
                num_train_timesteps=self.levels, beta_schedule=SCHEDULES[self.name], **settings
            )

    def level_at(self, t: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        """Return the level k that is seen at times t: T - 1 at t = 0, and 0 just before t = 1.

        Exactly at a level's own time, rounding may give its neighbor. ValueError outside of [0, 1].
        """
        check_unit_interval(t)
        return (self.levels - 1 - (t * self.levels).long()).clamp(min=0)

    def time_of(self, level: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the times t = 1 - (k + 1) / T at which a network sees levels k, in [0, 1).

        Raises:
            ValueError: a level is not one of 0 to T - 1.
        """
        outside = level[(level < 0) | (level >= self.levels)]
        if len(outside):
            raise ValueError(
                f"level = {outside[0].item()}, but the levels go from 0 to {self.levels - 1}"
            )
        return (self.levels - 1 - level).double() / self.levels

    @property
    def path(self) -> GaussianPath:
        """The levels as a path for all t in [0, 1], with angles interpolated between levels.

        It passes level k at its time t, and ends at the data, at t = 1. It begins at the last
        level, which still holds a trace of the data.
        """
        angle = torch.atan2(self.signal, self.noise).flip(0)  # rising with t
        angle = torch.cat([angle, angle.new_full((1,), math.pi / 2)])

        def angle_at(t: Tensor) -> Tensor:
            table = angle.to(t)
            place = t * self.levels
            left = place.detach().long().clamp(max=self.levels - 1)
            return table[left] + (place - left) * (table[left + 1] - table[left])

        return GaussianPath(
            signal=lambda t: torch.sin(angle_at(t)), noise=lambda t: torch.cos(angle_at(t))
        )


def noise_matching_loss(
    network: Velocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
    *,
    schedule: NoiseSchedule,
) -> Float[Tensor, ""]:
    """Return the batch mean of ||X0 - network(X_k, t)||^2 (Ho et al. 2020, equation 14).

    The network predicts the noise in X_k, where k is the level of time t. It is told the time of
    the level, in [0, 1). Bind the schedule with `functools.partial(noise_matching_loss,
    schedule=...)`, and `train` takes it as its `loss`.

    Args:
        network: callable `network(x, t)` that returns the shape of `x`.
        x0: noise, shape (batch, *event).
        x1: data, shape (batch, *event).
        t: one time in [0, 1] per pair, shape (batch,).
        schedule: the noise levels.

    Returns:
        A scalar tensor that carries gradients.

    Raises:
        ValueError: shapes or devices differ, a time lies outside [0, 1], or the network returns
            another shape than that of its points.
        TypeError: an argument is not a floating-point tensor.
    """
    return _matching_loss(network, x0, x1, t, schedule, predicts="noise")


def v_matching_loss(
    network: Velocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
    *,
    schedule: NoiseSchedule,
) -> Float[Tensor, ""]:
    """Return the batch mean of ||V - network(X_k, t)||^2 with V = noise[k] X1 - signal[k] X0.

    V is the velocity of the mixture along the circle, per radian, toward the data. The papers'
    "v-prediction" is -V: they walk toward the noise (Salimans and Ho 2022, Appendix D).

    Arguments, result and errors: as for `noise_matching_loss`.
    """
    return _matching_loss(network, x0, x1, t, schedule, predicts="v")


def _matching_loss(network, x0, x1, t, schedule, predicts):
    check_pair(x0, x1)
    check_times(t, x0)
    level = schedule.level_at(t)
    noise, signal = (along(w.to(x0)[level], x0) for w in (schedule.noise, schedule.signal))
    xk = noise * x0 + signal * x1
    predicted = network(xk, schedule.time_of(level).to(t))
    check_velocity_output(predicted, xk)
    wanted = x0 if predicts == "noise" else noise * x1 - signal * x0
    return (wanted - predicted).square().flatten(1).sum(dim=1).mean()
