"""Checkers for chapter 9, on images."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor

from rfteach._measures.frechet import (
    FeatureMoments as FeatureMoments,
    feature_moments as feature_moments,
    frechet_distance,
)
from rfteach.exercises.chapters.ch09_images.byte_images import expect_pixels, expect_points
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Mistake, Right, Wrong, call
from rfteach.exercises.tools.expect import (
    expect_close,
    expect_number,
    expect_tensor,
    expect_value,
    misconception,
)
from rfteach.exercises.tools.labeled_flow import (
    LabeledProbe,
    expect_all_rows,
    expect_batches,
    mistaken_labels,
    walk_labeled,
)
from rfteach.exercises.tools.probe import expect_without_gradient


@exercise("9.1", "From bytes to points and back", "code")
def conversions(to_points: Any, to_pixels: Any) -> Right:
    """Check `to_points(pixels)` and `to_pixels(x)`: bytes (n, height, width), points in [-1, 1]."""
    generator = torch.Generator().manual_seed(91)
    device = torch.get_default_device()
    for n, height, width in [(3, 28, 28), (1, 8, 5), (200, 2, 2)]:
        shape = (n, height, width)
        pixels = torch.randint(256, shape, generator=generator, device="cpu", dtype=torch.uint8)
        pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
        pixels = pixels.to(device)
        for given in (pixels, pixels // 2 + 40):  # all bytes, and a batch without black and white
            expect_points(to_points, given)
        expect_pixels(to_pixels, pixels, generator)
    return Right(
        "Bytes become points that the noise can reach, and points become bytes again, with the few "
        "values outside of [-1, 1] cut off and the rest rounded."
    )


@exercise("9.2", "The floor of a small sample", "predict")
def factor(factor: Any) -> Right:
    """Check a prediction: by which factor the distance to the truth grows with 1/4 of the data."""
    value = expect_number(factor, "The factor")
    large, small = _floors()
    measured = small / large
    found = (
        f"Measured in {DIM} features: {large:.4f} with 2,000 samples, {small:.4f} with 500, a "
        f"factor of {measured:.2f}. "
    )
    if 3.6 <= value <= 4.4:
        return Right(
            found + "The errors of mean and covariance fall like 1/sqrt(n), and the distance is "
            "made of their squares. So it falls like 1/n, and it is never below its target."
        )
    hint = misconception(
        value,
        [
            (1, "It is no unbiased estimate: even samples of the truth itself are above 0."),
            (2, "The errors of the moments fall like 1/sqrt(n). What is the distance made of?"),
            (16, "The errors of the moments are squared once, not twice."),
            (0.25, "You have the inverse: fewer samples are farther away."),
            (0.5, "Fewer samples are farther away, not nearer. And squares count."),
            (math.sqrt(2), "The errors themselves grow by a factor of 2 already."),
            (8, "The errors of the moments grow like sqrt(4) = 2. What does squaring make of 2?"),
        ],
    )
    hint = (
        hint or "The errors of the moments fall like 1/sqrt(n), and the distance is their square."
    )
    raise Wrong(found + hint)


DIM = 16  # features


@functools.cache  # for a second try
def _floors() -> tuple[float, float]:
    """Return the mean distance from the truth of 2,000 draws of it, and that of 500."""
    generator = torch.Generator().manual_seed(92)
    rounds = 300
    truth = FeatureMoments(
        torch.zeros(DIM, dtype=torch.float64, device="cpu"),
        torch.eye(DIM, dtype=torch.float64, device="cpu"),
    )

    def floor(n: int) -> float:
        draws = (torch.randn(n, DIM, generator=generator, device="cpu") for _ in range(rounds))
        return sum(frechet_distance(feature_moments(draw), truth) for draw in draws) / rounds

    return floor(2000), floor(500)


@exercise("9.3", "Pairs that keep their labels", "code")
def labeled_ends(labeled_ends: Any) -> Right:
    """Check `labeled_ends(velocity, z0, labels, steps, batch_size)`: Euler, a batch at a time."""
    generator = torch.Generator().manual_seed(93)
    cases = [((23, 1, 4, 3), 3, 5), ((23, 1, 4, 3), 2, 23), ((8, 2), 1, 4), ((7, 2), 4, 10)]
    for shape, steps, batch_size in cases:
        z0 = torch.randn(shape, generator=generator, device="cpu")
        labels = torch.randint(10, shape[:1], generator=generator, device="cpu")
        z0, labels = z0.to(torch.get_default_device()), labels.to(torch.get_default_device())
        velocity = LabeledProbe(z0)
        result = call(labeled_ends, velocity, z0, labels, steps, batch_size)
        if isinstance(result, Tensor) and result.shape[1:] == z0.shape[1:]:
            expect_all_rows(result, len(z0), batch_size)
        got = expect_tensor(result, z0, "The tensor of ends")
        expect_batches(velocity, len(z0), steps, batch_size)
        walked = [walk_labeled(z0, each, steps) for each in mistaken_labels(labels, batch_size)]
        wanted = walk_labeled(z0, labels, steps)
        hints = (
            "Each batch got the labels of the first one.",
            "All points got the same label. Each has its own.",
            "The labels go the other way around.",
        )
        mistakes: list[Mistake] = list(zip(walked, hints, strict=True))
        mistakes.append((z0, "These are the starts: the velocity was not used."))
        expect_close(got, wanted, mistakes, name="The tensor of ends")
        expect_without_gradient(result, velocity)
    return Right(
        "Each batch of noise travels with its own labels. The pairs must be stored with them, too: "
        "the next flow is told the same label."
    )


@exercise("9.4", "The score of an Euler sampler, exactly", "derive")
def euler_score(euler_score: Any) -> Right:
    """Check `euler_score(stds, steps)`: the Fréchet distance of N Euler steps to N(m, stds^2)."""
    cases = [
        ([1.5, 0.2, 0.6], 3),
        ([0.7], 2),
        ([0.4, 2.0], 7),
        ([0.0, 0.5, 1.0, 3.0], 16),
        ([0.5, 1.2], 1),
    ]
    for values, steps in cases:
        stds = torch.tensor(values, dtype=torch.float64)
        result = call(euler_score, stds, steps)
        if isinstance(result, Tensor) and result.shape == stds.shape and len(stds) > 1:
            raise Wrong("This is one number for each feature. Their sum is the distance.")
        wanted = _score(stds, steps)
        s, one = stds, torch.ones_like(stds)
        growths = [
            (_growth(s, steps, late=1), "Each step takes the time at its end, not at its start."),
            (
                _growth(s, steps, noise=0),
                "The velocity is E[X1 - X0 | X_t], and the noise X0 depends on X_t, too.",
            ),
            (
                _growth(s, steps, place=True),
                "E[X1 | X_t] - X_t is the way that is left, not the velocity E[X1 - X0 | X_t].",
            ),
            (_growth(s.sqrt(), steps), "The variance of X1 is s^2. Yours is s."),
            (_growth(s, max(steps - 1, 1)), "These are N - 1 steps."),
            (_growth(s, steps + 1), "These are N + 1 steps."),
            (0 * one, "This is trace(C), the score of one step. Make N, each of length dt = 1/N."),
            (_growth(s, steps, still=True), "The growths of the steps multiply; do not add them."),
            (one, "This compares the data with the noise: no step was made."),
        ]
        mistakes = [(((s - a) ** 2).sum().item(), hint) for a, hint in growths]
        a = _growth(s, steps)
        mistakes += [
            (wanted**0.5, "This is the root. The Fréchet distance is a squared distance."),
            (wanted / len(s), "This is a mean over the features. Their sum is the distance."),
            (
                (s**2 - a**2).square().sum().item(),
                "These are differences of variances. In the formula, the standard deviations "
                "differ: C_a + C_b - 2 (C_a C_b)^(1/2) is (s_a - s_b)^2.",
            ),
            (
                (s**2 - a**2).sum().item(),
                "The mixed term is missing: C_a + C_b - 2 (C_a C_b)^(1/2) is (s_a - s_b)^2.",
            ),
            ((s**2 + a**2).sum().item(), "The mixed term -2 (C_a C_b)^(1/2) is missing."),
            ((s - a).abs().sum().item(), "The differences of the deviations must be squared."),
            (
                (s - a).sum().square().item(),
                "Square each difference before the sum: the features do not make up for each "
                "other.",
            ),
        ]
        if isinstance(result, Tensor) and result.numel() == 1:
            result = result.detach()
        expect_value(result, wanted, mistakes, f"The score for stds = {values}, {steps} steps,")
    return Right(
        "With one step the score is trace(C): all is lost but the mean. With many it falls like "
        "1/N^2, as the error of Euler's method, 1/N, enters squared."
    )


def _growth(s: Tensor, n: int, *, late=0, noise=1, place=False, still=False) -> Tensor:
    """Return by what N Euler steps multiply the noise: right by default, else a mistake."""
    growth = torch.ones_like(s)
    for i in range(n):
        t = (i + late) / n
        variance = (1 - t) ** 2 + t**2 * s**2
        rate = (t * s**2 - noise * (1 - t)) / variance
        if place:
            rate = t * s**2 / variance - 1
        step = rate / n
        growth = growth + step if still else growth * (1 + step)
    return growth


def _score(stds: Tensor, steps: int) -> float:
    return (stds - _growth(stds, steps)).square().sum().item()
