import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
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


# --- conditional_variance


def midpoints(times: int = 16) -> list[float]:
    return [(i + 0.5) / times for i in range(times)]


@pytest.mark.parametrize("n", [2, 3, 1025])
@pytest.mark.parametrize("dim", [1, 3, 50])
def test_conditional_variance_is_the_nearest_neighbor_estimate(n, dim):
    """Against a search among all the pairs."""
    x0, x1 = normal(2, n, dim)
    expected = []
    for t in midpoints(5):
        xt = (1 - t) * x0 + t * x1
        distance = cdist(xt, xt)
        np.fill_diagonal(distance, np.inf)
        nearest = distance.argmin(axis=1)
        expected.append(((x1 - x0) - (x1 - x0)[nearest]).square().sum(dim=1).mean() / 2)
    assert rf.conditional_variance(x0, x1, times=5) == pytest.approx(np.mean(expected), rel=1e-9)


@pytest.mark.parametrize("s", [1.0, 0.4])
@pytest.mark.parametrize("dim", [1, 2])
def test_conditional_variance_of_independent_gaussians_in_closed_form(s, dim):
    """For N(0, I) and N(0, s^2 I), Var(X1 - X0 | X_t) = dim s^2 / ((1-t)^2 + s^2 t^2).

    It is 1 + s^2 less the square of the covariance s^2 t - (1-t) over the variance of X_t. Its
    integral is dim pi s / 2, with t / (1-t) for a variable.
    """
    truth = dim * math.pi * s / 2
    x0, x1 = normal(4000, dim), s * normal(4000, dim, seed=1)
    # At each time, half a squared difference is dim sigma^2 times a chi-square of dim degrees over
    # dim: variance 2 / dim relative to the mean squared. A row shares ends with about 3 others.
    error = math.sqrt(2 / dim * 3 / 4000)
    assert rf.conditional_variance(x0, x1) == pytest.approx(truth, rel=5 * error)


def test_conditional_variance_is_the_least_loss(generator):
    """Against the loss of the exact velocity at the same points and times."""
    target = rf.EightGaussians()
    x0 = rf.Gaussian(2).sample(4000, generator=generator)
    x1 = target.sample(4000, generator=generator)
    exact = rf.mixture_velocity(target)
    losses = [
        rf.velocity_matching_loss(exact, x0, x1, torch.full((4000,), t)).item() for t in midpoints()
    ]
    # Both see the same pairs, so they differ by less than either scatters: by half a percent.
    assert rf.conditional_variance(x0, x1) == pytest.approx(np.mean(losses), rel=0.05)


@pytest.mark.parametrize("dim", [1, 2])
def test_without_crossings_conditional_variance_is_only_its_own_error(dim):
    """X1 = A X0 with A > 0: two lines are at one place at no time. The error is O(n^(-2/dim))."""
    a = torch.tensor([[3.0, 1.0], [1.0, 0.5]], dtype=torch.float64)[:dim, :dim]
    values = []
    for n in (500, 4000):
        x0 = torch.rand(n, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        values.append(rf.conditional_variance(x0, x0 @ a))
    assert math.log(values[0] / values[1]) / math.log(8) == pytest.approx(2 / dim, rel=0.15)
    assert values[1] < 1e-3
    assert rf.conditional_variance(x0, (x0 @ a).flip(0)) > 100 * values[1]


def test_conditional_variance_of_parallel_lines_is_zero():
    x0 = normal(300, 2)
    assert rf.conditional_variance(x0, x0 + 5) < 1e-25


def test_a_repeated_pair_counts_once():
    """Its copy would be its own neighbor, and the variance 0."""
    x0, x1 = normal(2, 200, 2)
    once = rf.conditional_variance(x0, x1)
    rows = torch.randint(200, (2000,), generator=torch.Generator().manual_seed(0))
    rows = torch.cat([torch.arange(200), rows])
    assert once > 1
    assert rf.conditional_variance(x0[rows], x1[rows]) == pytest.approx(once, rel=1e-12)
    # two ends of one start are two pairs: X1 = 3 or 5 makes half of 2^2
    start, ends = torch.zeros(2, 1), torch.tensor([[3.0], [5.0]])
    assert rf.conditional_variance(start, ends) == pytest.approx(2)


def test_conditional_variance_looks_in_the_middles_of_the_slices():
    """From 0 and 1 to 1 and 0, and a third line: at t = 1/2 the first two meet."""
    x0, x1 = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[1.0], [0.0], [9.0]])
    # differences of velocity: 2 between the two lines, 1 between the still one and its neighbor
    assert rf.conditional_variance(x0, x1, times=1) == pytest.approx((4 + 4 + 1) / 3 / 2)


def test_lines_at_one_place_are_neighbors():
    """At t = 1/2 all lines are at 0, and none is its own neighbor; any two differ as much."""
    ends = torch.eye(5)
    assert rf.conditional_variance(-ends, ends, times=1) == pytest.approx(2**2 * 2 / 2)


def test_conditional_variance_of_images_sums_over_the_pixels():
    x0, x1 = normal(2, 50, 6)
    images = rf.conditional_variance(x0.reshape(50, 1, 2, 3), x1.reshape(50, 1, 2, 3))
    assert images == pytest.approx(rf.conditional_variance(x0, x1), rel=1e-12)


# --- relative_transport_cost


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_optimal_pairing_costs_nothing_more(dtype):
    """The gradient of a convex function, and what is increasing on a line, are optimal maps."""
    x = normal(200, 2).to(dtype)
    a = torch.tensor([[3.0, 1.0], [1.0, 0.5]], dtype=dtype)
    assert rf.relative_transport_cost(x, x @ a + 1000) == pytest.approx(0, abs=1e-6)
    assert rf.relative_transport_cost(x[:, :1], x[:, :1].exp()) == pytest.approx(0, abs=1e-12)


def test_swapping_two_points_costs_their_squared_distance():
    """Each of the two goes the way of 5 instead of nowhere; the other three stay."""
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 0.0], [0.0, 9.0], [-9.0, 0.0]])
    swapped = x[[1, 0, 2, 3, 4]]
    assert rf.relative_transport_cost(x, swapped) == pytest.approx(2 * 25 / 5)


@pytest.mark.parametrize("turns", [1, 2, 5, 6])
def test_turning_a_regular_polygon_onto_itself(turns):
    """Each corner moves by the chord 2 r sin(theta / 2), and none of them need move."""
    theta = 2 * math.pi * torch.arange(12) / 12
    corners = 3 * torch.stack([theta.cos(), theta.sin()], dim=1)
    chord = 2 * 3 * math.sin(math.pi * turns / 12)
    cost = rf.relative_transport_cost(corners, corners.roll(turns, dims=0))
    assert cost == pytest.approx(chord**2, rel=1e-6)


def test_relative_transport_cost_is_the_excess_over_the_best_assignment():
    x0, x1 = normal(2, 100, 3)
    squared = cdist(x0, x1) ** 2
    rows, columns = linear_sum_assignment(squared)
    excess = squared.diagonal().mean() - squared[rows, columns].mean()
    assert excess > 1
    assert rf.relative_transport_cost(x0, x1) == pytest.approx(excess, rel=1e-9)
    assert rf.relative_transport_cost(x0, x1[columns]) == pytest.approx(0, abs=1e-12)


# --- path_crossings

CORNERS = {
    "a cross": ([[(0, 0), (2, 2)], [(0, 2), (2, 0)]], 1),
    "three lines": ([[(0, 0), (4, 4)], [(0, 4), (4, 0)], [(0, 1), (4, 2)]], 3),
    "one path": ([[(0, 0), (2, 2)]], 0),
    "a path that crosses itself": ([[(0, 0), (2, 2), (2, 0), (0, 2)]], 0),
    "parallel": ([[(0, 0), (2, 1)], [(0, 1), (2, 2)]], 0),
    "one upon the other": ([[(0, 0), (2, 2)], [(1, 1), (3, 3)]], 0),
    "one line, apart": ([[(0, 0), (1, 1)], [(2, 2), (3, 3)]], 0),
    "lines that would meet later": ([[(0, 0), (1, 1)], [(0, 4), (1, 3)]], 0),
    "only one reaches": ([[(0, 0), (4, 0)], [(2, 3), (2, 1)]], 0),
    "a common start": ([[(0, 0), (2, 2)], [(0, 0), (2, 0)]], 0),
    "a common end": ([[(0, 0), (2, 2)], [(0, 4), (2, 2)]], 0),
    "an end on a line": ([[(0, 0), (4, 0)], [(2, 0), (2, 3)]], 0),
    "crossing twice": ([[(0, 0), (1, 2), (2, 0)], [(0, 1), (1, 1), (2, 1)]], 1),
    "crossing in other steps": ([[(0, 0), (1, 1), (8, 9)], [(9, 8), (0, 1), (1, 0)]], 1),
    "still": ([[(1, 1), (1, 1)], [(0, 0), (2, 2)]], 0),
}


@pytest.mark.parametrize("name", CORNERS)
def test_crossings_made_by_hand(name):
    paths, expected = CORNERS[name]
    states = torch.tensor(paths, dtype=torch.float32).transpose(0, 1)  # (times, n, 2)
    assert rf.path_crossings(states) == expected
    assert rf.path_crossings(states.flip(0)) == expected  # backward
    assert rf.path_crossings(states.flip(1)) == expected  # in another order
    assert rf.path_crossings(states.flip(2)) == expected  # in a mirror


def meet(a, b, c, d) -> bool:
    """Solve a + s (b - a) = c + u (d - c) and ask for s and u between 0 and 1."""
    matrix = np.stack([b - a, c - d], axis=1)
    return bool(np.all(np.abs(np.linalg.solve(matrix, c - a) - 0.5) < 0.5))


@given(st.integers(2, 12), st.integers(2, 5), st.integers(0, 10**6))
def test_crossings_by_solving_for_the_common_point(n, times, seed):
    states = normal(times, n, 2, seed=seed)
    paths = states.transpose(0, 1).numpy()
    expected = sum(
        any(meet(*one, *two) for one in zip(p, p[1:]) for two in zip(q, q[1:]))  # noqa: B905
        for p, q in itertools.combinations(paths, 2)
    )
    assert rf.path_crossings(states) == expected


def test_when_a_path_passes_does_not_matter():
    """The same lines, cut elsewhere: the particles are at other places at each time."""
    x0, x1 = normal(2, 60, 2)
    lines = rf.path_crossings(torch.stack([x0, x1]))
    speeds = torch.rand(4, 60, 1, generator=torch.Generator().manual_seed(0)).double().sort(dim=0)
    cut = x0 + speeds.values * (x1 - x0)
    assert lines > 100
    assert rf.path_crossings(torch.stack([x0, *cut, x1])) == lines


def test_lines_to_one_point_or_by_one_factor_do_not_cross():
    x0 = normal(80, 2)
    for x1 in (torch.zeros_like(x0), 3 * x0 + 1):
        assert rf.path_crossings(torch.stack([x0, x1])) == 0


@pytest.mark.parametrize(
    "metric",
    [
        rf.transport_cost,
        rf.conditional_variance,
        rf.relative_transport_cost,
        lambda a, b: rf.path_crossings(torch.stack([a, b])),
    ],
    ids=["transport_cost", "conditional_variance", "relative_transport_cost", "path_crossings"],
)
def test_metrics_of_pairs_take_any_tensors(metric, device):
    """On every device, with gradients, and with rows that do not lie side by side."""
    a, b = normal(20, 2), normal(20, 2, seed=1)
    expected = metric(a, b)
    assert metric(a.to(device), b.to(device)) == pytest.approx(expected, rel=1e-9)
    assert metric(a.T.contiguous().T, b.T.contiguous().T) == pytest.approx(expected, rel=1e-9)
    with_gradients = metric(a.requires_grad_(), b.requires_grad_())
    assert with_gradients == pytest.approx(expected, rel=1e-9)
