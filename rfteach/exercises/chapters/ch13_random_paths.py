"""Checkers for chapter 13, on random paths with the laws of a flow."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach._random_paths import euler_maruyama
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import WRONG_AXIS, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.tools.inputs import Inputs, along_last, inputs, waves
from rfteach.exercises.tools.probe import Probe, expect_one_call
from rfteach.exercises.tools.random_step import expect_random_step


@exercise("13.1", "The score in a velocity", "code")
def score_from_velocity(score_from_velocity: Any) -> Right:
    """Check `score_from_velocity(v, x, t)`: the slope of log p_t at x."""
    for given in inputs(seed=131):
        v, x, t = given.points(), given.points(), given.times(0.05, 0.95)
        got = expect_tensor(call(score_from_velocity, v, x, t), x, "The score")

        def formula(t: Tensor, v: Tensor = v, x: Tensor = x) -> Tensor:
            return (t * v - x) / (1 - t)

        time = along(t, x)
        left = 1 - time
        mistakes = [
            (
                (x - time * v) / left,
                "The sign is wrong: this points where the noise points, away from the data. "
                "The score points uphill.",
            ),
            (
                -(x + time * v) / left,
                "A sign was lost on the way: x = E[X0] + t v, so E[X0] = x - t v.",
            ),
            (
                time * v - x,
                "This is minus the mean of the noise X0. The bell of X_t around t X1 has the width "
                "1 - t: divide by it.",
            ),
            (
                (time * v - x) / left**2,
                "Divided once too often. The slope of a bell is (x - t X1) over (1 - t)^2, but "
                "x - t X1 is (1 - t) X0: one factor cancels.",
            ),
            ((v - x) / left, "From the noise to x the velocity acts for the time t: x = X0 + t v."),
            ((v - time * x) / left, "The time multiplies v, not x: x = X0 + t v."),
            ((time * v - x) / time, "The width of the bell is 1 - t, not t."),
            (x - time * v, "This is the mean of the noise. The score is minus that, over 1 - t."),
            (
                x + left * v,
                "This is the mean of the data X1, given x. The score needs that of X0.",
            ),
            (
                -(x + left * v) / left,
                "x + (1 - t) v is the mean of the data X1, given x. The score needs that of X0.",
            ),
            (
                -(x + left * v) / time,
                "This is the formula for noise at t = 1. Here the noise is at t = 0.",
            ),
            ((time * v + x) / left, "The sign of x is wrong: t v - x is minus the mean noise."),
            (
                (left * v - x) / left,
                "From the noise to x the velocity acts for the time t, not 1 - t: x = X0 + t v.",
            ),
            *(
                (each, "All of t v - x is divided by 1 - t. Set parentheses.")
                for each in (time * v / left - x, time * v - x / left)
            ),
            (v, "The velocity itself is not the score, although both have its shape."),
            (-x / left, "This is the score at t = 0 at most. Where is the velocity?"),
            (formula(along_last(t, x)), WRONG_AXIS),
        ]
        expect_close(got, formula(time), mistakes, name="The score")
    return Right(
        "So a trained velocity brings its score along, without another network and without another "
        "evaluation. Near t = 1 it also multiplies the error of the velocity, by t / (1 - t)."
    )


@exercise("13.2", "One step of a random path", "code")
def noisy_step(noisy_step: Any) -> Right:
    """Check `noisy_step(velocity, x, t, dt, g)`: one step of Euler and Maruyama, fresh noise."""
    t, dt, g = 0.4, 0.1, 1.5
    cases = [(20_000, (2,), torch.float32), (4000, (1, 3, 4), torch.float64)]
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):  # the reader's random numbers go on as before
        torch.manual_seed(132)
        for k, case in enumerate(cases):
            x = Inputs(*case, seed=132_000 + k).points()
            times = x.new_full((len(x),), t)
            for scale in (0.0, g):
                velocity = Probe(waves, x)
                result = call(noisy_step, velocity, x, t, dt, scale)
                got = expect_tensor(result, x, "The point after the step")
                expect_one_call(velocity, x, times)
                v = waves(x, times)
                if scale == 0:
                    _expect_euler(got, x, v, dt)
            expect_random_step(got - x - dt * v, v, x, t, dt, g)
            again = expect_tensor(call(noisy_step, Probe(waves, x), x, t, dt, g), x)
            if torch.equal(again, got):
                raise Wrong(
                    "Two calls gave the very same points. The noise must be fresh in each step: do "
                    "not seed the generator within the function."
                )
    return Right(
        "In N such steps the noises add up to the variance of the integral of g^2, whatever N is, "
        "because each has the variance g^2 dt. That is what the root is for."
    )


def _expect_euler(got: Tensor, x: Tensor, v: Tensor, dt: float) -> None:
    """Raise Wrong unless the step without noise is Euler's."""
    mistakes = [
        (x, "With g = 0 the point does not move. It should go along the velocity: dt v."),
        (x + v, "With g = 0 the step lasts 1 in place of dt."),
        (x - dt * v, "With g = 0 the step goes against the velocity. Data are at t = 1."),
    ]
    expect_close(got, x + dt * v, mistakes, name="With g = 0, the point after the step")


@exercise("13.3", "The noise of the last step", "predict")
def steps_needed(steps: Any) -> Right:
    """Check a prediction: the steps of constant g whose last noise is as small as that of 100."""
    n = expect_number(steps, "The number of steps")
    if not 2 <= n <= 1e9:
        raise Wrong(f"Give a number of steps from 2 to 1,000,000,000, not {n:g}.")
    goal = _last_noise(100, lambda t: 2 * (1 - t) ** 0.5)
    found = _last_noise(round(n), lambda t: 2.0)
    shown = (
        f"The run: 100 steps of the fading g end with noise of the width {goal:.3f}, and {n:g} "
        f"steps of the constant one with {found:.3g}. "
    )
    if round(n) == 10_000:
        return Right(
            shown + "The fading g falls to 2 / sqrt(N) in the last step, and the step's own "
            "sqrt(1 / N) comes on top: 2 / N, against 2 / sqrt(N)."
        )
    hint = misconception(
        n,
        [
            (
                10_000,
                "That is close, and the number can be found exactly: which n makes 2 / sqrt(n) "
                "what the fading g leaves?",
            ),
            (100, "The same number of steps leaves ten times the noise."),
            (1000, "Ten times the steps divide a noise of 2 / sqrt(N) by the root of ten only."),
            (200, "Twice the steps divide it by the root of two only."),
            (400, "Four times the steps halve it only: the width falls like the root of dt."),
            (2500, "That is for g = 1. Here g = 2."),
            (5000, "The last of 100 steps starts at t = 0.99, not at 0.98."),
            (20_000, "g is that of the start of the step, t = 0.99, not of its middle."),
            (50, "A constant g leaves more in the end, not less."),
            (10, "A constant g leaves more in the end, not less."),
        ],
    )
    hint = hint or ("Too few." if n < 10_000 else "More than needed.")
    raise Wrong(shown + hint)


def _last_noise(n: int, g: Any) -> float:
    """Return the width of the noise that the last of n steps adds, measured."""
    x0 = torch.zeros(20_000, 1, dtype=torch.float64)
    times = torch.tensor([0.0, 1 - 1 / n, 1.0], dtype=torch.float64)
    path = euler_maruyama(
        lambda x, t: torch.zeros_like(x),
        x0,
        steps=times,
        noise=g,
        generator=torch.Generator(x0.device).manual_seed(133),
    )
    t = float(times[1])
    pulled = path.states[1] * (1 - (1 - t) * g(t) ** 2 / 2 / (1 - t))
    return (path.end - pulled).std().item()


@exercise("13.4", "The noise of the circle", "derive")
def circle_noise(circle_noise: Any) -> Right:
    """Check `circle_noise(t)`: g of the reversed noising on the quarter circle."""
    for t in (0.2, 0.5, 0.8, 0.05):
        a = math.pi / 2 * t
        wanted = (math.pi / math.tan(a)) ** 0.5
        mistakes = [
            (wanted**2, "That is g^2, the variance per unit of time. Take the root."),
            (
                (2 * (1 - t) / t) ** 0.5,
                "That is the g of the straight line. The circle has the weights sin and cos.",
            ),
            (
                (2 / math.tan(a)) ** 0.5,
                "That is for an angle that grows by 1 in a unit of time. Here it grows by pi / 2.",
            ),
            (2 / math.tan(a), "That is g^2, for an angle that grows by 1 in a unit of time."),
            (
                (math.pi * math.tan(a)) ** 0.5,
                "Upside down: the noising is fastest near pure noise, at t = 0.",
            ),
            (
                (math.pi / math.tan(t)) ** 0.5,
                "The angle is a = pi / 2 t, and the tangent is taken of t alone.",
            ),
            ((2 / math.tan(t)) ** 0.5, "That is for the angle a = t. Here it is a = pi / 2 t."),
            ((2 * math.pi / math.tan(a)) ** 0.5, "A factor 2 too many, in the square of g."),
            (
                math.pi / 2 * (2 / math.tan(a)) ** 0.5,
                "The speed pi / 2 of the angle multiplies g^2, the variance per unit of time, not "
                "g.",
            ),
            ((math.pi / 2 / math.tan(a)) ** 0.5, "A factor 2 is lost: squares have a derivative."),
            ((math.pi * math.sin(2 * a) / 2) ** 0.5, "The shrinking of the noise is left out."),
            (
                (1 / math.tan(a)) ** 0.5,
                "A factor pi is missing in g^2: 2 sin a cos a times pi / 2.",
            ),
            *(
                (
                    (math.pi * math.cos(a) / below) ** 0.5,
                    "The numerator is sin 2a = 2 sin a cos a, the denominator sin^2 a: one sin a "
                    "cancels.",
                )
                for below in (1, math.sin(a) ** 2)
            ),
            (
                (math.pi / math.tan(a) ** 2) ** 0.5,
                "Noise over signal comes in once, not squared: expand to first order in h.",
            ),
        ]
        expect_value(call(circle_noise, t), wanted, mistakes, f"At t = {t:g}, g")
    return Right(
        "Infinite at t = 0 again, and 0 at the data. It is the g of the line in other coordinates: "
        "both reverse the same noising."
    )
