"""What a transfer keeps of its input, and whether it copies its training data (chapter 10)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from rfteach._checks import (
    check_count,
    check_data,
    check_pair,
    check_same_device,
    check_same_dtype,
)


def coarse(
    images: Float[Tensor, "n channels height width"], cells: int = 7
) -> Float[Tensor, "n channels cells cells"]:
    """Return images in `cells` x `cells` pixels: the mean of each part.

    Raises:
        ValueError: these are no images, or they have fewer pixels than that.
    """
    check_data("images", images)
    check_count("cells", cells)
    if images.ndim != 4 or min(images.shape[2:]) < cells:
        raise ValueError(
            f"images has shape {tuple(images.shape)}, but it must be (n, channels, height, width) "
            f"with {cells} pixels or more each way"
        )
    return F.adaptive_avg_pool2d(images, cells)


def kept(
    inputs: Float[Tensor, "n channels height width"],
    outputs: Float[Tensor, "n channels height width"],
    *,
    cells: int = 7,
) -> float:
    """Return how much of an input's coarse picture is found again in its own output: from -1 to 1.

    It is the correlation of the coarse pictures, after the mean picture of the inputs is taken from
    the inputs, and that of the outputs from the outputs. So it does not count what all inputs have
    in common with all outputs: pairs made by chance have 0, but for the noise of a finite sample.
    With `cells=1` it is the correlation of the brightness.

    Args:
        inputs: source images, in any scale of gray.
        outputs: row by row those that were made of them.
        cells: how many parts each way the picture is seen in.

    Returns:
        The correlation; 0 when all inputs or all outputs are the same, for then nothing is kept.

    Raises:
        ValueError: shapes or devices differ, there are fewer than 2 images or no images.
    """
    check_pair(inputs, outputs)
    if len(inputs) < 2:
        raise ValueError("kept needs 2 images or more: it looks at how they differ")
    a, b = (coarse(images.double(), cells).flatten(1) for images in (inputs, outputs))
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    scale = a.norm() * b.norm()
    return ((a * b).sum() / scale).item() if scale > 1e-9 * a.numel() else 0.0


def spread(points: Float[Tensor, "n *event"]) -> float:
    """Return E||X - E[X]||^2, the variance of all coordinates together.

    Raises:
        ValueError: fewer than 2 points, or a value is NaN or infinite.
    """
    check_data("points", points)
    if len(points) < 2:
        raise ValueError("spread needs 2 points or more")
    return points.double().flatten(1).var(dim=0).sum().item()


class Nearest(NamedTuple):
    """For each point the distance to the nearest of the others, shape (n,), and its row there."""

    distance: Float[Tensor, " n"]
    row: Int[Tensor, " n"]


def nearest(
    points: Float[Tensor, "n *event"],
    others: Float[Tensor, "m *event"],
    *,
    batch_size: int = 500,
) -> Nearest:
    """Return the nearest of `others` to each point, in the Euclidean norm, in bounded memory.

    Raises:
        ValueError: the events have different shapes, the devices differ, or a value is not finite.
        TypeError: the two have different precision.
    """
    check_data("points", points)
    check_data("others", others)
    check_count("batch_size", batch_size)
    check_same_dtype("points", points, "others", others)
    check_same_device("points", points, "others", others)
    if points.shape[1:] != others.shape[1:]:
        raise ValueError(
            f"points have the event shape {tuple(points.shape[1:])} and others "
            f"{tuple(others.shape[1:])}; compare images of one size"
        )
    flat = others.flatten(1)
    parts = points.flatten(1).split(batch_size)
    row = torch.cat([torch.cdist(part, flat).argmin(dim=1) for part in parts])
    # by differences: the distances above come from matrix products, and a copy would not have 0
    return Nearest((points - others[row]).flatten(1).norm(dim=1), row)
