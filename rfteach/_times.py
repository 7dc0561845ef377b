"""Time samplers: which times t a training step looks at.

Each takes a batch size and returns times of shape (n,) in [0, 1]; `train` takes any of them as its
`time_sampler`. All raise ValueError for an n below 1 or a setting out of range, and TypeError for
one that is no number or a generator that is none of PyTorch's.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_draw, check_number, check_real, check_unit_interval

SHARPEST = 100  # of times in a U; beyond, single precision has no numbers between the ends


@runtime_checkable
class TimeSampler(Protocol):
    """A callable that draws training times."""

    def __call__(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Float[Tensor, " n"]:
        """Return `n` times in [0, 1], shape (n,)."""
        ...


def uniform_times(
    n: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return `n` independent times, uniform on [0, 1), shape (n,)."""
    check_draw(n, generator)
    return torch.rand(n, generator=generator, device=device)


def stratified_times(
    n: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return one uniform time in each of `n` equal slices of [0, 1), shape (n,), in rising order.

    Each batch then covers all of [0, 1) evenly, which lowers the noise of the loss and leaves its
    mean unchanged, provided that all rows of the batch have the same law, as they have in every
    coupling of this package.
    """
    check_draw(n, generator)
    jitter = torch.rand(n, generator=generator, device=device)
    below_one = 1 - torch.finfo(jitter.dtype).eps / 2  # the largest number below 1
    slices = torch.arange(n, device=jitter.device, dtype=jitter.dtype)
    return ((slices + jitter) / n).clamp(max=below_one)  # rounding may reach 1 exactly


def logit_normal_times(
    n: int,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return `n` times whose logit is N(mean, std^2), shape (n,) (Esser et al. 2024, Section 3.1).

    They crowd around the middle, where the regression is hardest. Bind other parameters with
    `functools.partial(logit_normal_times, mean=...)`.

    Raises:
        ValueError: `std` is not positive, or one of the two is not finite.
    """
    check_draw(n, generator)
    check_number("std", std, low=0, above=True)
    check_number("mean", mean)
    return torch.sigmoid(mean + std * torch.randn(n, generator=generator, device=device))


def u_shaped_times(
    n: int,
    *,
    sharpness: float = 4.0,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return `n` times of density proportional to cosh(sharpness (t - 1/2)), shape (n,).

    They crowd at both ends (Lee, Lin and Fanti 2024). For Reflow: in the middle of its
    straight paths there is little left to learn. Bind another sharpness with `functools.partial`.

    Raises:
        ValueError: `sharpness` is not above 0, or above 100.
    """
    check_draw(n, generator)
    check_number("sharpness", sharpness, low=0, high=SHARPEST, above=True)  # 0 would be uniform
    u = torch.rand(n, generator=generator, device=device)
    edge = math.sinh(sharpness / 2)  # the distribution function: (1 + sinh(a (t - 1/2)) / edge) / 2
    return (0.5 + torch.asinh((2 * u - 1) * edge) / sharpness).clamp(0, 1)


def mode_times(
    n: int,
    *,
    scale: float = 1.29,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return `n` times that crowd in the middle and still reach both ends, shape (n,).

    From u uniform, t = u + scale (cos^2(pi u / 2) - 1 + u): mode sampling (Esser et al. 2024,
    Section 3.1, "mode sampling with heavy tails"). Unlike that of `logit_normal_times`, its density
    is above 0 at t = 0 and t = 1. Scale 0 is uniform, a negative one crowds at the ends.

    Raises:
        ValueError: the scale is outside [-1, 2 / (pi - 2)], where t would not rise with u.
    """
    check_draw(n, generator)
    check_number("scale", scale, low=-1, high=2 / (math.pi - 2))
    u = torch.rand(n, generator=generator, device=device)
    return (u + scale * (torch.cos(math.pi / 2 * u).square() - 1 + u)).clamp(0, 1)


def zero_times(
    n: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " n"]:
    """Return `n` times, all of them t = 0, shape (n,): the time sampler of distillation."""
    check_draw(n, generator)
    return torch.zeros(n, device=device)


def shift_times(t: Float[Tensor, " *shape"], shift: float) -> Float[Tensor, " *shape"]:
    """Return the times t / (t + shift (1 - t)): a shift above 1 moves them toward the noise.

    Of sigma = 1 - t, the share of noise, it is shift sigma / (1 + (shift - 1) sigma): what an image
    of shift^2 times as many pixels needs to be hidden as well (Esser et al. 2024, Section 5.3.2,
    equation 23). It serves training, on what a time sampler draws, and sampling, on the times of
    the solver's steps.

    Args:
        t: times in [0, 1], of any shape.
        shift: sqrt(m / n), to go from n pixels to m.

    Raises:
        ValueError: the shift is not positive and finite, or a time lies outside [0, 1].
        TypeError: `t` is not a floating-point tensor, or the shift no number.
    """
    check_real("t", t)
    check_unit_interval(t)
    check_number("shift", shift, low=0, above=True)
    return t / (t + shift * (1 - t))
