"""Checkers for chapter 11, on Stable Diffusion 3."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.chapters.ch11_stable_diffusion_3.bent_times import density_of_bent
from rfteach.exercises.chapters.ch11_stable_diffusion_3.edited_image import edited, sd3_model
from rfteach.exercises.chapters.ch11_stable_diffusion_3.partial_guidance import guided_in_part
from rfteach.exercises.chapters.ch11_stable_diffusion_3.times_of_flux import shifted_times
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import close, expect_close, expect_tensor
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
        wanted, mistakes = density_of_bent(t, a)
        case = "A case to try: at t = 1/2 the density is 1/a."
        expect_close(got, wanted, mistakes, name="The density", pointer=case)
    return Right(
        "For a < 1 it has its peak, 1/a, in the middle, and falls to 0 at both ends; for a > 1 it "
        "grows without bound there. Compare the logit-normal one: it falls to 0 for every spread."
    )


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
        wanted, mistakes = shifted_times(even, patches)
        case = "A case to try: two steps with 256 patches have the times 0, 0.378 and 1."
        expect_close(got, wanted, mistakes, name="The tensor of times", pointer=case)
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
        early, late = (waves(x, each) - waves(x, t) for each in t.repeat_interleave(2).chunk(2))
        twice, _ = guided_in_part(told + early, free + late, scale, t, start, stop)
        hint = "The times of the doubled batch are not those of its rows: take `torch.cat([t, t])`."
        mistakes.append((twice, hint))
        case = (
            "Before `start` and from `stop` on it is that of the condition; between, free + scale "
        )
        case += "(told - free)."
        expect_close(got, wanted, mistakes, name="The velocity", pointer=case)
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
        case = "A case to try: strength 1 and one step make noise - model(noise, 1000)."
        expect_close(got, wanted, mistakes, name="The image", pointer=case)
        expect_steps(model, steps)
        levels = torch.tensor([1000 * strength * (1 - i / steps) for i in range(steps)])
        if not close(torch.tensor(model.times), levels, 1e-5):
            raise Wrong("The timesteps are rounded. A timestep is 1000 sigma, which may be 233.33.")
        expect_without_gradient(result, model)
    return Right(
        "A noisy image is a point of the line, so the flow can go on from it. How much of the "
        "image survives is decided by the strength alone."
    )
