"""Checkers for chapter 14, on the density of a flow at a point."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from rfteach import _density as density, _distributions as distributions, _solvers as solvers
from rfteach._interpolation import along
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Mistake, NotAttempted, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    close,
    expect_close,
    expect_number,
    expect_pair,
    expect_tensor,
    misconception,
)
from rfteach.exercises.tools.inputs import EVENTS, IMAGES_FIRST, PLANE, inputs, swirl
from rfteach.exercises.tools.probe import Probe


def _ring(x: Tensor, t: Tensor) -> Tensor:
    """A field in which each component depends on its own coordinate and on the one before."""
    before = x.flatten(1).roll(1, dims=1).reshape(x.shape)
    return torch.cos(1.3 * x + 0.4) * (1 + along(t, x)) + 0.8 * torch.sin(before + 2 * along(t, x))


def _expect_one_a_point(result: Any, name: str, x: Tensor, probes: int) -> None:
    """Raise Wrong for the shapes of likely mistakes, where there should be one number a point."""
    shape = tuple(result.shape) if isinstance(result, Tensor) else None
    if shape is None or shape == (len(x),):
        return
    hints = {
        (): "Return one number for each point. This is a single one for the whole batch.",
        (probes,): "This is over the points of the batch, with one number for each probe. Go over "
        "the probes: dim=0 of looks of shape (probes, batch).",
        (probes, len(x)): "This has a number for each probe. Go over the probes, too.",
        tuple(x.shape): "Sum over all axes of a point before you go over the probes: "
        "`.flatten(1).sum(dim=1)`.",
    }
    if x.ndim > 2:
        hints[(len(x), *x.shape[2:])] = (
            "`.sum(dim=1)` adds up the first axis of an image and leaves the others. Sum over all "
            "axes of a point: `.flatten(1).sum(dim=1)`."
        )
    if shape in hints:
        raise Wrong(f"{name} has shape {shape}, but should have {(len(x),)}. {hints[shape]}")


def _told(answer: Any, velocity: Probe, x: Tensor, t: Tensor, signs: Tensor) -> tuple[Any, Any]:
    """Return the two parts of an answer to 14.1; raise Wrong for the shape of a likely mistake."""
    result = expect_pair(call(answer, velocity, x, t, signs), "the mean and its standard error")
    for part, name in zip(result, ("The mean", "The standard error"), strict=True):
        _expect_one_a_point(part, name, x, len(signs))
    return result


@exercise("14.1", "An estimate with its error bar", "code")
def with_error(with_error: Any) -> Right:
    """Check `with_error(velocity, x, t, signs)`: the mean of e . (dv/dx) e, its standard error."""
    for given in inputs(IMAGES_FIRST, seed=141):
        x, t = given.points(), given.times()
        signs = torch.stack([torch.where(given.points() > 0, 1.0, -1.0).to(x) for _ in range(6)])
        velocity = Probe(_ring, x)
        own = -1.3 * torch.sin(1.3 * x + 0.4) * (1 + along(t, x))  # slopes in their own direction
        diagonal = own.flatten(1)
        beside = 0.8 * torch.cos(x.flatten(1) + 2 * t[:, None])  # of each component's next one
        e = signs.flatten(2)  # (probes, batch, size)
        after = e.roll(-1, dims=2)
        looks = (diagonal + e * after * beside).sum(dim=2)  # (probes, batch)
        wanted, spread, n = looks.mean(dim=0), looks.std(dim=0), len(signs)
        right = spread / n**0.5
        result = _told(with_error, velocity, x, t, signs)
        mean = expect_tensor(result[0], wanted, "The first result, the mean,")
        mistakes = [
            (right, "The standard error comes first here. Return the mean first, then its error."),
            (
                (diagonal + beside).sum(dim=1),
                "This is the sum of all derivatives, also of those across: the signs are missing, "
                "or have canceled. Multiply by them once before autograd and once after it.",
            ),
            (
                diagonal.sum(dim=1),
                "This is the exact divergence, with one backward pass for each coordinate. Make "
                "one for each probe, of the sum of the components times their signs.",
            ),
            (
                (e * diagonal + after * beside).sum(dim=2).mean(dim=0),
                "The signs are used once. They stand on both sides of the matrix: multiply the "
                "slopes by them, too, before you add up.",
            ),
            (
                (e * (diagonal + beside)).sum(dim=2).mean(dim=0),
                "The components are added up without their signs. Multiply by them before autograd "
                "and after it.",
            ),
            (
                wanted / len(x),
                "The slopes are divided by the number of points. Sum over the batch before "
                "autograd: then each row gets the slopes of its own point.",
            ),
            (
                (e * _ring(x, t).flatten(1)).sum(dim=2).mean(dim=0),
                "This is e . v. Take e . J e: autograd gives the slopes of e . v by x.",
            ),
            (wanted * len(signs), "This is a sum over the probes. Take their mean."),
            (wanted / x[0].numel(), "This is a mean over the coordinates. Take their sum."),
            *((one, "This is one of the probes alone. Take the mean of all.") for one in looks),
        ]
        known = [wanted, -wanted, *(mistake for mistake, _ in mistakes)]
        if not any(close(mean, other) for other in known):
            again, _ = _told(with_error, velocity, x, t, signs)
            if isinstance(again, Tensor) and not close(again.detach(), mean):
                raise Wrong(
                    "Two calls with the same signs give two means. Take the signs that the "
                    "function is given, and throw none of its own."
                )
        expect_close(mean, wanted, mistakes, name="The mean")
        error = expect_tensor(result[1], wanted, "The second result, the standard error,")
        mistakes = [
            (
                spread,
                "This is how far single looks scatter. Their mean scatters less: divide by the "
                "root of the number of probes.",
            ),
            (spread / n, "The error of a mean falls by the root, not by the number of probes."),
            (
                looks.std(dim=0, correction=0) / n**0.5,
                "The spread divides the squares by n. Divide by n - 1, as `std` does by itself.",
            ),
            (
                spread / (n - 1) ** 0.5,
                "The root is that of n, the number of probes. The n - 1 belongs into the spread, "
                "and `std` has it there already.",
            ),
            (
                spread * n**0.5,
                "The error of a mean is less than the spread: divide by the root of n.",
            ),
            (looks.var(dim=0), "This is a variance. The standard error is a root."),
            (looks.var(dim=0) / n, "This is the variance of the mean. Take its root."),
        ]
        for other in {len(x), x[0].numel()} - {n}:
            known = "The root is that of another number than the number of probes."
            mistakes.append((spread / other**0.5, known))
        expect_close(error, right, mistakes, name="The standard error")
    return Right(
        "One backward pass a probe, for 2 coordinates or for 2 million, and the estimate says "
        "itself how far it may be off."
    )


@exercise("14.2", "Nats and probes", "predict")
def nats_and_probes(prediction: Any) -> Right:
    """Check a prediction: what doubling all lengths costs in 64 dimensions, and some probes."""
    if prediction is None or prediction is Ellipsis:
        raise NotAttempted
    keys = ("nats", "bits", "probes")
    if not isinstance(prediction, dict) or set(prediction) != set(keys):
        raise Wrong(f"The prediction is a dictionary with the keys {', '.join(map(repr, keys))}.")
    given = [key for key in keys if prediction[key] is not None and prediction[key] is not ...]
    if 0 < len(given) < len(keys):
        missing = ", ".join(f'"{key}"' for key in keys if key not in given)
        raise Wrong(f"A number is missing: that of {missing}.")
    nats, bits, probes = (expect_number(prediction[key], f'"{key}"') for key in keys)

    source = distributions.Gaussian(64)
    center = torch.zeros(1, 64, dtype=torch.float64)
    end = density.log_density(lambda x, t: math.log(2) * x, source, center, steps=10)
    fall = (source.log_density(center) - end).item()
    hints = []
    if abs(nats - fall) > 0.4:
        known = [
            (math.log(2), "A factor of 2 in each of the 64 directions: the logarithms add up. "),
            (64.0, "That is in bits. A bit is ln 2 nats. "),
            (128.0, "The volume is 2^64 times as large. Take its logarithm. "),
            (-fall, 'The density falls: "by how much lower" is a positive number. '),
            (2 * math.log(2), "That is for the plane. Here there are 64 directions. "),
            (64 * math.log10(2), "That is the logarithm to base 10. Nats take the natural one. "),
        ]
        box = "The volume of a box grows by 2^64. Take its natural logarithm, to 0.4 or better."
        hints.append(f'"nats": {misconception(nats, known) or box}')
    if abs(bits - 1) > 0.01:
        known = [
            (math.log(2), "That is nats per dimension. Divide by ln 2. "),
            (64.0, "That is for the whole image. Divide by the number of dimensions. "),
        ]
        hints.append(f'"bits": {misconception(bits, known) or "Per dimension, nats / (64 ln 2)."}')
    if abs(probes - 144) > 1e-6:  # a whole number, and the square of another
        known = [
            (12.0, "The error falls like the root of the number: 12 times less takes 12 squared. "),
            (math.sqrt(12), "The root goes the other way: 12 times less error takes more. "),
            (72.0, "The error falls like the root of the number: 12 times less takes 12 squared. "),
            (24.0, "The error falls like the root of the number: 12 times less takes 12 squared. "),
            (36.0, "That is for an error of 1. "),
        ]
        more = "More" if probes < 144 else "Fewer"
        more = f"{more} are needed, for an error of exactly 0.5."
        hints.append(f'"probes": {misconception(probes, known) or more}')
    if hints:  # without the run, which would tell the answer
        raise Wrong(" ".join(hint.strip() for hint in hints))
    return Right(
        f"The run: the flow lowers the log density by {fall:.1f} nats, which is "
        f"{fall / math.log(2) / 64:.2f} bits per dimension. With 144 probes the standard error is "
        f"{6 / math.sqrt(probes):.2g} nats. Units matter, too: pixels from 0 to 16 in place of -1 "
        f"to 1 are all lengths times 8, and 3 bits per dimension. So a number of nats says nothing "
        f"without its units."
    )


def _log_normal(z: Tensor) -> Tensor:
    return -z.square().sum(dim=-1) / 2 - math.log(2 * math.pi)


@exercise("14.3", "The density, all along the path", "code")
def log_densities(log_densities: Any) -> Right:
    """Check `log_densities(velocity, path)`: log p_t(Z_t) at each time, by the trapezoid rule."""
    few = (6, (2,), torch.float64)  # so that a mean over the batch is not taken for nothing
    for given, n in zip(inputs([few, *PLANE], seed=143), (7, 9, 5, 5, 3), strict=True):
        grid = torch.linspace(0, 1, n + 1, dtype=torch.float64) ** 2  # steps of several lengths
        path = solvers.rk4(swirl, given.points(), steps=grid)
        velocity = Probe(swirl, path.start)
        states, times = path.states, path.times
        div = (1 + times[:, None]) * torch.cos(states[..., 0])  # (n + 1, batch)
        dt = times.diff()[:, None]
        start = _log_normal(path.start)
        nothing = start.new_zeros(1, len(start))

        def summed(rates: Tensor, nothing: Tensor = nothing) -> Tensor:
            return torch.cat([nothing, rates.cumsum(dim=0)])

        mean = (div[1:] + div[:-1]) / 2
        wanted = start - summed(mean * dt)
        got = call(log_densities, velocity, path)
        if isinstance(got, (list, tuple)) and len(got) == n + 1:
            raise Wrong("This is a list of rows. Make one tensor of them: `torch.stack(rows)`.")
        got = expect_tensor(got, wanted, "The result")
        z1, z2 = states.unbind(dim=-1)
        across = 0.5 + times[:, None] * (1 - torch.sin(z1) * z2)  # the two other derivatives
        half_way = (states[1:, :, 0] + states[:-1, :, 0]) / 2
        middle = (1 + (times[1:] + times[:-1])[:, None] / 2) * torch.cos(half_way)

        def as_ends(states: Tensor = states) -> Iterator[Mistake]:
            flat = states.flatten(0, 1)
            ends = density.log_density(swirl, distributions.Gaussian(2), flat, steps=20)
            yield (
                ends.reshape(states.shape[:2]),
                "rf.log_density takes each state for an end, at t = 1. Row i belongs to times[i].",
            )

        every = "The times of this path are not equally spaced: each step lasts times[i + 1] - "
        mistakes = [
            (
                start + summed(mean * dt),
                "The sign of the divergence is wrong. Where arrows spread, the density falls.",
            ),
            (
                start - summed(div[:-1] * dt),
                "Each step takes the divergence at its start. The trapezoid rule takes the mean "
                "of both ends, and is of order 2.",
            ),
            (
                start - summed(div[1:] * dt),
                "Each step takes the divergence at its end. Take the mean of both ends.",
            ),
            (start - summed(mean / n), f"{every}times[i], and not 1/N."),
            (start - summed(mean), "A step counts for its length: times[i + 1] - times[i]."),
            (start - summed(mean * times[1:, None]), f"{every}times[i], and not times[i + 1]."),
            (
                wanted - path.start.square().sum(dim=1) / 2,
                "The normal density has a factor 1/2 in its exponent: -||z||^2 / 2.",
            ),
            (
                wanted - start + _log_normal(path.end),
                "The density of the noise belongs to the start of the path, states[0].",
            ),
            *(
                (start - summed((rate[1:] + rate[:-1]) / 2 * dt), hint)
                for factor, hint in (
                    (
                        torch.ones_like(times),
                        "This is the derivative of the first component alone, or that of a "
                        "velocity that is asked at t = 0 in all states. The divergence has both, "
                        "and states[i] belongs to times[i].",
                    ),
                    (
                        times,
                        "This is the derivative of the last component alone. The divergence is "
                        "the sum of both.",
                    ),
                    (
                        2 - times,
                        "The velocity is asked at another time than that of the state: states[i] "
                        "belongs to times[i].",
                    ),
                )
                for rate in [factor[:, None] * torch.cos(states[..., 0])]
            ),
            (
                start - summed(mean * dt) / 2,
                "The divergence is the sum of the two derivatives. This takes their mean.",
            ),
            (
                wanted - start + _log_normal(path.start.square().sum(dim=1)[:, None].pow(0.25)),
                "The normal density has the square of the norm in it: -||z||^2 / 2.",
            ),
            (
                start - summed((div[1:] + div[:-1]) * dt),
                "The two ends of a step are added up. Take their mean.",
            ),
            (
                _log_normal(states) - summed(mean * dt),
                "The density of the noise belongs to the start of the path alone. Here it is taken "
                "at every state.",
            ),
            (_log_normal(states), "This puts every state into the density of the noise."),
            (-summed(mean * dt), "This is the change since the start. Add log p_0 at the start."),
            (
                start - torch.cat([nothing, mean * dt]),
                "Each row holds the change of its own step. Add up all steps before it.",
            ),
            (
                start - summed(mean * dt)[-1].expand_as(wanted),
                "All rows hold the density at the end. Row i belongs to times[i].",
            ),
            (
                start + math.log(2 * math.pi) - summed(mean * dt),
                "The constant of the normal density is missing: log p_0 has a -log(2 pi) in it.",
            ),
            (
                start + math.log(2 * math.pi) / 2 - summed(mean * dt),
                "The constant is that of one coordinate, -log(2 pi) / 2. For two it is -log(2 pi).",
            ),
            (wanted.exp(), "This is the density itself. Take its logarithm."),
            (
                wanted - summed((across[1:] + across[:-1]) / 2 * dt),
                "All four derivatives are added up. The divergence takes two of them, those of "
                "each component in its own direction.",
            ),
            (
                start - summed(middle * dt),
                "Each step takes the divergence half way, at the mean of its two places. The "
                "trapezoid rule takes the mean of the divergences at both ends.",
            ),
            (
                start - summed(mean * dt) / len(start),
                "The divergences are divided by the number of points. Sum over the batch before "
                "autograd.",
            ),
        ]
        expect_close(
            got, wanted, chain(mistakes, as_ends()), name="The log density", tolerance=1e-3
        )
    return Right(
        "Samples and their densities in one go, for any solver's path. The path is as good as its "
        "solver; the integral has order 2."
    )


@exercise("14.4", "The flow of a bell", "derive")
def bell_log_density(bell_log_density: Any) -> Right:
    """Check `bell_log_density(x, t, m, s)`: log p_t of the flow from N(0, I) to N(m, s^2 I)."""
    flat = [case for case in EVENTS if len(case[1]) == 1]
    seven = (5, (7,), torch.float64)  # a dimension in which no constant fits by chance
    widths = (0.3, 2.0, 0.7, 0.7, 1.5, 0.5)
    for given, s in zip(inputs([seven, *flat], seed=144), widths, strict=True):
        x, t = given.points(), given.times(0.1, 0.9)
        m, dim = given.points()[0], x.shape[1]
        got = call(bell_log_density, x, t, m, s)
        variance = (1 - t) ** 2 + (t * s) ** 2
        off = x - t[:, None] * m
        constant = dim / 2 * math.log(2 * math.pi)

        def bell(off: Tensor, variance: Tensor, dim: float, constant: float = constant) -> Tensor:
            return -off.square().sum(dim=1) / (2 * variance) - dim / 2 * variance.log() - constant

        wanted = bell(off, variance, dim)
        got = expect_tensor(got, wanted, "The log density")
        straight = ((1 - t) + t * s) ** 2
        mistakes = [
            (
                bell(off, variance, dim) + dim * variance.log(),
                "The sign of the integral is wrong: where the flow widens, the density falls.",
            ),
            (
                bell(off, variance, dim) + dim / 2 * variance.log(),
                "The integral of the divergence is missing.",
            ),
            (
                bell(off, variance, 1),
                "The divergence adds up one slope for each dimension: d s_t' / s_t.",
            ),
            (
                bell(off, straight, dim),
                "The width of X_t is no mean of the widths: noise and data are independent, so "
                "their variances add up.",
            ),
            (
                bell(x - m, variance, dim),
                "At time t the center has come to t m. This has it at m.",
            ),
            (
                bell(x - m, variance.new_full((len(x),), s**2), dim),
                "This is log p_1, that of the data. At time t the bell is on its way.",
            ),
            (bell(x, variance, dim), "The start is Z_0 = (x - t m) / s_t: the center moves, too."),
            (
                bell(off * variance.sqrt()[:, None], variance, dim),
                "Follow the path back to its start: Z_0 = (x - t m) / s_t, divided by the width.",
            ),
            (
                bell(off, (1 - t) ** 2 + t**2 * s, dim),
                "s is the width of the data, and not its variance: s_t^2 has a t^2 s^2.",
            ),
            (
                bell(off, variance.square(), dim),
                "This has s_t^2 in the place of s_t. The width is the root.",
            ),
            (
                bell(off / variance.sqrt()[:, None], variance, dim),
                "Z_0 is divided by s_t^2. Divide by the width s_t, the root.",
            ),
            (
                bell(off, variance, dim / 2),
                "The integral of the divergence is d log s_t. This has half of it.",
            ),
            (
                bell(off, variance, 2 * dim),
                "The integral of s' / s is log s_t, half of log of the variance.",
            ),
            (
                wanted + constant,
                "The constant of the noise's density is missing, -d/2 log(2 pi).",
            ),
            (
                wanted + constant - math.log(2 * math.pi),
                "The constant is that of the plane. In d dimensions it is -d/2 log(2 pi).",
            ),
            (
                wanted + constant - math.log(2 * math.pi) / 2,
                "The constant is that of one coordinate. In d dimensions it is -d/2 log(2 pi).",
            ),
            (
                wanted - off.square().sum(dim=1) / (2 * variance),
                "The normal density has a factor 1/2 in its exponent: -||z||^2 / 2.",
            ),
            (
                wanted + off.square().sum(dim=1) / variance,
                "The exponent of the normal density is negative: -||z||^2 / 2.",
            ),
            (
                wanted + off.square().sum(dim=1) / (2 * variance) * (1 - 1 / dim),
                "This is a mean over the coordinates of Z_0. The norm is their sum.",
            ),
            (
                bell(off, t**2 + ((1 - t) * s) ** 2, dim),
                "The weights are exchanged: s_t^2 = (1 - t)^2 + t^2 s^2, and 1 at t = 0.",
            ),
            (
                bell(off, variance.new_full((len(x),), s**2), dim),
                "The width is s only at t = 1. On its way the bell has the width s_t.",
            ),
            (wanted.exp(), "This is the density itself. Take its logarithm."),
            (
                bell(off * variance[:, None].pow(0.25), variance, dim),
                "||Z_0||^2 is off^2 over s_t^2, the square of the width. This has s_t once.",
            ),
            (
                bell(x * variance[:, None].sqrt(), variance, dim),
                "This puts x itself into the density of the noise. Follow the path back to its "
                "start: Z_0 = (x - t m) / s_t.",
            ),
            *(
                (
                    wanted
                    + dim / 2 * variance.log()
                    - factor * dim * (t * s**2 - 1 + t) / variance,
                    "The divergence changes on the way: integrate it from 0 to t. The integral is "
                    "d log s_t.",
                )
                for factor in (t, torch.ones_like(t))
            ),
            (
                bell(off, variance, 2, math.log(2 * math.pi)),
                "This is for the plane. In d dimensions the divergence and the constant have d in "
                "the place of 2.",
            ),
        ]
        expect_close(got, wanted, mistakes, name="The log density")
    return Right(
        "The divergence does not depend on the place, so all points of a bell lose the same, "
        "d log s_t. It is the formula of the bell N(t m, s_t^2 I), found by following paths."
    )
