"""Checkers for chapter 15, on flow maps: a velocity that is told the end of its step."""

from __future__ import annotations

import functools
import math
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
    misconception,
)
from rfteach.exercises.tools.inputs import Inputs, along_last, inputs, waves


class _Told:
    """A velocity that is told the end of its step, and notes how it is called."""

    def __init__(self, like: Tensor):
        self.event, self.calls = like.shape[1:], 0

    def __call__(self, x: Any, t: Any, r: Any = None) -> Tensor:
        if not all(isinstance(value, Tensor) for value in (x, t, r)):
            raise Wrong(
                "The velocity takes three tensors: points x, and for each point the start and the "
                "end of the step, both of shape (batch,)."
            )
        if x.shape[1:] != self.event or not t.shape == r.shape == x.shape[:1]:
            raise Wrong(
                f"The velocity was called with x {tuple(x.shape)}, t {tuple(t.shape)} and r "
                f"{tuple(r.shape)}. It takes the points as they are, and times of shape (batch,)."
            )
        self.calls += 1
        return field(x, t, r)


def field(x: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """A smooth field that depends on both of its times."""
    return waves(x, t) + 0.7 * along(r, x) * torch.sin(x + 0.3)


@exercise("15.1", "One jump", "code")
def one_jump(jump: Any) -> Right:
    """Check `jump(velocity, x, t0, t1)`: x + (t1 - t0) u(x, t0, t1)."""
    for i, given in enumerate(inputs(seed=151)):
        x, t0, t1 = given.points(), given.times(0.05, 0.45), given.times(0.55, 0.95)
        if i == 1:  # a jump may also lead back
            t0, t1 = t1, t0
        told = _Told(x)
        got = expect_tensor(call(jump, told, x, t0, t1), x, "The point after the jump")
        way, u = along(t1 - t0, x), field(x, t0, t1)
        middle = (t0 + t1) / 2
        half = x + way / 2 * field(x, t0, middle)
        mistakes = [
            *(
                (x + along(each, x) * u, "A jump may also lead back, from t0 to an earlier t1.")
                for each in ((t1 - t0).abs(), (t1 - t0).clamp(min=0))
                if i == 1
            ),
            (x, "The point has not moved."),
            (u, "This is the mean velocity. The jump is x plus the time times it."),
            (x + u, "The mean velocity acts for the time t1 - t0, not for the time 1."),
            (x - way * u, "The jump goes backward: add (t1 - t0) u."),
            (way * u, "This is the way of the jump. Add it to the point."),
            (x + along(t1, x) * u, "The step lasts t1 - t0. Yours lasts t1."),
            (x + along(1 - t0, x) * u, "This step ends at 1. Yours should end at t1."),
            (
                x + way * field(x, t0, torch.ones_like(t1)),
                "The velocity was told the end 1, not t1.",
            ),
            (x + way * field(x, 0 * t0, t1), "The velocity was told the start 0, not t0."),
            (x + u / way, "Way = velocity times time: multiply by t1 - t0, do not divide."),
            (
                x + way * field(x, t0, t0),
                "The velocity was not told the end of the step: it got t0 twice, so this is a step "
                "of Euler with the velocity at t0.",
            ),
            (x + way * field(x, t1, t0), "The velocity got the two times in the wrong order."),
            (x + way * field(x, t1, t1), "The velocity got t1 twice. The step starts at t0."),
            (
                x + way * field(x, t0, t1 - t0),
                "The third argument is the end of the step, t1, not its length.",
            ),
            (
                half + way / 2 * field(half, middle, t1),
                "These are two jumps, by way of the middle. One is asked for: one evaluation.",
            ),
            (x + along_last(t1 - t0, x) * u, WRONG_AXIS),
        ]
        expect_close(got, x + way * u, mistakes, name="The point after the jump")
        if told.calls != 1:
            raise Wrong(
                f"The point is right, but a jump is one evaluation; yours made {told.calls}."
            )
    return Right(
        "The line is that of a step of Euler. What has changed is what the network was taught: the "
        "mean over the whole step, not the arrow at its start."
    )


@exercise("15.2", "The mean of a turn", "predict")
def mean_of_a_turn(length: Any) -> Right:
    """Check a prediction: the length of the mean velocity of a quarter turn from (1, 0)."""
    value = expect_number(length, "The length")
    times = torch.linspace(0, math.pi / 2, 10_001, dtype=torch.float64)
    speed = math.pi / 2
    arrows = speed * torch.stack([-times.sin(), times.cos()], dim=1)
    found = torch.trapezoid(arrows, dx=1 / 10_000, dim=0).norm().item()
    shown = f"The run: the mean of 10,001 arrows along the path has the length {found:.3f}. "
    if abs(value / found - 1) < 0.015:  # so 1.4 passes
        return Right(
            shown + "It is the straight way from (1, 0) to (0, 1), the root of 2, in a unit of "
            "time. The speed along the path is pi / 2 all the time. A mean of arrows that turn is "
            "shorter than each of them."
        )
    hint = misconception(
        value,
        [
            (speed, "That is the speed, the length of each arrow. But the arrows turn."),
            (1, "That is the radius. How far apart are the two ends?"),
            (2, "That is the square of the distance between the two ends."),
            (0.5**0.5, "The ends are at (1, 0) and (0, 1): both coordinates change by 1."),
            (0.9003, "This divides by the length of the path. Divide by the time, which is 1."),
            (0, "The arrows would cancel only after a full turn."),
            (math.pi, "That is a half turn in a unit of time."),
        ],
    )
    raise Wrong(shown + (hint or "Where does the path start, and where does it end?"))


def _with_a_graph(target: Any) -> Any:
    """Pass an answer a slope that carries gradients, as that of a network does."""
    if not callable(target):
        return target

    @functools.wraps(target)
    def answer(line: Tensor, slope: Tensor, t: Tensor, r: Tensor) -> Any:
        weight = torch.ones((), dtype=slope.dtype, device=slope.device, requires_grad=True)
        return target(line, slope * weight, t, r)

    return answer


@exercise("15.3", "The target of MeanFlow", "code")
def mean_flow_target(mean_flow_target: Any) -> Right:
    """Check `mean_flow_target(line, slope, t, r)`: line + (r - t) slope, without gradients."""
    for given in inputs(seed=153):
        line, slope = given.points(), given.points()
        t, r = given.times(0.05, 0.45), given.times(0.55, 0.95)
        result = call(_with_a_graph(mean_flow_target), line, slope, t, r)
        got = expect_tensor(result, line, "The target").detach()
        way, change = along(r - t, line), slope
        mistakes = [
            (
                line - way * change,
                "The sign is that of the papers, where time runs from data to noise. Here t is the "
                "start of the step, and a later start shortens it: add (r - t) slope.",
            ),
            (line, "This is the target of plain flow matching, right for r = t only."),
            (line + change, "How long is the step? The slope counts r - t times."),
            (way * change, "The velocity of the line is missing."),
            (way * line + change, "The length of the step belongs to the slope."),
            (way * (line + change), "The length of the step belongs to the slope alone."),
            (line + along(r, line) * change, "The step lasts r - t, not r."),
            (line + along(t, line) * change, "The step lasts r - t, not t."),
            (line + way**2 * change, "The slope counts r - t times, once and not squared."),
            (line + along(1 - t, line) * change, "This step ends at 1. Yours should end at r."),
            (line + way / 2 * change, "There is no half: the slope counts r - t times."),
            (line + change / way, "Multiply the slope by the length of the step, r - t."),
            (line + along_last(r - t, line) * change, WRONG_AXIS),
        ]
        expect_close(got, line + way * change, mistakes, name="The target")
        if result.requires_grad:
            raise Wrong(
                "The numbers are right, but the gradient flows into the target. Then the loss "
                "rewards jumps that forget their start. Detach it."
            )
    return Right("The one line that makes a velocity of a moment into that of a whole step.")


@exercise("15.4", "The jump of a bell", "derive")
def bell_mean_velocity(bell_mean_velocity: Any) -> Right:
    """Check `bell_mean_velocity(x, t, r, m, s)`: u of the flow from N(0, 1) to N(m, s^2)."""

    def width(t: float, s: float) -> float:
        return math.sqrt((1 - t) ** 2 + (t * s) ** 2)

    cases = [
        (0.2, 0.7, -2.0, 0.3),
        (0.0, 1.0, 1.5, 0.4),
        (0.5, 0.6, 0.7, 2.0),
        (0.0, 0.5, 0.0, 0.1),
    ]
    for k, (t, r, m, s) in enumerate(cases):
        x = Inputs(6, (2,), torch.float64, seed=154_000 + k).points()
        result = call(bell_mean_velocity, x, t, r, m, s)
        got = expect_tensor(result, x, f"At t = {t:g}, r = {r:g}, the mean velocity")
        a, b = width(t, s), width(r, s)
        off = x - t * m
        right = m + (b / a - 1) / (r - t) * off
        moment = m + (t * s**2 - (1 - t)) / a**2 * off
        end = r * m + b / a * off
        late_ones = [
            m + (r * s**2 - (1 - r)) / b**2 * each for each in (x - r * m, end - r * m, off)
        ]
        rough = [math.sqrt((1 - time) ** 2 + time**2 * s) for time in (t, r)]
        middle = (t + r) / 2
        drift = (middle * s**2 - (1 - middle)) / width(middle, s) ** 2
        mistakes = [
            (end, "This is where the jump ends. Take off x and divide by the time r - t."),
            (end - x, "This is the way. Divide it by the time r - t."),
            (moment, "This is the velocity at t. The mean over the step depends on r."),
            (m + (b / a - 1) * off, "Divide the part of the width by r - t, too."),
            ((b / a - 1) / (r - t) * off, "The center moves, too: from t m to r m."),
            (
                m + (b / a - 1) / (r - t) * x,
                "The distance is from the center at time t, which is t m.",
            ),
            (
                m + (b / a - 1) / (r - t) * (x - m),
                "The center is at t m at time t, and at m only in the end.",
            ),
            (m + (a / b - 1) / (r - t) * off, "Upside down: the width goes from s_t to s_r."),
            (
                m + ((b / a) ** 2 - 1) / (r - t) * off,
                "A distance grows like the width. This is the ratio of the variances.",
            ),
            (
                m + (b - a) / (r - t) * off,
                "A point keeps its distance in widths: divide by s_t before you multiply by s_r.",
            ),
            ((m + s / a * off - x) / (1 - t), "This jump ends at 1. Yours should end at r."),
            (
                (m + s / a * off - x) / (r - t),
                "The point ends at r m, not at m, and in the width s_r.",
            ),
            (
                (m + b / a * off - x) / (r - t),
                "At the time r the center is at r m, and not yet at m.",
            ),
            (
                (r * m + b * x - x) / (r - t),
                "This starts at time 0. At time t the distance from the center is x - t m, and the "
                "width is s_t.",
            ),
            (
                (r * m + b / a * (x - m) - x) / (r - t),
                "The center is at t m at time t, and at m only in the end.",
            ),
            (
                (r * m + b / a * (x - r * m) - x) / (r - t),
                "The distance is from the center at time t, which is t m, and not r m.",
            ),
            *(
                (right * (r - t) / each, "Divide by the time that the step lasts, r - t.")
                for each in (r, 1 - t)
            ),
            (
                (r * m + b * off - x) / (r - t),
                "The width grows from s_t to s_r: divide by s_t, which is 1 at t = 0 only.",
            ),
            *(
                (each, "This is made of velocities at single moments. The mean takes all of them.")
                for late in late_ones
                for each in (late, (moment + late) / 2)
            ),
            (
                m + (rough[1] / rough[0] - 1) / (r - t) * off,
                "s is a width, so its square is the variance: s_t^2 = (1 - t)^2 + t^2 s^2.",
            ),
            (
                m + drift * (x - middle * m),
                "This is the velocity at the middle of the step. The mean takes all moments.",
            ),
            (
                m + ((1 - r + r * s) / (1 - t + t * s) - 1) / (r - t) * off,
                "The widths of independent parts add as squares: s_t^2 = (1 - t)^2 + t^2 s^2.",
            ),
        ]
        expect_close(got, right, mistakes, name=f"At t = {t:g}, r = {r:g}, the mean velocity")
    return Right(
        "Linear in x, as the velocity is, but with another slope. For s = 0 and r = 1 it is "
        "(m - x) / (1 - t): then every jump ends at m."
    )
