"""Training with wrong settings, a loss that blows up, and checkpoint files of all kinds."""

import functools
import json
import os
import pickle
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import DistributedType
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import rfteach as rf
from rfteach._runs.probe import PAIRS
from rfteach._runs.saved_run import FORMAT
from rfteach._runs.tensors import digest

NAN, INF = float("nan"), float("inf")
quick_train = functools.partial(rf.train, batch_size=16, progress=False)


def network() -> rf.VelocityMLP:
    torch.manual_seed(0)
    return rf.VelocityMLP(dim=2, width=8, depth=1)


def weights(velocity: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(velocity.parameters()).detach()


# --- settings


@pytest.mark.parametrize("name", ["steps", "batch_size"])
def test_counts(name, coupling, says):
    for bad in (0, -1):
        with says(ValueError, f"{name} = {bad}", "at least 1"):
            rf.train(network(), coupling, **{name: bad})
    with says(TypeError, f"{name} must be an integer", "1000.0", "pass an int"):
        rf.train(network(), coupling, **{name: 1e3})


@pytest.mark.parametrize("bad", [0.0, -1e-3, NAN, INF])
def test_learning_rate(bad, coupling, says):
    with says(ValueError, f"learning_rate = {bad}", "positive and finite"):
        rf.train(network(), coupling, learning_rate=bad)


@pytest.mark.parametrize(
    "wrong, text",
    [
        (torch.zeros(4, 2), "of type Tensor, which gives no pairs; pass"),
        (rf.IndependentCoupling, "the class IndependentCoupling; make one"),
        (rf.Moons(), "of type Moons, which gives no pairs; pass"),
    ],
)
def test_what_is_no_coupling(wrong, text, says):
    with says(TypeError, "the coupling is", text):
        rf.train(network(), wrong)
    with says(TypeError, "the coupling is", text):
        rf.distill(network(), wrong)


@pytest.mark.parametrize("wrong", ["Adam", torch.optim.Adam(network().parameters())])
def test_what_makes_no_optimizer(wrong, coupling, says):
    with says(TypeError, "optimizer is of type", "optimizer=rfteach.Muon"):
        rf.train(network(), coupling, optimizer=wrong)


def test_what_is_no_number_or_no_seed(coupling, says):
    with says(TypeError, "learning_rate = tensor", "pass a float"):
        rf.train(network(), coupling, learning_rate=torch.tensor(1e-3))
    with says(TypeError, "ema_decay = "):
        rf.train(network(), coupling, ema_decay=torch.tensor([0.9, 0.9]))
    for bad in (None, 1.5, -1, True):
        with says(TypeError, f"seed = {bad}", "an integer from 0"):
            rf.train(network(), coupling, seed=bad)
        with says(TypeError, "seed = "):
            rf.reflow(network(), rf.Gaussian(2), seed=bad)


@pytest.mark.parametrize("bits", [torch.float16, torch.bfloat16])
def test_weights_of_16_bits(bits, coupling, says):
    with says(TypeError, "the weights have 16 bits", "velocity.float()"):
        rf.train(network().to(bits), coupling)


@pytest.mark.parametrize("bad", [-0.1, 1.0, 1.5, NAN])
def test_ema_decay(bad, coupling, says):
    with says(ValueError, f"ema_decay = {bad}", "[0, 1)"):
        rf.train(network(), coupling, ema_decay=bad)


def test_a_velocity_without_weights(coupling, says):
    with says(TypeError, "function", "torch.nn.Module", "VelocityMLP"):
        quick_train(lambda x, t: x, coupling, steps=1)
    with says(ValueError, "no trainable weights", "requires_grad_(True)"):
        quick_train(network().requires_grad_(False), coupling, steps=1)


def test_a_network_of_another_dimension(coupling, says):
    with says(ValueError, "x of shape (batch, 3)", "(16, 2)"):
        quick_train(rf.VelocityMLP(3), coupling, steps=1)


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (lambda n: torch.full((n, 1), 0.5), "(16, 1)"),
        (lambda n: torch.full((n,), 1.5), "t = 1.5 "),
        (lambda n: torch.full((n,), 7), "int64"),
    ],
)
def test_a_time_sampler_of_ones_own(times, text, coupling, says):
    with says((ValueError, TypeError), text):
        quick_train(network(), coupling, steps=1, time_sampler=lambda n, **_: times(n))


def test_pairs_of_times_without_their_loss(coupling, says):
    with says(ValueError, "(16, 2)", "loss=rf.mean_flow_loss"):
        quick_train(network(), coupling, steps=1, time_sampler=rf.time_pairs)


def test_labels_for_a_network_without_classes_and_the_reverse(coupling, says):
    labeled = rf.ConditionalCoupling(rf.Gaussian(2), torch.zeros(3, 2), torch.arange(3))
    with says(ValueError, "takes no labels", "classes="):
        quick_train(network(), labeled, steps=1)
    with says(ValueError, "labels from 0 to 2", "rfteach.ConditionalCoupling"):
        quick_train(rf.VelocityMLP(2, classes=3), coupling, steps=1)


def test_a_target_in_double_precision(says):
    """What torch.from_numpy gives."""
    target = rf.Empirical(torch.from_numpy(np.zeros((5, 2))))
    with says(TypeError, "x0 has dtype torch.float32", "x1 has dtype torch.float64", ".to("):
        quick_train(network(), rf.IndependentCoupling(rf.Gaussian(2), target), steps=1)


def pretended(**settings) -> SimpleNamespace:
    """What train looks at before it uses an accelerator."""
    usual = dict(scaler=None, distributed_type="MULTI_CPU", gradient_accumulation_steps=1)
    return SimpleNamespace(**usual | dict(device="cpu", num_processes=1) | settings)


@pytest.mark.parametrize(("processes", "parts", "way_out"), [(3, 1, 18), (1, 5, 20), (4, 3, 24)])
def test_a_batch_that_the_processes_cannot_share(processes, parts, way_out, coupling, says):
    several = pretended(num_processes=processes, gradient_accumulation_steps=parts)
    texts = "batch_size = 16", f"{processes} processes", f"{parts} parts", f"such as {way_out}"
    with says(ValueError, *texts):
        quick_train(network(), coupling, steps=1, accelerator=several)


def test_accelerators_that_train_cannot_use(coupling, says):
    with says(ValueError, "device = 'cpu'", "accelerator chooses the device", "one of the two"):
        quick_train(network(), coupling, steps=1, accelerator=pretended(), device="cpu")
    with says(ValueError, "fp16", "use bf16"):
        quick_train(network(), coupling, steps=1, accelerator=pretended(scaler=object()))
    sharded = pretended(distributed_type=DistributedType.FSDP)
    with says(ValueError, "shares out the weights (FSDP)", "accelerate launch --multi_gpu"):
        quick_train(network(), coupling, steps=1, accelerator=sharded)


def test_a_failure_before_the_first_step_leaves_the_velocity_alone(coupling):
    velocity = network()
    before = weights(velocity)
    with pytest.raises(ValueError):
        quick_train(velocity, coupling, steps=3, time_sampler=lambda n, **_: torch.zeros(n, 1))
    assert torch.equal(weights(velocity), before)


# --- a loss that is no number any more


class Spoiled:
    """A good coupling until draw number `last`, then one with a bad number in it."""

    def __init__(self, coupling, last, bad=NAN):
        self.coupling, self.left, self.bad = coupling, last, bad

    def sample(self, n, **keywords):
        x0, x1 = self.coupling.sample(n, **keywords)
        if n != PAIRS:  # which a checkpoint looks at besides
            if self.left == 0:
                x1[0, 0] = self.bad
            self.left -= 1
        return x0, x1


@pytest.mark.parametrize("bad", [NAN, INF, 1e30])
def test_it_stops_at_that_step_and_keeps_the_last_good_state(bad, coupling, says, tmp_path):
    """The square of 1e30 overflows."""
    path = tmp_path / "run.safetensors"
    velocity, spoiled = network(), Spoiled(coupling, last=47, bad=bad)
    with says(rf.NonFiniteLossError, "in step 47", "learning_rate (now 0.005)", "coupling"):
        quick_train(velocity, spoiled, steps=100, checkpoint=path)
    assert spoiled.left == -1, "not one more draw"
    assert torch.isfinite(weights(velocity)).all()
    assert torch.isfinite(rf.euler(velocity, torch.zeros(3, 2), steps=3).end).all()
    with safe_open(path, "pt") as file:
        assert len(file.get_tensor("losses")) == 45  # saved every five steps
        assert all(torch.isfinite(file.get_tensor(name)).all() for name in file.keys())  # noqa: SIM118
    resumed, unbroken = network(), network()
    quick_train(resumed, coupling, steps=100, checkpoint=path)
    quick_train(unbroken, coupling, steps=100)
    assert torch.equal(weights(resumed), weights(unbroken))


class InfiniteSlope(nn.Module):
    """Its output is finite, but the derivative of the root at 0 is not."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x, t):
        return x * self.scale.sqrt()


@pytest.mark.parametrize("steps", [1, 10])
def test_weights_that_break_in_a_step_are_not_kept(steps, coupling, says, tmp_path):
    """Also in the last step, whose weights no later loss looks at."""
    velocity, path = InfiniteSlope(), tmp_path / "run.safetensors"
    with says(rf.NonFiniteLossError, f"step {min(steps - 1, 1)}", "lower learning_rate"):
        quick_train(velocity, coupling, steps=steps, checkpoint=path)
    assert torch.isfinite(velocity.scale)
    assert not path.exists()


def test_a_learning_rate_that_blows_up(coupling):
    velocity = network()
    with pytest.raises(rf.NonFiniteLossError, match="in step .*now 1e"):
        quick_train(velocity, coupling, steps=50, learning_rate=1e30)
    assert torch.isfinite(weights(velocity)).all()


# --- checkpoint files


@pytest.fixture
def checkpoint(coupling, tmp_path):
    """The file of a finished run of 20 steps."""
    path = tmp_path / "run.safetensors"
    quick_train(network(), coupling, steps=20, checkpoint=path)
    return path


@pytest.mark.parametrize("part", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_a_truncated_file(part, checkpoint, coupling, says):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(part * len(content))])
    velocity = network()
    before = weights(velocity)
    with says(rf.CheckpointError, str(checkpoint), "damaged", "delete", "another checkpoint path"):
        quick_train(velocity, coupling, steps=20, checkpoint=checkpoint)
    assert torch.equal(weights(velocity), before)
    assert len(checkpoint.read_bytes()) == int(part * len(content)), "nor is the file touched"


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_nothing_is_unpickled(write, coupling, says, tmp_path):
    path, crater = tmp_path / "run.safetensors", tmp_path / "crater"
    with open(path, "wb") as file:
        write(Bomb(crater), file)
    with says(rf.CheckpointError, "damaged or not a safetensors file", "delete"):
        quick_train(network(), coupling, steps=20, checkpoint=path)
    assert not crater.exists()
    pickle.dumps(Bomb(crater))
    with open(path, "rb") as file:  # it would have gone off
        (pickle.load(file) if write is pickle.dump else torch.load(file, weights_only=False))
    assert crater.exists()


def test_a_folder(coupling, says, tmp_path):
    with says(ValueError, f"checkpoint = '{tmp_path}' is no name of a file"):
        quick_train(network(), coupling, steps=20, checkpoint=tmp_path)
    with says(ValueError, "checkpoint = '' is no name of a file"):
        quick_train(network(), coupling, steps=20, checkpoint="")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights for a test")
def test_a_file_that_cannot_be_opened_is_not_called_damaged(checkpoint, coupling):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        path = Path(folder, "run.safetensors")
        shutil.copy(checkpoint, path)
        path.chmod(0)
        os.chmod(folder, 0o777)
        os.seteuid(65534)
        try:
            with pytest.raises(rf.CheckpointError, match="cannot be opened: Permission") as told:
                quick_train(network(), coupling, steps=20, checkpoint=path)
        finally:
            os.seteuid(0)
    assert "do not delete" in str(told.value) and "to start over" not in str(told.value)


def test_a_folder_that_cannot_be_written_is_told_at_once(coupling, says):
    with says(rf.CheckpointError, "/proc", "cannot be written", "another checkpoint path"):
        quick_train(network(), coupling, steps=20, checkpoint="/proc/here/run.safetensors")


def test_a_second_run_with_the_same_checkpoint(coupling, says, tmp_path):
    path = tmp_path / "run.safetensors"

    def second(step, loss):
        if step == 10:
            with says(rf.CheckpointError, f"another run is writing {path}", "wait"):
                quick_train(network(), coupling, steps=20, checkpoint=path)

    first, alone = network(), network()
    quick_train(first, coupling, steps=20, checkpoint=path, callback=second)
    quick_train(alone, coupling, steps=20)
    assert torch.equal(weights(first), weights(alone))
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("where", [0.3, 0.6, 0.95])
def test_a_flipped_byte(where, checkpoint, coupling, says):
    content = bytearray(checkpoint.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    content[header + int(where * (len(content) - header))] ^= 1
    checkpoint.write_bytes(content)
    with says(rf.CheckpointError, "its numbers are not those that were saved", "delete"):
        quick_train(network(), coupling, steps=20, checkpoint=checkpoint)


class Shifted(nn.Module):
    """A network beside something that is not trained."""

    def __init__(self, shift=0.0):
        super().__init__()
        self.network = network()
        self.shift = nn.Parameter(torch.tensor(shift), requires_grad=False)

    def forward(self, x, t):
        return self.network(x, t) + self.shift


class Turned(rf.VelocityMLP):
    def forward(self, x, t):
        return -super().forward(x, t)


def turned():
    torch.manual_seed(0)
    return Turned(dim=2, width=8, depth=1)


def doubled(*arguments):
    return 2 * rf.velocity_matching_loss(*arguments)


OTHER_PAIRS, OTHER_LOSS = "give other pairs", "the loss on the same pairs was"


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({}, {"coupling": rf.IndependentCoupling(rf.Gaussian(2), rf.Moons(0.2))}, OTHER_PAIRS),
        ({"loss": lambda *a: doubled(*a)}, {"loss": lambda *a: doubled(*a) / 2}, OTHER_LOSS),
        ({"time_sampler": lambda *a, **k: rf.uniform_times(*a, **k)},
         {"time_sampler": lambda *a, **k: 1 - rf.uniform_times(*a, **k)}, OTHER_PAIRS),
        ({"velocity": Shifted()}, {"velocity": Shifted(0.5)}, OTHER_LOSS),
        ({}, {"velocity": turned()}, OTHER_LOSS),
    ],
    ids=["data", "loss", "times", "frozen", "forward"],
)  # fmt: skip
def test_what_has_the_same_name_and_is_another(first, second, text, says, tmp_path):
    """Such a run was once taken for the finished one, in silence."""
    path = tmp_path / "run.safetensors"
    moons = rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
    same = {"velocity": network(), "coupling": moons, "steps": 20, "checkpoint": path}
    quick_train(**same | first)
    content, changed = path.read_bytes(), same | first | second
    before = weights(changed["velocity"])
    with says(rf.CheckpointError, "belongs to another run", text, "delete it to start over"):
        quick_train(**changed)
    assert torch.equal(weights(changed["velocity"]), before)
    assert path.read_bytes() == content


def test_reflow_of_another_flow(says, tmp_path):
    settings = {"size": 50, "steps": 10, "batch_size": 8, "progress": False}
    settings |= {"checkpoint": tmp_path / "2-RF.safetensors"}
    torch.manual_seed(1)
    other = rf.VelocityMLP(dim=2, width=8, depth=1)
    rf.reflow(network(), rf.Gaussian(2), **settings)
    with says(rf.CheckpointError, OTHER_PAIRS):
        rf.reflow(other, rf.Gaussian(2), **settings)


def test_weights_of_somebody_else(coupling, says, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with says(rf.CheckpointError, "the format None", "rfteach.training/1", "delete"):
        quick_train(network(), coupling, steps=20, checkpoint=path)


@pytest.mark.parametrize(
    ("name", "value", "was"),
    [
        ("steps", 40, 20),
        ("batch_size", 17, 16),
        ("learning_rate", 0.1, 0.005),
        ("ema_decay", 0.5, 0.998),
        ("seed", 1, 0),
        ("time_sampler", rf.uniform_times, "stratified_times"),
    ],
)
def test_a_checkpoint_of_another_run(name, value, was, checkpoint, coupling, says):
    settings = {"steps": 20} | {name: value}
    now = getattr(value, "__name__", value)
    with says(rf.CheckpointError, f"{name} = {was}", f"{name} = {now}", "delete"):
        quick_train(network(), coupling, checkpoint=checkpoint, **settings)


def test_a_checkpoint_of_another_network(checkpoint, coupling, says):
    with says(rf.CheckpointError, "shapes = [[8, 3]", "shapes = [[64, 3]", "delete"):
        quick_train(rf.VelocityMLP(2), coupling, steps=20, checkpoint=checkpoint)


def test_a_checkpoint_in_another_precision(checkpoint, says):
    points = torch.zeros(3, 2, dtype=torch.float64)
    with says(rf.CheckpointError, "torch.float32", "torch.float64", "delete"):
        quick_train(
            network().double(), rf.PairedCoupling(points, points), steps=20, checkpoint=checkpoint
        )


def test_a_checkpoint_from_a_gpu(checkpoint, coupling, says):
    """The state of its generator has another size; it stands for one here."""

    def change(tensors):
        tensors["generator"] = torch.zeros(16, dtype=torch.uint8)

    rewrite(checkpoint, change)
    velocity = network()
    before = weights(velocity)
    with says(rf.CheckpointError, str(checkpoint), "a run on cpu", "where it was saved", "delete"):
        quick_train(velocity, coupling, steps=20, checkpoint=checkpoint)
    assert torch.equal(weights(velocity), before)


def rewrite(path, change_tensors=lambda _: None, change_header=lambda _: None):
    """Write a checkpoint again with something changed."""
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change_tensors(tensors)
    header["sha256"] = digest(tensors.items())
    change_header(header)
    save_file(tensors, path, metadata=header)


@pytest.mark.parametrize("name", ["parameter.0", "average.3", "generator", "losses"])
def test_a_checkpoint_with_a_part_missing(name, checkpoint, coupling, says):
    rewrite(checkpoint, lambda tensors: tensors.pop(name))
    with says(rf.CheckpointError, name, str(checkpoint), "delete"):
        quick_train(network(), coupling, steps=20, checkpoint=checkpoint)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(format=FORMAT + "1"),
        lambda header: header.pop("settings"),
        lambda header: header.update(settings="{"),
        lambda header: header.update(settings=json.dumps([1])),
    ],
    ids=["format of the future", "no settings", "broken settings", "odd settings"],
)
def test_a_checkpoint_with_an_odd_header(change, checkpoint, coupling, says):
    rewrite(checkpoint, change_header=change)
    with says(rf.CheckpointError, str(checkpoint), "delete"):
        quick_train(network(), coupling, steps=20, checkpoint=checkpoint)


# --- conditions


def test_one_condition_a_pair(says):
    x, labels = torch.eye(4), torch.arange(3)
    with says(ValueError, "condition has shape (3,)", "4 points", "one row each"):
        rf.PairedCoupling(x, x, labels)
    with says(ValueError, "condition has shape (3,)"):
        rf.ConditionalCoupling(rf.Gaussian(4), x, labels)
    with says(ValueError, "3 conditions for size = 4"):
        rf.flow_coupling(lambda x, t, condition: x, rf.Gaussian(4), size=4, condition=labels)


def test_an_optimizer_of_the_same_name_and_other_settings(coupling, says, tmp_path):
    """Two functions without a name made Adam and SGD, and one went on from the other's state."""
    path, made = (
        tmp_path / "run.safetensors",
        [
            lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
            lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.5),
            lambda p, lr: torch.optim.Adam(p, lr=lr),
        ],
    )
    quick_train(network(), coupling, steps=20, checkpoint=path, optimizer=made[0])
    for other, text in zip(made[1:], ("'momentum': 0.5", "optimizer = Adam"), strict=True):
        with says(rf.CheckpointError, "optimizer = SGD", "'momentum': 0.9", text):
            quick_train(network(), coupling, steps=20, checkpoint=path, optimizer=other)


def test_the_same_rate_by_another_kind_of_number_is_no_other_run(coupling, tmp_path):
    for rate in (5e-3, np.float64(5e-3), 5e-3):
        settings = {"steps": 20, "checkpoint": tmp_path / "run.safetensors"}
        quick_train(network(), coupling, learning_rate=rate, **settings)


@pytest.mark.parametrize(("bad", "error"), [(-1, ValueError), ("x", TypeError)])
def test_a_learning_rate_of_muon(bad, error, says):
    with says(error, f"lr = {bad!r}"):
        rf.Muon(network().parameters(), lr=bad)
