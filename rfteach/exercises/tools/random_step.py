"""Looking at one step of a random path: its drift, then its noise."""

from __future__ import annotations

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Wrong
from rfteach.exercises.tools.expect import misconception

SURE = 6  # standard errors by which an estimate may be off


def expect_random_step(rest: Tensor, v: Tensor, x: Tensor, t: float, dt: float, g: float) -> None:
    """Raise Wrong unless `rest` is g^2/2 dt score plus fresh noise of the width g sqrt(dt).

    `rest` is what the step does beyond dt v; all three tensors are (batch, *event), with thousands
    of points. A drift that is made of v and x is found by least squares, whatever the noise is.
    """
    rest, v, x = (a.double().flatten(1) for a in (rest, v, x))
    wanted = g * dt**0.5
    noise = rest - _fit(rest, v, x)[0]
    if (noise - noise.mean(dim=0)).square().mean(dim=0).max() < 1e-3 * wanted**2:
        shared = "all points get the same" if noise.abs().max() > 0.01 * wanted else "there is none"
        raise Wrong(f"Each point needs noise of its own, but {shared}. Draw `randn_like(x)`.")
    if (torch.corrcoef(noise.T) - torch.eye(noise.shape[1]).to(noise)).abs().max() > 0.3:
        raise Wrong(
            "The coordinates of a point all get the same noise. Draw one number for each entry of "
            "x: `randn_like(x)`."
        )
    _expect_drift(rest, v, x, t, dt, g, noise.std().item())
    pull = g**2 / 2 * dt
    noise = rest - pull * (t * v - x) / (1 - t)
    moved = rest - pull * ((t - dt) * v - x) / (1 - t)  # the score at x + dt v

    def off(one):
        return (one.mean() / one.std()).abs().item() * one.numel() ** 0.5

    if off(noise) > SURE >= off(moved):
        raise Wrong("The score is taken at the point after the drift, x + dt v. Take it at x.")
    _expect_gaussian(noise)
    _expect_width(noise, t, dt, g)


def _fit(rest: Tensor, v: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the part of `rest` that is a v + b x, and by how many errors it differs from 0."""
    centered = rest - rest.mean(dim=0)
    basis = torch.stack([(a - a.mean(dim=0)).flatten() for a in (v, x)], dim=1)
    inverse = torch.linalg.inv(basis.T @ basis)
    ab = inverse @ (basis.T @ centered.flatten())
    left = (centered.flatten() - basis @ ab).std().clamp(min=1e-4)  # rounding at least
    errors = (ab / (left * inverse.diagonal().sqrt())).abs().max()
    return ab[0] * v + ab[1] * x, errors


def _expect_drift(
    rest: Tensor, v: Tensor, x: Tensor, t: float, dt: float, g: float, width: float
) -> None:
    """Raise Wrong unless the drift beyond dt v is g^2/2 dt score."""

    def errors(drift: Tensor) -> float:
        return _fit(rest - drift, v, x)[1].item()

    score, end = (t * v - x) / (1 - t), t + dt
    pull = g**2 / 2 * dt
    if errors(pull * score) <= SURE:
        return
    fades = abs(width / (g * dt**0.5) - (1 - t) ** 0.5) < 0.03
    known = [
        (-pull * score, "The sign is wrong: the score points uphill, and the noise goes downhill."),
        (2 * pull * score, "The half is forgotten: g^2 / 2."),
        (0 * score, "The score is left out, so that nothing gathers what the noise scatters."),
        (g**2 / 2 * score, "dt is forgotten beside it."),
        (g / 2 * dt * score, "This takes g in place of its square."),
        (g**2 / 2 * dt**0.5 * score, "The root is for the noise alone. A drift takes dt."),
        (
            pull * (t * v - x),
            "g fades within the step. It is given: the number that comes in is g at t."
            if fades
            else "Is the score divided by 1 - t?",
        ),
        (-2 * pull * score, "The sign is wrong, and the half is forgotten."),
        (
            pull * (end * v - x) / (1 - end),
            "It is taken at t + dt. A step looks at its start only, at the time t.",
        ),
        (-pull * (x + t * v) / (1 - t), "A sign was lost: x = E[X0] + t v, so E[X0] = x - t v."),
        (pull * (v - x) / (1 - t), "From the noise to x the velocity acts for the time t."),
        (-pull * x / (1 - t), "Where is the velocity in it?"),
        (pull * score / (1 - t), "It is divided by 1 - t once too often."),
    ]
    off, hint = min((errors(drift), hint) for drift, hint in known)
    drift = "Beside dt v, the drift should be g^2 / 2 dt times the score, and it is not."
    raise Wrong(f"{drift} {hint}" if off <= SURE else drift)


def _expect_gaussian(noise: Tensor) -> None:
    """Raise Wrong unless the mean and the fourth moment are those of a Gaussian of any width."""
    n, width = noise.numel(), noise.std().item()
    mean = noise.mean().item() / width
    fourth = ((noise - noise.mean()) / width).pow(4).mean().item()
    draw = "Draw it once, with `torch.randn_like(x)`."
    if abs(mean) > SURE / n**0.5:
        known = [
            (3**0.5, "`torch.rand` draws uniform numbers from 0 to 1."),
            (1.3236, "Is an absolute value taken? Noise goes both ways."),
        ]
        hint = misconception(abs(mean), known)
        raise Wrong(" ".join(f"The mean of the noise is not 0. {hint} {draw}".split()))
    if abs(fourth - 3) > SURE * (24 / n) ** 0.5:
        known = {
            1.0: "It takes two values only, as a sign does.",
            1.8: "It is uniform, as from `torch.rand`.",
            9.0: "This is as for the product of two Gaussians.",
        }
        near = [hint for value, hint in known.items() if abs(fourth / value - 1) < 0.2]
        raise Wrong(
            " ".join(
                [
                    "The noise is not Gaussian: its mean fourth power, over the square of its "
                    f"variance, is {fourth:.1f} and not 3.",
                    *near,
                    draw,
                ]
            )
        )


def _expect_width(noise: Tensor, t: float, dt: float, g: float) -> None:
    """Raise Wrong unless the noise has the width g sqrt(dt)."""
    width, wanted = noise.std().item(), g * dt**0.5
    if abs(width / wanted - 1) <= SURE / (2 * noise.numel()) ** 0.5:
        return
    half = "The half belongs to the score alone."
    known = [
        (g * dt, "It is multiplied by dt. Variances add up, so its *variance* is g^2 dt."),
        (g, "Is dt forgotten? In a step of length dt the noise has the variance g^2 dt."),
        (dt**0.5, "Is g forgotten?"),
        ((g * dt) ** 0.5, "The root is for dt alone, not for g."),
        (g**2 * dt**0.5, "It is multiplied by g^2, which is for its variance."),
        (g**2 * dt, "g^2 dt is its variance. The width is the root of that."),
        (wanted / 2, half),
        (wanted / 2**0.5, half),
        (wanted * 2**0.5, "This is noise of the variance 2 g^2 dt. Here it is g^2 dt."),
        (
            wanted * (1 - t) ** 0.5,
            "g fades within the step. It is given: the number that comes in is g at t.",
        ),
    ]
    hint = misconception(width, known)
    raise Wrong(f"The noise has the width {width:.3g}, but it should be {wanted:.3g}. {hint}")
