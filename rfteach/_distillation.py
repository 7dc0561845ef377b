"""Distillation: learn where each path ends, and skip the path (Liu et al. 2022, Algorithm 1)."""

from __future__ import annotations

from torch import nn

from rfteach._couplings import Coupling
from rfteach._times import zero_times
from rfteach._training import TrainingRun, train


def distill(velocity: nn.Module, coupling: Coupling, **training) -> TrainingRun:
    """Fit `velocity`, in place, to jump from x0 to x1 in one Euler step: x1 = x0 + v(x0, 0).

    This is `train` with t = 0 alone. The loss becomes E||(X1 - X0) - v(X0, 0)||^2, so it can reach
    0 only when x1 is a function of x0, as in the pairs of `flow_coupling`. On independent pairs it
    learns the mean of the data. At other times the field is not trained: afterward, sample with
    one step only.

    Args:
        velocity: module called as `velocity(x, t)`; best a copy of the flow that made the pairs.
        coupling: the pairs to learn.
        training: settings of `train`, such as `steps`, `batch_size` or `seed`.

    Raises:
        ValueError, TypeError, NonFiniteLossError, CheckpointError: as for `train`; TypeError also
            for a `time_sampler`.
    """
    if "time_sampler" in training:
        raise TypeError("distill looks at t = 0 alone; for a time_sampler of your own call train")
    return train(velocity, coupling, time_sampler=zero_times, **training)
