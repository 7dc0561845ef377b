"""Checkers for chapter 8, on diffusion models."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch

from rfteach import _distributions as distributions, _exact as exact, _solvers as solvers
from rfteach._measures import flows as metrics
from rfteach._paths import gaussian as gaussian_paths
from rfteach.exercises.chapters.ch08_diffusion.ddim import ddim
from rfteach.exercises.chapters.ch08_diffusion.noise_network import velocity_of_line
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import NotAttempted, Right, Wrong, call
from rfteach.exercises.tools.expect import as_whole, expect_close, expect_pair, expect_tensor
from rfteach.exercises.tools.inputs import inputs, waves
from rfteach.exercises.tools.probe import Probe


@exercise("8.1", "A thousand small steps are one", "code")
def levels(levels: Any) -> Right:
    """Check `levels(beta)`: signal and noise after each of the steps."""
    generator = torch.Generator().manual_seed(81)
    uneven = 0.02 + 0.4 * torch.rand(12, generator=generator, device="cpu")
    cases = [uneven, torch.linspace(1e-4, 0.02, 1000, device="cpu", dtype=torch.float64)]
    for case in (*cases, torch.full((1,), 0.3, device="cpu")):
        beta = case.to(torch.get_default_device())
        what = "signal and noise, a weight for each level"
        signal, noise = expect_pair(call(levels, beta), what)
        roots = "Is it the root of something negative? What the steps keep multiplies: 1 - beta "
        roots += "each. The betas may add up to more than 1."
        s = expect_tensor(signal, beta, "The signal", finite=roots)
        n = expect_tensor(noise, beta, "The noise", finite=roots)
        kept = torch.cumprod(1 - beta, dim=0)
        wanted, missing = kept.sqrt(), (1 - kept).sqrt()
        before = torch.cat([torch.ones_like(kept[:1]), kept[:-1]])
        powers = (1 - beta[-1]) ** torch.arange(1, len(beta) + 1, device=beta.device).to(beta)
        mistakes = [
            (missing, "Signal and noise are exchanged. The signal, the weight of X1, comes first."),
            (kept, "This is alpha-bar, the square of the signal: variances multiply. Take a root."),
            (
                (1 - beta).sqrt(),
                "This is one step alone. Level k has behind it the steps 0, ..., k: multiply.",
            ),
            (1 - beta, "This is one step alone, and squared. Multiply all up to k, take the root."),
            (before.sqrt(), "Level k has step k behind it, too: the product includes it."),
            *(
                (each.sqrt(), "Each step keeps 1 - beta of the variance, not beta.")
                for each in (torch.cumprod(beta, 0), 1 - torch.cumprod(beta, 0))
            ),
            (
                torch.cumsum((1 - beta).sqrt(), 0),
                "The steps come one after the other: what they keep multiplies, and does not add.",
            ),
            (
                torch.cumprod(1 - beta**2, 0).sqrt(),
                "beta is a variance already: each step keeps 1 - beta of the variance, no square.",
            ),
            (torch.cumsum(1 - beta, 0).sqrt(), "What the steps keep multiplies, and does not add."),
            (kept.square(), "This is the square of alpha-bar. The signal is its root."),
            (
                torch.cumprod(1 - beta.sqrt(), 0),
                "Each step keeps sqrt(1 - beta) of the signal, not 1 - sqrt(beta).",
            ),
            (
                (1 - beta).prod().sqrt().expand_as(beta),
                "This is the last level, for all. Level k has the steps 0, ..., k behind it.",
            ),
            (missing.square(), "This is the variance of the noise."),
            ((1 - torch.cumsum(beta, 0)).clamp(min=0).sqrt(), "The betas do not simply add up."),
            (
                torch.exp(-torch.cumsum(beta, 0) / 2),
                "This holds for infinitely small steps. These are finite: take the product.",
            ),
            (wanted.flip(0), "The levels run the wrong way: level 0 has one step behind it."),
            (powers.sqrt(), "This takes the last beta in every step. Each step has its own."),
        ]
        case = "A case to try: beta = (0.19, 0.19) has the signals 0.9 and 0.81, and the noise "
        case += "0.436 and 0.586."
        expect_close(s, wanted, mistakes, name="The signal", pointer=case)
        noises = [
            (1 - wanted, "The weights do not add up to 1. Their *squares* do."),
            (
                (1 - wanted).sqrt(),
                "The root of 1 minus the signal: the *square* of the signal belongs there.",
            ),
            (
                (1 - kept.square()).sqrt(),
                "alpha-bar is squared once too often: the squares of the weights add up to 1.",
            ),
            (
                (beta * kept).sqrt(),
                "This is the fresh noise of a step, and shrunk. Earlier noise is there, too.",
            ),
            (
                torch.cumprod(beta, 0).sqrt(),
                "Noise does not multiply: what a step leaves of the "
                "earlier noise, and its own, add up as variances.",
            ),
            (beta, "This is the variance of the fresh noise alone."),
            (wanted, "This is the signal once more."),
            (1 - kept, "This is the variance of the noise. Its weight is the root of that."),
            (beta.sqrt(), "This is the fresh noise of the last step. Earlier noise is there, too."),
            (
                torch.cumsum(beta, 0).sqrt(),
                "Later steps shrink the noise of earlier ones. So the variances do not simply add.",
            ),
            ((1 - before).sqrt(), "Level k has the noise of step k in it, too."),
            (torch.cumsum(beta.sqrt(), 0), "Of independent noise the variances add, shrunk."),
        ]
        expect_close(n, missing, noises, name="The noise", pointer=case)
    return Right(
        "So training never walks the chain: one draw of noise makes a point of any level. Sampling "
        "is what walks it."
    )


@exercise("8.2", "One step of DDIM", "code")
def ddim_step(ddim_step: Any) -> Right:
    """Check `ddim_step(x, x0, here, there)`: from one pair of weights to another."""
    # The first are on no circle, so that a root in place of a weight shows; pure noise is a level.
    weights = [
        ((0.6, 0.7), (0.3, 0.9)),
        ((0.1, 0.7), (0.28, 0.96)),
        ((0.28, 0.96), (0.0, 1.0)),
        ((0.5, 0.5), (0.936, 0.352)),
        ((0.02, 1.1), (1.0, 0.0)),
        ((1.0, 0.0), (0.7, 0.2)),
        ((0.6, 0.8), (0.1, 0.7)),
    ]
    for given, (here, there) in zip(inputs(seed=82), weights, strict=True):
        x, x0 = given.points(), given.points()
        result = call(ddim_step, x, x0, here, there)
        got = expect_tensor(
            result,
            x,
            "The point",
            finite="The signal of `there` may be 0, and the noise of either: divide by the signal "
            "of `here` alone.",
        )
        wanted, mistakes = ddim(x, x0, here, there)
        expect_close(
            got,
            wanted,
            mistakes,
            name="The point",
            pointer="A case to try: x = 1 and x0 = 1 with `here` = (0.5, 0.5) hold the data 1. So "
            "`there` = (a, b) makes a + b of them.",
            random="DDIM draws nothing: it takes the noise that the network has found. To draw "
            "fresh noise in each step is DDPM.",
        )
    return Right(
        "With the weights (t, 1 - t) of the line, this very function is a step of Euler's method "
        "for Rectified Flow."
    )


@exercise("8.3", "Rectified Flow from a noise network", "derive")
def line_velocity(line_velocity: Any) -> Right:
    """Check `line_velocity(predict_noise, x, t)`: from E[X0 | x] on the circle to v on the line."""
    for given in inputs(seed=83):
        x, t = given.points(), given.times(0.02, 0.98)
        predict = Probe(waves, x, "noise network")
        got = expect_tensor(call(line_velocity, predict, x, t), x, "The velocity")
        wanted, mistakes = velocity_of_line(x, t)
        case = "A case to try: at t = 1/2 the network is asked at sqrt(2) x and the clock 1/2, and "
        case += "the velocity is 2 (x - x0)."
        expect_close(got, wanted, mistakes, name="The velocity", pointer=case)
        if predict.evaluations != 1:
            raise Wrong(
                f"The velocity is right, but it asks the network {predict.evaluations} times. One "
                f"evaluation is enough."
            )
    return Right(
        "This is how a model that was trained as DDPM is sampled, or rectified, along straight "
        "lines. Near t = 0 it divides by t: there a noise network knows nothing of the data."
    )


CHOICES = (1, 2, 4, 8, 16, 32, 64)


@exercise("8.4", "Is the straight line the best path?", "predict")
def steps_on_circle(steps: Any) -> Right:
    """Check a prediction: Euler steps on the circle that match 16 on the line."""
    if steps is None or steps is Ellipsis:
        raise NotAttempted
    predicted = as_whole(steps)
    if predicted not in CHOICES:
        raise Wrong(f"Give one of the numbers {', '.join(map(str, CHOICES))}.")
    goal, found = _errors_of_euler(torch.get_default_device())
    least = next(n for n in found if found[n] <= goal)
    shown = (
        f"The run: 16 steps on the line are off by {goal:.3f}; on the circle 4 are off by "
        f"{found[4]:.3f}, 8 by {found[8]:.3f}. "
    )
    draw = pictures.bars(
        {"line, 16": goal} | {f"circle, {n}": d for n, d in found.items()}, "error of the ends"
    )
    if predicted == least:
        return Right(
            shown + "Half the steps, on the curve that is not straight! What Euler's method needs "
            "straight are the paths of the *flow*. The lines between the pairs are something else.",
            draw,
        )
    if predicted == 16:
        hint = "The ends of both exact flows agree, but Euler's errors on the way do not. "
    elif predicted > least:
        hint = (
            "A straight interpolation does not make the flow straight. On either curve its paths "
            "bend, and these bend less harmfully on the circle. "
        )
    else:
        hint = "The circle is ahead, but not by that much. "
    raise Wrong(shown + hint + f"The least number is {least}.", draw)


@functools.cache  # for a second try; the device keeps the results of each apart
def _errors_of_euler(device: torch.device) -> tuple[float, dict[int, float]]:
    """Return the error of 16 steps on the line, and those of 4, 8 and 16 on the circle."""
    a = (torch.arange(50, device=device) + 0.5) / 50 * math.pi
    upper = torch.stack([a.cos(), a.sin()], dim=1)
    arcs = torch.cat([upper, torch.tensor([1.0, 0.5]) - upper])
    line = exact.mixture_velocity(distributions.GaussianMixture(arcs, torch.full((100,), 0.05)))
    circle = gaussian_paths.convert_velocity(
        line, gaussian_paths.STRAIGHT, gaussian_paths.TRIGONOMETRIC
    )
    generator = torch.Generator().manual_seed(84)
    starts = distributions.Gaussian(2).sample(500, generator=generator)
    ends = solvers.rk4(line, starts.double(), steps=80, keep="end").end

    def off(velocity: Any, n: int) -> float:
        gaps = solvers.euler(velocity, starts, steps=n, keep="end").end - ends
        return metrics.squared_norm(gaps).mean().sqrt().item()

    return off(line, 16), {n: off(circle, n) for n in (4, 8, 16)}
