"""Numbers that say how good a flow or a coupling is: straight, free of crossings, short."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_pair, check_real
from rfteach._interpolation import interpolate
from rfteach._measures.distances import wasserstein2
from rfteach._optional import optional
from rfteach._solvers import Trajectory


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
        TypeError: it is no trajectory.
    """
    if not isinstance(trajectory, Trajectory):
        raise TypeError(
            f"straightness takes a Trajectory, not {type(trajectory).__name__}; pass what a solver "
            f"returns, such as euler(velocity, x0), and not its states"
        )
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


def conditional_variance(
    x0: Float[Tensor, "n *event"], x1: Float[Tensor, "n *event"], *, times: int = 16
) -> float:
    """Return V(X0, X1) = int_0^1 E||X1 - X0 - E[X1 - X0 | X_t]||^2 dt.

    The least loss that any velocity reaches on this coupling: how much the lines disagree where
    they meet (Liu et al. 2022, Section 3.3). It is 0 exactly when at almost every time the place
    determines the line. (All lines of X1 = -X0 meet, but only at t = 1/2, and V is 0.)

    At each time every line is held against the line nearest to it: half of the mean squared
    difference of their velocities estimates the variance at one place (the nearest-neighbor
    estimate of the residual variance; Devroye et al. 2018). The neighbor is not quite at the same
    place. This adds an error of the order n^(-2/dim), so use some thousands of pairs in few
    dimensions; for images it is of no use.

    Args:
        x0: start points, shape (n, *event), from a distribution without repeated points.
        x1: end points, row by row those of `x0`, shape (n, *event). A pair that occurs twice (a
            finite list drawn with replacement) counts once; its copy would be its own neighbor.
        times: number of times t at which to look, the middles of equal slices of [0, 1].

    Raises:
        ValueError: shapes or devices differ, fewer than 2 different pairs, points not finite.
        ImportError: SciPy is not installed.
    """
    check_pair(x0, x1)
    check_data("x0", x0)
    check_data("x1", x1)
    check_count("times", times)
    pairs = torch.unique(torch.stack([x0, x1], dim=1).flatten(2).double(), dim=0)
    x0, x1 = pairs.unbind(dim=1)
    if len(pairs) < 2:
        raise ValueError("conditional_variance needs 2 different pairs or more, but got one")
    total = 0.0
    for i in range(times):
        xt = interpolate(x0, x1, x0.new_full((len(x0),), (i + 0.5) / times))
        nearest = _nearest_other(xt)
        total += squared_norm((x1 - x0) - (x1 - x0)[nearest]).mean().item() / 2
    return total / times


def _nearest_other(x: Tensor) -> Tensor:
    """Return for each row of `x` the row nearest to it, other than itself."""
    points = x.detach().cpu().numpy()
    two = optional("scipy.spatial").KDTree(points).query(points, k=2)[1]
    first, second = torch.from_numpy(two).to(x.device).unbind(dim=1)
    # the first is the row itself, unless another lies at the very same place
    return torch.where(first == torch.arange(len(x), device=x.device), second, first)


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


def relative_transport_cost(x0: Float[Tensor, "n *event"], x1: Float[Tensor, "n *event"]) -> float:
    """Return how much more these pairs cost than the best pairing of the same points.

    This is E||X1 - X0||^2 minus the exact assignment, W2(x0, x1)^2: 0 exactly when no re-pairing
    of this sample would make the squared distances smaller (up to rounding).

    Args:
        x0: start points, shape (n, *event).
        x1: end points, row by row those of `x0`, shape (n, *event).

    Raises:
        ValueError: as for `transport_cost`.
        ImportError: POT is not installed.
    """
    check_pair(x0, x1)
    x0, x1 = x0.double(), x1.double()  # the difference of two like numbers
    return transport_cost(x0, x1) - wasserstein2(x0, x1) ** 2


def path_crossings(states: Float[Tensor, "times n 2"]) -> int:
    """Return how many pairs of particles have paths that intersect when drawn in the plane.

    The times do not count here: two paths may pass through one place one after the other. Paths of
    one velocity field do so, though they are never at one place at one time. Paths that touch, or
    meet exactly at a corner, do not count. For the lines of a coupling pass
    `torch.stack([x0, x1])`.

    Args:
        states: the corners of each path, shape (times, n, 2), as in `trajectory.states`. Time grows
            as the square of `times` and of `n`; 200 paths of 100 steps take some seconds.

    Raises:
        ValueError: `states` has another shape, is empty or not finite.
    """
    check_real("states", states)
    if states.ndim != 3 or states.shape[2] != 2 or len(states) < 2:
        raise ValueError(
            f"states has shape {tuple(states.shape)}, but path_crossings takes (times, n, 2) with "
            f"2 times or more, such as trajectory.states or torch.stack([x0, x1])"
        )
    check_data("states", states)
    a, b = (s.transpose(0, 1).double() for s in (states[:-1], states[1:]))  # (n, segments, 2)
    count = 0
    for i in range(len(a) - 1):
        one = a[i][:, None], b[i][:, None]  # (segments, 1, 2), against all later paths
        others = a[i + 1 :, None], b[i + 1 :, None]  # (paths, 1, segments, 2)
        crossed = (_side(*one, others[0]) * _side(*one, others[1]) < 0) & (
            _side(*others, one[0]) * _side(*others, one[1]) < 0
        )
        count += int(crossed.flatten(1).any(dim=1).sum())
    return count


def _side(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Return 1 where c lies left of the line from a to b, -1 where it lies right, 0 on it."""
    ab, ac = b - a, c - a
    return torch.sign(ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0])
