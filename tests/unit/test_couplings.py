import pytest
import torch
from montecarlo import assert_mean, products
from scipy.stats import chisquare

import rfteach as rf

N = 100_000


def test_independent_ends_are_uncorrelated(generator):
    moons = rf.Moons()
    x0, x1 = rf.IndependentCoupling(moons, moons).sample(N, generator=generator)
    x0, x1 = x0 - x0.mean(dim=0), x1 - x1.mean(dim=0)
    assert_mean(products(x0, x1), torch.zeros(2, 2))
    squares = [x.square().sum(dim=1) for x in (x0, x1)]
    assert_mean((squares[0] - squares[0].mean()) * (squares[1] - squares[1].mean()), 0.0)


def test_independent_coupling_keeps_source_and_target_apart(generator):
    shifted = rf.Empirical(torch.full((1, 2), 9.0))
    x0, x1 = rf.IndependentCoupling(rf.Gaussian(2), shifted).sample(1000, generator=generator)
    assert_mean(x0, torch.zeros(2))
    assert (x1 == 9).all()


def test_paired_rows_stay_together(generator):
    x0 = torch.randn(500, 3, generator=generator)
    coupling = rf.PairedCoupling(x0, 2 * x0 + 1)
    a, b = coupling.sample(2000, generator=generator)
    assert len(coupling) == 500
    assert a.shape == (2000, 3)
    assert torch.equal(b, 2 * a + 1)


def test_paired_rows_are_drawn_equally_often_and_in_no_order(generator):
    rows = torch.arange(10.0).reshape(10, 1)
    a, _ = rf.PairedCoupling(rows, -rows).sample(N, generator=generator)
    values, counts = torch.unique(a, return_counts=True)
    assert len(values) == 10
    assert chisquare(counts).pvalue > 1e-6
    centered = a[:, 0] - 4.5
    assert_mean(centered[:-1] * centered[1:], 0.0)


def test_paired_images(generator):
    x0 = torch.randn(4, 1, 8, 8, generator=generator)
    a, b = rf.PairedCoupling(x0, -x0).sample(7, generator=generator)
    assert a.shape == (7, 1, 8, 8)
    assert torch.equal(a, -b)


COUPLINGS = {
    "independent": rf.IndependentCoupling(rf.Gaussian(2), rf.Circle()),
    "paired": rf.PairedCoupling(torch.eye(2), -torch.eye(2)),
}


@pytest.mark.parametrize("name", COUPLINGS)
def test_same_seed_same_pairs(name):
    first, again, other = (
        torch.cat(COUPLINGS[name].sample(20, generator=torch.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", COUPLINGS)
def test_pairs_end_on_the_given_device(name, generator, device):
    for target in (device, "meta"):
        x0, x1 = COUPLINGS[name].sample(3, generator=generator, device=target)
        assert x0.device.type == x1.device.type == target
