"""Whether a velocity leaves a round Gaussian cloud as it is, by means over the cloud."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rfteach._measures import flows as metrics


def standard_normal(radii: int) -> tuple[Tensor, Tensor]:
    """Return points of the plane and their weights, for means over N(0, I).

    The means are exact for polynomials of degree below 2 * radii.
    """
    half_square, weight = np.polynomial.laguerre.laggauss(radii)
    angle = np.arange(2 * radii) * (math.pi / radii)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = (np.sqrt(2 * half_square)[:, None, None] * around).reshape(-1, 2)
    device = torch.get_default_device()
    weights = (weight / len(angle)).repeat(len(angle))
    return torch.tensor(points, device=device), torch.tensor(weights, device=device)


def moved_by(h: Tensor, offset: Tensor, weight: Tensor, sigma: float) -> str:
    """Say what the extra velocity h changes in the cloud, or nothing if all E[grad phi . h] = 0."""
    a, b = offset.unbind(dim=1)
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    # The floor keeps the rounding of a field that is v* from counting as a motion.
    size = (weight * metrics.squared_norm(h)).sum().sqrt().item() + 0.01

    def changes(*tests: tuple[Tensor, Tensor]) -> bool:
        for first, second in tests:
            rate = (weight * (first * h[:, 0] + second * h[:, 1])).sum().item()
            scale = (weight * (first.square() + second.square())).sum().sqrt().item() * size
            if abs(rate) > 2e-3 * scale:  # `scale` is the most that it can be (Cauchy-Schwarz)
                return True
        return False

    outward = (a * h[:, 0] + b * h[:, 1]).abs()
    around = bool((outward <= 1e-6 + 1e-3 * offset.norm(dim=1) * h.norm(dim=1)).all())
    if changes((one, zero), (zero, one)):
        if around:
            return (
                "moves the mean of the cloud otherwise than v* does. It goes around the right "
                "center, but not at the same speed all around: let the speed depend on the radius "
                "alone."
            )
        return (
            "moves the mean of the cloud otherwise than v* does. If it turns the cloud: the center "
            "at time t is t m, neither the origin nor m."
        )
    if changes((a, b)):
        return "changes the width of the cloud otherwise than v* does."
    if changes((b, a), (a, -b)):
        return (
            "changes the shape of the cloud: it is stretched along one direction. If it should "
            "turn: a point at (a, b) from the center goes along (-b, a), with one minus."
        )
    r2 = (a.square() + b.square()) / sigma**2
    phase = (1.4 * a + 0.76 * b) / sigma
    waves = [(1.4 * f(phase), 0.76 * f(phase)) for f in (torch.sin, torch.cos)]
    cubes = [(3 * a**2, zero), (zero, 3 * b**2), (2 * a * b, a**2), (b**2, 2 * a * b)]
    if changes(*cubes, *waves, (a * r2, b * r2)):
        return (
            "keeps mean and width of the cloud, but not its finer shape. Let the extra velocity "
            "follow the lines of equal density, which are circles around t m, at a speed that "
            "depends on their radius alone."
        )
    return ""


def flickers(extra: Callable[[Tensor], Tensor], sigma: float) -> bool:
    """Say whether an extra velocity is another one a tenth of the cloud's width further.

    For a field that varies little, the mean square of that change is small beside that of the field
    itself; for one that varies wildly, it is about twice as large. For a turn with an edge, the
    points of the mean being few, it may come to 1.
    """
    offset, weight = standard_normal(31)
    offset = sigma * offset
    here = extra(offset)
    size = (weight * metrics.squared_norm(here)).sum().item()
    change = 0.0
    for way in ((1.0, 0.0), (0.0, 1.0)):
        there = extra(offset + 0.1 * sigma * offset.new_tensor(way))
        change += (weight * metrics.squared_norm(there - here)).sum().item() / 2
    return size > 1e-4 and change > 1.6 * size


def runs_away(extra: Callable[[Tensor], Tensor], sigma: float) -> bool:
    """Say whether the part of an extra velocity away from the center outgrows the distance to it.

    At most linear growth is what keeps every path finite. A part that grows like the distance has
    the same share of it at 10 and at 40 widths of the cloud, and the square of it four times that.

    Args:
        extra: what is added to v*, at offsets from the center, shapes (n, 2).
        sigma: the width of the cloud.
    """
    angle = torch.arange(48, dtype=torch.float64, device=torch.get_default_device())
    outward = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)

    def share(distance: float) -> tuple[float, float]:
        h = extra(distance * outward) / distance
        return (h * outward).sum(dim=1).abs().max().item(), h.abs().max().item()

    (near, _), (far, size) = share(10 * sigma), share(40 * sigma)
    return far > 2 * near + 1e-6 * (1 + size)  # the last part: rounding of a part that is 0
