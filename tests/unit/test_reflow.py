import copy
import math

import pytest
import torch
from torch import nn

import rfteach as rf

NOISE = rf.Gaussian(2)
# Two clouds to the left and to the right: the flow to them is bent, the lines of its pairs are not.
TARGET = rf.GaussianMixture(torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.full((2,), 0.4))
FLOW = rf.mixture_velocity(TARGET)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs_of(velocity=FLOW, source=NOISE, seed=0, **settings) -> rf.PairedCoupling:
    defaults = {"size": 50, "generator": seeded(seed), "progress": False}
    return rf.flow_coupling(velocity, source, **defaults | settings)


def network(seed: int = 0) -> rf.VelocityMLP:
    torch.manual_seed(seed)
    return rf.VelocityMLP(dim=2, width=32, depth=2)


def weights(velocity: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(velocity.parameters()).detach()


def straightness(velocity) -> float:
    return rf.straightness(rf.heun(velocity, NOISE.sample(1000, generator=seeded(9)), steps=50))


# --- flow_coupling


@pytest.mark.parametrize(
    ("solver", "order"), [(rf.euler, 1), (rf.heun, 2), (rf.rk4, 4)], ids=["euler", "heun", "rk4"]
)
def test_the_pairs_are_noise_and_its_end_in_closed_form(solver, order):
    """On v = -x a step multiplies by the Taylor polynomial of exp(-1/N) of the method's order."""
    pairs = pairs_of(lambda x, t: -x, solver=solver, steps=5)
    factor = sum((-0.2) ** k / math.factorial(k) for k in range(order + 1)) ** 5
    assert torch.equal(pairs.x0, NOISE.sample(50, generator=seeded()))
    torch.testing.assert_close(pairs.x1, factor * pairs.x0)


def test_steps_may_be_told_by_their_times():
    times = torch.tensor([0.0, 0.2, 0.3, 1.0])
    pairs = pairs_of(lambda x, t: -x, solver=rf.adams_bashforth, steps=times)
    ends = rf.adams_bashforth(lambda x, t: -x, pairs.x0, steps=times).end
    assert torch.equal(pairs.x1, ends)
    with pytest.raises(ArithmeticError, match="after 3 steps"):
        pairs_of(lambda x, t: x / 0, solver=rf.adams_bashforth, steps=times)


def test_by_default_the_pairs_end_where_the_flow_ends():
    """N(0, I) to N(m, s^2 I) is carried by x0 -> m + s x0."""
    m, s = torch.tensor([[3.0, -1.0]]), torch.tensor([0.5])
    pairs = pairs_of(rf.mixture_velocity(rf.GaussianMixture(m, s)))
    # Heun's error in 20 steps, with rates of up to 1 / s = 2: of the order (2 / 20)^2 / 6 = 0.002
    torch.testing.assert_close(pairs.x1, m + s * pairs.x0, rtol=0, atol=0.005)


@pytest.mark.parametrize("batch_size", [1, 7, 49, 50, 1000])
def test_the_pairs_do_not_depend_on_the_batch_size(batch_size):
    pairs, expected = pairs_of(batch_size=batch_size), pairs_of()
    assert torch.equal(pairs.x0, expected.x0)
    torch.testing.assert_close(pairs.x1, expected.x1, rtol=0, atol=1e-5)


def test_the_velocity_sees_each_point_once_a_step_and_never_more_than_a_batch():
    seen = []

    def velocity(x, t):
        seen.append(x)
        return torch.ones_like(x)

    pairs = pairs_of(velocity, solver=rf.euler, steps=3, batch_size=8)
    assert [len(x) for x in seen] == 3 * [8] * 6 + 3 * [2]
    assert torch.equal(torch.cat(seen[::3]), pairs.x0)


def test_the_solver_keeps_no_paths():
    asked = []

    def solver(velocity, x0, *, steps, keep):
        asked.append((steps, keep))
        return rf.euler(velocity, x0, steps=steps, keep=keep)

    pairs_of(solver=solver, steps=4, batch_size=25)
    assert asked == [(4, "end")] * 2


def test_same_seed_same_pairs():
    first, again, other = pairs_of(seed=1), pairs_of(seed=1), pairs_of(seed=2)
    assert torch.equal(first.x0, again.x0) and torch.equal(first.x1, again.x1)
    assert not torch.equal(first.x0, other.x0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_pairs_have_the_precision_of_the_source(dtype):
    pairs = pairs_of(lambda x, t: -x, rf.Empirical(torch.eye(3, dtype=dtype)))
    assert pairs.x0.dtype == pairs.x1.dtype == dtype


def test_the_pairs_are_made_and_kept_on_the_given_device(device):
    seen = set()

    def velocity(x, t):
        seen.update((x.device.type, t.device.type))
        return -x

    pairs = pairs_of(velocity, device=device)
    assert seen == {pairs.x0.device.type} == {pairs.x1.device.type} == {device}


def test_pairs_of_images():
    images = rf.Empirical(torch.randn(5, 1, 4, 4, generator=seeded()))
    pairs = pairs_of(lambda x, t: 2 * torch.ones_like(x), images, batch_size=8)
    assert pairs.x0.shape == (50, 1, 4, 4)
    torch.testing.assert_close(pairs.x1, pairs.x0 + 2)


def test_one_pair_is_enough():
    assert len(pairs_of(size=1)) == 1


def test_pairs_carry_no_gradients_of_the_network_or_the_source():
    source = rf.Empirical(torch.eye(2).requires_grad_())
    pairs = pairs_of(network(), source)
    assert not pairs.x0.requires_grad and not pairs.x1.requires_grad


def test_the_bar_counts_pairs(capsys):
    pairs_of(batch_size=8, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "solving for pairs: 100%" in err and "50/50" in err


def test_the_bar_can_be_switched_off(capsys):
    pairs_of(batch_size=8)
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_straightness_depends_on_which_ends_are_paired():
    """Both couplings have the same two marginals; only those that the flow paired give lines."""
    pairs = pairs_of(size=5000)
    order = torch.randperm(5000, generator=seeded(1))
    bent = []
    for coupling in (pairs, rf.PairedCoupling(pairs.x0, pairs.x1[order])):
        velocity = network()
        rf.train(velocity, coupling, steps=600, batch_size=256, progress=False)
        bent.append(straightness(velocity))
    assert bent[0] < 0.1 * bent[1]
    # Shuffled ends are independent ends, whose flow is FLOW again; the network smooths its bends.
    assert bent[1] > 0.5 * straightness(FLOW)


# --- reflow

SETTINGS = {
    "size": 100,
    "solver": rf.euler,
    "pair_steps": 3,
    "steps": 4,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "ema_decay": 0.5,
    "time_sampler": rf.uniform_times,
    "progress": False,
}


def test_a_round_is_pairs_and_then_training_a_copy():
    noise, velocity, by_hand = seeded(7), network(), []
    for seed in (8, 9):
        pairs = pairs_of(velocity, size=100, solver=rf.euler, steps=3, generator=noise)
        velocity = copy.deepcopy(velocity)
        train_settings = {k: v for k, v in SETTINGS.items() if k not in {"size", "solver"}}
        del train_settings["pair_steps"]
        rf.train(velocity, pairs, seed=seed, **train_settings)
        by_hand.append(weights(velocity))
    rounds = rf.reflow(network(), NOISE, rounds=2, seed=7, **SETTINGS)
    assert len(rounds) == 2
    assert all(torch.equal(weights(v), w) for v, w in zip(rounds, by_hand, strict=True))
    assert not torch.equal(by_hand[0], by_hand[1])


def test_same_seed_same_weights():
    first, again, other = (
        weights(rf.reflow(network(), NOISE, seed=seed, **SETTINGS)[0]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_velocity_passed_in_stays_as_it_is():
    velocity = network()
    before = weights(velocity).clone()
    rounds = rf.reflow(velocity, NOISE, rounds=3, **SETTINGS)
    assert torch.equal(weights(velocity), before)
    assert all(p.grad is None for p in velocity.parameters())
    storages = {p.data_ptr() for v in (velocity, *rounds) for p in v.parameters()}
    assert len(storages) == 4 * len(list(velocity.parameters()))


def test_each_round_works_where_the_velocity_is(device):
    rounds = rf.reflow(network(), NOISE, rounds=2, device=device, **SETTINGS)
    assert all(p.device.type == device for v in rounds for p in v.parameters())
    (third,) = rf.reflow(rounds[-1], NOISE, **SETTINGS)
    assert all(p.device.type == device for p in third.parameters())


def test_an_interrupted_round_can_be_picked_up(tmp_path):
    """The pairs of a seed are the same again, so the training goes on with them."""
    path = tmp_path / "round.safetensors"
    (unbroken,) = rf.reflow(network(), NOISE, checkpoint=path, **SETTINGS)
    (again,) = rf.reflow(network(), NOISE, checkpoint=path, **SETTINGS)
    assert torch.equal(weights(again), weights(unbroken))


def test_reflow_switches_both_bars_off(capsys):
    rf.reflow(network(), NOISE, **SETTINGS)
    assert capsys.readouterr() == ("", "")
    rf.reflow(network(), NOISE, **SETTINGS | {"progress": True})
    err = capsys.readouterr().err
    assert "solving for pairs: 100%" in err and "training: 100%" in err


@pytest.fixture(scope="module")
def rounds():
    """1-RF, 2-RF and 3-RF."""
    first = network()
    settings = {"steps": 800, "batch_size": 256, "progress": False}
    rf.train(first, rf.IndependentCoupling(NOISE, TARGET), **settings)
    return [first, *rf.reflow(first, NOISE, rounds=2, size=10_000, **settings)]


@pytest.mark.slow
def test_a_round_straightens_the_flow(rounds):
    first, second, third = map(straightness, rounds)
    assert second < 0.1 * first
    assert third < 0.1 * first


@pytest.mark.slow
def test_the_rounds_keep_the_law_of_the_data(rounds):
    """In one step of 2-RF and 3-RF, next to what many steps of 1-RF reach."""
    true = TARGET.sample(2000, generator=seeded(1))
    x0 = NOISE.sample(2000, generator=seeded(2))
    many = rf.energy_distance(rf.heun(rounds[0], x0, steps=50).end, true)
    one = [rf.energy_distance(rf.euler(v, x0, steps=1).end, true) for v in rounds]
    apart = rf.energy_distance(x0, true)
    assert many < 0.05 * apart
    assert max(one[1:]) < 0.1 * apart < one[0]


def test_pairs_are_made_under_their_conditions():
    """With the velocity v = (label, 0), each point moves to the right by its label."""
    labels = torch.arange(50) % 4

    def velocity(x, t, condition):
        assert len(condition) == len(x)
        return torch.stack([condition, 0 * condition], dim=1).float()

    # 18 is no multiple of 4, or the labels of the first batch would do for all
    pairs = pairs_of(velocity, condition=labels, batch_size=18)
    moved = pairs.x1 - pairs.x0
    torch.testing.assert_close(moved[:, 0], labels.float())
    assert torch.equal(pairs.condition, labels)
