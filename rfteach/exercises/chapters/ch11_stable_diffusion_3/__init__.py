"""Checkers for chapter 11, on Stable Diffusion 3."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from rfteach._times import shift_times
from rfteach.exercises.chapters.ch11_stable_diffusion_3.edited_image import edited, sd3_model
from rfteach.exercises.chapters.ch11_stable_diffusion_3.partial_guidance import guided_in_part
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import expect_close, expect_tensor
from rfteach.exercises.tools.inputs import inputs, waves
from rfteach.exercises.tools.labeled_flow import LabeledProbe, labeled
from rfteach.exercises.tools.probe import Probe, expect_steps, expect_without_gradient


@exercise("11.1", "The density of bent times", "derive")
def density(density: Any) -> Right:
    """Check `density(t, a)`: that of t = u^a / (u^a + (1 - u)^a), u uniform."""
    generator = torch.Generator().manual_seed(111)
    cases = [((40,), 0.6, torch.float64), ((3, 4), 2.5, torch.float32), ((5,), 1.0, torch.float64)]
    ends = [((6,), a, torch.float64) for a in (2.5, 0.6)]
    for shape, a, dtype in [*cases, ((1,), 0.3, torch.float64), *ends]:
        uniform = torch.rand(shape, generator=generator, device="cpu", dtype=dtype)
        t = 0.03 + 0.94 * uniform
        if shape == (6,):  # near the ends, where a density may grow without bound
            t = torch.tensor([1e-3, 0.02, 0.3, 0.7, 0.98, 0.999], device="cpu", dtype=dtype)
        t = t.to(torch.get_default_device())
        got = expect_tensor(call(density, t, a), t, "The density")
        u, there = _bent(t, 1 / a), _bent(t, a)
        wanted = u * (1 - u) / (a * t * (1 - t))
        at_t = there * (1 - there) * a / (t * (1 - t))  # dt/du with t in the place of u
        mistakes = [
            (
                u,
                "This is the share of draws below t, the distribution function. The density is its "
                "slope.",
            ),
            (there, "This is the sampler itself. Find u for a given t, and differentiate it."),
            (
                1 / wanted,
                "This is dt/du. Where t rises quickly with u, few draws fall: take one over it.",
            ),
            (at_t, "This is the slope of the map itself. The density is that of the way back."),
            (
                1 / at_t,
                "This is one over the slope of the map at u = t. Take it at the u that leads to t.",
            ),
            (
                wanted * a,
                "A factor is missing. The logit of u is 1/a times that of t, so its slope is, too.",
            ),
            (wanted * a * a, "The factor a stands below, not above: divide by it."),
            (
                u * (1 - u) / a,
                "The slope of logit(t) is missing: it is 1 / (t (1 - t)), not 1.",
            ),
            (
                t * (1 - t) / (a * u * (1 - u)),
                "u (1 - u) and t (1 - t) are exchanged.",
            ),
            (
                1 / (a * t * (1 - t)),
                "This is the slope of logit(u). Multiply by u (1 - u) to get that of u.",
            ),
            (wanted.log(), "This is the logarithm of the density."),
            (wanted / 2, "The density is spread over both ends, but by half: leave out the 1/2."),
            (
                u * (1 - u) / (t * (1 - t)),
                "A factor is missing. The logit of u is 1/a times that of t, so its slope is, too.",
            ),
            (
                a * (t * (1 - t)) ** (a - 1) / (t**a + (1 - t) ** a) ** 2,
                "The density is that of the way back: put 1/a in place of a.",
            ),
            (
                (t * (1 - t)) ** (1 / a - 1) / (t ** (1 / a) + (1 - t) ** (1 / a)) ** 2,
                "A factor is missing: the power 1/a comes down when it is differentiated.",
            ),
            (
                (t * (1 - t)) ** (1 / a - 1) / a / (t ** (1 / a) + (1 - t) ** (1 / a)),
                "In the slope of the quotient the denominator comes squared.",
            ),
            (
                t ** (1 / a - 1) / a / (t ** (1 / a) + (1 - t) ** (1 / a)),
                "The denominator depends on t, too: differentiate the quotient.",
            ),
            (
                _normal_of_logit(t, a),
                "This is the logit-normal density. Here u is uniform, so its logit is logistic.",
            ),
            (torch.ones_like(t), "This is the density of u. t is bent, unless a = 1."),
        ]
        expect_close(got, wanted, mistakes, name="The density")
    return Right(
        "For a < 1 it has its peak, 1/a, in the middle, and falls to 0 at both ends; for a > 1 it "
        "grows without bound there. Compare the logit-normal one: it falls to 0 for every spread."
    )


def _normal_of_logit(t: Tensor, a: float) -> Tensor:
    y = torch.logit(t) / a
    return torch.exp(-y.square() / 2) / math.sqrt(2 * math.pi) / (a * t * (1 - t))


def _bent(t: Tensor, a: float) -> Tensor:
    return t**a / (t**a + (1 - t) ** a)


@exercise("11.2", "The times of FLUX", "code")
def flux_times(flux_times: Any) -> Right:
    """Check `flux_times(steps, patches)`: shifted times, from 0 to 1."""
    for steps, patches in [(10, 1024), (28, 4096), (4, 256), (1, 2000), (7, 9216), (6, 64)]:
        even = torch.linspace(0, 1, steps + 1)
        result = call(flux_times, steps, patches)
        if isinstance(result, Tensor) and result.is_floating_point():
            result = result.to(even.dtype)
            if result.shape == (steps,):
                raise Wrong(
                    f"These are {steps} times. {steps} steps lie between {steps + 1} times, the "
                    f"first 0 and the last 1."
                )
        overflow = "e to the power mu is infinite for a large mu. What comes in is the number of "
        overflow += f"patches, here {patches}, and not the side of the image. Is it squared?"
        got = expect_tensor(result, even, "The tensor of times", finite=overflow)
        share = (patches - 256) / (4096 - 256)
        mu = 0.5 + 0.65 * share
        wanted = shift_times(even, math.exp(mu))
        inside = 0.5 + 0.65 * min(max(share, 0.0), 1.0)
        by_log = 0.5 + 0.65 * math.log(patches / 256) / math.log(16)
        by_root = 0.5 + 0.65 * (patches**0.5 - 16) / 48
        mistakes = [
            (
                shift_times(even, math.exp(-mu)),
                "The shift goes the wrong way: it acts on sigma = 1 - t, and a large one keeps "
                "most of the times near 0, in the noise.",
            ),
            (
                1 - wanted,
                "These are the noise levels sigma, which fall from 1 to 0. Our times are 1 - "
                "sigma.",
            ),
            (even, "These times are not shifted."),
            (even.flip(0), "These times fall, and are not shifted."),
            (
                wanted.flip(0),
                "These times fall. Ours rise, from 0 (noise) to 1 (data).",
            ),
            *(
                (
                    shift_times(even, base**mu),
                    f"This takes {base} to the power mu. The shift is e to the power mu.",
                )
                for base in (2, 10)
            ),
            *(
                (
                    shift_times(even, fixed),
                    f"This is the fixed shift {fixed:g}, whatever the number of patches. FLUX "
                    f"takes e to the power mu, and mu from the patches.",
                )
                for fixed in (3.0, math.exp(0.5), math.exp(1.15))
                if 256 < patches < 4096
            ),
            (
                shift_times(even, 1 + mu),
                "This is 1 + mu. The shift is e to the power mu.",
            ),
            *(
                (
                    shift_times(even, math.exp(0.5 + 0.65 * part)),
                    "Check the straight line: mu is 0.5 at 256 patches, and 1.15 at 4096.",
                )
                for part in (patches / 4096, patches / (4096 - 256), (patches - 256) / 4096)
            ),
            (
                shift_times(even, math.exp(0.5 + 1.15 * share)),
                "From 256 to 4096 patches mu rises by 1.15 - 0.5, and not by 1.15.",
            ),
            (
                1 - math.exp(mu) * (1 - even),
                "This multiplies sigma alone. A shift maps sigma to a sigma / (1 + (a - 1) sigma).",
            ),
            (
                (even ** math.exp(mu)),
                "This takes a power. A shift maps sigma to a sigma / (1 + (a - 1) sigma).",
            ),
            (
                shift_times(even, math.exp(0.5 + 0.65 * (patches**2 - 256) / 3840))
                if patches < 300
                else even,
                "n is the number of patches already, and not the side of the image: no square.",
            ),
            (shift_times(even, mu), "This takes mu as the shift. The shift is e to the power mu."),
            (
                shift_times(even, math.exp(2 * mu)),
                "This is shifted twice.",
            ),
            (
                shift_times(even, math.exp(1.65 - mu)),
                "The two ends are exchanged: mu is 0.5 at 256 patches, and 1.15 at 4096.",
            ),
            (
                shift_times(even, math.exp(inside)),
                "mu stays on the straight line beyond 256 and 4096 patches, too.",
            ),
            (
                shift_times(even, math.exp(by_log)),
                "mu is a straight line in n itself, not in its logarithm.",
            ),
            (
                shift_times(even, math.exp(by_root)),
                "mu is a straight line in n itself, not in its root.",
            ),
            (
                shift_times(even, math.exp(0.65 * share)),
                "At 256 patches mu is 0.5, not 0.",
            ),
        ]
        expect_close(got, wanted, mistakes, name="The tensor of times")
    return Right(
        "In the logit of sigma the shift is an addition of mu. At 4,096 patches, an image of 1024 "
        "by 1024, it is 3.16: close to the 3 of Stable Diffusion 3."
    )


@exercise("11.3", "Guidance for a part of the way", "code")
def guided_between(guided_between: Any) -> Right:
    """Check `guided_between(velocity, condition, nothing, scale, start, stop)`."""
    start, stop, scale = 0.25, 0.625, 3.0  # not even about 1/2, so that 1 - t shows
    for given in inputs(seed=113):
        x, t = given.points(), given.times()
        t[:1], t[3:4] = start, stop  # the borders, and what is between and beyond
        condition = (torch.arange(len(x), device=x.device) * 7 + 3) % 10
        nothing = torch.full_like(condition, 10)
        velocity = LabeledProbe(x)
        bound = call(guided_between, velocity, condition, nothing, scale, start, stop)
        if not callable(bound):
            raise Wrong(
                "Return a velocity: a function of x and t, which calls the network when it is "
                f"called. Yours returned an object of type {type(bound).__name__}."
            )
        call(bound, x, t.flip(0))  # a solver calls it at one time after another
        before = velocity.evaluations
        result = call(bound, x, t)
        looks = velocity.evaluations - before
        got = expect_tensor(result, x, "The velocity")
        free = waves(x, t) + labeled(x, nothing)
        told = waves(x, t) + labeled(x, condition)
        wanted, mistakes = guided_in_part(told, free, scale, t, start, stop)
        expect_close(got, wanted, mistakes, name="The velocity")
        if looks > 1:
            raise Wrong(
                f"The velocity is right, but it calls the network {looks} times. "
                f"One call with twice the batch is enough: `torch.cat([x, x])`."
            )
    return Right(
        "Scale 1 is the flow given the text, so an interval is nothing but a scale that depends on "
        "the time."
    )


@exercise("11.4", "From image to image", "code")
def edit(edit: Any) -> Right:
    """Check `edit(model, image, noise, strength, steps)`: Euler from sigma = strength to 0."""
    settings = [(0.6, 5), (0.35, 3), (1.0, 4), (0.8, 1), (0.5, 10), (0.25, 2), (0.6, 5)]
    for given, (strength, steps) in zip(inputs(seed=114), settings, strict=True):
        image, noise = given.points(), given.points()
        model = Probe(sd3_model, image, "model")
        result = call(edit, model, image, noise, strength, steps)
        got = expect_tensor(result, image, "The image")
        wanted, mistakes = edited(image, noise, strength, steps)
        expect_close(got, wanted, mistakes, name="The image")
        expect_steps(model, steps)
        expect_without_gradient(result, model)
    return Right(
        "A noisy image is a point of the line, so the flow can go on from it. How much of the "
        "image survives is decided by the strength alone."
    )
