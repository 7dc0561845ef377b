"""Checkers for chapter 18, on latents: their scale, and what an autoencoder loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import WRONG_AXIS, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.tools.inputs import along_last, inputs, waves

FACTORS = [(1.5305, 0.0609), (0.3611, 0.1159), (0.18215, 0.0), (0.4, -0.8)]  # scaling, shift


@exercise("18.1", "What the decoder gets", "code")
def decoder_input(decoder_input: Any) -> Right:
    """Check `decoder_input(x, scaling, shift)`: x / scaling + shift."""
    for i, (scaling, shift) in enumerate(FACTORS):
        for given in inputs(seed=1810 + i):
            x = given.points()
            result = call(decoder_input, x, scaling, shift)
            got = expect_tensor(result, x, "The decoder's input")
            mistakes = [
                (x, "This is the flow's end as it is. The decoder was trained without the scale."),
                (
                    (x - shift) * scaling,
                    "That is the encoder's side again. The decoder needs the way back.",
                ),
                (
                    x * scaling + shift,
                    "Encoding multiplies by the scaling. So the way back divides by it.",
                ),
                (
                    (x + shift) / scaling,
                    "Undo the steps in reverse order: the shift was taken away first, so it comes "
                    "back last.",
                ),
                (x / scaling - shift, "The shift was subtracted. Add it back."),
                ((x - shift) / scaling, "The shift was subtracted. Add it back, at the end."),
                (x / scaling, "The shift is missing."),
                (x + shift, "The scaling is missing."),
                *(
                    (way, "Encoding multiplies by the scaling. So the way back divides by it.")
                    for way in (x * scaling, x * scaling - shift, (x + shift) * scaling)
                ),
            ]
            expect_close(got, x / scaling + shift, mistakes, name="The decoder's input")
    return Right(
        "The inverse, in reverse order. In diffusers this is the line before `vae.decode`. A "
        "pipeline without it runs, and decodes something that the decoder has never seen."
    )


@exercise("18.2", "Where the signal takes over", "predict")
def takeover(time: Any) -> Right:
    """Check a prediction: the time at which latents of scale 1 / 0.18215 are as wide as noise."""
    value = expect_number(time, "The time")
    times = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    scale = 1 / 0.18215
    found = times[(times * scale >= 1 - times).nonzero()[0]].item()
    shown = f"The run: t = {found:.3f}. "
    if abs(value / found - 1) < 0.04:
        return Right(
            shown + "That is 1 / (1 + s) with s = 5.49. More than four fifths of the times, in "
            "training and in sampling, then show a signal that is wider than the noise."
        )
    hint = misconception(
        value,
        [
            (0.5, "That is the time for latents of standard deviation 1."),
            (1 - found, "That is the share of noise, 1 - t, or you took the inverse of s."),
            (0.18215, "That is t / (1 - t). Solve for t."),
            (scale, "That is the scale. The time lies between 0 and 1."),
            (100 * found, "That is a percentage. The time lies between 0 and 1."),
            (
                1 / (1 + scale**2),
                "You compared variance with width. Both sides are widths: s t = 1 - t.",
            ),
        ],
    )
    if not hint and not 0 <= value <= 1:
        hint = "The time lies between 0 and 1."
    raise Wrong(shown + (hint or "Set the two widths equal: s t = 1 - t, with s = 1 / 0.18215."))


def at_scale(
    velocity: Callable, x: Tensor, t: Tensor, s: float, spread: Callable = along
) -> Tensor:
    """Return the velocity to s times the data, made of the one to the data, at (x, t)."""
    c = (1 - t) + s * t
    wide = spread(c, x)
    return ((s - 1) * x + s * velocity(x / wide, s * t / c)) / wide


class _Asked:
    """A smooth velocity that checks how it is called."""

    def __init__(self, like: Tensor):
        self.shape, self.calls = like.shape, 0

    def __call__(self, x: Any, t: Any) -> Tensor:
        self.calls += 1
        shapes = [tuple(v.shape) for v in (x, t) if isinstance(v, Tensor)]
        if len(shapes) != 2 or shapes[0][1:] != tuple(self.shape[1:]) or shapes[1] != shapes[0][:1]:
            raise Wrong(
                "The velocity takes points of the shape of x, and times of shape (batch,); it was "
                f"called with shapes {shapes}."
            )
        return waves(x, t)


def by_ends(
    v: Callable[..., Tensor],
    s: float,
    place: Tensor,
    clock: Tensor,
    weights: Sequence[int] = (-1, 1),
) -> Tensor:
    """Weigh the two ends of the other flow's line, its noise and its data over s, as asked here."""
    u, time = v(place, clock), along(clock, place)
    noise, data = place - time * u, (place + (1 - time) * u) / s
    return weights[0] * noise + weights[1] * data


@exercise("18.3", "The scale taken out again", "code")
def to_unit(to_unit: Any) -> Right:
    """Check `to_unit(velocity, s, x, t)`: the velocity to X1, given the one to s X1."""
    for s in (0.4, 2.5):
        for given in inputs(seed=183):
            x, t = given.points(), given.times(0.1, 0.9)
            v = _Asked(x)
            got = expect_tensor(call(to_unit, v, s, x, t), x, "The velocity")
            if v.calls != 1:
                raise Wrong(f"The velocity was evaluated {v.calls} times. Once is enough.")
            back = 1 / s
            c = (1 - t) + back * t
            wide, told = along(c, x), back * t / c
            there = (1 - t) + s * t  # c, with s in the place of 1 / s
            mistakes = [
                (
                    at_scale(v, x, t, s),
                    "This goes from the unit scale to s. Here the velocity belongs to s, and is "
                    "wanted at 1: put 1 / s in the place of s.",
                ),
                (v(x, t), "Nothing has changed. Place, clock and result must all be converted."),
                (v(x, t) / s, "Dividing by s is right only at the end. Before, the scale is c."),
                (s * v(x, t), "The clock must be converted, too, and the place."),
                (
                    ((back - 1) * x + back * v(x / wide, t)) / wide,
                    "The clock is that of the other flow: convert the time, too.",
                ),
                (
                    ((back - 1) * x + back * v(x, told)) / wide,
                    "The place must be divided by c before the velocity is asked.",
                ),
                (
                    back * v(x / wide, told) / wide,
                    "The factor c itself changes with t: its slope is missing.",
                ),
                (
                    (back - 1) * x / wide + v(x / wide, told) * wide,
                    "The clocks run at different speeds: multiply by dt'/dt.",
                ),
                (
                    ((back - 1) * x + back * v(x / wide, t / (t + back * (1 - t)))) / wide,
                    "The clock is turned the wrong way: the time of the other flow is t / c / s.",
                ),
                (
                    ((back - 1) * x + back * v(x * wide, told)) / wide,
                    "The place is turned the wrong way: divide it by c.",
                ),
                (
                    (back - 1) * x + back * v(x / wide, told),
                    "All of it is divided by c: one factor c of the slope cancels, one stays.",
                ),
                (
                    (back - 1) * x / wide + back * v(x / wide, told),
                    "The velocity term is divided by c, too.",
                ),
                (
                    ((back - 1) * x / wide + back * v(x / wide, told)) / wide,
                    "The first term has one c below it, not two: it is c' times x / c.",
                ),
                *(
                    (
                        ((back - 1) * x + factor * v(x / wide, told)) / wide,
                        "The factor of the velocity is 1 / s: that is c times dt'/dt, times c.",
                    )
                    for factor in (1, s)
                ),
                (
                    ((1 - back) * x + back * v(x / wide, told)) / wide,
                    "Check the sign of the slope of c = (1 - t) + t / s.",
                ),
                (
                    v(x, told),
                    "The clock is right. Convert the place and the result, too.",
                ),
                *(
                    (
                        (along((1 - at) + s * at, x) * v(x, at) - (s - 1) * x) / s,
                        "You solved the formula backwards, but x is a point of the unit flow. The "
                        f"other flow stands at c x there{also}.",
                    )
                    for at, also in ((told, ""), (t, ", and its clock shows another time"))
                ),
                (
                    v(x / wide, told),
                    "Place and clock are right. The result must be converted, too.",
                ),
                (
                    v(x / wide, told) / s,
                    "Place and clock are right. In the result, dividing by s "
                    "alone is right only at the end.",
                ),
                (
                    by_ends(v, s, x / wide, told, (0, 1)),
                    "This is the mean of the data. The velocity is data minus noise.",
                ),
                (
                    by_ends(v, s, x / wide, t),
                    "The clock is that of the other flow: convert the time, too.",
                ),
                (
                    by_ends(v, s, x * wide, told),
                    "The place is turned the wrong way: divide it by c.",
                ),
                *(
                    (
                        by_ends(v, s, place, told),
                        "The place must be divided by c, and by nothing else.",
                    )
                    for place in (x * s, x / s)
                ),
                (
                    by_ends(v, s, x / along(there, x), s * t / there),
                    "Here X1 is 1 / s times the data of the other flow: put 1 / s in the place of "
                    "s, in c and in the clock.",
                ),
                *(
                    (v(place, t) / s, "Between noise and data the scale is neither 1 nor s but c.")
                    for place in (s * x, x / s)
                ),
                (at_scale(v, x, t, back, along_last), WRONG_AXIS),
            ]
            expect_close(got, at_scale(v, x, t, back), mistakes, name="The velocity")
    return Right(
        "Scaling back is scaling, by 1 / s. So a flow that was trained with a forgotten scale is "
        "not lost: asked like this, it is a flow to the unit scale, up to what training missed."
    )


def shrunk(kept: Tensor, square: float, factor: Tensor) -> float:
    """Return the error of numbers with these variances, each with its factor; square: of noise."""
    return ((1 - factor) ** 2 * kept + factor**2 * square).sum().item()


@exercise("18.4", "The best decoder of noisy latents", "derive")
def best_error(best_error: Any) -> Right:
    """Check `best_error(variances, k, noise)`: the mean squared error per image."""
    cases = [([5.0, 0.8, 0.6, 0.5], 2, 1.2), ([9.0, 2.0, 0.4], 1, 1.5), ([4.0, 2.5, 1.5], 3, 0.6)]
    for numbers, k, noise in [*cases, ([2.0, 1.0, 0.3, 0.1], 2, 0.0)]:
        kept, left = torch.tensor(numbers[:k]), sum(numbers[k:])
        square = noise**2
        lost = (kept * square / (kept + square)).sum().item()
        everything = torch.tensor(numbers)
        mistakes = [
            (
                k * square + left,
                "That is the error of the plain decoder. The best one shrinks each number before "
                "it decodes: which factor is best?",
            ),
            (left, "That is the error without noise."),
            (sum(numbers), "That is the error of a decoder that ignores all of the numbers."),
            (lost, "The variances that are left out are lost as well. Add them."),
            (
                kept.clamp(max=square).sum().item() + left,
                "This takes each number as it is or not at all. A factor in between is better.",
            ),
            (
                (kept**2 / (kept + square)).sum().item() + left,
                "That is the variance that the kept numbers still explain. What is lost of each is "
                "the rest.",
            ),
            (
                (everything * square / (everything + square)).sum().item(),
                "Only the first k numbers are kept. Of the others it knows nothing.",
            ),
            (
                (kept * noise / (kept + noise)).sum().item() + left,
                "`noise` is a standard deviation. Its square is the variance.",
            ),
            *(
                (
                    (kept_ * square / (kept_ + square)).sum().item() + sum(numbers[more:]),
                    f"With k = {k}, the numbers kept are the first {k}: `variances[:k]`.",
                )
                for more in (k + 1, k - 1)
                if 0 < more <= len(numbers)
                for kept_ in [torch.tensor(numbers[:more])]
            ),
            (
                lost + left - numbers[k] if k < len(numbers) else left,
                f"With k = {k}, the numbers left out begin with `variances[k]`.",
            ),
            (
                (kept / (kept + square)).sum().item() + left,
                "That is the sum of the factors. Put each into the error of its number.",
            ),
            (
                k * noise + left,
                "`noise` is a standard deviation; its square is the variance. And the best decoder "
                "shrinks each number.",
            ),
            (
                lost + left + (len(numbers) - k) * square,
                "Numbers that are left out are not sent, so no noise is added to them.",
            ),
            (
                (kept / (kept + square)).pow(2).sum().item() * square + left,
                "That is the noise that comes through. Shrinking also loses a part of z itself.",
            ),
            (
                (square / (kept + square)).pow(2).mul(kept).sum().item() + left,
                "That is what shrinking loses of z. A part of the noise comes through as well.",
            ),
            (
                (kept**2 * square / (kept**2 + square)).sum().item()
                + sum(v**2 for v in numbers[k:]),
                "The variances are squares already. Do not square them again.",
            ),
            (
                shrunk(kept, square, kept.sum() / (kept.sum() + k * square)) + left,
                "One factor for all numbers is not the best: each number has its own variance, and "
                "its own best factor.",
            ),
            (
                shrunk(kept, square, kept.sqrt() / (kept.sqrt() + noise)) + left,
                "The best factor is a ratio of variances, not of widths.",
            ),
            *(
                (
                    value + left,
                    "The variances are squares already: add them to the square of the noise as "
                    "they are.",
                )
                for value in (
                    (kept * square / (kept**2 + square)).sum().item(),
                    (kept**2 * square / (kept**2 + square)).sum().item(),
                    shrunk(kept, square, kept / (kept**2 + square)),
                    shrunk(kept, square, kept**2 / (kept**2 + square)),
                )
            ),
            *(
                (
                    (lost + left) / count,
                    "The error of an image is the sum over its numbers, not their mean.",
                )
                for count in (k, len(numbers))
                if count > 1
            ),
            (
                (lost + left) ** 0.5,
                "The mean squared error is asked for, not its root.",
            ),
            (
                (kept * square / (kept + square)).mean().item() + left,
                "The error of an image is the sum over its numbers, not their mean.",
            ),
        ]
        value = call(best_error, torch.tensor(numbers), k, noise)
        expect_value(value, lost + left, mistakes, f"best_error({numbers}, {k}, {noise})")
    return Right(
        "Each kept number loses at most its variance, however strong the noise: then the best "
        "decoder ignores it. With the plain decoder the noise costs k times its variance."
    )
