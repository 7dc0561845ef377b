"""Probability distributions that can be sampled: the two ends of every flow in the book.

A distribution here is any object with `event_shape` and `sample(n, *, generator, device)`. Random
numbers are drawn on the generator's device and the points are then moved to `device`, so a seeded
CPU generator gives the same points whatever device they end on.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import (
    check_count,
    check_data,
    check_event,
    check_number,
    check_real,
    check_same_device,
)
from rfteach._rows import where_to_draw


@runtime_checkable
class Distribution(Protocol):
    """What a coupling needs to know of a distribution."""

    event_shape: tuple[int, ...]

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Float[Tensor, "n *event"]:
        """Draw `n` independent points, shape (n, *event_shape)."""
        ...


class _Sampler:
    """Shared checks and device handling; a subclass writes `_draw` in plain PyTorch."""

    event_shape: tuple[int, ...] = (2,)

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Float[Tensor, "n *event"]:
        """Draw `n` independent points.

        Args:
            n: number of points, at least 1.
            generator: source of randomness; PyTorch's global one when None.
            device: where the points end up; PyTorch's default device when None.

        Returns:
            Points of shape (n, *event_shape).

        Raises:
            ValueError: `n` is below 1.
            TypeError: `n` is not an integer, or the generator none of PyTorch's.
        """
        check_count("n", n)
        draw_on, device = where_to_draw(generator, device)
        return self._draw(n, generator, draw_on).to(device)

    def _draw(self, n: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        raise NotImplementedError


class Gaussian(_Sampler):
    """The standard normal N(0, I) in `dim` dimensions: the usual source of noise.

    Args:
        dim: dimension of the points; for images, the first of several: `Gaussian(1, 28, 28)`.
        more: the other dimensions.

    Raises:
        ValueError: a dimension is below 1.
        TypeError: a dimension is not an integer.
    """

    def __init__(self, dim: int, *more: int):
        for size in (dim, *more):
            check_count("dim", size)
        self.event_shape = (dim, *more)

    def log_density(self, x: Float[Tensor, "n *event"]) -> Float[Tensor, " n"]:
        """Return the log density at each point, in nats; ValueError for points of another shape."""
        check_event("x", x, self.event_shape)
        squares = x.square().flatten(1)
        return -(squares + math.log(2 * math.pi)).sum(dim=1) / 2

    def _draw(self, n, generator, device):
        return torch.randn(n, *self.event_shape, generator=generator, device=device)


class GaussianMixture(_Sampler):
    """A mixture of round Gaussians, sum_k w_k N(m_k, s_k^2 I).

    With a standard deviation of 0 a component is a single point, so a finite data set is a mixture
    too: `GaussianMixture(points, torch.zeros(len(points)))`.

    Args:
        means: centers, shape (k, dim).
        stds: standard deviations, shape (k,), each at least 0.
        weights: shape (k,), non-negative; rescaled to sum to 1. Equal when None.

    Raises:
        ValueError: shapes or devices disagree, a value is not finite, a std or a weight is
            negative, or the sum of the weights is 0 or not finite.
        TypeError: an argument is not a floating-point tensor.
    """

    def __init__(
        self,
        means: Float[Tensor, "k dim"],
        stds: Float[Tensor, " k"],
        weights: Float[Tensor, " k"] | None = None,
    ):
        check_data("means", means)
        if means.ndim != 2:
            raise ValueError(
                f"means must be (k, dim), not {tuple(means.shape)}; for images pass flatten(1)"
            )
        weights = means.new_ones(len(means)) if weights is None else weights
        for name, values in (("stds", stds), ("weights", weights)):
            check_real(name, values)
            check_same_device(name, values, "means", means)
            if values.shape != means.shape[:1]:
                raise ValueError(
                    f"{name} has shape {tuple(values.shape)}, but {len(means)} means need "
                    f"shape ({len(means)},)"
                )
            if not (torch.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"{name} must be finite and not negative, got {values.tolist()}")
        if not 0 < (total := weights.sum()) < math.inf:
            raise ValueError(f"the sum of the weights is {total:g}; make it positive and finite")
        self.means = means
        self.stds = stds.to(means.dtype)
        self.weights = weights / total
        self.event_shape = tuple(means.shape[1:])

    def log_density(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        """Return the log density at each point, in nats; ValueError where a component has std 0."""
        check_event("x", x, self.event_shape)
        if (self.stds == 0).any():
            raise ValueError("a component has std 0, so there is no density; give it a small width")
        means, stds, weights = (p.to(x) for p in (self.means, self.stds, self.weights))
        offset = (x[:, None] - means) / stds[:, None]  # (n, k, dim)
        bells = -(offset.square() + math.log(2 * math.pi)).sum(dim=-1) / 2
        shares = (weights / weights.sum()).log()  # to the precision of x
        return torch.logsumexp(shares + bells - x.shape[1] * stds.log(), dim=1)

    def _draw(self, n, generator, device):
        k = torch.multinomial(self.weights.to(device), n, replacement=True, generator=generator)
        means, stds = self.means.to(device)[k], self.stds.to(device)[k]
        noise = torch.randn(means.shape, generator=generator, device=device, dtype=means.dtype)
        return means + stds[:, None] * noise


class EightGaussians(GaussianMixture):
    """Eight Gaussians of standard deviation 0.2, evenly spaced on a circle of radius 2."""

    def __init__(self):
        angle = torch.arange(8) * (2 * math.pi / 8)
        means = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
        super().__init__(means, torch.full((8,), 0.2))


class Circle(_Sampler):
    """The unit circle, its points blurred by Gaussian noise of standard deviation `noise`."""

    def __init__(self, noise: float = 0.1):
        check_number("noise", noise, low=0)
        self.noise = float(noise)

    def _draw(self, n, generator, device):
        angle = 2 * math.pi * torch.rand(n, generator=generator, device=device)
        points = torch.stack([angle.cos(), angle.sin()], dim=1)
        return points + self.noise * torch.randn(n, 2, generator=generator, device=device)


class Moons(_Sampler):
    """Two interleaved half circles, blurred by Gaussian noise of standard deviation `noise`.

    The arcs are those of scikit-learn's `make_moons`: (cos a, sin a) and (1 - cos a, 1/2 - sin a)
    for a in [0, pi]. Unlike `make_moons`, which spaces the angles evenly, every point is drawn
    independently, so that a sample of size 1 is as random as the rest.
    """

    def __init__(self, noise: float = 0.05):
        check_number("noise", noise, low=0)
        self.noise = float(noise)

    def _draw(self, n, generator, device):
        angle = math.pi * torch.rand(n, generator=generator, device=device)
        upper = torch.rand(n, generator=generator, device=device) < 0.5
        x = torch.where(upper, angle.cos(), 1 - angle.cos())
        y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
        noise = torch.randn(n, 2, generator=generator, device=device)
        return torch.stack([x, y], dim=1) + self.noise * noise


class Checkerboard(_Sampler):
    """The uniform distribution on the eight dark unit squares of a 4 x 4 board on [-2, 2]^2."""

    def _draw(self, n, generator, device):
        square = torch.randint(8, (n,), generator=generator, device=device)
        row = square // 2
        column = 2 * (square % 2) + row % 2
        corner = torch.stack([column, row], dim=1) - 2
        return corner + torch.rand(n, 2, generator=generator, device=device)


class Empirical(_Sampler):
    """The uniform distribution over a finite set of points, drawn with replacement.

    Args:
        points: the data, shape (n, *event), finite.
        noise: standard deviation of Gaussian noise that each draw adds. With it the law has a
            density, and one point is the start of many paths.

    Raises:
        ValueError: no points, some are NaN or infinite, or `noise` is negative or not finite.
        TypeError: `points` is not a floating-point tensor, or `noise` no number.
    """

    def __init__(self, points: Float[Tensor, "n *event"], noise: float = 0.0):
        check_data("points", points)
        check_number("noise", noise, low=0)
        self.points, self.noise = points.detach(), float(noise)
        self.event_shape = tuple(points.shape[1:])

    def _draw(self, n, generator, device):
        rows = torch.randint(len(self.points), (n,), generator=generator, device=device)
        points = self.points[rows.to(self.points.device)]
        if not self.noise:
            return points
        settings = {"generator": generator, "device": device, "dtype": points.dtype}
        return points + self.noise * torch.randn(points.shape, **settings).to(points.device)
