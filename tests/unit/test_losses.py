import math

import numpy as np
import pytest
import torch
from montecarlo import assert_mean
from scipy.integrate import trapezoid
from scipy.stats import norm

import rfteach as rf


def test_a_constant_velocity_in_closed_form(generator):
    x0, x1 = torch.randn(2, 50, 3, generator=generator, dtype=torch.float64)
    c = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    loss = rf.velocity_matching_loss(lambda x, t: c.expand_as(x), x0, x1, torch.rand(50).double())
    by_hand = sum(((b - a - c) ** 2).sum() for a, b in zip(x0, x1, strict=True)) / 50
    torch.testing.assert_close(loss, by_hand)


def test_the_norm_sums_over_the_event_and_the_mean_runs_over_the_batch():
    x0, x1 = torch.zeros(5, 1, 8, 8), torch.ones(5, 1, 8, 8)
    loss = rf.velocity_matching_loss(lambda x, t: torch.zeros_like(x), x0, x1, torch.rand(5))
    assert loss.item() == 64 and loss.shape == ()


def test_the_velocity_sees_the_interpolated_point_and_its_time(generator):
    x0, x1 = torch.randn(2, 20, 2, generator=generator)
    t = torch.rand(20, generator=generator)
    seen = []

    def velocity(x, s):
        seen.append((x, s))
        return x

    rf.velocity_matching_loss(velocity, x0, x1, t)
    ((x, s),) = seen
    assert torch.equal(s, t)
    assert torch.equal(x, rf.interpolate(x0, x1, t))


def test_gradients_reach_the_weights(generator):
    """d/dc of the mean of (x1 - x0 - c)^2 is -2 (mean of x1 - x0, minus c)."""
    x0, x1 = torch.randn(2, 50, 2, generator=generator)
    c = torch.tensor([0.3, -0.1], requires_grad=True)
    rf.velocity_matching_loss(lambda x, t: c.expand_as(x), x0, x1, torch.rand(50)).backward()
    torch.testing.assert_close(c.grad, -2 * ((x1 - x0).mean(dim=0) - c.detach()))


MEANS, STDS, WEIGHTS_FOLDER = np.array([-2.0, 1.0]), np.array([0.5, 0.3]), np.array([0.3, 0.7])


def density(x1):
    """The density of X1, a mixture on the line."""
    return sum(w * norm.pdf(x1, m, s) for m, s, w in zip(MEANS, STDS, WEIGHTS_FOLDER, strict=True))


def least_loss() -> float:
    """V(X0, X1) = int_0^1 E Var(X1 - X0 | X_t) dt, by quadrature over the joint density alone.

    E Var = E (X1 - X0)^2 - E m(X_t)^2 with the conditional mean m. Given X_t = x only one of the
    two ends is free. The free one is the one whose weight is at least 1/2, so that the integrand
    is as smooth as the densities themselves.
    """
    nodes, weights = np.polynomial.legendre.leggauss(24)
    free = np.linspace(-9, 9, 1801)
    mean_square = 0.0
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        x = np.linspace(-7, 7, 701)[:, None]
        if t < 0.5:
            x0, x1 = (x - t * free) / (1 - t), free
        else:
            x0, x1 = free, (x - (1 - t) * free) / t
        joint = norm.pdf(x0) * density(x1) / max(t, 1 - t)  # the density of (free end, X_t)
        p = trapezoid(joint, free, axis=1)
        m = trapezoid(joint * (x1 - x0), free, axis=1) / np.maximum(p, 1e-300)
        mean_square += weight * trapezoid(p * m**2, x[:, 0])
    second_moment = WEIGHTS_FOLDER @ (MEANS**2 + STDS**2)
    return 1 + second_moment - mean_square


def test_the_exact_velocity_reaches_the_least_loss(generator):
    n = 400_000
    mixture = rf.GaussianMixture(
        *(torch.tensor(a, dtype=torch.float64) for a in (MEANS[:, None], STDS, WEIGHTS_FOLDER))
    )
    x0 = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    x1 = mixture.sample(n, generator=generator)
    t = torch.rand(n, generator=generator, dtype=torch.float64)
    exact = rf.mixture_velocity(mixture)
    each = (x1 - x0 - exact(rf.interpolate(x0, x1, t), t)).square().sum(dim=1)
    assert_mean(each, least_loss(), rounding=1e-4)  # 1e-4: the error of the quadrature
    loss = rf.velocity_matching_loss(exact, x0, x1, t).item()
    assert loss == pytest.approx(each.mean().item(), rel=1e-12)


def test_the_quadrature_above_knows_the_gaussian_case(monkeypatch):
    """For X1 ~ N(0, s^2) the conditional variance is s^2 / sigma_t^2: its integral is s pi / 2."""
    monkeypatch.setitem(globals(), "MEANS", np.array([0.0]))
    monkeypatch.setitem(globals(), "STDS", np.array([0.5]))
    monkeypatch.setitem(globals(), "WEIGHTS_FOLDER", np.array([1.0]))
    assert least_loss() == pytest.approx(0.5 * math.pi / 2, abs=1e-4)


# --- variations for images


def test_pseudo_huber_is_quadratic_near_zero_and_linear_far_away():
    """sqrt(r^2 + c^2) - c is r^2 / (2 c) (1 - O(r^2 / c^2)) and r - c + O(c^2 / r)."""
    x = torch.zeros(4, 1, 10, 10, dtype=torch.float64)
    t, c = torch.zeros(4).double(), 0.054  # 0.00054 times 100 numbers

    def loss(r):  # the norm of each residual
        return rf.pseudo_huber_loss(lambda x, t: torch.full_like(x, r / 10), x, x, t).item()

    assert loss(0.0) == 0
    assert loss(c / 100) == pytest.approx(c / 2e4, rel=1e-4)
    assert loss(c) == pytest.approx((math.sqrt(2) - 1) * c)
    assert loss(100.0) == pytest.approx(100 - c, rel=1e-6)


def test_one_bad_pair_weighs_less_in_pseudo_huber(generator):
    """The weight of a pair is its share of the gradient."""
    x0, x1 = torch.zeros(2, 2, dtype=torch.float64), torch.tensor([[0.1, 0], [0, 10]]).double()
    shares = {}
    for loss in (rf.velocity_matching_loss, rf.pseudo_huber_loss):
        v = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        loss(lambda x, t, v=v: v, x0, x1, torch.zeros(2).double()).backward()
        small, large = v.grad.norm(dim=1).tolist()
        shares[loss] = large / small
    assert shares[rf.velocity_matching_loss] == pytest.approx(100)
    assert shares[rf.pseudo_huber_loss] == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_feature_loss_of_linear_features_in_closed_form(weight, generator):
    """For h(x) = A x the Jacobian is A at every point."""
    x0, x1 = torch.randn(2, 30, 4, generator=generator, dtype=torch.float64)
    a = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    loss = rf.feature_loss(
        lambda x, t: torch.zeros_like(x),
        x0,
        x1,
        torch.rand(30).double(),
        features=lambda x: x @ a.T,
        weight=weight,
    )
    r = x1 - x0
    expected = (r.square().sum(dim=1) + weight * (r @ a.T).square().sum(dim=1)).mean()
    torch.testing.assert_close(loss, expected)


def test_the_feature_loss_looks_at_the_features_where_the_point_is(generator):
    """For h(x) = |x|^2 / 2 the Jacobian is x, so what the features see is x_t . residual."""
    x0, x1 = torch.randn(2, 30, 4, generator=generator, dtype=torch.float64)
    t = torch.rand(30, generator=generator, dtype=torch.float64)
    half_square = lambda x: x.square().sum(dim=1, keepdim=True) / 2  # noqa: E731
    loss = rf.feature_loss(lambda x, t: x, x0, x1, t, features=half_square)
    xt = rf.interpolate(x0, x1, t)
    r = x1 - x0 - xt
    torch.testing.assert_close(loss, (r.square().sum(dim=1) + (xt * r).sum(dim=1) ** 2).mean())


def test_the_feature_loss_trains_the_velocity_only(generator):
    features, velocity = torch.nn.Linear(2, 3), rf.VelocityMLP(dim=2)
    features.requires_grad_(False)
    x0, x1 = torch.randn(2, 5, 2, generator=generator)
    rf.feature_loss(velocity, x0, x1, torch.rand(5), features=features).backward()
    assert all(p.grad is not None for p in velocity.parameters())
    assert all(p.grad is None for p in features.parameters())


def test_a_condition_is_bound_to_its_points():
    velocity = lambda x, t, condition: x * condition[:, None]  # noqa: E731
    bound = rf.with_condition(velocity, torch.tensor([2.0, 3.0]))
    assert bound(torch.ones(2, 1), torch.zeros(2)).flatten().tolist() == [2, 3]
    assert rf.with_condition(velocity) is velocity
