"""What training minimizes: the least squares of Rectified Flow, and two variations for images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_number, check_velocity_output
from rfteach._interpolation import interpolate, velocity_target
from rfteach._velocity import Velocity

Loss = Callable[[Velocity, Tensor, Tensor, Tensor], Tensor]
"""Any callable `loss(velocity, x0, x1, t)` that returns a scalar with gradients."""


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
    return _residual(velocity, x0, x1, t)[0].square().flatten(1).sum(dim=1).mean()


def pseudo_huber_loss(
    velocity: Velocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the batch mean of sqrt(r^2 + c^2) - c, with r = ||(X1 - X0) - v(X_t, t)||.

    Quadratic for residuals far below c and linear far above, so that the few worst pairs weigh
    less. c = 0.00054 d for points of d numbers (Lee, Lin and Fanti 2024). Its minimum
    is not the mean of X1 - X0 given X_t, so use it where nearly nothing is left to average: on
    Reflow's pairs.

    Args, returns and errors: as for `velocity_matching_loss`.
    """
    residual = _residual(velocity, x0, x1, t)[0].flatten(1)
    c = 0.00054 * residual.shape[1]
    return ((residual.square().sum(dim=1) + c**2).sqrt() - c).mean()


def feature_loss(
    velocity: Velocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
    *,
    features: Callable[[Tensor], Tensor],
    weight: float = 1.0,
) -> Float[Tensor, ""]:
    """Return the squared residual plus `weight` times what the features see of it.

    What they see is ||J_h(X_t) ((X1 - X0) - v(X_t, t))||^2, with J_h the Jacobian of the features h
    (Liu et al. 2022, image-to-image translation, where it stands alone). The regression then cares
    for the directions in which the features change. Bind the features with
    `functools.partial(feature_loss, features=...)`.

    Args:
        velocity, x0, x1, t: as for `velocity_matching_loss`.
        features: differentiable map from points (batch, *event) to features (batch, ...), such as a
            trained classifier's; its weights are not trained.
        weight: of the features' part, at least 0.

    Returns and errors: as for `velocity_matching_loss`; also ValueError for a weight that is
    negative or not finite, and TypeError for one that is no number.
    """
    check_number("weight", weight, low=0)
    residual, xt = _residual(velocity, x0, x1, t)
    seen = torch.func.jvp(features, (xt,), (residual,))[1]
    squares = residual.square().flatten(1).sum(dim=1) + weight * seen.square().flatten(1).sum(dim=1)
    return squares.mean()


def _residual(velocity: Velocity, x0: Tensor, x1: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the velocity misses of X1 - X0, and the points X_t where it does."""
    xt = interpolate(x0, x1, t)
    v = velocity(xt, t)
    check_velocity_output(v, xt)
    return velocity_target(x0, x1) - v, xt
