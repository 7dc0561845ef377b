"""A flow whose ends are known, to hold pairs against."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from rfteach import _distributions as distributions, _solvers as solvers
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import Wrong
from rfteach.exercises.tools.expect import close


class Turning:
    """A field whose flow is known: it turns the plane by an angle, and moves it right by 1."""

    def __init__(self, angle: float):
        self.angle = angle

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """Return the velocity at points x (batch, 2) and times t (batch,)."""
        across = torch.stack([-x[:, 1], x[:, 0] - t], dim=1)
        return self.angle * across + x.new_tensor([1.0, 0.0])

    def ends(self, z0: Tensor) -> Tensor:
        """Return where the flow carries the points z0, exactly."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        return z0 @ z0.new_tensor([[c, s], [-s, c]]) + z0.new_tensor([1.0, 0.0])


class RecordedNoise(distributions.GaussianMixture):
    """Noise that keeps what was drawn; not N(0, I), so that other draws show."""

    def __init__(self):
        super().__init__(torch.tensor([[-0.5, 1.0]]), torch.tensor([0.8]))
        self.drawn: list[Tensor] = []

    def sample(self, n: int, **options: Any) -> Tensor:
        """Draw `n` points, shape (n, 2), and keep a copy of them."""
        x = super().sample(n, **options)
        self.drawn.append(x.clone().double())
        return x

    def returned(self, points: Tensor) -> bool:
        """Say whether each of the points (n, 2) was drawn here."""
        if not self.drawn:
            return False
        # exact, unlike the distances by matrix products that `cdist` prefers for many points
        exact = "donot_use_mm_for_euclid_dist"
        gap = torch.cdist(points, torch.cat(self.drawn), compute_mode=exact)
        return bool(gap.min(dim=1).values.max() < 1e-5)


def expect_starts(z0: Tensor, z1: Tensor, velocity: Turning, noise: RecordedNoise) -> None:
    """Raise Wrong unless z0 are draws of the noise, and z1 neither starts nor ways."""
    wanted = velocity.ends(z0)
    draw = pictures.clouds(wanted[:500], z1[:500])
    if (velocity.ends(z1) - z0).norm(dim=1).max() < 0.05:
        raise Wrong("The ends are swapped: x0 is where a path starts, x1 where it ends.", draw)
    if close(z1, z0, 1e-3) and sum(map(len, noise.drawn)) == len(z0):
        drawn = torch.cat(noise.drawn)
        ends = velocity.ends(drawn)
        if (z0 - ends).norm() < 0.3 * (drawn - ends).norm():
            raise Wrong(
                "x0 and x1 hold the ends, both of them: the starts were changed in place. Write "
                "`x = x + ...` instead of `x += ...`, or keep a clone of them.",
                draw,
            )
    if close(z1, z0, 1e-3):
        raise Wrong("The points have not moved: the pairs are noise with itself.", draw)
    if close(z1, wanted - z0, 0.01):
        raise Wrong("x1 holds the way from start to end. It should be the end itself.", draw)
    if not noise.returned(z0) or len(z0.unique(dim=0)) < len(z0):
        raise Wrong(
            "The starts x0 are not what `noise.sample` returned, one draw for each pair. Are they "
            "kept from another call, repeated, or changed on the way?"
        )


def expect_ends(z0: Tensor, z1: Tensor, velocity: Turning) -> None:
    """Raise Wrong unless z1 are the ends of the paths from z0, as exact as they should be."""
    size, wanted = len(z0), velocity.ends(z0)
    draw = pictures.clouds(wanted[:500], z1[:500])
    off = (z1 - wanted).norm(dim=1)
    # The field is linear, so what any solver makes of a start is a linear function of it.
    start = torch.cat([z0, torch.ones_like(z0[:, :1])], dim=1)
    fitted = start @ (torch.linalg.pinv(start) @ z1)
    wrong = off > 0.01
    if size == 1 and wrong.any():
        raise Wrong("It fails for a single pair: its end is not that of its own start.")
    if not close(fitted, z1, 1e-3) and off.max() > 0.1:
        count, first = int(wrong.sum()), int(wrong.int().argmax())
        if first > 10 and count > 0.8 * (size - first):
            raise Wrong(f"From row {first} on the ends are wrong. How do you make the last batch?")
        theirs = "the next flow is the first one again"
        own = torch.cdist(z1, wanted).min(dim=1).values.max().item() < 0.02
        raise Wrong(
            f"{count} of {size} ends do not belong to their starts, "
            + (
                f"but to those of other rows. With pairs that are shuffled {theirs}."
                if own
                else f"as if their paths began at other noise than the one that is returned with "
                f"them. With such pairs, which are independent, {theirs}."
            )
        )
    if close(z1, solvers.euler(velocity, z0, steps=20, keep="end").end, 1e-3):
        raise Wrong("These are the ends of 20 steps of Euler's method. Heun's is asked for.", draw)
    allowed = (solvers.heun(velocity, z0, steps=20).end - wanted).norm(dim=1).mean().item()
    if off.mean() > 1.02 * allowed + 1e-5:
        raise Wrong(
            f"The ends belong to the starts, but they are off by {off.mean().item():.2g} on "
            f"average, where 20 steps of Heun's method up to t = 1 are off by {allowed:.2g}. The "
            f"next flow learns whatever the solver, or a rounding, does wrong as the truth.",
            draw,
        )
