"""The velocity of the line out of a noise network of the circle, right and mistaken, for 8.3."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import Mistake
from rfteach.exercises.tools.inputs import waves


def velocity_of_line(x: Tensor, t: Tensor) -> tuple[Tensor, list[Mistake]]:
    """Return the velocity at points x (batch, *event), times t (batch,), and wrong ones."""
    time, s, n = along(t, x), along(t, x), along(1 - t, x)
    angle = torch.atan2(t, 1 - t)
    clock, size = 2 / math.pi * angle, torch.hypot(s, n)

    def line(noise: Tensor, x: Tensor = x, time: Tensor = time) -> Tensor:
        return (x - noise) / time

    clocks = [
        (2 / math.pi * torch.asin(t), "This clock takes t for the sine: it is the signal of "
         "the circle only after x is scaled"),
        (1 - 2 / math.pi * torch.acos(1 - t), "This clock takes 1 - t for the cosine: it is "
         "that only after x is scaled"),
        (2 / math.pi * torch.acos(1 - t), "This clock takes 1 - t for the cosine: it is that "
         "only after x is scaled"),
        (torch.sin(math.pi / 2 * t), "This is the signal of the circle at time t, not a time"),
        (2 / math.pi * torch.atan(t), "The tangent is signal over *noise*, t / (1 - t)"),
        (torch.tan(math.pi / 2 * t.clamp(max=0.99)), "The tangent takes the wrong way"),
        (t / torch.hypot(t, 1 - t), "This is the sine of the angle, not the clock"),
        (t**2 / (t**2 + (1 - t) ** 2), "This is a share of the variance, not the clock"),
        (math.pi / 2 * angle, "The clock is the angle over pi/2, not times it"),
        (torch.atan2(t, 1 - t) / math.pi, "The clock is the angle over pi/2, not over pi"),
    ]  # fmt: skip
    scaled = x / size
    x0 = waves(scaled, clock)
    wanted = line(x0)
    turned = along(math.pi / 2 - angle, x)
    on_circle = math.pi / 2 * (torch.sin(turned) * (scaled - torch.cos(along(angle, x)) * x0))
    on_circle = on_circle / torch.sin(along(angle, x)) - math.pi / 2 * torch.sin(
        along(angle, x)
    ) * (x0)
    scale = "On the ray, the circle is at the distance 1 from the origin, the line at "
    scale += "sqrt(t^2 + (1 - t)^2). Divide x by that before you ask the network."
    ray = "Find the clock of the circle: tan(pi/2 u) = t / (1 - t), signal over noise."
    mistakes = [
        (line(waves(x, t)), f"The network was asked at x and t of the line. {ray} {scale}"),
        (line(waves(x, clock)), f"The clock is right, the place is not. {scale}"),
        (line(waves(scaled, t)), f"The place is right, the clock is not. {ray}"),
        (line(waves(x * size, clock)), f"The scale is upside down. {scale}"),
        (
            line(waves(x / size.square(), clock)),
            f"This divides by the square of the distance: a root is missing. {scale}",
        ),
        (line(waves(x / size.sqrt(), clock)), f"This takes a root too many. {scale}"),
        (line(waves(x / (s + n), clock)), f"The distance is no sum of the weights. {scale}"),
        *((line(waves(place, u)), f"{what}. {ray}") for place in (scaled, x) for u, what in clocks),
        (
            (x - size * x0) / s,
            "What the network returns has the variance of noise already: do not scale it back.",
        ),
        (
            (scaled - n * x0) / s - x0,
            "Scale x for the network alone. In the velocity of the line, x is that of the line.",
        ),
        (line(waves(scaled, 1 - clock)), "The clock runs backward: u = 0 is noise."),
        (line(waves(scaled, angle)), "This is the angle. The clock u is angle / (pi/2)."),
        ((x - n * x0) / s, "This is the mean of the data, X1. The velocity is X1 - X0."),
        (x - x0, "This is t times the velocity, as x - X0 = t (X1 - X0). Divide by t."),
        (
            (x - x0) / n,
            "From the noise X0 to x it takes the time t, not 1 - t.",
        ),
        (
            (scaled - x0) / s,
            "Scale x for the network alone. In the velocity of the line, x is that of the line.",
        ),
        (x0, "This is the noise that the network found. What velocity does it make?"),
        ((scaled - x0) / torch.sin(along(angle, x)), "Use the weights of the line: x and t."),
        (on_circle, "This is the velocity of the circle. On the line it is X1 - X0."),
    ]
    return wanted, mistakes
