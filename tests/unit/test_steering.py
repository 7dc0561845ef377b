import math

import pytest
import torch

import rfteach as rf

S_Y, Y = 0.3, 0.7


def gaussian(s=0.5, mean=(0.4, -0.2)):
    """Return one Gaussian in the plane, in double precision."""
    mean = torch.tensor([mean], dtype=torch.float64)
    return rf.GaussianMixture(mean, torch.tensor([s], dtype=torch.float64))


def widened(end, spread):
    """Return log N(Y; first coordinate, S_Y^2 + its variance), up to a constant."""
    first = torch.tensor([1.0, 0.0]).to(end).expand_as(end)
    return -((Y - end[:, 0]) ** 2) / (2 * (S_Y**2 + spread(first)[:, 0]))


def plain(end):
    return -((Y - end[:, 0]) ** 2) / (2 * S_Y**2)


def posterior_velocity(data, x, t):
    """Return (E[X1 | X_t = x, y] - x) / (1 - t): precisions add up, coordinate by coordinate."""
    s, mean = data.stds[0], data.means[0]
    time = t[:, None]
    seen = torch.tensor([1 / S_Y**2, 0.0], dtype=torch.float64)
    precision = 1 / s**2 + (time / (1 - time)) ** 2 + seen
    mean = (mean / s**2 + time * x / (1 - time) ** 2 + seen * Y) / precision
    return (mean - x) / (1 - time)


def places(n=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return x, 0.01 + 0.98 * torch.rand(n, generator=generator, dtype=torch.float64)


def test_a_linear_measurement_of_a_gaussian_is_exact():
    data = gaussian()
    x, t = places()
    v = rf.steered(rf.mixture_velocity(data), widened, spread="jacobian")(x, t)
    torch.testing.assert_close(v, posterior_velocity(data, x, t), rtol=1e-9, atol=1e-9)


def test_the_limit_at_the_noise_is_taken_a_little_later():
    data = gaussian()
    x, _ = places()
    t = torch.zeros(len(x), dtype=torch.float64)
    v = rf.steered(rf.mixture_velocity(data), widened, spread="jacobian")(x, t)
    # The pull is smooth in t; between 0 and 0.01 it moves by 1 % of its size or so.
    assert (v - posterior_velocity(data, x, t)).abs().max() < 0.05
    assert torch.isfinite(v).all()


def test_the_ends_have_the_mean_and_the_width_of_the_posterior():
    data = gaussian()
    x0 = rf.Gaussian(2).sample(4000, generator=torch.Generator().manual_seed(1)).double()
    v = rf.steered(rf.mixture_velocity(data), widened, spread="jacobian")
    end = rf.heun(v, x0, steps=100, keep="end").end
    variance = 1 / (1 / 0.5**2 + 1 / S_Y**2)
    mean = variance * (0.4 / 0.5**2 + Y / S_Y**2)
    # 4,000 draws: a standard error of s / 63 for the mean, s / 89 for the width; four of them
    width = math.sqrt(variance)
    assert abs(end[:, 0].mean() - mean) < 4 * width / 63 + 0.002
    assert abs(end[:, 0].std() - width) < 4 * width / 89 + 0.002
    assert abs(end[:, 1].mean() + 0.2) < 4 * 0.5 / 63
    assert abs(end[:, 1].std() - 0.5) < 4 * 0.5 / 89


def test_without_a_spread_the_gradient_is_that_of_the_predicted_end():
    data = gaussian()
    x, t = places()
    velocity = rf.mixture_velocity(data)
    v, time = velocity(x, t), t[:, None]
    end = x + (1 - time) * v
    s = 0.5
    slope = time * s**2 / ((1 - time) ** 2 + (time * s) ** 2)  # d E[X1 | x] / dx
    pull = torch.zeros_like(x)
    pull[:, :1] = (1 - time) / time * slope * (Y - end[:, :1]) / S_Y**2
    for scale in (0.0, 0.5, 1.0):
        got = rf.steered(velocity, plain, scale=scale)(x, t)
        torch.testing.assert_close(got, v + scale * pull, rtol=1e-9, atol=1e-9)


def test_a_spread_by_the_time_is_a_multiple_of_the_identity():
    x, t = places()
    seen = []

    def guide(end, spread):
        seen.append(spread(torch.ones_like(end)))
        return widened(end, spread)

    rf.steered(rf.mixture_velocity(gaussian()), guide, spread=lambda t: 1 - t)(x, t)
    torch.testing.assert_close(seen[0], ((1 - t) ** 2)[:, None].expand_as(x))


def test_the_covariance_of_a_mixture_is_that_of_its_draws():
    blobs = rf.EightGaussians()
    x, t = torch.tensor([[0.3, 0.2]]).double(), torch.tensor([0.4]).double()
    found = {}

    def guide(end, spread):
        found["covariance"] = torch.cat([spread(e[None].expand_as(end)) for e in torch.eye(2)])
        return end.sum(dim=1)

    rf.steered(rf.mixture_velocity(blobs), guide, spread="jacobian")(x, t)
    # The truth by a sum over the components: the variance within, and that between
    m, s = blobs.means.double(), 0.2
    variance = 0.6**2 + (0.4 * s) ** 2
    share = torch.softmax(-((x - 0.4 * m) ** 2).sum(dim=1) / (2 * variance), dim=0)[:, None]
    ends = m + 0.4 * s**2 / variance * (x - 0.4 * m)
    off = ends - (share * ends).sum(dim=0)
    truth = off.T @ (share * off) + s**2 * 0.6**2 / variance * torch.eye(2)
    torch.testing.assert_close(found["covariance"], truth.double(), rtol=1e-5, atol=1e-6)


def test_it_works_under_no_grad_on_images_and_at_the_end():
    x = torch.randn(3, 1, 4, 4)
    for t in (0.0, 0.5, 1.0):
        with torch.no_grad():
            v = rf.steered(lambda x, t: -x, lambda end: -end.square().flatten(1).sum(dim=1))(
                x, torch.full((3,), t)
            )
        assert v.shape == x.shape and not v.requires_grad and torch.isfinite(v).all()
    assert torch.equal(v, -x)  # at t = 1 nothing is left to steer


def test_bad_guides_are_told_what_is_wrong():
    x, t = torch.zeros(3, 2), torch.full((3,), 0.5)
    bad = {
        "of shape (3,)": lambda end: end,
        "no gradient": lambda end: end.detach().sum(dim=1),
    }
    for words, guide in bad.items():
        with pytest.raises(ValueError, match=words.replace("(", r"\(").replace(")", r"\)")):
            rf.steered(lambda x, t: -x, guide)(x, t)
    with pytest.raises(TypeError, match="float"):
        rf.steered(lambda x, t: -x, lambda end: 1.0)(x, t)
