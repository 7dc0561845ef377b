"""FlowEdit as exercise 17.4 asks for it, and as it is likely to be got wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.inputs import waves

Field = Callable[[Tensor, Tensor], Tensor]


def other(x: Tensor, t: Tensor) -> Tensor:
    """Another smooth field."""
    return 0.6 * torch.sin(1.7 * x + 0.2) - along(t, x) * torch.cos(x)


def edited(
    source: Field,
    target: Field,
    x1: Tensor,
    noises: Tensor,
    *,
    place: str = "",
    first: float = 0,
    late: int = 0,
    length: float | None = None,
    anew: bool = False,
    skipped: int | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return FlowEdit of x1 with one noise a step, or what comes out with one thing wrong in it.

    Args:
        source, target, x1, noises: as in the exercise.
        place: where the velocities are asked; "" for the right points.
        first: steps by which their clock is ahead, and the noisy points with it.
        late: steps by which their clock alone is ahead.
        length: of a step, in place of 1 / N.
        anew: each step begins at x1 again.
        skipped: the step that is left out.
        start: where the first step begins, in place of x1.
    """
    z, n = x1 if start is None else start, len(noises)
    for k, noise in enumerate(noises):
        t = (k + first) / n
        if k == skipped:
            continue
        shown = {"turned": 1 - t, "still": 0.0}.get(place, t + late / n)
        clock = x1.new_full((len(x1),), shown)
        x = (1 - t) * noise + t * x1 if place != "swapped" else t * noise + (1 - t) * x1
        if place == "added":
            x = x1 + (1 - t) * noise
        there = z + x - x1
        looks = {
            "given": (x, x),
            "edited": (there, there),
            "mixed anew": ((1 - t) * noise + t * z, x),
            "bare": (z, x),
            "bare source": (there, z),
            "from z": (z + (1 - t) * noise + t * z - x1, (1 - t) * noise + t * z),
            "no shift": (z + x, x),
            "no noise": (z, x1),
            "unfaded": (z + noise, x1 + noise),
            "turned shift": (z - x + x1, x),
        }.get(place, (there, x))
        slope = target(looks[0], clock) - source(looks[1], clock)
        z = (x1 if anew else z) + (length or 1 / n) * slope
    return z


def likely_mistakes(x1: Tensor, noises: Tensor) -> list[tuple[Tensor, str]]:
    """Return the results of mistakes, each with the hint that names it."""
    return [
        (x1, "Nothing has changed. Move z by the difference of the velocities."),
        (
            edited(other, waves, x1, noises),
            "The difference has the wrong sign: target minus source.",
        ),
        (
            edited(waves, other, x1, noises, place="given"),
            "Both velocities were asked at x_t. The target is asked where the edited point "
            "would be: z + x_t - x1.",
        ),
        (
            edited(waves, other, x1, noises, place="edited"),
            "Both velocities were asked at z + x_t - x1. The source is asked at x_t.",
        ),
        (
            edited(waves, other, x1, noises, place="mixed anew"),
            "The edited point is not mixed with the noise: that takes off a part of z. It is "
            "shifted as the given one is, z + (x_t - x1).",
        ),
        (
            edited(waves, other, x1, noises, place="bare"),
            "The target was asked at z, a point without noise. It knows noisy points: z + x_t "
            "- x1.",
        ),
        (
            edited(waves, other, x1, noises, place="swapped"),
            "Noise and image are swapped: at t = 0 the point is all noise.",
        ),
        (
            edited(waves, other, x1, noises, first=1),
            "The velocities were asked at the end of each step. Ask at its start, k / N.",
        ),
        (
            edited(waves, other, x1, noises, late=1),
            "The clock shows the end of each step. Ask at its start, k / N.",
        ),
        (
            edited(waves, other, x1, noises, place="turned"),
            "The clock is turned: t = 0 is noise, and t = k / N in step k.",
        ),
        (
            edited(waves, other, x1, noises, place="bare source"),
            "The source was asked at z. It is asked at the given point with noise, x_t.",
        ),
        (
            edited(waves, other, x1, noises, place="from z"),
            "x_t is made of the edited point. It is made of the given one: (1 - t) noise + t x1.",
        ),
        (
            edited(waves, other, x1, noises, start=noises[0]),
            "z begins as noise. It begins as x1: FlowEdit goes straight from image to image.",
        ),
        (
            edited(waves, other, x1, noises) - x1,
            "This is the shift alone. Add it to x1.",
        ),
        (
            edited(waves, other, x1, noises, length=1.0),
            "Each step lasts 1 / N: multiply the difference by it.",
        ),
        (
            edited(lambda x, t: 0 * x, other, x1, noises),
            "The velocity of the source is missing.",
        ),
        (
            edited(waves, other, x1, noises, length=-1 / len(noises)),
            "z moves by plus the difference, and yours by minus: t rises from 0 to 1.",
        ),
        (
            edited(waves, other, x1, noises[:1].expand_as(noises)),
            "All steps had the first noise. Step k has noises[k].",
        ),
        (
            edited(waves, other, x1, noises.flip(0)),
            "The noises were taken in reverse. Step k, at t = k / N, has noises[k].",
        ),
        (
            edited(waves, other, x1, noises.mean(dim=0).expand_as(noises)),
            "All steps had the mean of the noises. Step k has noises[k].",
        ),
        (
            edited(waves, other, x1, noises, place="unfaded"),
            "The noise was added to the points as it is. Mix it: x_t = (1 - t) noise + t x1.",
        ),
        (
            edited(waves, other, x1, noises, place="turned shift"),
            "The shift has the wrong sign. The target is asked at z + (x_t - x1).",
        ),
        (
            edited(waves, other, x1, noises, first=0.5),
            "The velocities were asked in the middle of each step. Ask at its start, k / N.",
        ),
        (
            edited(waves, other, x1, noises, place="still"),
            "The clock stood still at 0. In step k it shows k / N.",
        ),
        *(
            (edited(waves, other, x1, noises, skipped=k), f"The {name} step is left out.")
            for k, name in ((0, "first"), (len(noises) - 1, "last"))
            if len(noises) > 1
        ),
        (
            edited(waves, other, x1, noises, place="added"),
            "The noise was added to x1. Mix it: x_t = (1 - t) noise + t x1.",
        ),
        (
            edited(waves, other, x1, noises, place="no shift"),
            "The target was asked at z + x_t. Only the way of x1 is added, x_t - x1.",
        ),
        (
            edited(waves, other, x1, noises, place="no noise"),
            "Both velocities were asked at points without noise. They know noisy points: x_t, "
            "and z + x_t - x1.",
        ),
        (
            edited(waves, other, x1, noises, anew=True),
            "Each step began at x1 again. z goes on from where the last step left it.",
        ),
    ]
