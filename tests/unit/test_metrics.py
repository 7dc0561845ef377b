import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from montecarlo import assert_mean
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import rfteach as rf


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def path_of(states: list[torch.Tensor], times: torch.Tensor) -> rf.Trajectory:
    return rf.Trajectory(times, torch.stack(states), evaluations=0)


# --- straightness

M, S = 3.0, 0.4  # X0 ~ N(0, 1) and X1 ~ N(M, S^2), independent


def sigma(t):
    """The standard deviation of X_t; the flow is Z_t = t M + sigma(t) Z_0."""
    return ((1 - t) ** 2 + (S * t) ** 2) ** 0.5


def gaussian_straightness() -> float:
    """S(Z) / E Z_0^2 = int ((S - 1) - sigma'(t))^2 dt, by quadrature."""
    rate = lambda t: (S**2 * t - (1 - t)) / sigma(t)  # noqa: E731
    return quad(lambda t: (S - 1 - rate(t)) ** 2, 0, 1)[0]


def gaussian_path(steps: int, dim: int = 1) -> tuple[rf.Trajectory, float]:
    """Return the exact flow on a grid, and its straightness for this sample of Z_0."""
    z0, times = normal(100, dim), torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    path = path_of([t * M + sigma(t) * z0 for t in times], times)
    return path, gaussian_straightness() * z0.square().sum(dim=1).mean().item()


@pytest.mark.parametrize("dim", [1, 3])
def test_straightness_of_a_gaussian_flow_in_closed_form(dim):
    path, truth = gaussian_path(400, dim)
    assert rf.straightness(path) == pytest.approx(truth, rel=1e-4)


def test_straightness_error_falls_as_the_square_of_the_step():
    errors = []
    for steps in (50, 100):
        path, truth = gaussian_path(steps)
        errors.append(abs(rf.straightness(path) - truth))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)


def test_straightness_of_a_solved_flow():
    target = rf.GaussianMixture(
        torch.full((1, 1), M, dtype=torch.float64), torch.tensor([S], dtype=torch.float64)
    )
    velocity, z0 = rf.mixture_velocity(target), normal(100, 1)
    truth = gaussian_straightness() * z0.square().mean().item()
    # Heun's error and that of the differences are O(1/N^2), with rates of up to 1 / S = 2.5
    assert rf.straightness(rf.heun(velocity, z0, steps=200)) == pytest.approx(truth, rel=1e-3)
    # Euler's path is off by O(1/N)
    assert rf.straightness(rf.euler(velocity, z0, steps=200)) == pytest.approx(truth, rel=0.05)
    # few and uneven steps: a coarse look at an accurate path
    uneven = rf.straightness(rf.dopri5(velocity, z0, rtol=1e-8, atol=1e-8))
    assert uneven == pytest.approx(truth, rel=0.02)


def test_straight_paths_have_straightness_zero_on_any_grid():
    x0, x1 = normal(2, 50, 2)
    times = torch.tensor([0.0, 0.1, 0.15, 0.7, 1.0], dtype=torch.float64)
    path = path_of([(1 - t) * x0 + t * x1 for t in times], times)
    assert 0 <= rf.straightness(path) < 1e-25


def test_a_straight_line_at_uneven_speed_is_not_straight():
    """Z_t = t^2 c gives int (1 - 2t)^2 dt |c|^2 = |c|^2 / 3; N steps see (1 - 1/N^2) of it."""
    times = torch.linspace(0, 1, 11, dtype=torch.float64)
    c = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    path = path_of([t**2 * c for t in times], times)
    assert rf.straightness(path) == pytest.approx(25 / 3 * (1 - 1 / 100), rel=1e-12)


def test_straightness_ignores_the_order_and_the_orientation_of_the_points():
    path = rf.euler(rf.mixture_velocity(rf.EightGaussians()), normal(64, 2), steps=10)
    shuffled = rf.Trajectory(path.times, path.states[:, torch.randperm(64)], 0)
    q, _ = torch.linalg.qr(normal(2, 2, seed=1))
    turned = rf.Trajectory(path.times, path.states @ q + 5, 0)
    assert rf.straightness(path) > 0.1
    assert rf.straightness(shuffled) == pytest.approx(rf.straightness(path), rel=1e-10)
    assert rf.straightness(turned) == pytest.approx(rf.straightness(path), rel=1e-10)


def test_straightness_of_images_sums_over_the_pixels():
    path, truth = gaussian_path(400, dim=6)
    images = rf.Trajectory(path.times, path.states.reshape(401, 100, 1, 2, 3), 0)
    assert rf.straightness(images) == pytest.approx(truth, rel=1e-4)


# --- transport_cost

COSTS = {
    "squared": (rf.squared_norm, lambda d: sum(c * c for c in d)),
    "distance": (lambda d: d.norm(dim=1), lambda d: math.sqrt(sum(c * c for c in d))),
    "city block": (lambda d: d.abs().sum(dim=1), lambda d: sum(abs(c) for c in d)),
    "fourth power": (lambda d: d.norm(dim=1) ** 4, lambda d: sum(c * c for c in d) ** 2),
}


@pytest.mark.parametrize("name", COSTS)
def test_transport_cost_is_the_mean_cost_of_the_pairs(name):
    cost, by_hand = COSTS[name]
    x0, x1 = normal(2, 30, 3)
    rows = [(b - a).tolist() for a, b in zip(x0, x1, strict=True)]
    expected = sum(by_hand(d) for d in rows) / 30
    assert rf.transport_cost(x0, x1, cost) == pytest.approx(expected, rel=1e-12)


def test_transport_cost_is_the_squared_norm_by_default_also_for_images():
    images = normal(5, 1, 4, 4)
    assert rf.transport_cost(images, images + 2) == pytest.approx(4 * 16)


def test_transport_cost_depends_on_the_pairing():
    x = normal(50, 2)
    assert rf.transport_cost(x, x) == 0
    assert rf.transport_cost(x, x.flip(0)) > 0.1


def test_squared_norm_is_one_number_a_row():
    assert rf.squared_norm(torch.full((3, 1, 2, 2), 2.0)).tolist() == [16, 16, 16]


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


def test_metrics_take_points_from_every_device(device):
    a, b = normal(20, 2), normal(20, 2, seed=1)
    for metric in (rf.wasserstein2, rf.energy_distance, rf.transport_cost):
        assert metric(a.to(device), b.to(device)) == pytest.approx(metric(a, b), rel=1e-9)
