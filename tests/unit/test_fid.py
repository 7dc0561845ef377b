import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

import rfteach as rf


def test_the_moments_are_those_of_numpy(generator):
    """Few rows, so that a covariance divided by n in place of n - 1 would show."""
    features = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    mean, covariance = rf.feature_moments(features)
    np.testing.assert_allclose(mean, features.numpy().mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(features.numpy(), rowvar=False))


def test_it_is_wasserstein_for_gaussians_in_one_dimension():
    """W2^2 between N(m, s^2) and N(n, r^2) is (m - n)^2 + (s - r)^2."""
    one = torch.tensor([1.0]).double()
    a = rf.FeatureMoments(2 * one, 9 * one[:, None])
    b = rf.FeatureMoments(-one, one[:, None])
    assert rf.frechet_distance(a, b) == pytest.approx(9 + 4)


def test_it_agrees_with_the_formula_of_the_paper(generator):
    a, b = (
        rf.feature_moments(
            torch.randn(50, 6, generator=generator) @ torch.randn(6, 6, generator=generator)
        )
        for _ in range(2)
    )
    product = sqrtm((a.covariance @ b.covariance).numpy()).real.trace()
    trace = a.covariance.trace() + b.covariance.trace() - 2 * product
    expected = (a.mean - b.mean).square().sum() + trace
    assert rf.frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-9)


def test_it_is_symmetric_and_zero_for_the_same_even_when_singular(generator):
    low_rank = torch.randn(40, 2, generator=generator) @ torch.randn(2, 8, generator=generator)
    a, b = rf.feature_moments(low_rank), rf.feature_moments(torch.randn(40, 8, generator=generator))
    assert rf.frechet_distance(a, b) == pytest.approx(rf.frechet_distance(b, a), rel=1e-6)
    # The root of a rounding error of 1e-16 is 1e-8, for each of the 8 directions.
    assert rf.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_the_bias_falls_with_the_sample(generator):
    """Two samples of one law are further apart the smaller they are."""
    found = [
        rf.frechet_distance(
            *(rf.feature_moments(torch.randn(n, 8, generator=generator)) for _ in "ab")
        )
        for n in (50, 500, 5000)
    ]
    assert found[0] > 5 * found[1] > 5 * found[2] > 0


def test_features_in_batches_are_those_of_all_at_once(generator):
    torch.manual_seed(0)
    classifier = rf.ImageClassifier()
    pixels = torch.randn(7, 1, 28, 28, generator=generator)
    features = rf.features_of(pixels, classifier, batch_size=3)
    assert features.shape == (7, 128) and not features.requires_grad
    torch.testing.assert_close(features, classifier.features(pixels).detach())
    assert classifier(pixels).shape == (7, 10)


def test_feature_fid_takes_images_or_moments(generator):
    torch.manual_seed(0)
    classifier = rf.ImageClassifier()
    a, b = torch.randn(2, 60, 1, 28, 28, generator=generator)
    real = rf.feature_moments(rf.features_of(b, classifier))
    assert rf.feature_fid(a, b, classifier) == rf.feature_fid(a, real, classifier) > 0


@pytest.mark.parametrize("shape", [(1, 4), (5, 2, 3)])
def test_moments_of_what_is_no_sample(shape):
    with pytest.raises(Exception, match=r"features|shape"):
        rf.feature_moments(torch.zeros(shape))


def test_not_finite_features_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        rf.feature_moments(torch.tensor([[0.0, 1], [float("nan"), 2]]))


def test_different_features_cannot_be_compared():
    a, b = (rf.feature_moments(torch.randn(9, k)) for k in (3, 4))
    with pytest.raises(ValueError, match="3 features against 4"):
        rf.frechet_distance(a, b)
