"""Shards of pairs that are missing, damaged or of another run."""

import pytest
import torch
from safetensors.torch import save_file

import rfteach as rf
from rfteach._shards import shard_name

NOISE = rf.Gaussian(2)
AGAIN = "call sharded_flow_coupling again"


def network(seed: int = 0) -> rf.VelocityMLP:
    torch.manual_seed(seed)
    return rf.VelocityMLP(dim=2, width=8, depth=1)


def make(folder, velocity=None, source=NOISE, **settings) -> rf.ShardedCoupling:
    settings = {"size": 50, "shard_size": 20, "steps": 3, "progress": False} | settings
    return rf.sharded_flow_coupling(velocity or network(), source, folder, **settings)


@pytest.fixture
def shards(tmp_path):
    """The paths of three shards."""
    make(tmp_path)
    return [tmp_path / shard_name(k, 3) for k in range(3)]


def both(folder):
    """The two ways to meet the files of a folder."""
    return [lambda: rf.ShardedCoupling(folder), lambda: make(folder)]


def test_an_empty_folder(tmp_path, says):
    for folder in (tmp_path, tmp_path / "none"):
        with says(rf.CheckpointError, str(folder), "no shards of pairs", AGAIN):
            rf.ShardedCoupling(folder)
    (tmp_path / f".{shard_name(0, 1)}.rfteach-part").touch()
    with says(rf.CheckpointError, "no shards of pairs"):
        rf.ShardedCoupling(tmp_path)


def test_missing_shards(shards, tmp_path, says):
    shards[1].unlink()
    with says(rf.CheckpointError, "lacks 1 of 3 shards", shards[1].name, AGAIN, "missing"):
        rf.ShardedCoupling(tmp_path)


@pytest.mark.parametrize("part", [0.0, 0.05, 0.5, 0.99])
def test_a_truncated_shard(part, shards, tmp_path, says):
    content = shards[1].read_bytes()
    shards[1].write_bytes(content[: int(part * len(content))])
    for meet in both(tmp_path):
        with says(rf.CheckpointError, str(shards[1]), "damaged", "delete it", AGAIN):
            meet()


@pytest.mark.parametrize(
    ("tensors", "settings", "text"),
    [
        ({"x0": 20, "x1": 20}, None, "KeyError('settings')"),
        ({"x0": 20, "x1": 20}, "{", "JSONDecodeError"),
        ({"x0": 20, "x1": 20}, "[1]", "TypeError"),
        ({"x0": 20}, '{"shard": 1, "shard_size": 20, "size": 50}', "x0 and x1 of 20 pairs"),
        ({"x0": 20, "x1": 9}, '{"shard": 1, "shard_size": 20, "size": 50}', "x0 and x1 of 20"),
        ({"x0": 20, "x1": 20}, '{"shard": 0, "shard_size": 20, "size": 50}', "renamed"),
        ({"x0": 20, "x1": 20}, '{"shard": 1, "shard_size": 20, "size": 50}', "belongs to a run"),
    ],
)
def test_a_file_with_other_contents(tensors, settings, text, shards, tmp_path, says):
    header = {"format": "rfteach.pairs/1"} | ({} if settings is None else {"settings": settings})
    tensors = {name: torch.zeros(rows, 2) for name, rows in tensors.items()}
    save_file(tensors, shards[1], metadata=header)
    for meet in both(tmp_path):
        with says(rf.CheckpointError, str(shards[1]), text, "delete it"):
            meet()


def test_an_ordinary_file_of_pairs_among_them(shards, tmp_path, says):
    pairs = rf.PairedCoupling(torch.zeros(20, 2), torch.zeros(20, 2))
    pairs.save(shards[0])
    with says(rf.CheckpointError, "no shard of pairs", "KeyError"):
        rf.ShardedCoupling(tmp_path)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"size": 60}, ("size = 50", "size = 60")),
        ({"shard_size": 25}, ("shard_size = 20", "shard_size = 25")),
        ({"steps": 4}, ("steps = 3", "steps = 4")),
        ({"steps": torch.tensor([0.0, 0.5, 1.0])}, ("steps = 3", "steps = [0.0, 0.5, 1.0]")),
        ({"seed": 1}, ("seed = 0", "seed = 1")),
        ({"solver": rf.euler}, ("solver = heun", "solver = euler")),
        ({"velocity": network(1)}, ("velocity = VelocityMLP ",)),
        ({"velocity": lambda x, t: x}, ("velocity = VelocityMLP ", "<lambda>")),
        ({"source": rf.Moons()}, ("source = Gaussian [2]", "source = Moons [2]")),
        ({"condition": torch.zeros(50)}, ("condition = None", "condition = Tensor ")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_shards_of_another_run(changed, text, shards, tmp_path, says):
    before = [path.read_bytes() for path in shards]
    shards[2].unlink()
    with says(rf.CheckpointError, *text, "delete it, or pass another folder"):
        make(tmp_path, **changed)
    assert sorted(tmp_path.iterdir()) == shards[:2], "said before anything is made"
    assert [path.read_bytes() for path in shards[:2]] == before[:2]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({"velocity": lambda x, t: x}, {"velocity": lambda x, t: 2 * x}, "by another flow"),
        ({"source": rf.Moons(0.1)}, {"source": rf.Moons(0.3)}, "from other noise"),
    ],
    ids=["flow", "noise"],
)
def test_flows_and_noises_of_one_name_do_not_mix(first, second, text, tmp_path, says):
    make(tmp_path, **first)
    (tmp_path / shard_name(1, 3)).unlink()
    with says(rf.CheckpointError, text, "delete it, or pass another folder"):
        make(tmp_path, **first | second)
    make(tmp_path / "other", **first | second)
    (tmp_path / "other" / shard_name(1, 3)).rename(tmp_path / shard_name(1, 3))
    with says(rf.CheckpointError, text, AGAIN):
        rf.ShardedCoupling(tmp_path)


def test_a_second_run_in_the_same_folder(tmp_path, says):
    def velocity(x, t):
        if not list(tmp_path.glob("*.safetensors")) and (t > 0).any():
            with says(rf.CheckpointError, "another run is writing", "pass another folder"):
                make(tmp_path, lambda x, t: x)
        return x

    assert len(make(tmp_path, velocity)) == 50


def test_shards_of_two_runs(shards, tmp_path, says):
    make(tmp_path / "other", shard_size=25)
    for path in (tmp_path / "other").iterdir():
        path.rename(tmp_path / path.name)
    with says(rf.CheckpointError, "runs with 2 and 3 shards", "delete those of one"):
        rf.ShardedCoupling(tmp_path)
    make(tmp_path / "seed", seed=1)
    for k in (0, 1):
        (tmp_path / shard_name(k, 2)).unlink()
    (tmp_path / "seed" / shards[1].name).rename(shards[1])
    with says(rf.CheckpointError, str(shards[1]), "seed = 1", "seed = 0", "delete it"):
        rf.ShardedCoupling(tmp_path)


# --- settings


@pytest.mark.parametrize("name", ["size", "shard_size", "steps", "batch_size"])
def test_counts(name, tmp_path, says):
    with says(ValueError, f"{name} = 0", "at least 1"):
        make(tmp_path, **{name: 0})
    with says(TypeError, f"{name} must be an integer", "5.0"):
        make(tmp_path, **{name: 5.0})


def test_as_for_flow_coupling(tmp_path, says):
    with says(TypeError, "dopri5 chooses its own steps"):
        make(tmp_path, solver=rf.dopri5)
    with says(TypeError, "the source is of type Tensor", "Empirical(points)"):
        make(tmp_path, source=torch.zeros(3, 2))
    with says(ValueError, "3 conditions for size = 50"):
        make(tmp_path, condition=torch.zeros(3))
    with says(ArithmeticError, "4 of 4 end points", "NaN or infinite"):
        make(tmp_path, velocity=lambda x, t: x / 0)
    assert list(tmp_path.iterdir()) == []


def test_a_device_besides_the_accelerators(tmp_path, says):
    from accelerate import Accelerator

    with says(ValueError, "device = 'cpu'", "accelerator chooses the device"):
        make(tmp_path, accelerator=Accelerator(cpu=True), device="cpu")
    assert len(make(tmp_path, accelerator=Accelerator(cpu=True))) == 50


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path):
    (tmp_path / "pairs-mine.safetensors").write_bytes(b"mine")
    assert len(make(tmp_path)) > 0
    assert (tmp_path / "pairs-mine.safetensors").read_bytes() == b"mine"
