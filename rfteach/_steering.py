"""Steering: a trained flow goes to a goal, by the gradient of a goal at the predicted end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_number, check_times, check_velocity_output
from rfteach._velocity import Velocity

EARLIEST = 0.01  # the pull is a quotient 0/0 at t = 0: before this time, take it at this time

Guide = Callable[..., Tensor]
"""guide(x1_hat), or guide(x1_hat, spread) where `steered` is given a spread: (batch,) numbers."""


def steered(
    velocity: Velocity,
    guide: Guide,
    *,
    scale: float = 1.0,
    spread: Literal["jacobian"] | Callable[[Tensor], Tensor] | None = None,
) -> Velocity:
    """Return v(x, t) + scale (1 - t) / t grad_x guide(x1_hat), x1_hat = x + (1 - t) v(x, t).

    The score of the flow given a goal y is the flow's own plus grad_x log p(y | X_t = x), and on
    the line (1 - t) / t times an added score is added to the velocity. The likelihood at X_t is
    not known. It is guessed from the predicted end x1_hat = E[X1 | X_t = x], and the derivative
    goes through the velocity, back to x.

    - Without `spread`, the guide is `guide(x1_hat)`, the log-likelihood (or a reward) of an end:
      the guess of Chung et al. 2022, arXiv 2209.14687. It takes the prediction for certain.
    - With `spread`, it is `guide(x1_hat, apply)`, and `apply(u)` is the covariance of X1 given
      X_t = x, times u, of the shape of x1_hat: for a likelihood that is widened by it (Song et al.
      2023, "Pseudoinverse-guided diffusion models"). "jacobian" takes it from the velocity,
      (1 - t)^2 / t times the derivative of x1_hat, by one backward pass for each call (Boys et al.
      2023, arXiv 2310.06721). This makes a linear measurement of Gaussian data exact. A function
      r(t) takes r(t)^2 times the identity. The covariance has no gradient.

    The pull has a limit at t = 0, where it reads 0/0. Before t = 0.01 it is that at 0.01. At t = 1
    there is none. All this holds for a flow whose noise is N(0, I), independent of the data: a
    1-RF, as for `score`. Even with an exact velocity the result is an approximation, unless a
    linear measurement is made of Gaussian data and the Jacobian gives the spread; and a scale other
    than 1 makes it another law.

    Args:
        velocity: callable `velocity(x, t)`, with automatic derivatives in x.
        guide: (batch, *event) to (batch,), each from its own row. Higher is better.
        scale: what the gradient is multiplied by; 0 gives the flow as it is.
        spread: None, "jacobian", or a function of the times, (batch,) to (batch,).

    Returns:
        A velocity, without gradients; ValueError where the guide returns another shape than
        (batch,) or has no gradient in x.

    Raises:
        ValueError: `spread` is another word, or `scale` is not finite.
        TypeError: `scale` is no number.
    """
    check_number("scale", scale)
    if isinstance(spread, str) and spread != "jacobian":
        raise ValueError(f'spread = {spread!r}, but it must be "jacobian", a function, or None')

    def steered_velocity(
        x: Float[Tensor, "batch *event"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch *event"]:
        check_times(t, x)
        late = t.clamp(min=EARLIEST)
        axes = (-1, *[1] * (x.ndim - 1))
        with torch.inference_mode(False), torch.enable_grad():
            place = x.detach().clone().requires_grad_()
            v = velocity(place, late.clone())
            check_velocity_output(v, place)
            end = place + (1 - late.reshape(axes)) * v
            if spread is None:
                value = guide(end)
            else:
                value = guide(end, _covariance(spread, place, end, late.reshape(axes)))
            _check_value(value, x)
            (slope,) = torch.autograd.grad(value.sum(), place)
        if (t < EARLIEST).any():
            with torch.no_grad():
                v = velocity(x, t)
        pull = ((1 - late) / late).reshape(axes) * slope
        return (v + scale * torch.where((t < 1).reshape(axes), pull, 0.0)).detach()

    return steered_velocity


def _covariance(spread, place: Tensor, end: Tensor, t: Tensor) -> Callable[[Tensor], Tensor]:
    """Return u -> Cov[X1 | X_t = place] u, without gradients."""

    def by_jacobian(u: Tensor) -> Tensor:  # the derivative of E[X1 | x] is t / (1 - t)^2 Cov
        (slopes,) = torch.autograd.grad(end, place, u.to(end).expand_as(end), retain_graph=True)
        return (1 - t) ** 2 / t * slopes

    def by_time(u: Tensor) -> Tensor:
        return spread(t.flatten()).reshape(t.shape) ** 2 * u

    return by_jacobian if spread == "jacobian" else by_time


def _check_value(value: object, x: Tensor) -> None:
    """Raise unless the guide returned one number per point, with a gradient."""
    if not isinstance(value, Tensor):
        raise TypeError(f"the guide returned {type(value).__name__}, not a torch.Tensor")
    if value.shape != x.shape[:1]:
        raise ValueError(
            f"the guide returned shape {tuple(value.shape)} for {len(x)} points; it must return "
            f"one number per point, of shape ({len(x)},): sum over the other axes"
        )
    if not value.requires_grad:
        raise ValueError(
            "what the guide returned has no gradient in x; compute it from x1_hat without "
            "torch.no_grad(), detach() or argmax() inside"
        )
