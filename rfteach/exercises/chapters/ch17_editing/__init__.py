"""Checkers for chapter 17, on inversion and editing: a flow backward, and given points changed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.chapters.ch17_editing.edits import edited, likely_mistakes, other
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.tools.inputs import inputs, waves
from rfteach.exercises.tools.probe import Probe


def gentle(x: Tensor, t: Tensor) -> Tensor:
    """A smooth field whose Lipschitz constant in x is below 1, so that one step is undone."""
    return 0.25 * waves(x, t)


@exercise("17.1", "Undo a step", "code")
def undo_a_step(undo: Any) -> Right:
    """Check `undo(velocity, x, t, h, sweeps)`: x <- end - h v(x, t), begun at the end."""
    for k, given in enumerate(inputs(seed=171)):
        end, t, h, sweeps = given.points(), 0.3, 0.2, (40, 3)[k % 2]
        probe = Probe(gentle, end)
        result = call(undo, probe, end.clone(), t, h, sweeps)
        got = expect_tensor(result, end, "The start of the step")
        right = _undone(end, t, h, sweeps)
        mistakes = [
            (end, "The point has not moved."),
            (
                _undone(end, t, h, 1),
                "This is one sweep, a step of Euler backward. Put its result into the velocity, "
                "and compute again.",
            ),
            (_undone(end, t, -h, sweeps), "The sign: the step added h v, so take it off."),
            (
                _undone(end, t + h, h, sweeps),
                "The velocity was asked at the end of the step, t + h. The step forward asked at "
                "its start, t.",
            ),
            (
                _undone(end, t - h, h, sweeps),
                "The velocity was asked at t - h. The step goes from t to t + h.",
            ),
            (
                end + h * gentle(end, _clock(end, t)),
                "This is the step forward. You have its end, and look for its start.",
            ),
            (
                _running(end, t, h, sweeps),
                "Each sweep starts again from the end of the step: end - h v(x, t). Yours takes "
                "off h v from the last x each time.",
            ),
            (_undone(end, t, 1, sweeps), "The step lasts h, not 1."),
            (
                _undone(end, 1 - t, h, sweeps),
                "The clock is not turned around: ask at t, not 1 - t.",
            ),
            (
                _undone(end, t, h, sweeps - 1),
                "This is one sweep less than was asked for.",
            ),
            (
                _damped(end, t, h, sweeps),
                "Half of the last guess is mixed in. It gets there, too, but in more sweeps: take "
                "end - h v(x, t) whole.",
            ),
        ]
        expect_close(got, right, mistakes, name="The start of the step")
        if probe.evaluations != sweeps:
            raise Wrong(
                f"The point is right, but {sweeps} sweeps are {sweeps} evaluations; yours made "
                f"{probe.evaluations}."
            )
    return Right(
        "A step of Euler from your point leads to the end again, up to rounding. It is undone "
        "because h times the Lipschitz constant is below 1 here."
    )


def _clock(x: Tensor, t: float) -> Tensor:
    return x.new_full((len(x),), t)


def _undone(end: Tensor, t: float, h: float, sweeps: int) -> Tensor:
    x = end
    for _ in range(sweeps):
        x = end - h * gentle(x, _clock(x, t))
    return x


def _damped(end: Tensor, t: float, h: float, sweeps: int) -> Tensor:
    x = end
    for _ in range(sweeps):
        x = (x + end - h * gentle(x, _clock(x, t))) / 2
    return x


def _running(end: Tensor, t: float, h: float, sweeps: int) -> Tensor:
    x = end
    for _ in range(sweeps):
        x = x - h * gentle(x, _clock(x, t))
    return x


@exercise("17.2", "The middle of two noises", "predict")
def middle_of_two_noises(length: Any) -> Right:
    """Check a prediction: how long the middle of two noise images is, against one of them."""
    value = expect_number(length, "The length")
    generator = torch.Generator().manual_seed(172)
    noises = torch.randn(2, 200, 784, generator=generator, device="cpu")
    found = (noises.mean(dim=0).norm(dim=1) / noises[0].norm(dim=1)).mean().item()
    shown = f"The run: with 200 pairs of noise images it is {found:.3f} of the length of one. "
    if abs(value / 0.5**0.5 - 1) < 0.015:
        return Right(
            shown + "The variances of independent numbers add: that of the middle is 1/4 + 1/4 = "
            "1/2 in each pixel, and the length is its root. No noise image is that short."
        )
    hint = misconception(
        value,
        [
            (1, "That would be so if the two pointed in the same direction."),
            (0.5, "That is the variance of a pixel. The length goes with its root."),
            (0, "They would cancel only if they pointed in opposite directions."),
            (2**0.5, "That is the sum of the two. The middle is half of it."),
            (0.25, "Both halves count: the variances of independent numbers add."),
            (0.866, "That is for an angle of 60 degrees. Independent noises are at right angles."),
            (
                0.75,
                "Length is no mean of the cases. What is the variance of a pixel of the middle?",
            ),
            (19.8, "That is the length itself. Which share is it of that of one noise, 28?"),
            (70.7, "As a share, please, not as a percentage: one half is 0.5."),
            (28, "That is the length of one noise. Which share of it is left in the middle?"),
            (0.7854, "There is no circle here: what is the variance of a pixel of the middle?"),
        ],
    )
    raise Wrong(shown + (hint or "What is the variance of the mean of two independent numbers?"))


@exercise("17.3", "How far the pull goes", "derive")
def how_far_the_pull_goes(left: Any) -> Right:
    """Check `left(strength, a, b)`: ((1 - b) / (1 - a))^strength of the distance is left."""
    cases = [(0.9, 0.3, 0.7), (0.5, 0.0, 0.75), (1.0, 0.1, 0.4), (0.25, 0.5, 0.9), (0.0, 0.1, 0.5)]
    for strength, a, b in cases:
        share = (1 - b) / (1 - a)
        right = share**strength
        mistakes = [
            (1 - right, "This is the share that is gone. How much is left?"),
            (share, "This is for strength 1, the straight line."),
            (
                1 - strength * (1 - share),
                "A power, not a line: the pull grows as the time runs out.",
            ),
            (strength * share, "The strength is an exponent: log(distance) falls by it."),
            ((1 - b) ** strength, "This is the share since time 0. The pull here starts at a."),
            (1 / right, "Upside down: the distance falls."),
            (
                share ** (1 / strength) if strength else 0.0,
                "The strength is the exponent, not one over it.",
            ),
            (
                (1 - (b - a)) ** strength,
                "The time that is left shrinks by the factor (1 - b) / (1 - a), not by b - a.",
            ),
            ((b - a) ** strength, "What counts is the time that is left, 1 - a and 1 - b."),
            (
                2.718281828 ** (-strength * (b - a)),
                "This is a pull of constant strength. Here it is divided by 1 - t.",
            ),
            (
                2.718281828 ** (-strength * (b - a) / (1 - b)),
                "1 / (1 - t) changes on the way: integrate it from a to b.",
            ),
            (strength * math.log(share), "This is the logarithm of the share."),
            (
                2.718281828 ** (-strength * (b - a) / (1 - a)),
                "1 / (1 - t) changes on the way: integrate it from a to b.",
            ),
            (share ** (2 * strength), "This is the share of the square of the distance."),
            (share ** (1 - strength), "The exponent is the strength, not what it leaves to v."),
            (((1 - b) * (1 - a)) ** strength, "From a to b: divide by what was left at a."),
        ]
        what = f"At strength {strength:g}, from {a:g} to {b:g}, the share that is left"
        expect_value(call(left, strength, a, b), right, mistakes, what)
    return Right(
        "At strength 1 it is the straight line, and at the end nothing is left. Below 1 nothing is "
        "left at t = 1, either, but most of the way is made late."
    )


@exercise("17.4", "FlowEdit", "code")
def flow_edit(edit: Any) -> Right:
    """Check `edit(source, target, x1, noises)`: N steps of FlowEdit from t = 0."""
    for k, given in enumerate(inputs(seed=174)):
        x1, steps = given.points(), (4, 3, 6, 5, 3, 2, 1)[k]
        noises = torch.stack([given.points() for _ in range(steps)])
        probes = Probe(waves, x1, "source"), Probe(other, x1, "target")
        result = call(edit, *probes, x1.clone(), noises.clone())
        got = expect_tensor(result, x1, "The edited point")
        right = edited(waves, other, x1, noises)
        mistakes = likely_mistakes(x1, noises)
        expect_close(got, right, mistakes, name="The edited point")
        for probe, name in zip(probes, ("source", "target"), strict=True):
            if probe.evaluations != steps:
                raise Wrong(
                    f"The point is right, but {steps} noises are {steps} steps with one evaluation "
                    f"of each velocity; yours made {probe.evaluations} of the {name}."
                )
    return Right(
        "With two equal velocities nothing changes, whatever the noise. That is why what the two "
        "captions agree on is kept."
    )
