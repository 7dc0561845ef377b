import pytest
import torch

import rfteach as rf

NOTHING = 9


def told(x, t, condition):
    """A velocity toward the number it is told; toward 0 when told nothing."""
    aim = torch.where(condition == NOTHING, 0, condition).to(x)
    return aim[:, None] - x


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_it_goes_on_from_nothing_to_the_condition(scale, generator):
    x, t = torch.randn(4, 2, generator=generator), torch.rand(4, generator=generator)
    condition = torch.tensor([1, 2, 3, 4])
    nothing = torch.full_like(condition, NOTHING)
    velocity = rf.guided(told, condition, nothing, scale=scale)
    torch.testing.assert_close(velocity(x, t), scale * condition[:, None] - x)


def test_scale_one_is_the_condition_and_zero_is_nothing(generator):
    torch.manual_seed(0)
    network = rf.UNetVelocity(8, (32,), classes=10)
    torch.nn.init.normal_(network.conv_out[2].weight)  # it begins at zero
    x, t = torch.randn(3, 1, 8, 8, generator=generator), torch.rand(3, generator=generator)
    labels, nothing = torch.tensor([1, 2, 3]), torch.full((3,), NOTHING)
    for scale, alone in ((1.0, labels), (0.0, nothing)):
        v = rf.guided(network, labels, nothing, scale=scale)(x, t)
        torch.testing.assert_close(v, network(x, t, alone), atol=1e-5, rtol=1e-5)


def test_it_is_one_call_with_twice_the_batch():
    sizes = []

    def network(x, t, condition):
        assert len(x) == len(t) == len(condition)
        sizes.append(len(x))
        return told(x, t, condition)

    labels = torch.ones(5, dtype=torch.long)
    velocity = rf.guided(network, labels, torch.full_like(labels, NOTHING), scale=2.0)
    path = rf.euler(velocity, torch.zeros(5, 2), steps=3)
    assert sizes == [10, 10, 10] and path.evaluations == 3


def test_outside_of_the_interval_it_is_the_condition_alone(generator):
    sizes = []

    def network(x, t, condition):
        sizes.append(len(x))
        return told(x, t, condition)

    x, labels = torch.randn(5, 2, generator=generator), torch.tensor([1, 2, 3, 4, 5])
    nothing = torch.full_like(labels, NOTHING)
    velocity = rf.guided(network, labels, nothing, scale=3.0, interval=(0.25, 0.5))
    t = torch.tensor([0.0, 0.25, 0.3, 0.5, 1.0])  # the start belongs to it, the stop does not
    scales = torch.tensor([1, 3, 3, 1, 1])
    torch.testing.assert_close(velocity(x, t), (scales * labels)[:, None] - x)
    # four steps start at 0, 1/4, 1/2, 3/4: only the second one needs both
    sizes.clear()
    path = rf.euler(velocity, x, steps=4)
    assert sizes == [5, 10, 5, 5] and path.evaluations == 4


def test_of_gaussians_it_is_the_flow_to_a_product_of_powers():
    """At every t the guided velocity is that of the density p^(1-w) q^w, in closed form.

    The velocity of a Gaussian path is (score (1 - t) + x) / t, linear in the score, and so is
    guidance. With p = N(0, 1), nothing, and q = N(m, 1), the condition, at time t both have the
    variance t^2 + (1 - t)^2, and p^(1-w) q^w is a Gaussian around w t m.
    """
    m, w = 2.0, 3.0

    def toward(mean):
        mixture = rf.GaussianMixture(
            torch.tensor([[mean]], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        )
        return rf.mixture_velocity(mixture)

    def network(x, t, condition):
        half = len(x) // 2
        return torch.cat([toward(m)(x[:half], t[:half]), toward(0.0)(x[half:], t[half:])])

    x = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    condition = torch.ones(7)
    for time in (0.1, 0.5, 0.9):
        t = torch.full((7,), time, dtype=torch.float64)
        v = rf.guided(network, condition, torch.zeros(7), scale=w)(x, t)
        score = -(x - w * time * m) / (time**2 + (1 - time) ** 2)
        torch.testing.assert_close(v, ((1 - time) * score + x) / time)
