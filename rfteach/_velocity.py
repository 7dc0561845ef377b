"""Velocities: what a flow is made of, how one is told a condition, and how calls are counted."""

from __future__ import annotations

import functools
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Any callable `velocity(x, t)`: x (batch, *event) and t (batch,) in, the shape of x out."""

MeanVelocity = Callable[..., Tensor]
"""Any callable `velocity(x, t, r)`: the mean velocity of a flow from t to r, both (batch,)."""

ConditionalVelocity = Callable[..., Tensor]
"""Any callable `velocity(x, t, condition=condition)`, with a row of the condition per point."""


def with_condition(velocity: ConditionalVelocity, condition: Tensor | None = None) -> Velocity:
    """Bind a condition, one row per point, to a velocity that takes one; None binds nothing.

    Args:
        velocity: callable `velocity(x, t, condition=condition)`.
        condition: such as the labels of the points, shape (batch, ...).

    Returns:
        A velocity of `x` and `t`, for these points.
    """
    return velocity if condition is None else functools.partial(velocity, condition=condition)


class CountedVelocity:
    """A velocity that counts how often it is called.

    Wrap a velocity in it to count the network evaluations (NFE) of any sampler, not only of ours.

    Attributes:
        evaluations: the number of calls so far.
    """

    def __init__(self, velocity: Velocity):
        self.velocity = velocity
        self.evaluations = 0

    def __call__(
        self, x: Float[Tensor, "batch *event"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch *event"]:
        """Return velocity(x, t), and count the call."""
        self.evaluations += 1
        return self.velocity(x, t)
