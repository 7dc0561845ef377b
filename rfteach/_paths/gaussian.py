"""Gaussian paths: any mix of signal and noise, and how the velocity of one gives that of another.

X_t = noise(t) X0 + signal(t) X1. Rectified Flow's line is the path with signal t and noise 1 - t;
diffusion models take others. Two such paths pass the same mixtures of X0 and X1, but for a scale
and a clock, so that what is learned on the one holds on the other. That is true of any pairs
(X0, X1), those of Reflow too. They are called Gaussian paths since X0 is Gaussian in most uses, and
must be where a score is wanted (stochastic interpolants: Albergo and Vanden-Eijnden 2022; Gaussian
conditional paths: Lipman et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_pair, check_points, check_times, check_velocity_output
from rfteach._interpolation import along
from rfteach._velocity import Velocity

Coefficient = Callable[[Tensor], Tensor]
"""A smooth function of the times t (batch,) that returns one number for each."""


@dataclass(frozen=True)
class GaussianPath:
    """X_t = noise(t) X0 + signal(t) X1, from noise at t = 0 to data at t = 1.

    Attributes:
        signal: weight of the data; rises from 0 (or nearly 0).
        noise: weight of the noise; falls to 0 (or nearly 0).
    """

    signal: Coefficient
    noise: Coefficient

    def interpolate(
        self,
        x0: Float[Tensor, "batch *event"],
        x1: Float[Tensor, "batch *event"],
        t: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch *event"]:
        """Return X_t for pairs (batch, *event) and times (batch,).

        Raises:
            ValueError: shapes or devices differ, or a time lies outside [0, 1].
            TypeError: an argument is not a floating-point tensor.
        """
        check_pair(x0, x1)
        check_times(t, x0)
        return along(self.noise(t), x0) * x0 + along(self.signal(t), x1) * x1

    def velocity_target(
        self,
        x0: Float[Tensor, "batch *event"],
        x1: Float[Tensor, "batch *event"],
        t: Float[Tensor, " batch"],
    ) -> Float[Tensor, "batch *event"]:
        """Return dX_t / dt = noise'(t) X0 + signal'(t) X1; arguments and errors as above."""
        check_pair(x0, x1)
        check_times(t, x0)
        rises, falls = self.slopes(t)
        return along(falls, x0) * x0 + along(rises, x1) * x1

    def slopes(self, t: Float[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """Return the derivatives of signal and noise at times t, each of shape (batch,)."""
        rises, falls = (torch.func.grad(lambda s, f=f: f(s).sum())(t) for f in self._both)
        return rises, falls

    def angle(self, t: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the direction of (noise, signal) in the plane: 0 is noise, pi/2 is data."""
        return torch.atan2(self.signal(t), self.noise(t))

    def time_at(self, angle: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return the times at which the path has these angles, shape (batch,), by bisection.

        An angle that the path does not reach gives the nearer of its ends, t = 0 or t = 1.
        """
        wanted, back = torch.unique(angle.double(), return_inverse=True)  # often one for all
        low, high = torch.zeros_like(wanted), torch.ones_like(wanted)
        for _ in range(45):  # to about 3e-14
            middle = (low + high) / 2
            below = self.angle(middle) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        t = torch.where(self.angle(torch.ones_like(wanted)) <= wanted, 1.0, high)
        t = torch.where(self.angle(torch.zeros_like(wanted)) >= wanted, 0.0, t)
        return t.to(angle.dtype)[back]

    @property
    def _both(self) -> tuple[Coefficient, Coefficient]:
        return self.signal, self.noise


STRAIGHT = GaussianPath(signal=lambda t: t, noise=lambda t: 1 - t)
"""The line of Rectified Flow."""

TRIGONOMETRIC = GaussianPath(
    signal=lambda t: torch.sin(math.pi / 2 * t), noise=lambda t: torch.cos(math.pi / 2 * t)
)
"""A quarter of a circle: signal^2 + noise^2 = 1, as in diffusion models."""


def noise_from_velocity(velocity: Velocity, path: GaussianPath) -> Velocity:
    """Return the noise prediction E[X0 | X_t = x] that belongs to a velocity of the path.

    Args:
        velocity: callable `velocity(x, t)`, for the path E[dX_t / dt | X_t = x].
        path: the path that it was made for.

    Returns:
        A callable like the velocity: x (batch, *event) and t (batch,) in, the shape of x out.
    """

    def noise(x: Tensor, t: Tensor) -> Tensor:
        return _ends(velocity, path, x, t)[0]

    return noise


def velocity_from_noise(predict_noise: Velocity, path: GaussianPath) -> Velocity:
    """Return the velocity of the path that belongs to a noise prediction E[X0 | X_t = x].

    The mean of the data is (x - noise E[X0]) / signal (Ho et al. 2020, equation 15), so that an
    error of the prediction is multiplied by noise / signal, which is large near t = 0.

    Args:
        predict_noise: callable like a velocity.
        path: the path that it was made for.

    Returns:
        A velocity. Called where the signal is 0, it raises ValueError: there, the noise says
        nothing of the data.
    """

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        check_points("x", x)
        check_times(t, x)
        signal, noise = path.signal(t), path.noise(t)
        if (signal == 0).any():
            raise ValueError(
                f"the signal is 0 at t = {t[signal == 0][0].item():g}, where a noise prediction "
                f"says nothing of the data; start later, or train a velocity"
            )
        x0 = predict_noise(x, t)
        check_velocity_output(x0, x)
        x1 = (x - along(noise, x) * x0) / along(signal, x)
        rises, falls = path.slopes(t)
        return along(falls, x) * x0 + along(rises, x) * x1

    return velocity


def convert_velocity(velocity: Velocity, source: GaussianPath, target: GaussianPath) -> Velocity:
    """Return the velocity of the path `target`, made from that of the path `source`.

    At equal angles both paths mix X0 and X1 in the same proportion, so that their points differ by
    a factor alone. So: find the time of that angle, scale x, split the velocity there into
    E[X0 | x] and E[X1 | x], and put these together anew. One evaluation for one.

    Args:
        velocity: callable `velocity(x, t)` for the path `source`.
        source: the path that it was made for.
        target: the path to follow.

    Returns:
        A velocity for the path `target`.
    """

    def converted(x: Tensor, t: Tensor) -> Tensor:
        check_points("x", x)
        check_times(t, x)
        clock = source.time_at(target.angle(t))
        scale = torch.hypot(source.signal(clock), source.noise(clock))
        scale = scale / torch.hypot(target.signal(t), target.noise(t))
        x0, x1 = _ends(velocity, source, along(scale, x) * x, clock)
        rises, falls = target.slopes(t)
        return along(falls, x) * x0 + along(rises, x) * x1

    return converted


def _ends(velocity: Velocity, path: GaussianPath, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Solve x = noise X0 + signal X1, v = noise' X0 + signal' X1 for the means of X0 and X1."""
    check_points("x", x)
    check_times(t, x)
    v = velocity(x, t)
    check_velocity_output(v, x)
    signal, noise = (along(f(t), x) for f in (path.signal, path.noise))
    rises, falls = (along(slope, x) for slope in path.slopes(t))
    determinant = noise * rises - falls * signal
    return (rises * x - signal * v) / determinant, (noise * v - falls * x) / determinant
