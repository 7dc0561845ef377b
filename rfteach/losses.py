"""The least-squares loss of Rectified Flow."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_velocity_output
from rfteach.interpolation import interpolate, velocity_target

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Any callable `velocity(x, t)`: x (batch, *event) and t (batch,) in, the shape of x out."""


def velocity_matching_loss(
    velocity: Velocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the batch mean of ||(X1 - X0) - v(X_t, t)||^2 (Liu et al. 2022, equation 1).

    The squared norm sums over the event and the mean runs over the batch alone, so that the value
    estimates the integral in the paper and can be held against its floor V(X0, X1).

    Args:
        velocity: callable `velocity(x, t)` that returns the shape of `x`.
        x0: source points, shape (batch, *event).
        x1: data points, shape (batch, *event).
        t: one time in [0, 1] per pair, shape (batch,).

    Returns:
        A scalar tensor that carries gradients.

    Raises:
        ValueError: shapes or devices differ, a time lies outside [0, 1], or the velocity returns
            another shape than that of its points.
        TypeError: an argument is not a floating-point tensor.
    """
    xt = interpolate(x0, x1, t)
    v = velocity(xt, t)
    check_velocity_output(v, xt)
    return (velocity_target(x0, x1) - v).square().flatten(1).sum(dim=1).mean()
