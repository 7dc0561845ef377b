"""Checkers for chapter 3, on the loss."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from rfteach.exercises import pictures
from rfteach.exercises.answers import WRONG_AXIS, NotAttempted, Right, Wrong, call
from rfteach.exercises.checking import exercise
from rfteach.exercises.expect import expect_close, expect_tensor, expect_value
from rfteach.exercises.expect_loss import expect_loss
from rfteach.exercises.inputs import EVENTS, along, along_last, inputs, waves
from rfteach.exercises.probe import (
    Probe,
    expect_steps,
    expect_without_gradient,
)
from rfteach.exercises.reference import at, walk


# Images of three channels come first: a mean over the entries of a point in the plane would be half
# of the sum, and no mistake should look like another one.
CASES = [(3, (3, 4, 4), torch.float64), *EVENTS]


@exercise("3.1", "The loss, for points of any shape", "code")
def my_loss(my_loss: Any) -> Right:
    """Check `my_loss(velocity, x0, x1, t)`."""
    for given in inputs(CASES, seed=31):
        x0, x1, t, velocity = given.points(), given.points(), given.times(), Probe(waves)
        time = along(t, x0)
        result = call(my_loss, velocity, x0, x1, t)
        xt = (1 - time) * x0 + time * x1
        places = [
            (
                time * x0 + (1 - time) * x1,
                "The network was fed t x0 + (1 - t) x1: time is flipped, or the ends are swapped. "
                "Here t = 0 is the noise.",
            ),
            ((1 - along_last(t, x0)) * x0 + along_last(t, x0) * x1, WRONG_AXIS),
            (x0 + time * x1, "The point on the line is (1 - t) x0 + t x1; the 1 - t is missing."),
            *_off_the_time(velocity, x0, x1),
        ]
        targets = [
            (x0 - x1, "The target is x1 - x0, from the noise to the data; yours points back."),
            (x1, "The target is a velocity, x1 - x0, and not the data x1."),
            (x0, "The target is a velocity, x1 - x0, and not the noise x0."),
            (x1 - xt, "The target is x1 - x0, the whole line, and not the way that is left."),
            (time * (x1 - x0), "The target is x1 - x0 all along the line; do not scale it by t."),
        ]
        _expect_clock(velocity, t, "t")
        expect_loss(result, velocity, xt, t, x1 - x0, places, targets)
    return Right("A sum over the event, whatever its shape, and a mean over the batch.")


def _off_the_time(probe: Probe, x0: Tensor, x1: Tensor) -> list[tuple[Tensor, str]]:
    """Return wrong places for the network, each with its hint."""
    wrong = [
        (x1, "The network was fed x1, the answer. It must see the point between."),
        (x0, "The network was fed x0. It must see the point between."),
        (x1 - x0, "The network was fed the target, x1 - x0. It must see the point between."),
    ]
    line = (x1 - x0).flatten(1)
    for place in probe.points[:1]:
        if place.shape == x0.shape:
            time = ((place - x0).flatten(1) * line).sum(dim=1) / line.square().sum(dim=1)
            on_line = x0 + along(time, x0) * (x1 - x0)
            hint = (
                "The network was fed points of the lines, but at another time than the given one."
            )
            wrong.append((on_line, hint))
    return wrong


def _expect_clock(probe: Probe, t: Tensor, name: str) -> None:
    """Raise Wrong if the network was called with 1 - t in place of t."""
    mean = t.double().mean().item()
    if probe.times and abs(probe.times[0] - 1 + mean) < 1e-4 < abs(probe.times[0] - mean):
        raise Wrong(f"The network was given the time 1 - {name}. It lives in the clock {name}.")


@exercise("3.2", "Time reversed, both halves", "code")
def reversed_time(reversed_loss: Any, reversed_sampler: Any) -> Right:
    """Check `reversed_loss(w, x0, x1, s)` and `reversed_sampler(w, x0, steps)`."""
    for given in inputs(CASES, seed=32):
        x0, x1, s, w = given.points(), given.points(), given.times(), Probe(waves)
        time = along(s, x0)
        result = call(reversed_loss, w, x0, x1, s)
        places = [
            (
                (1 - time) * x0 + time * x1,
                "The network was fed (1 - s) x0 + s x1, the book's own interpolation. Here s = 1 "
                "is the noise.",
            ),
            (along_last(s, x0) * x0 + (1 - along_last(s, x0)) * x1, WRONG_AXIS),
            *_off_the_time(w, x0, x1),
        ]
        back = "w is the derivative in s, which runs from the data to the noise: x0 - x1."
        targets = [
            (x1 - x0, back),
            (x0, "The target is a velocity, and not the noise x0. " + back),
            (x1, "The target is a velocity, and not the data x1. " + back),
            (time * (x0 - x1), "The target is x0 - x1 all along the line; do not scale it by s."),
        ]
        _expect_clock(w, s, "s")
        expect_loss(result, w, time * x0 + (1 - time) * x1, s, x0 - x1, places, targets)

    for given, n in zip(inputs(seed=33), (5, 3, 4, 2, 1, 6), strict=True):
        x0, w = given.points(), Probe(waves)
        try:
            result = call(reversed_sampler, w, x0, n)
        except NotAttempted as stub:
            raise NotAttempted("The loss is right. The sampler is still a stub.") from stub
        got = expect_tensor(result, x0, "The sample")
        expect_steps(w, n)
        if not torch.equal(w.points[0], x0):
            raise Wrong("The sampler does not start with the noise that it was given, x0.")
        wanted = walk(x0, n, sign=-1, first=1, clock=-1)
        mistakes = [
            (
                walk(x0, n, first=1, clock=-1),
                "The sampler adds w, which leads from the data to the noise. Its steps in s are "
                "negative, so it must subtract.",
            ),
            (
                walk(x0, n, sign=-1),
                "The clock of the sampler runs up from 0. It starts with noise, so s starts at 1.",
            ),
            (
                walk(x0, n),
                "This is the book's own sampler. Here the clock falls from 1, and steps subtract.",
            ),
            (
                walk(x0, n, sign=-1, first=1 - 1 / n, clock=-1),
                "Each step takes the time at its end: the first one 1 - 1/N, the last one 0. "
                "Euler's method takes the time at the start of the step.",
            ),
            (
                walk(x0, n, sign=-1, first=1, clock=-n / max(n - 1, 1)),
                "The clock takes N times from 1 to 0 with both ends, so it falls by 1/(N - 1). It "
                "should fall by 1/N: the last step starts at 1/N.",
            ),
            (
                walk(x0, n, sign=-1, first=1, clock=0),
                "The clock stands still at 1. Each step takes 1/N off.",
            ),
            *(
                (
                    walk(x0, n, sign=-n / parts, first=1, clock=-1),
                    "The clock is right, but the steps have another length. Each lasts 1/N.",
                )
                for parts in (1, n + 1, max(n - 1, 1))
            ),
            (
                x0 - sum(at(x0, 1 - i / n) for i in range(n)) / n,
                "Each step asks for the velocity at x0. Ask where the points are now.",
            ),
        ]
        draw = pictures.clouds(wanted, got) if given.plane else None
        expect_close(got, wanted, mistakes, name="The sample", draw=draw)
        expect_without_gradient(result)
    return Right(
        "Loss and sampler belong together. Flip one without the other, and everything still runs, "
        "as chapter 2 showed."
    )


@exercise("3.3", "The floor of nearby pairs", "derive")
def floor(floor: Any) -> Right:
    """Check `floor(delta, dim)`: V for X1 = X0 + delta xi, both standard normal in `dim`."""
    for delta, dim in [(0.7, 3), (2.0, 2), (0.05, 5), (1.0, 1), (10.0, 4)]:
        atan = math.atan(delta)
        alone = "This is V for noise and data drawn independently. Here X1 starts from X0."
        mistakes = [
            (
                dim * delta**2,
                "This is the mean square of X1 - X0. Given X_t, the variance is less.",
            ),
            (
                dim * (delta**2 - delta * atan),
                "This is the part of the variance that the place explains. V is what remains.",
            ),
            (delta * atan, "This is V for one coordinate. The norm adds up all of them."),
            (
                math.sqrt(dim) * delta * atan,
                "V is the mean of the squared norm, not of the norm: it grows like d.",
            ),
            (dim * atan, "A factor delta is missing: substitute u = delta t in the integral."),
            (dim * atan / delta, "The variance of X1 - X0 is delta^2: a factor of it is missing."),
            (dim * delta * math.pi / 2, alone),
            (dim * math.sqrt(1 + delta**2) * math.pi / 2, alone),
            (
                dim * delta**2 / (1 + delta**2),
                "This is the conditional variance at t = 1. Average it over all t.",
            ),
            (
                dim * delta**2 / (1 + delta**2 / 4),
                "This is the conditional variance at t = 1/2. Average it over all t.",
            ),
            (
                dim * math.log(1 + delta**2) / 2,
                "Check the integral: that of 1 / (1 + u^2) is arctan u, not a logarithm.",
            ),
            (dim * delta / math.tan(delta), "arctan is the inverse of tan, which is not 1 / tan."),
            (
                dim * (delta**2 - math.log(1 + delta**2) / 2),
                "It is the square of the covariance, (t delta^2)^2, that the variance loses.",
            ),
            (dim * (delta**2 - delta**4 / 3), "The variance of X_t is 1 + t^2 delta^2, not 1."),
        ]
        value = call(floor, delta, dim)
        expect_value(value, dim * delta * atan, mistakes, f"floor({delta}, {dim})")
    return Right(
        "For small delta it is close to d delta^2, since the lines hardly meet: every place "
        "knows its line only by the blur. It grows like (pi/2) d delta for large delta."
    )


OPTIONS = {
    "A": "a weight that depends on the time alone scales all lines through a place alike",
    "B": "absolute values are least at a median, and the likelier kind of line wins",
    "C": "a mean over the coordinates is the sum divided by their number",
    "D": "other times only change how often a place is visited, not which lines pass there",
    "E": "weighting by its length counts long lines more, so the average moves to them",
    "F": "noise with mean zero raises the loss, but no average",
}


@exercise("3.4", "Which changes move the field?", "predict")
def changes(letters: Any) -> Right:
    """Check a prediction: which of six changes of the loss change the field that is learned."""
    if letters is None or letters is Ellipsis:
        raise NotAttempted
    try:
        chosen = set("".join(str(letter) for letter in letters).upper()) - {" ", ","}
    except TypeError as error:
        raise Wrong(f'Give the letters as a text, such as "AC", not {letters!r}.') from error
    if chosen - set(OPTIONS):
        raise Wrong(f"The letters are A to F; {', '.join(sorted(chosen - set(OPTIONS)))} is none.")
    moved = _moved(torch.get_default_device())
    right = {letter for letter, distance in moved.items() if distance > 0.2}
    found = "The run, with the lines through one place: the best velocity moves for "
    found += " and ".join(sorted(right)) + ".\n"
    verdicts = [
        f"{letter}: {OPTIONS[letter]}."
        for letter in sorted(OPTIONS)
        if (letter in chosen) != (letter in right)
    ]
    draw = pictures.bars(moved, "way that the best\nvelocity moves")
    if chosen == right:
        return Right(found + f"B: {OPTIONS['B']}. E: {OPTIONS['E']}.", draw)
    raise Wrong(found + "\n".join(verdicts), draw)


@functools.cache  # for a second try
def _moved(device: torch.device) -> dict[str, float]:
    """Minimize each loss over one velocity c for the lines through one place; how far it moves."""
    generator = torch.Generator().manual_seed(34)
    n = 2000
    up = torch.rand(n, generator=generator) < 0.7
    lines = torch.stack([torch.full((n,), 1.0), torch.where(up, 3.0, -1.0)], dim=1).double()
    lines = (lines + 0.1 * torch.randn(n, 2, generator=generator)).to(device)
    noise = torch.randn(n, 2, generator=generator).double().to(device)
    some = (torch.rand(n, generator=generator) < 0.3).to(device)  # as if this time came up less

    def least(loss: Any) -> Tensor:
        c = torch.zeros(2, dtype=torch.float64, device=device, requires_grad=True)
        optimizer = torch.optim.Adam([c], lr=0.1)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
        for _ in range(300):
            optimizer.zero_grad()
            loss(c).backward()
            optimizer.step()
            schedule.step()
        return c.detach()

    def squares(d: Tensor) -> Tensor:
        return d.square().sum(dim=1)

    usual = least(lambda c: squares(lines - c).mean())
    losses = {
        "A": lambda c: (5.0 * squares(lines - c)).mean(),
        "B": lambda c: (lines - c).abs().sum(dim=1).mean(),
        "C": lambda c: (lines - c).square().mean(),
        "D": lambda c: squares(lines[some] - c).mean(),
        "E": lambda c: (lines.norm(dim=1) * squares(lines - c)).mean(),
        "F": lambda c: squares(lines + noise - c).mean(),
    }
    return {letter: (least(loss) - usual).norm().item() for letter, loss in losses.items()}
