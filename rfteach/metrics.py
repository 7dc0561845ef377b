"""Numbers that say how good a flow is: how straight its paths, how close its samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_data, check_pair, check_points, check_same_device, optional
from rfteach.solvers import Trajectory


def squared_norm(displacement: Float[Tensor, "n *event"]) -> Float[Tensor, " n"]:
    """Return ||d||^2 for each row, shape (n,)."""
    return displacement.flatten(1).square().sum(dim=1)


def straightness(trajectory: Trajectory) -> float:
    """Return S(Z) = int_0^1 E||(Z1 - Z0) - v(Z_t, t)||^2 dt (Liu et al. 2022, equation 6).

    It is 0 exactly for straight paths at constant speed, and has the unit of a squared distance.
    The velocity is read off the trajectory: over a step it is the displacement divided by the time
    it took. For Euler's method that is v(Z_t, t) itself; in general the error falls as the square
    of the step.

    Args:
        trajectory: a path of at least two steps, kept whole (`keep="path"`).

    Raises:
        ValueError: the trajectory kept only its ends or has one step; it would look straight
            whatever the flow.
    """
    steps = len(trajectory.times) - 1
    if not trajectory.complete or steps < 2:
        raise ValueError(
            f"straightness needs every state of at least 2 steps, but this trajectory has {steps} "
            f'kept; solve with keep="path" and more steps'
        )
    dt = trajectory.times.diff()
    chord = trajectory.end - trajectory.start
    total = 0.0
    for i in range(steps):  # one step at a time: no second copy of the whole path
        velocity = (trajectory.states[i + 1] - trajectory.states[i]) / dt[i]
        total += (dt[i] * squared_norm(chord - velocity).mean()).item()
    return total


def transport_cost(
    x0: Float[Tensor, "n *event"],
    x1: Float[Tensor, "n *event"],
    cost: Callable[[Tensor], Tensor] = squared_norm,
) -> float:
    """Return E c(X1 - X0), the mean cost of moving each x0 to its own x1.

    Args:
        x0: start points, shape (n, *event).
        x1: end points, row by row those of `x0`, shape (n, *event).
        cost: takes displacements (n, *event), returns costs (n,); the squared norm by default.

    Raises:
        ValueError: shapes or devices differ, the points are empty or not finite, or `cost` returns
            another shape than (n,).
    """
    check_pair(x0, x1)
    check_data("x0", x0)
    check_data("x1", x1)
    costs = cost(x1 - x0)
    if costs.shape != x0.shape[:1]:
        raise ValueError(
            f"cost returned shape {tuple(costs.shape)} for {len(x0)} displacements; "
            f"it must return one number for each, shape ({len(x0)},)"
        )
    return costs.mean().item()


def wasserstein2(a: Float[Tensor, "n *event"], b: Float[Tensor, "m *event"]) -> float:
    """Return the 2-Wasserstein distance between two samples, exact, by the network simplex of POT.

    It is the root of the least mean squared distance over all ways to match the two samples. Two
    samples of one distribution are not at distance 0: compare with that floor. Time grows roughly
    with the cube of the sample size; 2,000 points take about a second.

    Args:
        a: points, shape (n, *event).
        b: points, shape (m, *event).

    Raises:
        ValueError: the event shapes or devices differ, or a sample is empty or not finite.
        ImportError: POT is not installed.
    """
    _check_samples(a, b)
    ot = optional("ot")
    squared = torch.cdist(*_flat64(a, b)).square().numpy()
    uniform_a, uniform_b = (np.full(len(s), 1 / len(s)) for s in (a, b))
    return float(ot.emd2(uniform_a, uniform_b, squared, numItermax=10_000_000) ** 0.5)


def energy_distance(a: Float[Tensor, "n *event"], b: Float[Tensor, "m *event"]) -> float:
    """Return 2 E||A - B|| - E||A - A'|| - E||B - B'|| (Szekely and Rizzo 2013, equation 1).

    It is 0 exactly when both distributions agree. This is the unbiased estimate, so for two samples
    of one distribution it scatters around 0 and may be slightly negative.

    Args:
        a: points, shape (n, *event), at least 2.
        b: points, shape (m, *event), at least 2.

    Raises:
        ValueError: the event shapes or devices differ, a sample has fewer than 2 points or is not
            finite.
    """
    _check_samples(a, b)
    if min(len(a), len(b)) < 2:
        raise ValueError(f"energy_distance needs 2 points or more, but got {len(a)} and {len(b)}")
    a, b = _flat64(a, b)

    def mean_within(x: Tensor) -> Tensor:  # over pairs of different points
        return torch.cdist(x, x).sum() / (len(x) * (len(x) - 1))

    return (2 * torch.cdist(a, b).mean() - mean_within(a) - mean_within(b)).item()


def _check_samples(a: Tensor, b: Tensor) -> None:
    check_points("a", a)
    check_points("b", b)
    check_same_device("a", a, "b", b)
    check_data("a", a)
    check_data("b", b)
    if a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"a has points of shape {tuple(a.shape[1:])} and b of shape {tuple(b.shape[1:])}; "
            f"a distance needs both in one space"
        )


def _flat64(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    a, b = (s.detach().flatten(1).double().cpu() for s in (a, b))
    return a, b
