"""Classifier-free guidance: to go further in the direction in which the text changes the flow."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Shaped
from torch import Tensor

from rfteach._checks import check_condition, check_number, check_tensor, check_velocity_output
from rfteach._velocity import Velocity


def guided(
    velocity: Callable,
    condition: Shaped[Tensor, "batch *condition"],
    nothing: Shaped[Tensor, "batch *condition"],
    *,
    scale: float,
    interval: tuple[float, float] | None = None,
) -> Velocity:
    """Return the velocity v(x, t | nothing) + scale (v(x, t | condition) - v(x, t | nothing)).

    This is classifier-free guidance (Ho and Salimans 2022, equation 6, where the scale is 1 + w),
    said of velocities. Scale 0 does not look at the condition, scale 1 is the flow given the
    condition, and larger ones exaggerate what the condition changes. The end points then do not
    follow the law of the data any more.

    Both velocities come from one call with twice the batch: it counts as one evaluation, and costs
    as much as two. At times outside of `interval` the scale is 1 (Kynkäänniemi et al. 2024, arXiv
    2404.07724); where that holds for all points, the call is with the batch as it is.

    Args:
        velocity: callable `velocity(x, t, condition=condition)` that was trained with both.
        condition: such as the tokens of the texts, a row for each point.
        nothing: what the velocity was told in training when it was told nothing, of the same shape.
        scale: the guidance scale.
        interval: (start, stop), to guide only where start <= t < stop; None for all times.

    Raises:
        ValueError: the two conditions differ in shape, or their rows from the points, or the
            interval does not start before it stops, or the scale is not finite.
        TypeError: one of the conditions is no tensor, or the scale no number.
    """
    check_tensor("condition", condition)
    check_tensor("nothing", nothing)
    check_number("scale", scale)
    if condition.shape != nothing.shape:
        raise ValueError(
            f"condition has shape {tuple(condition.shape)} and nothing {tuple(nothing.shape)}; "
            f"pass a row of each for each point, such as torch.zeros_like(condition)"
        )
    start, stop = (-math.inf, math.inf) if interval is None else interval
    if not start < stop:
        raise ValueError(f"interval = {interval}, but it must be (start, stop) with start < stop")
    both = torch.cat([condition, nothing])

    def guided_velocity(x: Tensor, t: Tensor) -> Tensor:
        check_condition(condition, x)
        inside = (start <= t) & (t < stop)
        if interval is not None and not inside.any():
            return velocity(x, t, condition=condition)
        v = velocity(torch.cat([x, x]), torch.cat([t, t]), condition=both)
        toward, plain = v.chunk(2)
        check_velocity_output(plain, x)
        scales = torch.ones_like(t).masked_fill(inside, scale).reshape(-1, *[1] * (x.ndim - 1))
        return plain + scales * (toward - plain)

    return guided_velocity
