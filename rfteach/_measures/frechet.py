"""How close generated images come to real ones: the Fréchet distance in a classifier's features.

The FID of the papers takes the features of an Inception network, which has learned from photographs
(Heusel et al. 2017). For Fashion-MNIST a small classifier of its ten classes is enough. Distances
in its features compare models with each other, not with the FID of another paper.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_count, check_data, check_points
from rfteach._networks.classifier import ImageClassifier


class FeatureMoments(NamedTuple):
    """The mean (k,) and the covariance (k, k) of a sample of features, in double precision."""

    mean: Float[Tensor, " k"]
    covariance: Float[Tensor, "k k"]


def feature_moments(features: Float[Tensor, "n k"]) -> FeatureMoments:
    """Return the mean and the covariance of features, shape (n, k), n at least 2.

    Raises:
        ValueError: fewer than 2 rows, not a matrix, or a value is NaN or infinite.
    """
    check_data("features", features)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(
            f"features has shape {tuple(features.shape)}, but it must be (n, k) with n at least 2"
        )
    features = features.double()
    return FeatureMoments(
        features.mean(dim=0), torch.cov(features.T).reshape(2 * features.shape[1:])
    )


def frechet_distance(a: FeatureMoments, b: FeatureMoments) -> float:
    """Return ||m_a - m_b||^2 + trace(C_a + C_b - 2 (C_a C_b)^(1/2)) (Heusel et al. 2017, eq. 6).

    It is the squared 2-Wasserstein distance between two Gaussians with these moments. Estimates
    from finite samples lie above it, so compare only samples of the same size.

    Raises:
        ValueError: the two have different numbers of features.
        TypeError: one of them is of another type, such as the features themselves.
    """
    for name, moments in (("a", a), ("b", b)):
        if not isinstance(moments, FeatureMoments):
            raise TypeError(
                f"{name} is of type {type(moments).__name__}, not FeatureMoments; pass "
                f"feature_moments({name})"
            )
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"{len(a.mean)} features against {len(b.mean)}; take the same ones twice")
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0).sqrt().sum()
    spread = a.covariance.trace() + b.covariance.trace() - 2 * cross
    return ((a.mean - b.mean).square().sum() + spread).item()


@torch.no_grad()
def features_of(
    images: Float[Tensor, "n 1 28 28"], classifier: ImageClassifier, *, batch_size: int = 1000
) -> Float[Tensor, "n k"]:
    """Return the classifier's features of many images, in bounded memory, shape (n, 128).

    Raises:
        ValueError: `batch_size` is below 1.
        TypeError: it is not an integer, or `images` is not a floating-point tensor.
    """
    check_points("images", images)
    check_count("batch_size", batch_size)
    return torch.cat([classifier.features(part) for part in images.split(batch_size)])


def feature_fid(
    images: Float[Tensor, "n 1 28 28"],
    real: Float[Tensor, "m 1 28 28"] | FeatureMoments,
    classifier: ImageClassifier,
) -> float:
    """Return the Fréchet distance between the features of images and those of real ones.

    Args:
        images: generated images, with values in [-1, 1].
        real: real images, or the moments of their features.
        classifier: gives the features.

    Raises:
        ValueError: a value is NaN or infinite, or there are fewer than 2 images.
    """
    if not isinstance(real, FeatureMoments):
        real = feature_moments(features_of(real, classifier))
    return frechet_distance(feature_moments(features_of(images, classifier)), real)
