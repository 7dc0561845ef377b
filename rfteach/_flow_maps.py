"""Flow maps: a velocity that is told the end of its step, so that one long step can be exact."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import (
    check_draw,
    check_number,
    check_real,
    check_times,
    check_velocity_output,
)
from rfteach._interpolation import along, interpolate, velocity_target
from rfteach._velocity import MeanVelocity


def jump(
    velocity: MeanVelocity,
    x: Float[Tensor, "batch *event"],
    t0: float | Float[Tensor, " batch"],
    t1: float | Float[Tensor, " batch"],
) -> Float[Tensor, "batch *event"]:
    """Return x + (t1 - t0) u(x, t0, t1): where a point at time t0 is at time t1, in one evaluation.

    This is exact when u is the mean velocity of the flow from t0 to t1 (Geng et al. 2025,
    arXiv 2505.13447, where time runs the other way). It keeps gradients, as the velocity does.

    Args:
        velocity: callable `velocity(x, t, r)`, such as `VelocityMLP(dim, jumps=True)`.
        x: points at time t0, shape (batch, *event).
        t0, t1: the start and the end of the step, in [0, 1]: numbers, or one for each point. A
            jump back, t1 < t0, needs a velocity that was trained on such.

    Raises:
        ValueError: a time is out of range, or the velocity returns another shape.
        TypeError: a time is neither a number nor a floating-point tensor.
    """
    start, end = (_one_each(name, t, x) for name, t in (("t0", t0), ("t1", t1)))
    u = velocity(x, start, end)
    check_velocity_output(u, x)
    return x + along(end - start, x) * u


def _one_each(name: str, t: float | Tensor, x: Tensor) -> Tensor:
    """Return a time for each point, of one number or of that many."""
    if not isinstance(t, Tensor):
        check_number(name, t, low=0, high=1)
        t = x.new_full((len(x),), float(t))
    check_times(t, x)
    return t


def time_pairs(
    n: int,
    *,
    equal: float = 0.25,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, "n 2"]:
    """Return `n` pairs of times t <= r in [0, 1), shape (n, 2): the time sampler of flow maps.

    Two uniform times, put in order. In each row, with the chance `equal`, the second is then set to
    the first: a jump of length 0, in which `mean_flow_loss` is `velocity_matching_loss`. Bind
    another share with `functools.partial(time_pairs, equal=...)`.

    Raises:
        ValueError: the share is outside [0, 1], or `n` is below 1.
        TypeError: one of them is no number, or the generator none of PyTorch's.
    """
    check_draw(n, generator)
    check_number("equal", equal, low=0, high=1)
    times = torch.rand(n, 2, generator=generator, device=device).sort(dim=1).values
    still = torch.rand(n, generator=generator, device=device) < equal
    start, end = times.unbind(dim=1)
    return torch.stack([start, torch.where(still, start, end)], dim=1)


def mean_flow_loss(
    velocity: MeanVelocity,
    x0: Float[Tensor, "batch *event"],
    x1: Float[Tensor, "batch *event"],
    t: Float[Tensor, "batch 2"],
    *,
    power: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the batch mean of ||u(X_t, t, r) - (V + (r - t) stop(du/dt))||^2 with V = X1 - X0.

    Here du/dt is taken along the line: V . grad_x u, plus the derivative by t at fixed x. It is one
    Jacobian-vector product, and stop(...) is a constant for the gradient. The target is linear in
    V, so its mean given X_t has the velocity of the flow in place of V: at the optimum u is the
    mean velocity from t to r (Geng et al. 2025, arXiv 2505.13447, whose time runs the other way).
    Train with `time_sampler=time_pairs`.

    Args:
        velocity: callable `velocity(x, t, r)` that torch.func.jvp can differentiate. A condition is
            bound to it beforehand (`with_condition`), as `train` does when the coupling gives one.
        x0, x1: the pairs, shape (batch, *event).
        t: the start and the end of a step for each pair, shape (batch, 2), from `time_pairs`.
        power: weigh each pair by 1 / (error + 0.001)^power, a constant for the gradient, as the
            paper does (there 1 is best). 0 weighs all alike; only then is the minimum a mean.

    Returns:
        A scalar tensor that carries gradients.

    Raises:
        ValueError: `t` is not (batch, 2), shapes, devices or times are wrong, or `power` is
            negative or not finite.
        TypeError: an argument is not a floating-point tensor, or `power` no number.
    """
    check_number("power", power, low=0)
    check_real("t", t)
    if t.ndim != 2 or t.shape[1] != 2:
        raise ValueError(
            f"t has shape {tuple(t.shape)}, but this loss needs the start and the end of a step, "
            f"(batch, 2); train with time_sampler=rf.time_pairs"
        )
    start, end = t.unbind(dim=1)
    xt, v = interpolate(x0, x1, start), velocity_target(x0, x1)
    check_times(end, xt)
    u = velocity(xt, start, end)
    check_velocity_output(u, xt)
    # Of all rows, those with a step of length 0 too: a bound condition has a row for each.
    slope = _slope(velocity, xt, start, end, v)
    target = v + along(end - start, xt) * slope
    error = (u - target).square().flatten(1).sum(dim=1)
    return (error / (error.detach() + 1e-3) ** power).mean()


def _slope(velocity: MeanVelocity, x: Tensor, t: Tensor, r: Tensor, v: Tensor) -> Tensor:
    """Return d/dt u(x, t, r) along a path of the velocity v, with r fixed, without gradients."""
    with torch.no_grad():
        tangents = (v, torch.ones_like(t), torch.zeros_like(r))
        return torch.func.jvp(velocity, (x, t, r), tangents)[1]
