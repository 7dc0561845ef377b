import math

import pytest
import torch
from montecarlo import assert_mean, products
from safetensors import safe_open
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
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


def test_training_on_pairs_does_not_reach_what_made_them():
    x0, maker = torch.eye(2).requires_grad_(), torch.nn.Linear(2, 2)
    ends = rf.PairedCoupling(x0, maker(x0)).sample(5)
    assert not any(end.requires_grad for end in ends)
    points = rf.Empirical(x0)
    ends = rf.MinibatchOTCoupling(points, points, group=4).sample(5)
    assert not any(end.requires_grad for end in ends)


# --- minibatch optimal transport

NOISE, MOONS = rf.Gaussian(2), rf.Moons()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def matched(group: int, n: int, source=NOISE, target=MOONS):
    coupling = rf.MinibatchOTCoupling(source, target, group=group)
    return coupling.sample(n, generator=seeded())


def unmatched(n: int, source=NOISE, target=MOONS):
    return rf.IndependentCoupling(source, target).sample(n, generator=seeded())


@pytest.mark.parametrize("group", [2, 5, 30])
def test_each_group_gets_the_best_assignment(group):
    x0, x1 = matched(group, 60)
    independent = unmatched(60)
    assert torch.equal(x0, independent[0])
    for i in range(0, 60, group):
        a, b = (x[i : i + group] for x in independent)
        rows, columns = linear_sum_assignment(cdist(a, b) ** 2)
        assert rows.tolist() == list(range(group))
        assert torch.equal(x1[i : i + group], b[columns])


def test_groups_of_one_are_the_independent_coupling():
    for end, expected in zip(matched(1, 50), unmatched(50), strict=True):
        assert torch.equal(end, expected)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 23])
def test_a_number_of_pairs_that_fills_no_group(n):
    """The rest of the last group is drawn and matched too, or its pairs would differ."""
    whole_groups = math.ceil(n / 8) * 8
    for end, whole in zip(matched(8, n), matched(8, whole_groups), strict=True):
        assert len(end) == n
        assert torch.equal(end, whole[:n])


def test_on_a_line_each_group_is_matched_in_order():
    x0, x1 = matched(10, 200, rf.Gaussian(1), rf.Gaussian(1))
    a, b = x0.reshape(20, 10), x1.reshape(20, 10)
    assert torch.equal(a.argsort(dim=1), b.argsort(dim=1))


@pytest.mark.slow
def test_the_cost_falls_towards_that_of_optimal_transport():
    """N(0, 1) to N(3, 4): at least 3^2 + (2 - 1)^2, and 3^2 + 1 + 2^2 for independent ends."""
    target = rf.GaussianMixture(torch.full((1, 1), 3.0), torch.tensor([2.0]))
    groups = (1, 4, 16, 64)
    costs = [rf.transport_cost(*matched(g, 6400, rf.Gaussian(1), target)) for g in groups]
    assert costs == sorted(costs, reverse=True)
    # Independent ends lie N(3, 5) apart, with a square of variance 2 * 5^2 + 4 * 3^2 * 5 = 230; so
    # the mean of 6400 has a standard error of 0.19, and less with better pairs.
    assert costs[0] == pytest.approx(14, abs=5 * 0.19)
    assert costs[-1] == pytest.approx(10, abs=5 * 0.19)


def test_pairs_of_images_are_matched_by_all_pixels():
    flat = rf.Empirical(torch.randn(40, 6, generator=seeded(1)))
    images = rf.Empirical(flat.points.reshape(40, 1, 2, 3))
    flat_ends, image_ends = matched(8, 16, flat, flat), matched(8, 16, images, images)
    for end, expected in zip(image_ends, flat_ends, strict=True):
        assert end.shape == (16, 1, 2, 3)
        assert torch.equal(end.flatten(1), expected)


def test_repeated_points_are_matched_one_to_one():
    """Where many assignments are best, one of them is taken, not a mixture."""
    two = rf.Empirical(torch.tensor([[0.0], [1.0]]))
    x0, x1 = matched(64, 64, two, two)
    left, right = int((x0 == 0).sum()), int((unmatched(64, two, two)[1] == 0).sum())
    assert int((x1 == 0).sum()) == right
    assert int((x0 != x1).sum()) == abs(left - right) > 0


# --- files of pairs


@pytest.mark.parametrize("shape", [(5, 2), (5, 1, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pairs_come_back_from_a_file_bit_for_bit(shape, dtype, tmp_path, generator):
    x0, x1 = torch.randn(2, *shape, generator=generator, dtype=dtype)
    path = tmp_path / "new folder" / "pairs.safetensors"
    rf.PairedCoupling(x0, x1).save(path)
    loaded = rf.PairedCoupling.load(str(path))
    assert loaded.x0.dtype == loaded.x1.dtype == dtype
    assert torch.equal(loaded.x0, x0) and torch.equal(loaded.x1, x1)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with safe_open(path, "pt") as file:
        assert file.metadata()["format"] == "rfteach.pairs/1"


def test_pairs_come_back_to_the_cpu_from_any_device(device, tmp_path):
    x = torch.eye(2, device=device)
    rf.PairedCoupling(x, -x).save(tmp_path / "pairs.safetensors")
    loaded = rf.PairedCoupling.load(tmp_path / "pairs.safetensors")
    assert loaded.x0.device.type == loaded.x1.device.type == "cpu"


X = torch.arange(12.0).reshape(6, 2)
VIEWS = {
    "the same": (X, X),
    "overlapping": (X[:-1], X[1:]),
    "not contiguous": (X.T.contiguous().T, X.flip(0)),
    "expanded": (torch.zeros(1, 2).expand(6, 2), X),
    "with gradients": (X.clone().requires_grad_(), X),
}


@pytest.mark.parametrize("name", VIEWS)
def test_pairs_are_saved_however_they_lie_in_memory(name, tmp_path):
    x0, x1 = VIEWS[name]
    path = tmp_path / "pairs.safetensors"
    rf.PairedCoupling(x0, x1).save(path)
    loaded = rf.PairedCoupling.load(path)
    assert torch.equal(loaded.x0, x0) and torch.equal(loaded.x1, x1)
    # 8 bytes of length and a header before the numbers themselves, and no more
    assert path.stat().st_size < 2 * x0.numel() * 4 + 300


def test_a_crash_while_saving_leaves_the_previous_pairs(tmp_path, monkeypatch):
    path = tmp_path / "pairs.safetensors"
    rf.PairedCoupling(X, X + 1).save(path)

    def crash(tensors, file, metadata):
        file.write_bytes(b"half of a fi")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("rfteach._runs.tensors.save_file", crash)
        rf.PairedCoupling(X, X + 2).save(path)
    assert torch.equal(rf.PairedCoupling.load(path).x1, X + 1)


# --- every coupling

COUPLINGS = {
    "independent": rf.IndependentCoupling(rf.Gaussian(2), rf.Circle()),
    "minibatch": rf.MinibatchOTCoupling(rf.Gaussian(2), rf.Circle(), group=8),
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
def test_every_coupling_is_one_for_the_training(name):
    velocity = rf.VelocityMLP(2, width=4, depth=1)
    run = rf.train(velocity, COUPLINGS[name], steps=2, batch_size=12, progress=False)
    assert run.losses.shape == (2,)


@pytest.mark.parametrize("name", COUPLINGS)
def test_pairs_end_on_the_given_device(name, generator, device):
    for target in (device, *["meta"] * (name != "minibatch")):  # nothing to match on meta
        x0, x1 = COUPLINGS[name].sample(3, generator=generator, device=target)
        assert x0.device.type == x1.device.type == target


# --- conditions

LABELS = torch.arange(6)


def test_a_condition_stays_with_its_pair(generator):
    x0, x1, label = rf.PairedCoupling(X, -X, LABELS).sample(50, generator=generator)
    assert torch.equal(x0, X[label]) and torch.equal(x1, -X[label])


def test_a_condition_comes_back_from_a_file(tmp_path):
    rf.PairedCoupling(X, -X, LABELS).save(tmp_path / "pairs.safetensors")
    loaded = rf.PairedCoupling.load(tmp_path / "pairs.safetensors")
    assert torch.equal(loaded.condition, LABELS)


def test_the_conditional_coupling_pairs_noise_with_labeled_points(generator):
    points = X.reshape(6, 1, 1, 2)
    coupling = rf.ConditionalCoupling(rf.Gaussian(1, 1, 2), points, LABELS)
    x0, x1, label = coupling.sample(N, generator=generator)
    assert torch.equal(x1, points[label])
    assert chisquare(torch.bincount(label)).pvalue > 1e-6
    assert_mean(x0.flatten(1)[:, 0], 0.0)
    assert_mean(x0.flatten(1)[:, 0] * (label - 2.5), 0.0)


def test_the_conditional_coupling_needs_points_of_the_shape_of_the_source():
    with pytest.raises(ValueError, match="one space"):
        rf.ConditionalCoupling(rf.Gaussian(3), X, LABELS)


def test_a_condition_leads_back_to_no_network_and_may_be_one_of_the_ends(tmp_path, generator):
    x = torch.randn(4, 2, generator=generator)
    coupling = rf.PairedCoupling(x, x.clone(), (2 * x).requires_grad_())
    assert not coupling.condition.requires_grad
    rf.PairedCoupling(x, x.clone(), x).save(tmp_path / "pairs.safetensors")
    assert torch.equal(rf.PairedCoupling.load(tmp_path / "pairs.safetensors").condition, x)
