"""Guidance in an interval of time, right and with likely mistakes, for the checker of 11.3."""

from __future__ import annotations

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import WRONG_AXIS, Mistake
from rfteach.exercises.tools.inputs import along_last


def guided_in_part(
    told: Tensor, free: Tensor, scale: float, t: Tensor, start: float, stop: float
) -> tuple[Tensor, list[Mistake]]:
    """Return the right velocity (batch, *event), and wrong ones with their hints.

    Args:
        told: the velocity given the condition.
        free: the velocity given nothing.
        scale: of the guidance, where start <= t < stop.
        t: times, shape (batch,).
        start: see scale.
        stop: see scale.
    """
    more = told - free
    guided = free + scale * more
    inside = (start <= t) & (t < stop)

    def made(within: Tensor, beyond: Tensor, where: Tensor = inside) -> Tensor:
        return torch.where(along(where, told), within, beyond)

    wide = along_last(t, told)
    mistakes = [
        (
            made(told, guided),
            "Inside and outside are exchanged: guide between `start` and `stop`.",
        ),
        (made(guided, free), "Outside of the interval the condition still holds: scale 1."),
        (
            made(guided, torch.zeros_like(told)),
            "Outside of the interval the velocity is that of the condition, not 0.",
        ),
        (
            guided,
            "All rows of this batch are guided. Guide in the interval alone, and decide for each "
            "row by its own time.",
        ),
        (
            told,
            "No row of this batch is guided. Guide in the interval, and decide for each row by its "
            "own time.",
        ),
        (free, "This does not look at the condition."),
        (
            made(told - scale * more, free),
            "The halves are swapped: the first half of the batch was told the condition.",
        ),
        (
            made(told - scale * more, told),
            "The halves are swapped: start from `nothing`, and go toward the condition.",
        ),
        (
            made(told + scale * more, told),
            "This is scale + 1. Start from the velocity for `nothing`, not from that for the "
            "condition.",
        ),
        (
            made(free - scale * more, told),
            "Guidance goes from `nothing` to the condition, and yours goes the other way.",
        ),
        (
            made(free + scale * told, told),
            "The scale multiplies the difference of the two, told - free.",
        ),
        (made(free + (scale - 1) * more, told), "This is scale - 1: scale 1 is the condition."),
        (
            made(guided, told, (start <= t) & (t < start + stop)),
            "`stop` is the time at which the guidance ends, not how long it lasts.",
        ),
        (made(scale * more, told), "The velocity for `nothing` is missing in the sum."),
        (made(scale * told, told), "This scales the velocity, not the difference of the two."),
        (
            made(guided, told, (start < t) & (t <= stop)),
            "At `start` the guidance is on, at `stop` it is off: start <= t < stop.",
        ),
        (
            made(guided, told, (start <= t) & (t <= stop)),
            "At `stop` the guidance is off: t < stop.",
        ),
        (
            made(guided, told, (start < t) & (t < stop)),
            "At `start` the guidance is on: start <= t.",
        ),
        (
            made(guided, told, (start <= 1 - t) & (1 - t < stop)),
            "The interval is taken in 1 - t, the noise level. Compare `t` itself with `start` and "
            "`stop`.",
        ),
        (
            made(guided, told, inside.flip(0)),
            "The velocity was called twice, at other times, and the second time it was guided "
            "where the first call should have been. Decide in each call anew, by its own t.",
        ),
        (
            made(guided, told, start <= t),
            "The guidance begins at `start`, but it should end at `stop`.",
        ),
        (
            made(guided, told, t < stop),
            "The guidance ends at `stop`, but it should begin at `start`.",
        ),
        (
            made(told - scale * more, free - scale * more),
            "The halves are swapped: the first half of the batch was told the condition.",
        ),
        (
            made(told + scale * more, told + more),
            "This is scale + 1. Start from the velocity for `nothing`, not from that for the "
            "condition.",
        ),
        (
            made(scale * told - free, told),
            "The weights of the two velocities should add up to 1: scale and 1 - scale.",
        ),
        (
            made((told + free) / 2, told),
            "This is the mean of the two. Go beyond the condition: free + scale (told - free).",
        ),
        (
            made(guided, (told + free) / 2),
            "Outside of the interval the velocity is that of the condition alone.",
        ),
        (torch.where((start <= wide) & (wide < stop), guided, told), WRONG_AXIS),
    ]
    return made(guided, told), mistakes
