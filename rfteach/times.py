"""Time samplers: which times t a training step looks at.

Each takes a batch size and returns times of shape (n,) in [0, 1]; `train` takes any of them as its
`time_sampler`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


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
    jitter = torch.rand(n, generator=generator, device=device)
    below_one = torch.nextafter(jitter.new_ones(()), jitter.new_zeros(()))
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
        ValueError: `std` is not positive.
    """
    if not std > 0:
        raise ValueError(f"std = {std}, but the spread of the logit must be positive")
    return torch.sigmoid(mean + std * torch.randn(n, generator=generator, device=device))
