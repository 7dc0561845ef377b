import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from montecarlo import assert_mean, products
from scipy.spatial import KDTree
from scipy.stats import chisquare
from sklearn.datasets import make_moons

import rfteach as rf

N = 100_000

MEANS = torch.tensor([[-1.0, 2.0], [3.0, 0.0], [0.5, -1.0]])
STDS = torch.tensor([0.5, 0.0, 1.5])
WEIGHTS_FOLDER = torch.tensor([0.2, 0.3, 0.5])
ARC = 2 / math.pi  # mean height of a half circle

# name: (distribution, E[X], E[X X^T]), worked out by hand
CASES = {
    "gaussian": (rf.Gaussian(2), torch.zeros(2), torch.eye(2)),
    "mixture": (
        rf.GaussianMixture(MEANS, STDS, WEIGHTS_FOLDER),
        WEIGHTS_FOLDER @ MEANS,
        (WEIGHTS_FOLDER[:, None] * MEANS).T @ MEANS + (WEIGHTS_FOLDER @ STDS**2) * torch.eye(2),
    ),
    "circle": (rf.Circle(noise=0.3), torch.zeros(2), (0.5 + 0.3**2) * torch.eye(2)),
    "moons": (
        rf.Moons(noise=0.2),
        torch.tensor([0.5, 0.25]),
        # mean over the two arcs of E[x^2], E[xy], E[y^2], plus the noise
        torch.tensor(
            [
                [(0.5 + 1.5) / 2 + 0.04, (0.5 - ARC) / 2],
                [(0.5 - ARC) / 2, (0.5 + 0.25 - ARC + 0.5) / 2 + 0.04],
            ]
        ),
    ),
    "eight": (rf.EightGaussians(), torch.zeros(2), (4 / 2 + 0.2**2) * torch.eye(2)),
    # E[xy]: the corners of the eight squares are (-2, -2), (0, -2), (-1, -1), (1, -1), ...
    "checkerboard": (
        rf.Checkerboard(),
        torch.zeros(2),
        torch.tensor([[4 / 3, 0.25], [0.25, 4 / 3]]),
    ),
    "empirical": (rf.Empirical(MEANS), MEANS.mean(0), MEANS.T @ MEANS / 3),
    "empirical, noisy": (
        rf.Empirical(MEANS, noise=0.5),
        MEANS.mean(0),
        MEANS.T @ MEANS / 3 + 0.5**2 * torch.eye(2),
    ),
}
names = pytest.mark.parametrize("name", CASES)


@names
def test_first_two_moments(name, generator):
    distribution, mean, second = CASES[name]
    x = distribution.sample(N, generator=generator)
    assert_mean(x, mean)
    assert_mean(products(x, x), second)


@names
def test_rows_do_not_depend_on_the_row_before(name, generator):
    """Stratified times are unbiased only for rows in no particular order."""
    distribution, mean, _ = CASES[name]
    x = distribution.sample(N, generator=generator) - mean
    assert_mean(products(x[:-1], x[1:]), torch.zeros(2, 2))


@names
def test_same_seed_same_points(name):
    sample = CASES[name][0].sample
    first, again, other = (
        sample(50, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@names
def test_a_generator_leaves_the_global_one_alone(name, generator):
    before = torch.get_rng_state()
    CASES[name][0].sample(10, generator=generator)
    assert torch.equal(before, torch.get_rng_state())


@names
def test_without_a_generator_the_global_seed_decides(name):
    torch.manual_seed(3)
    first = CASES[name][0].sample(50)
    torch.manual_seed(3)
    assert torch.equal(first, CASES[name][0].sample(50))


@names
def test_points_end_on_the_given_device_wherever_they_were_drawn(name, generator):
    assert CASES[name][0].sample(4, generator=generator, device="meta").device.type == "meta"


@names
def test_a_cpu_seed_gives_the_same_points_on_every_device(name, device):
    sample = CASES[name][0].sample
    here = sample(50, generator=torch.Generator().manual_seed(1))
    there = sample(50, generator=torch.Generator().manual_seed(1), device=device)
    assert there.device.type == device
    assert torch.equal(here, there.cpu())


@names
def test_a_generator_of_the_device_works_on_it(name, device):
    on_device = torch.Generator(device).manual_seed(1)
    assert CASES[name][0].sample(5, generator=on_device, device=device).device.type == device


@given(st.sampled_from(sorted(CASES)), st.integers(1, 100))
def test_shape_is_n_times_event(name, n):
    distribution = CASES[name][0]
    x = distribution.sample(n)
    assert x.shape == (n, *distribution.event_shape) and x.dtype == torch.float32


@given(st.integers(1, 20))
def test_gaussian_has_any_dimension(dim):
    assert rf.Gaussian(dim).sample(3).shape == (3, dim)


def test_circle_without_noise_has_radius_one(generator):
    x = rf.Circle(noise=0).sample(1000, generator=generator)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(1000))


def test_circle_covers_all_angles_evenly(generator):
    x = rf.Circle(noise=0).sample(N, generator=generator)
    counts = torch.histc(torch.atan2(x[:, 1], x[:, 0]), bins=16, min=-math.pi, max=math.pi)
    assert chisquare(counts).pvalue > 1e-6


def test_moons_without_noise_are_the_arcs_of_scikit_learn(generator):
    ours = rf.Moons(noise=0).sample(20_000, generator=generator).numpy()
    theirs, _ = make_moons(20_000, noise=None)
    # Theirs are spaced evenly, pi / 10,000 apart, so ours lie within half of that. The largest gap
    # between our 10,000 random angles on an arc is about pi log(10,000) / 10,000 = 0.003.
    assert KDTree(theirs).query(ours)[0].max() < 1.6e-4
    assert KDTree(ours).query(theirs)[0].max() < 0.006


def test_moons_noise_has_the_given_size(generator):
    noisy = rf.Moons(noise=0.05).sample(N, generator=generator).double()
    upper = noisy[noisy[:, 1] > 0.6]  # far from the lower arc
    # To first order the distance from the arc is N(0, 0.05^2); its curvature adds O(noise^2).
    assert (upper.norm(dim=1) - 1).std().item() == pytest.approx(0.05, rel=0.1)


def test_eight_gaussians_are_equally_likely_and_even(generator):
    x = rf.EightGaussians().sample(N, generator=generator)
    angle = torch.arange(8) * math.pi / 4
    centers = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    distance, nearest = torch.cdist(x, centers).min(dim=1)
    assert chisquare(torch.bincount(nearest)).pvalue > 1e-6
    # The centers are 1.53 = 7.7 sigma apart, so that hardly a point is nearest to a foreign one.
    assert_mean(distance**2, 2 * 0.2**2, rounding=1e-5)


def test_checkerboard_is_uniform_on_its_dark_squares(generator):
    x = rf.Checkerboard().sample(N, generator=generator)
    assert ((x >= -2) & (x <= 2)).all()
    square = x.floor()
    assert (square.sum(dim=1) % 2 == 0).all()
    quarter = (2 * (x + 2)).floor().clamp(max=7).long()
    cells, counts = torch.unique(quarter, dim=0, return_counts=True)
    assert len(cells) == 8 * 4
    assert chisquare(counts).pvalue > 1e-6


def test_empirical_draws_its_points_equally_often(generator):
    points = torch.arange(6.0).reshape(6, 1)
    drawn = rf.Empirical(points).sample(N, generator=generator)
    values, counts = torch.unique(drawn, return_counts=True)
    assert torch.equal(values, points[:, 0])
    assert chisquare(counts).pvalue > 1e-6


def test_empirical_keeps_images_and_dtype_as_they_are(generator):
    images = torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=generator)
    drawn = rf.Empirical(images).sample(20, generator=generator)
    assert drawn.shape == (20, 1, 8, 8) and drawn.dtype == torch.float64
    assert all((image == images).flatten(1).all(dim=1).any() for image in drawn)


def test_mixture_weights_are_rescaled_and_zero_is_never_drawn(generator):
    mixture = rf.GaussianMixture(MEANS, torch.zeros(3), torch.tensor([1.0, 0.0, 3.0]))
    torch.testing.assert_close(mixture.weights, torch.tensor([0.25, 0.0, 0.75]))
    points, counts = torch.unique(mixture.sample(N, generator=generator), dim=0, return_counts=True)
    assert torch.equal(points, MEANS[[0, 2]])  # std 0: exactly the centers
    assert chisquare(counts, [N / 4, 3 * N / 4]).pvalue > 1e-6


def test_mixture_weights_are_equal_by_default():
    mixture = rf.GaussianMixture(MEANS, STDS)
    torch.testing.assert_close(mixture.weights, torch.full((3,), 1 / 3))


def test_mixture_keeps_the_precision_of_its_means(generator):
    mixture = rf.GaussianMixture(MEANS.double(), STDS)
    assert mixture.sample(3, generator=generator).dtype == torch.float64


def test_one_point_is_as_random_as_many(generator):
    x = torch.cat([rf.Moons().sample(1, generator=generator) for _ in range(400)])
    upper = np.mean((x.norm(dim=1) < 1.2).numpy() & (x[:, 1] > 0.55).numpy())
    # The part of the upper arc above 0.55 is 1 - 2 asin(0.55) / pi = 0.63 of it, half of the whole.
    assert upper == pytest.approx(0.315, abs=5 * math.sqrt(0.315 * 0.685 / 400))
