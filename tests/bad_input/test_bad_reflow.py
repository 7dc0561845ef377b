"""Reflow and distillation with wrong settings, flows that break, and files that hold no pairs."""

import functools

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import rfteach as rf
from rfteach._couplings import PAIRS_FORMAT

NAN, INF = float("nan"), float("inf")
NOISE = rf.Gaussian(2)
X = torch.arange(10.0).reshape(5, 2)
PAIRS = rf.PairedCoupling(X, X + 1)
quick_reflow = functools.partial(rf.reflow, size=20, steps=2, batch_size=4, progress=False)
quick_distill = functools.partial(rf.distill, steps=2, batch_size=4, progress=False)


def network() -> rf.VelocityMLP:
    torch.manual_seed(0)
    return rf.VelocityMLP(dim=2, width=8, depth=1)


def still(x, t):
    return torch.zeros_like(x)


def make_pairs(velocity=still, source=NOISE, **settings):
    generator = torch.Generator().manual_seed(0)
    settings = {"size": 20, "progress": False, "generator": generator} | settings
    return rf.flow_coupling(velocity, source, **settings)


# --- flows that break

BREAKS = {
    "everywhere": lambda x, t: torch.ones_like(x[:, 0]).bool(),
    "in some places": lambda x, t: x[:, 0] > 0,
    "at the start": lambda x, t: t == 0,
    "at the end": lambda x, t: t == 1,
}


@pytest.mark.parametrize("where", BREAKS)
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_a_flow_that_is_not_finite(where, bad, says):
    def velocity(x, t):
        return torch.where(BREAKS[where](x, t)[:, None], bad, 0.0).expand_as(x)

    count = int(BREAKS["in some places"](make_pairs().x0, 0).sum())
    count = count if where == "in some places" else 20
    with says(ArithmeticError, f"{count} of 20 end points", "NaN or infinite", "after 7 steps"):
        make_pairs(velocity, steps=7)


def test_one_coordinate_that_is_not_finite_in_a_late_batch(says):
    """The message counts from the first point of all, not of the batch."""
    bad = make_pairs().x0[13]

    def velocity(x, t):
        v = torch.zeros_like(x)
        v[:, 1] = torch.where((x == bad).all(dim=1), NAN, 0.0)
        return v

    with says(ArithmeticError, "1 of 8 end points", "source point 13;", "more steps"):
        make_pairs(velocity, batch_size=8, solver=rf.euler)


def test_a_flow_that_overflows_when_its_steps_are_too_long(says):
    def stiff(x, t):
        return -1000 * x

    with says(ArithmeticError, "20 of 20 end points", "after 20 steps", "take more steps"):
        make_pairs(stiff)
    assert torch.isfinite(make_pairs(stiff, steps=1000).x1).all()


def test_the_message_about_an_image_is_short():
    images = rf.Empirical(torch.ones(1, 1, 28, 28))
    with pytest.raises(ArithmeticError) as error:
        make_pairs(lambda x, t: x / 0, images)
    assert len(str(error.value)) < 250


def test_nothing_is_learned_from_a_broken_flow():
    velocity = network()
    with torch.no_grad():
        velocity.net[0].weight.fill_(NAN)
    with pytest.raises(ArithmeticError, match="20 of 20 end points"):
        quick_reflow(velocity, NOISE)


# --- settings


def test_an_adaptive_solver(says):
    with says(TypeError, "dopri5 chooses its own steps", "rf.euler, rf.heun or rf.rk4"):
        make_pairs(solver=rf.dopri5)
    with says(TypeError, "dopri5 chooses its own steps"):
        quick_reflow(network(), NOISE, solver=rf.dopri5)


def test_what_is_no_solver(says):
    with says(TypeError, "solver = 'heun'", "solver=rf.heun"):
        make_pairs(solver="heun")
    with says(TypeError, "dopri5 chooses its own steps"):
        make_pairs(solver=functools.partial(rf.dopri5, rtol=1e-3))


def test_a_source_that_gives_too_few_points(says):
    source = rf.Gaussian(2)
    source.sample = lambda n, **keywords: X
    with says(ValueError, "the source gave 5 points for size = 20", "sample(n)"):
        make_pairs(source=source)


def test_a_tensor_of_points_as_the_source(says):
    for make in (make_pairs, quick_reflow):
        with says(TypeError, "the source is of type Tensor", "Empirical(points)"):
            make(network(), X)


def test_a_source_of_another_dimension(says):
    with says(ValueError, "x of shape (batch, 2)", "(20, 3)"):
        quick_reflow(network(), rf.Gaussian(3))


TRAINS = {
    "reflow": lambda v: quick_reflow(v, NOISE),
    "distill": lambda v: quick_distill(v, PAIRS),
}
trains = pytest.mark.parametrize("name", TRAINS)


class NoWeights(nn.Module):
    def forward(self, x, t):
        return -x


@trains
def test_a_velocity_without_weights(name, says):
    with says(TypeError, "function", "torch.nn.Module", "VelocityMLP"):
        TRAINS[name](still)
    for velocity in (NoWeights(), network().requires_grad_(False)):
        with says(ValueError, "no trainable weights", "requires_grad_(True)"):
            TRAINS[name](velocity)


def test_settings_that_train_does_not_have(says):
    with says(TypeError, "unexpected keyword argument 'learning_rte'"):
        quick_reflow(network(), NOISE, learning_rte=0.1)
    with says(TypeError, "unexpected keyword argument 'learning_rte'"):
        quick_distill(network(), PAIRS, learning_rte=0.1)
    with says(ValueError, "learning_rate = -1"):
        quick_reflow(network(), NOISE, learning_rate=-1)


def test_times_of_ones_own_for_distillation(says):
    with says(TypeError, "t = 0 alone", "time_sampler", "train"):
        quick_distill(network(), PAIRS, time_sampler=rf.uniform_times)


def test_one_checkpoint_for_two_rounds(says, tmp_path):
    path = tmp_path / "run.safetensors"
    with says(ValueError, "one training run", "rounds = 2", "once for each round"):
        quick_reflow(network(), NOISE, rounds=2, checkpoint=path)
    assert not path.exists(), "said before anything is trained"
    assert len(quick_reflow(network(), NOISE, rounds=2, checkpoint=None)) == 2


# --- files of pairs

WAY_OUT = "make the pairs again with flow_coupling(...)"


@pytest.fixture
def path(tmp_path):
    """Where pairs are, or could be."""
    return tmp_path / "pairs.safetensors"


def test_a_missing_file(path, says):
    with says(rf.CheckpointError, f"{path} does not exist", WAY_OUT):
        rf.PairedCoupling.load(path)


@pytest.mark.parametrize("part", [0.0, 0.05, 0.5, 0.99])
def test_a_truncated_file(part, path, says):
    PAIRS.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with says(rf.CheckpointError, str(path), "damaged", WAY_OUT):
        rf.PairedCoupling.load(path)


def test_a_folder(tmp_path, says):
    with says(
        rf.CheckpointError, str(tmp_path), "cannot be opened: Is a directory", "another path"
    ):
        rf.PairedCoupling.load(tmp_path)


def test_a_checkpoint_of_training_is_no_pairs_and_pairs_are_no_checkpoint(path, says):
    quick_distill(network(), PAIRS, checkpoint=path)
    with says(rf.CheckpointError, "rfteach.training/1", PAIRS_FORMAT, WAY_OUT):
        rf.PairedCoupling.load(path)
    PAIRS.save(path)
    with says(rf.CheckpointError, PAIRS_FORMAT, "rfteach.training/1", "delete"):
        quick_distill(network(), PAIRS, checkpoint=path)


def test_tensors_of_somebody_else(path, says):
    save_file({"x0": X, "x1": X + 1}, path)
    with says(rf.CheckpointError, str(path), "format None", PAIRS_FORMAT, WAY_OUT):
        rf.PairedCoupling.load(path)


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        ({"x0": X}, "holds ['x0'], not x0 and x1"),
        ({"x0": X, "x1": X + 1, "y": X + 2}, "holds ['x0', 'x1', 'y'], not x0 and x1"),
        ({"x0": X, "x1": X[:3] + 1}, "(3, 2)"),
        ({"x0": X, "x1": X / 0}, "NaN or infinity"),
        ({"x0": X.int(), "x1": X}, "torch.int32"),
    ],
    ids=["one end", "three ends", "rows missing", "not finite", "integers"],
)
def test_a_file_with_the_right_label_and_other_contents(tensors, text, path, says):
    save_file(tensors, path, metadata={"format": PAIRS_FORMAT})
    with says(rf.CheckpointError, str(path), text, WAY_OUT):
        rf.PairedCoupling.load(path)
