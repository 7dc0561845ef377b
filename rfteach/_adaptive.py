"""Solving dZ/dt = v(Z, t) with steps that a tolerance decides."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_data, check_number
from rfteach._optional import optional
from rfteach._solvers import OneTime, Trajectory
from rfteach._velocity import Velocity


@torch.no_grad()
def dopri5(
    velocity: Velocity,
    x0: Float[Tensor, "n *event"],
    *,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Trajectory:
    """Solve by the adaptive Dormand-Prince 5(4) method of torchdiffeq.

    One step size serves the whole cloud: the error it controls is the root mean square over all
    points and coordinates, not the worst point's.

    Args:
        velocity: callable `velocity(x, t)`.
        x0: points at t = 0, shape (n, *event).
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.

    Returns:
        A trajectory whose times are the accepted steps, so they are not evenly spaced.

    Raises:
        ValueError: a tolerance is not positive and finite or too fine for the precision of `x0`,
            `x0` is empty or not finite, or the velocity returns a wrong shape.
        ArithmeticError: no step size satisfies the tolerances.
        TypeError: `x0` is not a floating-point tensor, or a tolerance no number.
        ImportError: torchdiffeq is not installed.
    """
    check_data("x0", x0)
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        check_number(name, tolerance, low=0, above=True)
    if rtol < torch.finfo(x0.dtype).eps:
        raise ValueError(
            f"rtol = {rtol} is finer than {x0.dtype} can hold "
            f"({torch.finfo(x0.dtype).eps:.1e}); pass x0.double() or a larger rtol"
        )
    odeint = optional("torchdiffeq").odeint
    v = OneTime(velocity)
    times, states = [], []

    class Recorder(torch.nn.Module):  # torchdiffeq looks for this callback on the function
        def forward(self, t, x):
            return v(x, t.clamp(max=1.0))  # its guess at a first step can reach past t = 1

        def callback_accept_step(self, t, x, dt):
            times.append(float(t))
            states.append(x)

    # step_t makes the last step end at t = 1: by default the solver steps past it, where no
    # velocity is defined, and interpolates back.
    ends = torch.tensor([0.0, 1.0], device=x0.device, dtype=torch.float64)
    options = {"dtype": torch.float64, "step_t": ends[1:]}
    try:
        _, end = odeint(
            Recorder(), x0, ends, rtol=rtol, atol=atol, method="dopri5", options=options
        )
    except AssertionError as error:  # torchdiffeq's way of saying that it cannot go on
        raise ArithmeticError(
            f"dopri5 failed after {len(times)} steps ({error}): the velocity is not finite, or "
            f"rtol = {rtol} and atol = {atol} ask for more than {x0.dtype} can hold"
        ) from error
    kept = torch.tensor([*times, 1.0], device=x0.device, dtype=x0.dtype)
    return Trajectory(kept, torch.stack([*states, end]), v.evaluations)
