"""Comparing a mean over random draws with what it should be."""

import torch
from torch import Tensor


def assert_mean(draws: Tensor, expected, sigmas: float = 5.0, rounding: float = 1e-6) -> None:
    """Fail unless the mean over rows lies within `sigmas` standard errors of `expected`.

    The seeds are fixed, so a test that passes keeps passing; 5 sigma (less than one in a million)
    says that it passes for the right reason.
    """
    draws = draws.double()
    error = draws.mean(dim=0) - torch.as_tensor(expected, dtype=torch.float64)
    allowed = sigmas * draws.std(dim=0) / len(draws) ** 0.5 + rounding
    assert (error.abs() <= allowed).all(), f"off by {error.tolist()}, allowed {allowed.tolist()}"


def products(a: Tensor, b: Tensor) -> Tensor:
    """All products of a coordinate of `a` and one of `b`, row by row: shape (n, d, d)."""
    return a[:, :, None] * b[:, None, :]
