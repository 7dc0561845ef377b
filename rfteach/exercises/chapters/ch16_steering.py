"""Checkers for chapter 16, on steering a flow to a goal."""

from __future__ import annotations

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
from rfteach.exercises.tools.probe import Probe


@exercise("16.1", "The pull", "code")
def pull(pull: Any) -> Right:
    """Check `pull(velocity, goal, x, t)`: (1 - t) / t times the slope of goal(x1_hat) by x."""
    for given in inputs(seed=161):
        x, t = given.points(), given.times(0.1, 0.9)
        time = along(t, x)
        velocity = Probe(waves, x)
        got = expect_tensor(call(pull, velocity, _goal, x, t), x, "The pull")
        slope = _slope(x, t)
        wanted = (1 - time) / time * slope
        direct = _slope(x, t, through=False)
        mistakes = [
            (slope, "This is the slope. On the line the velocity gets (1 - t) / t times it."),
            (time / (1 - time) * slope, "The factor is upside down: it is (1 - t) / t."),
            (slope / time, "The factor is (1 - t) / t, and 1 - t is left out."),
            (
                (1 - time) / time * direct,
                "The gradient stops at the predicted end. It must go on through the velocity, back "
                "to x: do not detach, and do not take it by the end.",
            ),
            (direct, "This is the slope by the predicted end. Take it by x, through the velocity."),
            (waves(x, t) + wanted, "This is the steered velocity. The pull is what is added."),
            (wanted / len(x), "There is a mean over the batch: sum the goals before the gradient."),
            (
                (1 - time) / time * _slope(x, t, left=False),
                "The predicted end is x + (1 - t) v: the time that is left, 1 - t, is missing.",
            ),
            (
                (1 - time) / time * _slope(x, t, at_x=True),
                "The goal is asked at x. It knows ends only: ask it at x + (1 - t) v.",
            ),
            ((1 - along_last(t, x)) / along_last(t, x) * slope, WRONG_AXIS),
            ((1 - time) * slope, "The factor is (1 - t) / t: the division by t is missing."),
            (((1 - time) / time) ** 2 * slope, "The factor is (1 - t) / t, once."),
            (
                (1 - time) / time * _slope(x, t, ahead=time),
                "The predicted end is x + (1 - t) v, with the time that is left, not that gone by.",
            ),
            (
                (1 - time) / time * _slope(x, t, ahead=time - 1),
                "The predicted end lies ahead: x + (1 - t) v, with a plus.",
            ),
            (
                (1 - time) / time * _slope(x, t, ahead=-time),
                "x - t v is where the path began. The goal is asked at its end, x + (1 - t) v.",
            ),
            (
                wanted / x[0].numel(),
                "There is a mean over the coordinates. The goal returns one number for each row.",
            ),
        ]
        expect_close(got, wanted, mistakes, name="The pull", tolerance=1e-3)
    return Right(
        "One look back through the network for each step: steering costs about three evaluations "
        "in place of one."
    )


def _goal(end: Tensor) -> Tensor:
    """A goal that is curved, so that it matters where it is asked."""
    return torch.sin(end).flatten(1).sum(dim=1)


def _slope(x: Tensor, t: Tensor, *, through=True, left=True, at_x=False, ahead=None) -> Tensor:
    """Return the slope of the goal by x, or what a mistake makes of it."""
    ahead = 1 - along(t, x) if ahead is None else ahead
    with torch.enable_grad():
        place = x.detach().clone().requires_grad_()
        v = waves(place, t) if through else waves(place, t).detach()
        end = place + (ahead * v if left else v)
        value = _goal(place if at_x else end).sum()
        return torch.autograd.grad(value, place)[0]


@exercise("16.2", "How many draws are left", "code")
def effective_size(effective_size: Any) -> Right:
    """Check `effective_size(log_weights)`: (sum w)^2 / sum w^2, for weights of any size."""
    generator = torch.Generator().manual_seed(162)
    plain = torch.randn(50, generator=generator, dtype=torch.float64, device="cpu")
    one = torch.full((30,), -5.0)
    one[7] = 90.0
    cases = [plain, 3 * plain[:20].float(), torch.zeros(12), one, plain - 2000, plain * 10 + 2000]
    for case in cases:
        log_weights = case.to(torch.get_default_device())
        w = torch.softmax(log_weights, dim=0)
        wanted = 1 / w.square().sum()
        result = call(effective_size, log_weights)
        if isinstance(result, float):
            result = log_weights.new_tensor(result)
        alike = isinstance(result, Tensor) and result.layout == log_weights.layout
        alike = alike and result.device == log_weights.device
        if alike and not result.isfinite().all():
            raise Wrong(
                "NaN or infinity: for log weights such as -2000 every exp is 0, and for 2000 "
                "infinite. A common factor of all weights cancels. Take out the largest first."
            )
        got = expect_tensor(result, wanted, "The effective sample size")
        first = (log_weights - log_weights.max()).exp()
        raw = [r for r in [log_weights.exp()] if 0 < r.square().sum() < float("inf")]
        mistakes = [
            (1 / wanted, "Upside down: the squares of the weights stand below."),
            (w.square().sum(), "Upside down: the squares of the weights stand below."),
            (wanted / len(w), "This is the share of the draws. Multiply by their number."),
            (
                len(w) / (1 + (w * len(w)).var()),
                "This takes a variance with n - 1 below. Take the plain mean of the squares.",
            ),
            (
                w.new_tensor(1.0),
                "The square of the sum and the sum of the squares are two things.",
            ),
            *(
                (
                    1 / r.square().sum(),
                    "The weights do not sum to 1: the square of their sum stands above.",
                )
                for r in raw
            ),
            *((r.sum() / r.square().sum(), "The sum above the fraction is squared.") for r in raw),
            (
                torch.exp(-(w * w.clamp(min=1e-300).log()).sum()),
                "This is the exponential of the entropy, another count of what is left.",
            ),
            (
                log_weights.sum() ** 2 / log_weights.square().sum(),
                "These are the logarithms of the weights. Take exp first.",
            ),
            (1 / w.max(), "The sum over the largest weight looks at the largest weight alone."),
            (wanted.sqrt(), "There is a root too many: the sum of the squares has none."),
            (
                len(w) * wanted,
                "A mean of the squares is their sum over n. Take sums, above and below.",
            ),
            (
                first.sum() / first.square().sum(),
                "The sum above the fraction is squared.",
            ),
            (1 / torch.softmax(log_weights / 2, dim=0).square().sum(), "Log weights need no root."),
            (
                1 / torch.softmax(-log_weights, dim=0).square().sum(),
                "The sign is turned: the largest log weight has the largest weight.",
            ),
            (
                (log_weights - log_weights.max()).sum() ** 2
                / (log_weights - log_weights.max()).square().sum(),
                "These are the logarithms of the weights. Take exp first.",
            ),
        ]
        expect_close(got, wanted, mistakes, name="The effective sample size")
    return Right(
        "Equal weights leave all draws, one large weight leaves one. It tells how much the weights "
        "spoil, and not whether the draws were any good: weights that all are small count as equal."
    )


@exercise("16.3", "Three coordinates", "predict")
def draws_left(draws: Any) -> Right:
    """Check a prediction: what 10,000 draws are worth for three measured coordinates."""
    n = expect_number(draws, "The number of draws")
    share = 0.1 * (0.1**2 + 2) ** 0.5 / (1 + 0.1**2)
    wanted = 10_000 * share**3
    generator = torch.Generator().manual_seed(163)
    x = torch.randn(200_000, 3, generator=generator, dtype=torch.float64, device="cpu")
    w = torch.softmax(-x.square().sum(dim=1) / (2 * 0.1**2), dim=0)
    shown = f"A run with 200,000 draws, per 10,000: {(1 / w.square().sum()).item() / 20:.0f}. "
    if abs(n - wanted) <= 10:  # a run of 10,000 draws scatters by 4.5
        return Right(
            shown + "The weights of independent coordinates multiply, and so do the shares: "
            "0.14 to the power of three."
        )
    hint = misconception(
        n,
        [
            (10_000 * share, "That is what one coordinate leaves. Each further one takes its own."),
            (10_000 * share**2, "That is for two coordinates."),
            (10_000 * share**4, "That is for four coordinates."),
            (10_000 * share / 3, "The losses multiply. A third is what a sum would leave."),
            (10_000 * share / 9, "The losses multiply; they do not grow with a square."),
            (10_000 * (1 - 3 * (1 - share)), "Losses do not add up: nothing would be left."),
            (share**3, "This is the share that is left. How many of the 10,000 draws?"),
            (30_000 * share, "What is measured takes draws away: three times 1,404 is more."),
            (1000, "The width 0.1 is not the share: one coordinate leaves 14 %."),
            (10, "The width 0.1 is not the share: one coordinate leaves 14 %."),
            (10_000, "Then no draw would be lost. How many fit within 0.1 in each coordinate?"),
        ],
    )
    raise Wrong(shown + (hint or ("Fewer are left." if n > wanted else "More are left.")))


@exercise("16.4", "The posterior flow of a bell", "derive")
def posterior_velocity(posterior_velocity: Any) -> Right:
    """Check `posterior_velocity(x, t, s, y, s_y)` for data N(0, s^2) on a line."""
    cases = [
        (0.7, 0.4, 0.8, 1.5, 0.5),
        (-1.2, 0.3, 2.0, 0.6, 1.1),
        (0.4, 0.0, 0.7, -0.9, 0.5),
        (0.2, 0.9, 0.5, 0.3, 0.2),
    ]
    for x, t, s, y, s_y in cases:
        s_t2 = (1 - t) ** 2 + (t * s) ** 2
        mean, c = t * s**2 / s_t2 * x, s**2 * (1 - t) ** 2 / s_t2

        def moved(share: float, mean=mean, y=y, x=x, t=t) -> float:
            return (mean + share * (y - mean) - x) / (1 - t)

        wanted = moved(c / (c + s_y**2))
        c_t = "the variance of the end given x: s^2 (1 - t)^2 / s_t^2"
        v = moved(0.0)
        mistakes = [
            (v, "This is the velocity without the measurement."),
            (
                moved(c / s_y**2),
                "This is the naive pull: the end scatters, too. The variance of y given x is "
                "s_y^2 + C_t.",
            ),
            (moved(s_y**2 / (c + s_y**2)), "The share is C_t over C_t + s_y^2, not s_y^2 over it."),
            (
                moved(s**2 / (s**2 + s_y**2)),
                "This has the variance s^2 of the data. Given X_t, that of the end is smaller.",
            ),
            (moved(c / (c + s_y)), "s_y is a width: its square is the variance."),
            (wanted * (1 - t) + x, "This is the mean of the end. The velocity is what is left of "
             "the way, over the time that is left."),
            (wanted * (1 - t), "Divide by the time that is left, 1 - t."),
            (2 * v - wanted, "The pull has the wrong sign: it leads away from y."),
            (wanted - v, "This is the pull alone. Add the velocity."),
            (
                (mean + c / (c + s_y**2) * (y - x) - x) / (1 - t),
                "The surprise is y less the predicted end, not y less x.",
            ),
            (
                (s**2 / (s**2 + s_y**2) * y - x) / (1 - t),
                "This forgets what x says of the end.",
            ),
            (
                (mean + c / (c + s_y**2) * y - x) / (1 - t),
                "The mean moves by a share of the surprise, y less the predicted end.",
            ),
            (moved(c**0.5 / (c**0.5 + s_y)), "The share is one of variances, not of widths."),
            (wanted + x / (1 - t), "The velocity is the mean of the end less x, over 1 - t."),
            *(
                (moved(each / (each + s_y**2)), f"Check C_t, {c_t}.")
                for each in (c / (1 - t), c * s_t2, c**0.5, s_t2, c / (1 - t) ** 2, c / s**2)
            ),
            *(
                (
                    (each + c / (c + s_y**2) * (y - each) - x) / (1 - t),
                    "Check the predicted end without y, t s^2 / s_t^2 times x.",
                )
                for each in (
                    t * s / s_t2 * x,
                    s**2 / s_t2 * x,
                    t * s**2 * x,
                    x,
                    t / s_t2 * x,
                    t * s**2 / s_t2**0.5 * x,
                )
            ),
            (moved(1.0), "This takes y for the end itself. The measurement has an error."),
        ]  # fmt: skip
        result = call(posterior_velocity, x, t, s, y, s_y)
        expect_value(result, wanted, mistakes, f"At x = {x:g}, t = {t:g}, the velocity")
    return Right(
        "At t = 0 it is finite, although the pull reads 0 / 0 there. And for one bell it is what "
        "`rf.steered` computes with the spread from the velocity."
    )
