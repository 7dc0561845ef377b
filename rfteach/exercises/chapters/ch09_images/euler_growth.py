"""By what Euler steps multiply Gaussian noise, right and with likely mistakes, for 9.4."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Rate = Callable[[Tensor, float], Tensor]
"""How fast a deviation grows, for widths s (k,) at a time t."""


def rate(s: Tensor, t: float) -> Tensor:
    """Return g(t) for data of the width s."""
    return (t * s**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * s**2)


def growth(s: Tensor, n: int, g: Rate = rate, *, late: float = 0, last: int = 0) -> Tensor:
    """Return by what n Euler steps multiply the noise; `late` and `last` are mistaken clocks."""
    product = torch.ones_like(s)
    for i in range(n):
        product = product * (1 + g(s, (i + late) / (last or n)) / n)
    return product


def score(stds: Tensor, steps: int) -> float:
    """Return the Fréchet distance of the ends of Euler's method to the data, exactly."""
    return (stds - growth(stds, steps)).square().sum().item()


def mistaken_scores(s: Tensor, n: int) -> list[tuple[float, str]]:
    """Return the scores that likely mistakes give, each with its hint."""
    a = growth(s, n)
    growths = [*_mistaken_growths(s, n), *_mistaken_rates(s, n)]
    return [
        (
            score(s.sqrt(), n),
            "`stds` holds standard deviations, but yours takes them for variances.",
        ),
        *(((s - each).square().sum().item(), hint) for each, hint in growths),
        *_mistaken_distances(s, a),
    ]


def _mistaken_growths(s: Tensor, n: int) -> list[tuple[Tensor, str]]:
    one = torch.ones_like(s)
    posts = "The times run from 0 to 1 with both ends. The last of N steps starts at 1 - 1/N."
    return [
        (
            growth(s, n, late=1),
            "Each step takes the time at its end, not at its start. Or is the "
            "clock turned? At t = 0 there is noise.",
        ),
        (growth(s, n, late=0.5), "Each step takes the time in its middle, not at its start."),
        (growth(s, n, last=max(n - 1, 1)), posts),
        (growth(s, n, last=n + 1), "The clock runs to N / (N + 1) only. Step i starts at i / N."),
        (growth(s, max(n - 1, 1)), "These are N - 1 steps."),
        (growth(s, n + 1), "These are N + 1 steps."),
        (0 * one, "This is trace(C), the score of one step. Make N, each of length dt = 1/N."),
        (
            one + sum((rate(s, i / n) / n for i in range(n)), torch.zeros_like(s)),
            "The growths of the steps multiply; do not add them.",
        ),
        (one, "This compares the data with the noise: no step was made."),
        (growth(s, n, lambda s, t: rate(s, 0)), "The clock stands still at t = 0."),
        (
            growth(s, n, lambda s, t: n * rate(s, t)),
            "Is dt = 1/N forgotten? A step multiplies the deviation by 1 + g(t) dt.",
        ),
        (
            torch.exp(sum((rate(s, i / n) / n for i in range(n)), torch.zeros_like(s))),
            "This is e to the power of the sum of g dt: steps without error. A step of Euler's "
            "method multiplies by 1 + g dt.",
        ),
        (
            math.prod((rate(s, i / n) / n for i in range(n)), start=one),
            "A step *adds* g dt times the deviation to it: it multiplies by 1 + g dt, not g dt.",
        ),
        (
            s * growth(s, n),
            "The deviation starts as that of the noise, 1, and not as s.",
        ),
        (growth(s, n).square(), "This is the variance of the ends. Take their width."),
        (growth(s, n).sqrt(), "This is a root too many: the product is the width of the ends."),
        *(
            (growth(s, n, lambda s, t, f=f: f * rate(s, t)), f"g is {f:g} times what it should be.")
            for f in (2, 0.5)
        ),
        (growth(s, n, lambda s, t: rate(s, t) / n), "dt = 1/N comes in twice."),
        *(
            (
                growth(s, n, lambda s, t, m=m: rate(s, t) * n / m),
                "The steps have another length. Each of N lasts dt = 1/N.",
            )
            for m in (n + 1, max(n - 1, 1))
        ),
        (growth(s, 1), "This is one step of length 1. Make N, each of length dt = 1/N."),
        (
            1 + sum((i / n * rate(s, i / n) for i in range(n)), torch.zeros_like(s)),
            "Each step lasts dt = 1/N, and their growths multiply.",
        ),
        (s, "This is 0: the exact flow. Euler's method with N steps is off."),
    ]


def _mistaken_rates(s: Tensor, n: int) -> list[tuple[Tensor, str]]:
    def variance(t: float, s2: Tensor) -> Tensor:
        return (1 - t) ** 2 + t**2 * s2

    sign = "Check the sign: at t = 0, where X_t is noise, g is -1."
    square = "In g, the variance of X1 is s^2."
    covariance = "The covariance of X1 - X0 and X_t is t s^2 - (1 - t)"
    rates: list[tuple[Rate, str]] = [
        (
            lambda s, t: t * s**2 / variance(t, s**2),
            "The velocity is E[X1 - X0 | X_t], and the noise X0 depends on X_t, too.",
        ),
        (
            lambda s, t: t * s**2 / variance(t, s**2) - 1,
            "E[X1 | X_t] - X_t is the way that is left, not the velocity E[X1 - X0 | X_t].",
        ),
        (lambda s, t: rate(s.sqrt(), t), "The variance of X1 is s^2. Yours is s."),
        (lambda s, t: rate(s**2, t), "The variance of X1 is s^2. Yours is its square."),
        (lambda s, t: (t * s - (1 - t)) / variance(t, s**2), f"{square} Above, yours is s."),
        (lambda s, t: (t * s**2 - (1 - t)) / variance(t, s), f"{square} Below, yours is s."),
        (lambda s, t: -rate(s, t), f"g has the opposite sign. {sign}"),
        (lambda s, t: (t * s**2 + (1 - t)) / variance(t, s**2), f"The noise goes off. {sign}"),
        (
            lambda s, t: (t * s**2 - (1 - t)) / variance(t, s**2).sqrt(),
            "Divide the covariance by the variance of X_t, not by its standard deviation.",
        ),
        (lambda s, t: t * s**2 - (1 - t), "This is the covariance. Divide it by the variance."),
        (
            lambda s, t: (t * s**2 - (1 - t)) / ((1 - t) + t * s**2),
            "Variances take the squares of the weights: (1 - t)^2 + t^2 s^2.",
        ),
        (
            lambda s, t: (t * s**2 - (1 - t)) / ((1 - t) + t * s) ** 2,
            "Widths do not add up. Variances do: (1 - t)^2 + t^2 s^2.",
        ),
        (
            lambda s, t: (t**2 * s**2 - (1 - t) ** 2) / variance(t, s**2),
            f"{covariance}, without squares of the weights.",
        ),
        (
            lambda s, t: (s**2 - 1) / variance(t, s**2),
            f"{covariance}, with the weights of X_t.",
        ),
        (
            lambda s, t: (s**2 - (1 - t)) / variance(t, s**2),
            f"{covariance}. Yours has s^2 without the weight t.",
        ),
        (
            lambda s, t: (t * s**2 - 1) / variance(t, s**2),
            f"{covariance}. Yours has 1 in place of 1 - t.",
        ),
        (
            lambda s, t: (t * s**2 - (1 - t)) / ((1 - t) ** 2 + t * s**2),
            "In the variance both weights are squared: (1 - t)^2 + t^2 s^2.",
        ),
        (lambda s, t: (s - 1) / (1 - t + t * s), "This is the straight flow from noise to data. "
         "The velocity of independent pairs is another one: E[X1 - X0 | X_t]."),
    ]  # fmt: skip
    return [(growth(s, n, each), hint) for each, hint in rates]


def _mistaken_distances(s: Tensor, a: Tensor) -> list[tuple[float, str]]:
    squares = (s - a).square().sum().item()
    return [
        (squares**0.5, "This is the root. The Fréchet distance is a squared distance."),
        (squares / len(s), "This is a mean over the features. Their sum is the distance."),
        (
            (s**2 - a**2).square().sum().item(),
            "These are differences of variances. In the formula, the standard deviations differ: "
            "C_a + C_b - 2 (C_a C_b)^(1/2) is (s_a - s_b)^2.",
        ),
        (
            (s**2 - a**2).sum().item(),
            "The mixed term is missing: C_a + C_b - 2 (C_a C_b)^(1/2) is (s_a - s_b)^2.",
        ),
        (
            (1 - a).square().sum().item(),
            "This compares the ends with the noise. Compare them with the data.",
        ),
        ((s**2 + a**2).sum().item(), "The mixed term -2 (C_a C_b)^(1/2) is missing."),
        (
            (s**2 - a).square().sum().item(),
            "The width of the ends is held against the variance of the data. Compare widths.",
        ),
        (
            (s**2 + a**2 - s * a).sum().item(),
            "The mixed term comes twice: C_a + C_b - 2 (C_a C_b)^(1/2).",
        ),
        (
            (s**2 + a**2 - 2 * s**2 * a**2).sum().item(),
            "The mixed term is the root of the product: C_a + C_b - 2 (C_a C_b)^(1/2).",
        ),
        ((s - a).abs().sum().item(), "The differences of the deviations must be squared."),
        (
            (s - a).sum().square().item(),
            "Square each difference before the sum: the features do not make up for each other.",
        ),
    ]
