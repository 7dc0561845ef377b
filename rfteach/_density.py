"""The density of a flow at a point: the source's, less the stretching along the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_event, check_velocity_output
from rfteach._distributions import Distribution
from rfteach._rows import where_to_draw
from rfteach._solvers import rk4
from rfteach._velocity import Velocity

Divergence = Callable[[Tensor, Tensor], Tensor]  # of the velocity and the points it was asked at


def log_density(
    velocity: Velocity,
    source: Distribution,
    x: Float[Tensor, "n *event"],
    *,
    steps: int = 100,
    estimate: Literal["exact", "hutchinson"] = "exact",
    probes: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Return log p_1(x), the log density of the flow's ends Z_1 at the points x, in nats.

    Along a path, d/dt log p_t(Z_t) = -div v(Z_t, t) (Chen et al. 2018, arXiv 1806.07366, equation
    8). So the point is followed back to its start Z_0, and

        log p_1(x) = log p_0(Z_0) - int_0^1 div v(Z_t, t) dt.

    Place and integral are solved together by the Runge-Kutta method (`rk4`), 4 evaluations a step.
    For a smooth velocity the error falls like 1 / steps^4: compare with twice the steps.

    With "exact", each evaluation takes one backward pass for every number of an event. With
    "hutchinson" it takes one for each probe: e . (dv/dx) e, with random signs e, is the divergence
    on average (Hutchinson 1990; Grathwohl et al. 2019, arXiv 1810.01367). Then the result is
    unbiased, and off by far more than the solver is. Each evaluation draws new signs: errors of
    different times then cancel in part. (A solver that chooses its steps has to keep them.)

    It is the density of the flow of this velocity, however it was trained, and not that of the
    data. The velocity at a point must not depend on the other points of the batch.

    Args:
        velocity: callable `velocity(x, t)`, with automatic derivatives in x.
        source: the law of Z_0, with a method `log_density`: a `Gaussian` or a `GaussianMixture`.
        x: points at t = 1, shape (n, *event).
        steps: number of equal steps from t = 1 to t = 0.
        estimate: "exact" or "hutchinson".
        probes: how many signs to average over, at each evaluation.
        generator: source of the signs; PyTorch's global one when None.

    Returns:
        The log densities, shape (n,), without gradients.

    Raises:
        ValueError: `steps` or `probes` is below 1, `estimate` is another word, points and source
            have different shapes, a point is not finite, or the velocity has no derivatives in x.
        TypeError: the source has no log density, `x` is not a floating-point tensor, or the
            generator is none of PyTorch's.
        ArithmeticError: a path leaves the range of numbers.
    """
    check_data("x", x)
    check_count("probes", probes)
    at_start: Callable[[Tensor], Tensor] | None = getattr(source, "log_density", None)
    if at_start is None:
        raise TypeError(
            f"the source is of type {type(source).__name__}, which has no log density; "
            f"pass the law of the noise, such as Gaussian({', '.join(map(str, x.shape[1:]))})"
        )
    check_event("x", x, source.event_shape)
    if estimate == "exact":
        divergence = _exact
    elif estimate == "hutchinson":
        divergence = _hutchinson(probes, generator)
    else:
        raise ValueError(f'estimate = {estimate!r}, but it must be "exact" or "hutchinson"')

    def backward(state: Tensor, s: Tensor) -> Tensor:  # s = 1 - t; the state is (place, integral)
        place = state[:, :-1].reshape(x.shape)
        v, div = _with_divergence(velocity, place, 1 - s, divergence)
        return torch.cat([-v.flatten(1), div[:, None]], dim=1)

    begin = torch.cat([x.flatten(1), x.new_zeros(len(x), 1)], dim=1)
    end = rk4(backward, begin, steps=steps, keep="end").end.detach()
    if not end.isfinite().all():
        lost = int((~end.isfinite().all(dim=1)).sum())
        raise ArithmeticError(
            f"{lost} of {len(x)} paths left the range of {x.dtype} on the way back to t = 0; take "
            f"more steps than {steps}, or points nearer to where the velocity was trained"
        )
    with torch.no_grad():
        return at_start(end[:, :-1].reshape(x.shape)) - end[:, -1]


def _with_divergence(
    velocity: Velocity, x: Tensor, t: Tensor, divergence: Divergence
) -> tuple[Tensor, Tensor]:
    """Return the velocity and its divergence, also where the caller has switched gradients off."""
    with torch.inference_mode(False), torch.enable_grad():
        place = x.clone().requires_grad_()
        v = velocity(place, t.clone())
        check_velocity_output(v, place)
        div = divergence(v, place)
    return v.detach(), div


def _exact(v: Tensor, x: Tensor) -> Tensor:
    """Add up the derivatives of each component of v in its own direction: one look back each."""
    components = v.flatten(1).unbind(dim=1)
    own = [_slopes(v_k.sum(), x).flatten(1)[:, k] for k, v_k in enumerate(components)]
    return torch.stack(own).sum(dim=0)


def _hutchinson(probes: int, generator: torch.Generator | None) -> Divergence:
    def estimated(v: Tensor, x: Tensor) -> Tensor:
        draw_on, _ = where_to_draw(generator, x.device)
        coins = torch.randint(2, (probes, *x.shape), generator=generator, device=draw_on)
        signs = (2 * coins - 1).to(x)
        looks = [(_slopes((v * e).sum(), x) * e).flatten(1).sum(dim=1) for e in signs]
        return torch.stack(looks).mean(dim=0)

    return estimated


def _slopes(value: Tensor, x: Tensor) -> Tensor:
    """Return the derivatives of a sum over the batch: row by row those of each point's own part."""
    slopes = None
    if value.requires_grad:
        (slopes,) = torch.autograd.grad(value, x, retain_graph=True, allow_unused=True)
    if slopes is None:
        raise ValueError(
            "the velocity has no automatic derivatives in x; call it without torch.no_grad() and "
            "detach() inside (for one that is the same at all places, add 0 * x)"
        )
    return slopes
