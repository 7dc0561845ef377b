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
from rfteach.exercises.chapters.ch09_images.euler_growth import mistaken_scores, score
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import (
    close,
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
    expect_own_labels,
    labeled_walks,
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
        # all bytes, a batch without black and white, and one that is all dark
        for given in (pixels, pixels // 2 + 40, pixels % 2):
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
        wanted, mistakes = labeled_walks(z0, labels, steps, batch_size)
        if not close(got, wanted) and not any(close(got, each) for each, _ in mistakes):
            expect_own_labels(velocity, z0, labels)
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
        wanted = score(stds, steps)
        mistakes = mistaken_scores(stds, steps)
        if isinstance(result, Tensor) and result.numel() == 1:
            result = result.detach()
        case = "A case to try: for s = 1, g(0) = -1 and g(1/2) = 0, so two steps make a = 1/2, "
        case += "and the score is (1 - 1/2)^2 = 1/4."
        what = f"The score for stds = {values}, {steps} steps,"
        expect_value(result, wanted, mistakes, what, case)
    return Right(
        "With one step the score is trace(C): all is lost but the mean. With many it falls like "
        "1/N^2, as the error of Euler's method, 1/N, enters squared."
    )
