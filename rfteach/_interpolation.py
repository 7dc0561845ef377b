"""Straight lines between source and data (Liu et al. 2022, Section 2.1)."""

from __future__ import annotations

from jaxtyping import Float, Shaped
from torch import Tensor

from rfteach._checks import check_pair, check_times


def interpolate(
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, " batch"],
) -> Float[Tensor, "batch *event"]:
    """Return X_t = (1 - t) X0 + t X1, the point at time t on the line from X0 to X1.

    Args:
        x0: source points, shape (batch, *event).
        x1: data points, shape (batch, *event).
        t: one time in [0, 1] per pair, shape (batch,).

    Returns:
        Points on the lines, shape (batch, *event).

    Raises:
        ValueError: shapes or devices differ, or a time lies outside [0, 1].
        TypeError: an argument is not a floating-point tensor.
    """
    check_pair(x0, x1)
    check_times(t, x0)
    t = along(t, x0)
    return (1 - t) * x0 + t * x1


def along(t: Shaped[Tensor, " batch"], x: Shaped[Tensor, "batch *event"]) -> Tensor:
    """Give one number per point the axes of the points: (batch,) becomes (batch, 1, ..., 1)."""
    return t.reshape(-1, *(1,) * (x.ndim - 1))


def velocity_target(
    x0: Float[Tensor, "batch *event"], x1: Float[Tensor, "batch *event"]
) -> Float[Tensor, "batch *event"]:
    """Return X1 - X0, the velocity of the straight line: the same at every time t.

    Args:
        x0: source points, shape (batch, *event).
        x1: data points, shape (batch, *event).

    Raises:
        ValueError: shapes or devices differ.
        TypeError: an argument is not a floating-point tensor.
    """
    check_pair(x0, x1)
    return x1 - x0
