"""The moment of a flow that a playground shows: a trait for its time, and the points at it."""

from __future__ import annotations

import math

import torch
import traitlets as t
from jaxtyping import Float
from torch import Tensor

from rfteach._solvers import Trajectory


class Time(t.Float):
    """A time from 0 to 1, 1 at first; unlike other numbers with limits, it refuses NaN, too."""

    def __init__(self):
        super().__init__(1.0, min=0.0, max=1.0)

    def validate(self, obj: t.HasTraits, value: object) -> float:
        """Return the time; TraitError where it is none."""
        number = super().validate(obj, value)
        if math.isnan(number):
            raise t.TraitError("time = nan, but it must be a number from 0 to 1")
        return number


def points_at(flow: Trajectory, time: float) -> Float[Tensor, "n *event"]:
    """Return where the points are at a time, on the straight piece between two states."""
    steps = len(flow.states) - 1
    place = time * steps
    k = min(int(place), steps - 1)
    return torch.lerp(flow.states[k], flow.states[k + 1], place - k)
