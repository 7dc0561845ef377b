"""Checkers for chapter 3, on the loss."""

from __future__ import annotations

import functools
import math
import reprlib
from typing import Any

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import WRONG_AXIS, NotAttempted, Right, Wrong, call
from rfteach.exercises.tools.expect import expect_close, expect_tensor, expect_value
from rfteach.exercises.tools.expect_loss import expect_loss
from rfteach.exercises.tools.inputs import IMAGES_FIRST, STEPS, along_last, inputs, waves
from rfteach.exercises.tools.probe import Probe, expect_steps, expect_without_gradient
from rfteach.exercises.tools.reference import falling, is_shuffled


@exercise("3.1", "The loss, for points of any shape", "code")
def my_loss(my_loss: Any) -> Right:
    """Check `my_loss(velocity, x0, x1, t)`."""
    for given in inputs(IMAGES_FIRST, seed=31):
        x0, x1 = given.points(), given.points()
        t = given.times().roll(2)  # so that neither the first row nor the last is at an end
        velocity = Probe(waves, x0)
        result = call(my_loss, velocity, x0, x1, t)
        _expect_loss_on_lines(result, velocity, x0, x1, t, ("x0", "x1", "t"))
    return Right("A sum over the event, whatever its shape, and a mean over the batch.")


def _expect_loss_on_lines(
    result: Any, probe: Probe, start: Tensor, end: Tensor, t: Tensor, names: tuple[str, str, str]
) -> None:
    """Raise Wrong unless `result` is the loss for the lines from `start` to `end`.

    Args:
        result: what the answer returned.
        probe: the velocity that it was given.
        start: where the lines are when the clock shows 0.
        end: where they are when it shows 1.
        t: the times, by that clock.
        names: those of start, end and clock.
    """
    mean = t.double().mean().item()
    a, b, clock = names
    if probe.times and abs(probe.times[0] - 1 + mean) < 1e-4 < abs(probe.times[0] - mean):
        raise Wrong(f"The network was given the time 1 - {clock}. It expects {clock}.")
    time, wrong_time, line = along(t, start), along_last(t, start), end - start
    place = start + time * line
    between = f"It must see the point between, (1 - {clock}) {a} + {clock} {b}."
    places = [
        (
            end - time * line,
            f"The network was fed {clock} {a} + (1 - {clock}) {b}: the clock is flipped, or the "
            f"ends are swapped. In this exercise the line is at {a} for {clock} = 0.",
        ),
        *(
            (
                start + one * line,
                f"The network was fed points of one time for all rows, such as `{clock}[0]` or "
                f"`{clock}.mean()`. Each row has a time of its own: {clock} with trailing axes.",
            )
            for one in (t[0], t[-1], t.mean())
        ),
        (start + wrong_time * line, WRONG_AXIS),
        (start, f"The network was fed {a}. {between}"),
        (end, f"The network was fed {b}. {between}"),
        (line, f"The network was fed the target, {b} - {a}. {between}"),
        (start + time * end, f"The network was fed {a} + {clock} {b}. {between}"),
    ]
    for fed in probe.points[:1]:
        if fed.shape == start.shape:
            if is_shuffled(fed, start, end, t):
                raise Wrong(
                    f"The network was fed points between {a} and the {b} of another row. Row i of "
                    f"{a} and row i of {b} are a pair: do not shuffle one of them."
                )
            share = ((fed - start) * line).flatten(1).sum(1) / line.square().flatten(1).sum(1)
            places.append(
                (
                    start + along(share, start) * line,
                    f"The network was fed points of the lines, at other times. {between}",
                )
            )
    wanted = f"The target is {b} - {a}"
    targets = [
        (-line, f"{wanted}, the derivative in {clock}; yours points back."),
        (start, f"{wanted}, a velocity, and not the place {a}."),
        (end, f"{wanted}, a velocity, and not the place {b}."),
        (end - place, f"{wanted}, the whole line, and not the way that is left."),
        (time * line, f"{wanted} all along the line; do not scale it by {clock}."),
        (place, f"{wanted}, a velocity, and not the place between."),
    ]
    expect_loss(result, probe, place, t, line, places, targets)


@exercise("3.2", "Time reversed, both halves", "code")
def reversed_time(reversed_loss: Any, reversed_sampler: Any) -> Right:
    """Check `reversed_loss(w, x0, x1, s)` and `reversed_sampler(w, x0, steps)`."""
    for given in inputs(IMAGES_FIRST, seed=32):
        x0, x1, s = given.points(), given.points(), given.times().roll(2)
        w = Probe(waves, x0, "velocity w")
        result = call(reversed_loss, w, x0, x1, s)
        _expect_loss_on_lines(result, w, x1, x0, s, ("x1", "x0", "s"))

    for given, n in zip(inputs(seed=33), STEPS, strict=True):
        x0 = given.points()
        w = Probe(waves, x0, "velocity w")
        try:
            result = call(reversed_sampler, w, x0, n)
        except NotAttempted as stub:
            raise NotAttempted("The loss is right. The sampler is still a stub.") from stub
        got = expect_tensor(result, x0, "The sample")
        expect_steps(w, n)
        if not torch.equal(w.points[0], x0):
            raise Wrong("The sampler does not start with the noise that it was given, x0.")
        wanted, mistakes = falling(x0, n)
        draw = pictures.clouds(wanted, got)
        expect_close(got, wanted, mistakes, name="The sample", draw=draw)
        expect_without_gradient(result, w)
    return Right(
        "Loss and sampler belong together. Flip one without the other, and everything still runs, "
        "but the samples are not the data."
    )


@exercise("3.3", "The floor of nearby pairs", "derive")
def floor(floor: Any) -> Right:
    """Check `floor(delta, dim)`: V for X1 = X0 + delta xi, X0 and xi standard normal in `dim`."""
    for delta, dim in [(0.7, 3), (2.0, 2), (0.05, 5), (1.0, 1), (10.0, 4)]:
        wanted = dim * delta * math.atan(delta)
        alone = "This is V for noise and data drawn independently. Here X1 starts from X0."
        wrong_integral = "Check the integral: that of 1 / (1 + u^2) is arctan u, not a logarithm."
        wrong_covariance = "The variance loses the *square* of the covariance, (t delta^2)^2."
        moments = [(1, "t = 1"), (1 / 2, "t = 1/2")]
        mistakes = [
            (dim * delta**2, "This is the mean square of X1 - X0. Given the place it is less."),
            (dim * (delta**2 - wanted / dim), "This part the place explains. V is what remains."),
            (wanted / dim, "This is V for one coordinate. The norm adds up all of them."),
            (wanted / dim**0.5, "V is the mean of the *squared* norm, which grows like d."),
            (wanted / delta, "A factor delta is missing: substitute u = delta t in the integral."),
            (wanted / delta**2, "The variance of X1 - X0 is delta^2: a factor of it is missing."),
            (
                dim * math.pi / 2 * delta,
                "This is what V grows like for large delta. The integral ends at u = delta, not at "
                "infinity.",
            ),
            (dim * math.pi / 2 * math.sqrt(1 + delta**2), alone),
            *((dim * math.log(1 + delta**2) * factor, wrong_integral) for factor in (0.5, 1)),
            (
                dim * delta**2 * math.atan(delta),
                "Substitute u = delta t, and dt = du / delta, too.",
            ),
            (dim * wanted, "The coordinates are alike: there are d of them, not d^2."),
            *((wanted * factor, f"There is a factor {factor:g} too much.") for factor in (0.5, 2)),
            (
                dim * delta * math.tan(delta),
                "The integral of 1 / (1 + u^2) is arctan u, not tan u.",
            ),
            (dim * delta / math.tan(delta), "arctan is the inverse of tan, which is not 1 / tan."),
            (dim * (delta**2 - math.log(1 + delta**2) / 2), wrong_covariance),
            (
                dim * (delta**2 - delta**4 / 3),
                "Is the variance of X_t taken for 1? "
                "It is 1 + t^2 delta^2. Or is this a series, cut off? Use the arctangent itself.",
            ),
            *(
                (
                    dim * delta**2 / (1 + (t * delta) ** 2),
                    f"This is the variance at {when}. Average it over all t.",
                )
                for t, when in moments
            ),
        ]
        value = call(floor, delta, dim)
        expect_value(value, wanted, mistakes, f"floor({delta}, {dim})")
    return Right(
        "For small delta it is close to d delta^2, all of the mean square of X1 - X0: a place "
        "tells almost nothing about such short lines. For large delta it grows like (pi/2) d delta."
    )


OPTIONS = {
    "A": "a weight that depends on the time alone scales all lines through a place alike",
    "B": "absolute values are least at a median, and the likelier kind of line wins",
    "C": "a mean over the coordinates is the sum divided by their number",
    "D": "other times only change how often a place is visited, not which lines pass there",
    "E": "weighting each pair by its length counts long lines more, so the average moves to them",
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
        raise Wrong(f"The letters are A to F, but yours are {reprlib.repr(letters)}.")
    moved = _moved(torch.get_default_device())
    # the lines differ by 4, so that a field that moves moves far; the others move by a scatter of
    # 4 sqrt(0.7 * 0.3 * (1 / 30,000 - 1 / 100,000)), which is 0.009
    right = {letter for letter, distance in moved.items() if distance > 0.2}
    found = "The run, with the lines through one place at one time: the best velocity moves for "
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
    n = 100_000  # so that the scatter does not show in the bars
    uniform = torch.rand(2, n, generator=generator, device="cpu").to(device)
    normal = torch.randn(2, n, 2, generator=generator, device="cpu").double().to(device)
    up, some = uniform[0] < 0.7, uniform[1] < 0.3  # `some`: as if this time came up less often
    height = torch.where(up, 3.0, -1.0).double()
    lines = torch.stack([torch.ones_like(height), height], dim=1) + 0.1 * normal[0]
    noise = normal[1]

    def least(loss: Any) -> Tensor:
        c = torch.zeros(2, dtype=torch.float64, device=device, requires_grad=True)
        optimizer = torch.optim.LBFGS([c], max_iter=100, line_search_fn="strong_wolfe")

        def evaluate() -> Tensor:
            optimizer.zero_grad()
            value = loss(c)
            value.backward()
            return value

        optimizer.step(evaluate)
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
