import functools
import math

import pytest
import torch

import rfteach as rf

CENTER, WIDTH = 1.5, 0.4  # one bell of data on a line


def width(t: torch.Tensor) -> torch.Tensor:
    return ((1 - t) ** 2 + (t * WIDTH) ** 2).sqrt()


def bell(x: torch.Tensor, t: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Return the mean velocity from t to r of the flow to the bell, in closed form, r > t."""
    grown = (width(r) / width(t) - 1) / (r - t)
    return CENTER + grown[:, None] * (x - t[:, None] * CENTER)


def test_a_jump_of_the_true_mean_velocity_lands_where_the_flow_does(generator):
    x0 = torch.randn(50, 1, generator=generator, dtype=torch.float64)
    data = rf.GaussianMixture(
        torch.tensor([[CENTER]], dtype=torch.float64), torch.tensor([WIDTH], dtype=torch.float64)
    )
    flow = rf.dopri5(rf.mixture_velocity(data), x0, rtol=1e-11, atol=1e-11).end
    torch.testing.assert_close(rf.jump(bell, x0, 0.0, 1.0), flow, rtol=1e-8, atol=1e-8)
    half = rf.jump(bell, x0, 0.0, torch.full((50,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(rf.jump(bell, half, 0.5, 1), flow, rtol=1e-8, atol=1e-8)


def test_a_jump_takes_images_and_one_evaluation():
    seen = []

    def velocity(x, t, r):
        seen.append((t, r))
        return torch.ones_like(x)

    x, t0, t1 = torch.zeros(2, 1, 3, 4), torch.tensor([0.0, 0.5]), torch.tensor([1.0, 0.75])
    assert torch.equal(rf.jump(velocity, x, t0, t1)[:, 0, 0, 0], torch.tensor([1.0, 0.25]))
    assert len(seen) == 1


def test_wrong_jumps_are_named():
    x = torch.zeros(3, 1)
    with pytest.raises(ValueError, match="t1 = 1.5"):
        rf.jump(bell, x, 0.0, 1.5)
    with pytest.raises(ValueError, match="one velocity per point"):
        rf.jump(lambda x, t, r: x[:1], x, 0.0, 1.0)
    with pytest.raises(ValueError, match="jumps=True"):
        rf.jump(rf.VelocityMLP(1), x, 0.0, 1.0)


@pytest.mark.parametrize("equal", [0.0, 0.3, 1.0])
def test_pairs_of_times_are_two_uniform_times_in_order(equal, generator):
    n = 40_000
    t, r = rf.time_pairs(n, equal=equal, generator=generator).unbind(dim=1)
    assert (t <= r).all() and t.min() >= 0 and r.max() < 1
    # five standard errors; a first of two has mean 1/3 and variance 1/18, a length 1/3 and 1/18
    error = 5 * math.sqrt(1 / 18 / n)
    assert abs(t.mean() - 1 / 3) < error
    assert abs((t == r).double().mean() - equal) <= 5 * math.sqrt(equal * (1 - equal) / n)
    if equal == 0:
        assert abs((r - t).mean() - 1 / 3) < error


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match=r"equal = 1\.5"):
        rf.time_pairs(3, equal=1.5)


def test_the_loss_is_that_of_the_definition(generator):
    """With the derivative of a field written out by hand, for every row by itself."""
    x0, x1 = torch.randn(2, 20, 2, generator=generator, dtype=torch.float64)
    times = rf.time_pairs(20, equal=0.4, generator=generator).double()

    def u(x, t, r):
        return torch.sin(x) * t[:, None] + x * r[:, None]

    t, r = times[:, :1], times[:, 1:]
    x, line = (1 - t) * x0 + t * x1, x1 - x0
    slope = (torch.cos(x) * t + r) * line + torch.sin(x)
    wanted = (u(x, t[:, 0], r[:, 0]) - line - (r - t) * slope).square().sum(dim=1)
    torch.testing.assert_close(rf.mean_flow_loss(u, x0, x1, times), wanted.mean())
    weighted = (wanted / (wanted + 1e-3)).mean()
    torch.testing.assert_close(rf.mean_flow_loss(u, x0, x1, times, power=1.0), weighted)


def test_with_equal_times_it_is_flow_matching(generator):
    torch.manual_seed(0)
    net = rf.VelocityMLP(2, jumps=True)
    x0, x1 = torch.randn(2, 30, 2, generator=generator)
    times = rf.time_pairs(30, equal=1.0, generator=generator)
    plain = rf.velocity_matching_loss(net, x0, x1, times[:, 0])
    torch.testing.assert_close(rf.mean_flow_loss(net, x0, x1, times), plain)


def test_the_target_is_a_constant_for_the_gradient(generator):
    torch.manual_seed(0)
    net = rf.VelocityMLP(2, width=8, depth=2, jumps=True)
    x0, x1 = torch.randn(2, 30, 2, generator=generator)
    times = rf.time_pairs(30, equal=0.0, generator=generator)
    t, r = times.unbind(dim=1)
    x, line = rf.interpolate(x0, x1, t), x1 - x0
    _, slope = torch.func.jvp(net, (x, t, r), (line, torch.ones(30), torch.zeros(30)))
    target = (line + (r - t)[:, None] * slope).detach()
    wanted = torch.autograd.grad(
        (net(x, t, r) - target).square().sum(dim=1).mean(), list(net.parameters())
    )
    got = torch.autograd.grad(rf.mean_flow_loss(net, x0, x1, times), list(net.parameters()))
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_the_true_mean_velocity_is_its_optimum(generator):
    """The gradient with respect to an error of any size c along x is 0 at c = 0, in the mean."""
    n = 200_000
    x0 = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    x1 = CENTER + WIDTH * torch.randn(n, 1, generator=generator, dtype=torch.float64)
    times = rf.time_pairs(n, equal=0.0, generator=generator).double()
    t, r = times.unbind(dim=1)
    keep = r - t > 0.01  # the closed form divides by the length
    x0, x1, times, t, r = (value[keep] for value in (x0, x1, times, t, r))
    x, line = rf.interpolate(x0, x1, t), x1 - x0
    told = (torch.ones_like(t), torch.zeros_like(r))
    u, slope = torch.func.jvp(bell, (x, t, r), (line, *told))
    pull = (u - line - (r - t)[:, None] * slope) * x
    assert abs(pull.mean()) < 5 * pull.std() / len(x) ** 0.5


def test_training_goes_on_where_it_was(tmp_path):
    """The pairs of times come from the generator of the run, so a resumed run ends the same."""
    coupling = rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
    settings = {
        "steps": 40,
        "batch_size": 32,
        "progress": False,
        "loss": rf.mean_flow_loss,
        "time_sampler": functools.partial(rf.time_pairs, equal=0.25),
    }

    def fresh():
        torch.manual_seed(0)
        return rf.VelocityMLP(2, width=8, depth=2, jumps=True)

    whole, parts, path = fresh(), fresh(), tmp_path / "run.safetensors"
    rf.train(whole, coupling, **settings)

    def stop(step, loss):
        if step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rf.train(parts, coupling, checkpoint=path, callback=stop, **settings)
    parts = fresh()
    rf.train(parts, coupling, checkpoint=path, **settings)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_network_that_jumps_is_a_velocity_too():
    net, x, t = rf.VelocityMLP(2, jumps=True), torch.randn(5, 2), torch.rand(5)
    assert torch.equal(net(x, t), net(x, t, t))
    assert not torch.equal(net(x, t), net(x, t, torch.ones(5)))
    assert rf.euler(net, x, steps=3).end.shape == x.shape


def test_labels_go_where_their_rows_are(generator):
    """With a label bound to each row, the loss of some rows is that of these rows by themselves."""
    torch.manual_seed(0)
    net = rf.VelocityMLP(2, width=8, depth=2, classes=3, jumps=True).double()
    x0, x1 = torch.randn(2, 12, 2, generator=generator, dtype=torch.float64)
    labels = torch.arange(12) % 3
    times = rf.time_pairs(12, equal=0.5, generator=generator).double()
    assert 0 < (times[:, 0] == times[:, 1]).sum() < 12  # steps of length 0 and others

    def loss(k):
        bound = rf.with_condition(net, labels[k])
        return rf.mean_flow_loss(bound, x0[k], x1[k], times[k])

    alone = [loss(slice(i, i + 1)) for i in range(12)]
    torch.testing.assert_close(loss(slice(None)), torch.stack(alone).mean())
    with pytest.raises(ValueError, match="label"):
        rf.mean_flow_loss(net, x0, x1, times)


def test_it_learns_one_flow_map_for_each_label():
    """Two points of data, told apart by their labels alone: u(x, 0, 1) = x1 - x."""
    data = torch.tensor([[2.0, 0.0], [-2.0, 0.0]])
    coupling = rf.ConditionalCoupling(rf.Gaussian(2), data, torch.tensor([0, 1]))
    torch.manual_seed(0)
    net = rf.VelocityMLP(2, width=32, depth=2, classes=2, jumps=True)
    settings = {"steps": 300, "batch_size": 128, "learning_rate": 0.01, "progress": False}
    rf.train(net, coupling, loss=rf.mean_flow_loss, time_sampler=rf.time_pairs, **settings)
    x0, labels = rf.Gaussian(2).sample(200), torch.arange(200) % 2
    with torch.no_grad():
        end = rf.jump(rf.with_condition(net, labels), x0, 0.0, 1.0)
    # a wrong label lands at distance 4; without labels all would land near the middle, at 2
    assert (end - data[labels]).norm(dim=1).mean() < 0.4
