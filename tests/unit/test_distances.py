import itertools
import math

import pytest
import torch
from hypothesis import given, strategies as st
from montecarlo import assert_mean
from scipy import stats
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import rfteach as rf


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- wasserstein2


def test_wasserstein2_on_a_line_matches_in_order():
    a, b = normal(300, 1), 2 * normal(300, 1, seed=1) + 1
    sorted_cost = (a.sort(dim=0).values - b.sort(dim=0).values).square().mean().item()
    assert rf.wasserstein2(a, b) == pytest.approx(math.sqrt(sorted_cost), rel=1e-9)


def test_wasserstein2_of_a_shift_is_its_length():
    """The least cost is that of the mean displacement: no matching beats the shift itself."""
    a, shift = normal(200, 2), torch.tensor([3.0, -4.0], dtype=torch.float64)
    assert rf.wasserstein2(a, a + shift) == pytest.approx(5, rel=1e-12)
    # and the mean splits off: W2^2(a, b + c) = W2^2 of the centered samples + |c|^2
    b = normal(200, 2, seed=1)
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    apart = rf.wasserstein2(a, b + shift) ** 2
    assert apart == pytest.approx(rf.wasserstein2(a, b) ** 2 + 25, rel=1e-9)


def test_wasserstein2_is_the_best_assignment():
    a, b = normal(150, 3), normal(150, 3, seed=1) ** 3
    squared = cdist(a, b) ** 2
    best = squared[linear_sum_assignment(squared)].mean()
    assert rf.wasserstein2(a, b) == pytest.approx(math.sqrt(best), rel=1e-9)


def test_wasserstein2_of_unequal_sizes_splits_the_mass():
    """Every point twice is the same distribution; and one point takes all the mass."""
    a, b = normal(40, 2), normal(60, 2, seed=1)
    twice = rf.wasserstein2(a, torch.cat([b, b]))
    assert twice == pytest.approx(rf.wasserstein2(a, b), rel=1e-9)
    to_origin = rf.wasserstein2(a, torch.zeros(1, 2, dtype=torch.float64))
    assert to_origin == pytest.approx(a.square().sum(dim=1).mean().sqrt().item(), rel=1e-12)


def test_wasserstein2_is_a_distance():
    a, b, c = normal(50, 2), normal(50, 2, seed=1) + 1, normal(50, 2, seed=2) * 2
    assert rf.wasserstein2(a, b) == pytest.approx(rf.wasserstein2(b, a), rel=1e-12)
    assert rf.wasserstein2(a, c) <= rf.wasserstein2(a, b) + rf.wasserstein2(b, c)
    assert rf.wasserstein2(a, a.flip(0)) < 1e-6  # the root of a rounding error of 1e-15


def test_wasserstein2_far_from_the_origin_keeps_its_digits():
    a, b = normal(100, 2), normal(100, 2, seed=1)
    assert rf.wasserstein2(a + 1e4, b + 1e4) == pytest.approx(rf.wasserstein2(a, b), rel=1e-6)


def test_wasserstein2_of_images_and_of_tensors_with_gradients():
    a, b = normal(20, 4), normal(20, 4, seed=1)
    images = rf.wasserstein2(a.reshape(20, 1, 2, 2).requires_grad_(), b.reshape(20, 1, 2, 2))
    assert images == rf.wasserstein2(a, b)


# --- energy_distance


def test_energy_distance_against_scipy():
    """Theirs is the root, and takes each sample's pairs of a point with itself into the mean."""
    a, b = normal(80, 1), 2 * normal(50, 1, seed=1) + 0.5
    biased = stats.energy_distance(a[:, 0], b[:, 0]) ** 2
    bias = sum((s - s.T).abs().mean().item() / (len(s) - 1) for s in (a, b))
    assert rf.energy_distance(a, b) == pytest.approx(biased - bias, rel=1e-9)


def test_energy_distance_pair_by_pair():
    a, b = normal(6, 3), normal(4, 3, seed=1)

    def mean_distance(pairs):
        distances = [math.dist(x, y) for x, y in pairs]
        return sum(distances) / len(distances)

    within = (mean_distance(itertools.permutations(s.tolist(), 2)) for s in (a, b))
    expected = 2 * mean_distance(itertools.product(a.tolist(), b.tolist())) - sum(within)
    assert rf.energy_distance(a, b) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_energy_distance_is_unbiased_even_for_small_samples(shift):
    """E|N(m, s^2)| = s sqrt(2/pi) exp(-m^2 / 2 s^2) + m erf(m / s sqrt 2), with s^2 = 2 here."""
    between = 2 / math.sqrt(math.pi) * math.exp(-(shift**2) / 4) + shift * math.erf(shift / 2)
    truth = 2 * between - 2 * (2 / math.sqrt(math.pi))
    draws = normal(1000, 2, 5, 1)
    estimates = torch.tensor([rf.energy_distance(a, b + shift) for a, b in draws])
    assert_mean(estimates, truth)


@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 100))
def test_energy_distance_is_symmetric_and_scales(n, m, seed):
    a, b = normal(n, 2, seed=seed), normal(m, 2, seed=seed + 1)
    d = rf.energy_distance(a, b)
    assert rf.energy_distance(b, a) == pytest.approx(d, abs=1e-12)
    assert rf.energy_distance(3 * a + 1, 3 * b + 1) == pytest.approx(3 * d, abs=1e-6)


@pytest.mark.parametrize("distance", [rf.wasserstein2, rf.energy_distance])
def test_distances_take_points_from_every_device(distance, device):
    a, b = normal(20, 2), normal(20, 2, seed=1)
    assert distance(a.to(device), b.to(device)) == pytest.approx(distance(a, b), rel=1e-9)
