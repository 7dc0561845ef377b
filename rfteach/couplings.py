"""Couplings: joint laws of a source point and a target point that can be sampled in pairs.

The coupling is the only thing that changes between 1-Rectified Flow, Reflow, distillation and
domain transfer (Liu et al. 2022, Section 2.1).
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_pair
from rfteach.distributions import Distribution


@runtime_checkable
class Coupling(Protocol):
    """What training needs to know of a coupling."""

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"]]:
        """Draw `n` pairs (x0, x1), each of shape (n, *event)."""
        ...


class IndependentCoupling:
    """X0 from the source and X1 from the target, drawn without looking at each other.

    This is the coupling of 1-Rectified Flow: nothing pairs the two ends but chance.

    Args:
        source: distribution of X0.
        target: distribution of X1, of the same event shape.

    Raises:
        ValueError: the event shapes differ.
        TypeError: one of them is not a distribution.
    """

    def __init__(self, source: Distribution, target: Distribution):
        for name, ends in (("source", source), ("target", target)):
            if not hasattr(ends, "event_shape"):
                raise TypeError(
                    f"the {name} is of type {type(ends).__name__}, which is no distribution; "
                    f"wrap a tensor of points in Empirical(points)"
                )
        if tuple(source.event_shape) != tuple(target.event_shape):
            raise ValueError(
                f"the source has points of shape {tuple(source.event_shape)} and the target of "
                f"shape {tuple(target.event_shape)}; a straight line needs both in one space"
            )
        self.source = source
        self.target = target

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"]]:
        """Draw `n` pairs (x0, x1), each of shape (n, *event)."""
        x0 = self.source.sample(n, generator=generator, device=device)
        x1 = self.target.sample(n, generator=generator, device=device)
        return x0, x1


class PairedCoupling:
    """A finite list of pairs, drawn with replacement: row i of `x0` comes with row i of `x1`.

    Args:
        x0: source points, shape (n, *event).
        x1: target points, shape (n, *event).

    Raises:
        ValueError: shapes or devices differ, or a value is NaN or infinite.
        TypeError: a tensor is not floating-point.
    """

    def __init__(self, x0: Float[Tensor, "n *event"], x1: Float[Tensor, "n *event"]):
        check_pair(x0, x1)
        check_data("x0", x0)
        check_data("x1", x1)
        self.x0 = x0
        self.x1 = x1

    def __len__(self) -> int:
        return len(self.x0)

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"]]:
        """Draw `n` of the stored pairs (x0, x1), each of shape (n, *event)."""
        check_count("n", n)
        device = torch.device(device) if device is not None else torch.get_default_device()
        draw_on = generator.device if generator is not None else device
        rows = torch.randint(len(self), (n,), generator=generator, device=draw_on)
        rows = rows.to(self.x0.device)
        return self.x0[rows].to(device), self.x1[rows].to(device)
