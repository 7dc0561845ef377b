"""Checkers for chapter 1, on flows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import _solvers as solvers, figures
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import Mistake, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    close,
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)
from rfteach.exercises.tools.inputs import PLANE, STEPS, inputs, swirl, waves
from rfteach.exercises.tools.probe import Probe, expect_looks, expect_steps
from rfteach.exercises.tools.reference import falling


@exercise("1.1", "Run the flow backward", "code")
def backward(backward: Any) -> Right:
    """Check `backward(velocity, x1, steps)`: Euler's method from t = 1 to t = 0."""
    for given, n in zip(inputs(seed=11), STEPS, strict=True):
        x1 = given.points()
        probe = Probe(waves, x1)
        result = expect_tensor(call(backward, probe, x1, n), x1)
        expect_steps(probe, n)
        wanted, mistakes = falling(x1, n)
        mistakes = [] if close(result, wanted) else list(mistakes)
        if not any(close(result, known) for known in (wanted, *(each for each, _ in mistakes))):
            expect_looks(probe, [1 - i / n for i in range(n)])
        draw = pictures.clouds(wanted, result)
        expect_close(result, wanted, mistakes, name="The start of the flow", draw=draw)
    return Right(
        "Only two signs changed: that of the clock and that of the step. There and back with the "
        "same number of steps does not return exactly. Each Euler step uses the arrow at its own "
        "start, and the two ways meet different arrows."
    )


@exercise("1.2", "Euler on a circle", "predict")
def circle(distance: Any) -> Right:
    """Check a prediction: the distance from the center after 4 Euler steps of a quarter turn."""
    predicted = expect_number(distance, "The distance")

    def turning(x: Tensor, t: Tensor) -> Tensor:
        return math.pi / 2 * torch.stack([-x[:, 1], x[:, 0]], dim=1)

    path = solvers.euler(turning, torch.tensor([[1.0, 0.0]], dtype=torch.float64), steps=4)
    measured = path.end.norm().item()
    found = f"The run: after 4 steps the point is at distance {measured:.3f}. "
    why = (
        "Each step leaves the circle along its tangent, at a right angle to the radius. By "
        "Pythagoras it multiplies the distance by the root of 1 + (pi/8)^2, which is 1.074, and "
        "four steps multiply it by the fourth power of that."
    )

    def make() -> Figure:
        figure, (ax,) = figures.planes(["four Euler steps"], limit=1.5)
        angle = torch.linspace(0, math.pi / 2, 50, device="cpu")
        for radius, color, style in [(1.0, "exact", "-"), (predicted, "distilled", ":")]:
            ax.plot(radius * angle.cos(), radius * angle.sin(), style, color=figures.COLORS[color])
        ax.plot(*path.states[:, 0].T.tolist(), "o-", markersize=4, color=figures.COLORS["1-RF"])
        return figure

    draw = pictures.picture(
        make,
        "A quarter circle, the path of four Euler steps that leaves it outward, and, dotted, the "
        "distance that you predicted.",
    )
    if abs(predicted / measured - 1) < 0.01:
        return Right(found + why, draw)
    one_step = math.hypot(1, math.pi / 8)
    hint = misconception(
        predicted,
        [
            (1.0, "The true flow stays on the circle, but Euler's method leaves it. "),
            (one_step, "That is one of the four steps. Each of them multiplies the distance. "),
            (
                math.hypot(1, 1 / 4) ** 4,
                "That is for the speed 1. A quarter turn in a unit of time has the speed pi / 2. ",
            ),
            (math.hypot(1, math.pi / 2), "That is one step for the whole quarter turn. "),
            *(
                (math.hypot(1, math.pi / 8) ** n, f"That is after {n} of these steps. Make 4. ")
                for n in (2, 3, 5)
            ),
            *(
                (math.hypot(1, math.pi / 2 / n) ** n, f"That is for {n} steps of 1/{n}, not 4. ")
                for n in (2, 3, 5, 8)
            ),
            (measured**2, "That is the square of the distance. "),
            (
                (path.end - path.end.new_tensor([[0.0, 1.0]])).norm().item(),
                "That is how far the point is from the true end. From the center it is farther. ",
            ),
            *(
                (sum_of_growths, "The growth of the four steps multiplies, it does not add. ")
                for sum_of_growths in (1 + 4 * (one_step - 1), 1 + 2 * (math.pi / 8) ** 2)
            ),
        ],
    )
    if predicted < 1 and not hint:
        hint = "A step along the tangent of a circle leads outward, never inward. "
    raise Wrong(found + hint + why, draw)


@exercise("1.3", "A straight field of your own", "derive")
def straight_field(straight_field: Any) -> Right:
    """Check `straight_field(x, t, a, b)`: every z0 goes straight to a z0 + b."""
    ab = [(3.0, (1.0, -2.0)), (0.1, (0.5, 0.7)), (2.0, (-1.0, 0.3)), (0.4, (0.2, 0.0))]
    ab.append((1.0, (0.6, -0.8)))  # a plain shift
    for given, (a, shift) in zip(inputs([*PLANE, PLANE[1]], seed=13), ab, strict=True):
        x, t = given.points(), given.times()
        b = x.new_tensor(shift)
        by_a = f"Is there a division by something that may be 0? Here a = {a:g}."
        result = expect_tensor(call(straight_field, x, t, a, b), x, finite=by_a)
        growth = 1 + (a - 1) * t[:, None]
        start = (x - t[:, None] * b) / growth
        mistakes = [
            (
                (a - 1) * x + b,
                "This uses the place x as if it were the start z0, which is right at t = 0 only. "
                "First solve x = (1 - t) z0 + t (a z0 + b) for z0.",
            ),
            (
                (a - 1) * x / growth + b,
                "When you solve for the start, the shift must go, too: z0 = (x - t b) / (1 + (a - "
                "1) t).",
            ),
            (
                start,
                "This is the start z0 of the line through x, a place. The velocity is the end a z0 "
                "+ b minus the start z0.",
            ),
            (
                a * start + b,
                "This is where the line through x ends, a z0 + b. The velocity is the end minus "
                "the start.",
            ),
            (
                math.log(a) * (x + b / (a - 1)) if a != 1 else b.expand_as(x),
                "This field leads to the right ends, but the speed changes on the way, like that "
                "of v(x) = x. It should be the same all along each line.",
            ),
            (
                (a - 1) * (x - t[:, None] * b) / (2 - growth) + b,
                "Check the sign in 1 + (a - 1) t: at t = 1 it should be a.",
            ),
            (
                (a - 1) * (x - t[:, None] * b) / (1 + a * t[:, None]) + b,
                "z0 has the weight (1 - t) + a t, which is 1 + (a - 1) t and not 1 + a t.",
            ),
            (
                (a - 1) * (x + t[:, None] * b) / growth + b,
                "Solve x = (1 + (a - 1) t) z0 + t b for z0: t b is taken off, not added.",
            ),
            (
                (a - 1) * (x - t[:, None] * b) + b,
                "x - t b is (1 + (a - 1) t) z0. Divide it, to get z0 alone.",
            ),
            (
                (a - 1) * start,
                "The shift b is part of the velocity: the end a z0 + b minus the start z0.",
            ),
            (
                (a - 1) * x / growth,
                "The shift b is lost. It is part of the path, of the end and of the velocity.",
            ),
            (
                (a - 1) * (x - b) / growth + b,
                "At time t the shift has come to t b, not to b: z0 = (x - t b) / (1 + (a - 1) t).",
            ),
            (
                a * start + b - x,
                "This is the way that is left at x. The velocity is the whole line, end minus "
                "start, all along it.",
            ),
            (
                ((a - 1) * x + b) / (1 + (a - 1) * (1 - t[:, None])),
                "The time is flipped: at t = 0 the points are at their starts.",
            ),
        ]
        expect_close(result, (a - 1) * start + b, mistakes, name="The velocity")
    return Right(
        "Place and time tell the line, because 1 + (a - 1) t is never 0 for a > 0. For a = -1 it "
        "is 0 at t = 1/2: all lines meet there, and no field can follow them."
    )


@exercise("1.4", "The density that a point carries", "derive")
def log_density(log_density: Any) -> Right:
    """Check `log_density(velocity, z0, steps)`: the end points, and log p_1 there."""
    few = (6, (2,), torch.float64)  # so that a mean over the batch is not taken for nothing
    for given, n in zip(inputs([few, *PLANE], seed=14), (4, 9, 5, 5, 1), strict=True):
        z0 = given.points()
        result = expect_pair(call(log_density, swirl, z0, n), "the end points z1 and log p_1")
        z, nothing = z0, z0.new_zeros(len(z0))
        sum_of_divergences, late, sum_of_all, first, factors = (nothing for _ in range(5))
        for i in range(n):
            x1, x2 = z.unbind(dim=1)
            t = z.new_full((len(z),), i / n)
            divergence = (1 + t) * torch.cos(x1)
            sum_of_divergences = sum_of_divergences + divergence / n
            sum_of_all = sum_of_all + (divergence + t - t * torch.sin(x1) * x2 + 0.5) / n
            first = first + torch.cos(x1) / n
            factors = factors + torch.log1p(-divergence / n)
            z = z + swirl(z, t) / n
            late = late + (1 + t + 1 / n) * torch.cos(z[:, 0]) / n
        z1 = expect_tensor(result[0], z, "The first result, z1,")
        expect_close(z1, z, _with_other_clocks(z0, n), name="The end point z1")

        at_start, at_end = (-x.square().sum(dim=1) / 2 - math.log(2 * math.pi) for x in (z0, z))
        got = expect_tensor(result[1], at_start, "The second result, log p_1,")
        mistakes = [
            (
                at_start + sum_of_divergences,
                "The sign of the divergence is wrong. Where arrows spread (a positive divergence), "
                "the cloud gets thinner and its density falls.",
            ),
            (
                at_start - sum_of_all,
                "This adds up the derivatives of all components in all directions. The divergence "
                "takes each component in its own direction only: one call of autograd for each.",
            ),
            (
                at_start - sum_of_all + sum_of_divergences,
                "These are the derivatives of each component in the other direction. The "
                "divergence takes each in its own: row i, column k of the gradient of v_k.",
            ),
            (
                -z0.norm(dim=1) / 2 - math.log(2 * math.pi) - sum_of_divergences,
                "The normal density has the *square* of the norm in its exponent.",
            ),
            (at_start - 2 * first, "The derivative of component 1 is taken twice. Use each once."),
            (at_start - first, "The divergence is that at t = 0 throughout, or of v_1 alone."),
            (
                at_start - sum_of_divergences / len(z0),
                "The divergences are divided by the number of points. Sum over the batch before "
                "autograd, `v[:, k].sum()`: then each row gets the derivative of its own point.",
            ),
            (at_start - late, "Each step takes the divergence at its end, not at its start."),
            (
                at_start + factors,
                "This multiplies the density by 1 - div/N in each step. Sum up the change of its "
                "logarithm instead, which is -div/N.",
            ),
            (
                at_start + math.log(2 * math.pi) / 2 - sum_of_divergences,
                "The constant is that of one dimension. In the plane it is -log(2 pi).",
            ),
            (
                at_start - z0.square().sum(dim=1) / 2 - sum_of_divergences,
                "The normal density has a factor 1/2 in its exponent: -||z||^2 / 2.",
            ),
            (
                at_start + z0.square().sum(dim=1) - sum_of_divergences,
                "The sign in the normal density is wrong: it falls outward, -||z||^2 / 2.",
            ),
            (
                at_start + math.log(2 * math.pi) - sum_of_divergences,
                "The constant of the normal density is missing: log p_0 has a -log(2 pi) in it.",
            ),
            (
                at_start - n * sum_of_divergences,
                "The divergence is a rate, and each step lasts 1/N only.",
            ),
            (-sum_of_divergences, "This is the change along the way. Add log p_0 at the start."),
            (at_start, "This is log p_0 at the start. The density changes along the way."),
            (
                at_end,
                "This puts the end point into the density of the noise, but p_1 is another one.",
            ),
            (
                at_end - sum_of_divergences,
                "Start from log p_0 at z0, where the point was at time 0, not at z1.",
            ),
        ]
        wanted = at_start - sum_of_divergences
        expect_close(got, wanted, mistakes, name="The log density", tolerance=1e-3)
    return Right(
        "With this, a flow gives not only samples but also the likelihood of each: the noise's "
        "density at the start, less the spreading on the way."
    )


def _with_other_clocks(z0: Tensor, n: int) -> Iterator[Mistake]:
    """Yield the ends of Euler runs with wrong clocks, or with another number of steps."""
    starts = "Euler's method takes its start."
    count = "Make N steps of length 1/N."
    steps = [i / n for i in range(n)]
    clocks = [
        ([t + 1 / n for t in steps], f"Each step takes the time at its end. {starts}"),
        ([t + 0.5 / n for t in steps], f"Each step takes the time in its middle. {starts}"),
        ([1 - t for t in steps], "The clock is turned: it should run up from 0, not down from 1."),
        ([1 - t - 1 / n for t in steps], "The clock is turned: it should run up from 0."),
        ([0] * n, "The clock stands still at 0. Step i starts at i/N."),
        (
            [i / max(n - 1, 1) for i in range(n)],
            "The clock shows both ends, as in `linspace(0, 1, N)`. The last of N steps starts at "
            "1 - 1/N.",
        ),
        (list(range(n)), "The clock counts the steps. Step i starts at the time i/N."),
        ([*steps, 1], f"These are N + 1 steps. {count}"),
        (steps[:-1], f"These are N - 1 steps. {count}"),
    ]
    for clock, hint in clocks:
        z = z0
        for t in clock:
            z = z + swirl(z, z.new_full((len(z),), t)) / n
        yield z, hint
