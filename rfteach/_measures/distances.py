"""Distances between two samples: how close a flow comes to the data."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_data, check_points, check_same_device, finite_squares
from rfteach._optional import optional


def wasserstein2(a: Float[Tensor, "n *event"], b: Float[Tensor, "m *event"]) -> float:
    """Return the 2-Wasserstein distance between two samples, exact, by the network simplex of POT.

    It is the root of the least mean squared distance over all ways to match the two samples. Two
    samples of one distribution are not at distance 0: compare with that floor. Time grows roughly
    with the cube of the sample size; 2,000 points take about a second.

    Args:
        a: points, shape (n, *event).
        b: points, shape (m, *event).

    Raises:
        ValueError: the event shapes or devices differ, or a sample is empty or not finite, or
            points are too far apart for their squares.
        ImportError: POT is not installed.
    """
    _check_samples(a, b)
    ot = optional("ot")
    squared = finite_squares(torch.cdist(*_flat64(a, b))).numpy()
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
