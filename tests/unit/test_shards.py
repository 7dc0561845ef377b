"""Pairs in several files. tests/unit/test_parallel.py makes them with two processes."""

import os
from pathlib import Path

import pytest
import torch

import rfteach as rf
from rfteach._shards import shard_name, shard_seed

NOISE = rf.Gaussian(2)
STATM = Path("/proc/self/statm")


def network(seed: int = 0) -> rf.VelocityMLP:
    torch.manual_seed(seed)
    return rf.VelocityMLP(dim=2, width=16, depth=2)


def make(folder, velocity=None, source=NOISE, **settings) -> rf.ShardedCoupling:
    settings = {"size": 50, "shard_size": 20, "steps": 3, "progress": False} | settings
    return rf.sharded_flow_coupling(velocity or network(), source, folder, **settings)


def union(folder) -> rf.PairedCoupling:
    """All shards of a folder as one list of pairs."""
    shards = [rf.PairedCoupling.load(path) for path in sorted(folder.glob("*.safetensors"))]
    columns = [(s.x0, s.x1) if s.condition is None else (s.x0, s.x1, s.condition) for s in shards]
    return rf.PairedCoupling(*(torch.cat(column) for column in zip(*columns, strict=True)))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_shards_hold_the_pairs_in_order(tmp_path):
    """Each is what `flow_coupling` makes of the noise of its own seed."""
    coupling = make(tmp_path / "new", batch_size=7)
    assert len(coupling) == 50
    names = sorted(os.listdir(tmp_path / "new"))
    assert names == [shard_name(k, 3) for k in range(3)]
    assert names[2] == "pairs-00002-of-00003.safetensors"
    for k, (name, size) in enumerate(zip(names, (20, 20, 10), strict=True)):
        settings = {"steps": 3, "batch_size": 7, "progress": False}
        generator = seeded(shard_seed(0, k))
        expected = rf.flow_coupling(network(), NOISE, size=size, generator=generator, **settings)
        shard = rf.PairedCoupling.load(tmp_path / "new" / name)
        assert torch.equal(shard.x0, expected.x0) and torch.equal(shard.x1, expected.x1)


def test_times_of_the_steps_in_place_of_their_number(tmp_path):
    """Thirds are rounded, and the folder is still known again by them."""
    even = torch.linspace(0, 1, 4)
    make(tmp_path / "times", steps=even)
    assert len(make(tmp_path / "times", steps=even)) == 50
    make(tmp_path / "number", steps=3)
    times, number = (union(tmp_path / name) for name in ("times", "number"))
    torch.testing.assert_close(times.x1, number.x1)


def test_no_two_shards_have_the_same_noise(tmp_path):
    make(tmp_path / "0", seed=0)
    make(tmp_path / "1", seed=1)
    noise = torch.cat([union(tmp_path / name).x0 for name in "01"])
    assert len(noise.unique(dim=0)) == 100
    assert len({shard_seed(seed, k) for seed in range(50) for k in range(50)}) == 2500


def test_a_folder_can_be_opened_again(tmp_path):
    made, opened = make(tmp_path), rf.ShardedCoupling(str(tmp_path))
    pairs = zip(
        made.sample(9, generator=seeded()), opened.sample(9, generator=seeded()), strict=True
    )
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("shard_size", [1, 20, 25, 50, 1000])
@pytest.mark.parametrize("labeled", [False, True])
def test_it_samples_what_one_list_of_all_pairs_would(shard_size, labeled, tmp_path):
    settings = {}
    if labeled:
        settings = {"velocity": lambda x, t, condition: -x, "condition": torch.arange(50)}
    coupling = make(tmp_path, shard_size=shard_size, steps=1, **settings)
    whole = union(tmp_path)
    for n in (1, 7, 200):
        ours, theirs = (c.sample(n, generator=seeded(n)) for c in (coupling, whole))
        assert len(ours) == len(theirs) == 2 + labeled
        for a, b in zip(ours, theirs, strict=True):
            assert a.dtype == b.dtype and torch.equal(a, b)


def test_it_samples_with_the_global_generator_as_well(tmp_path):
    coupling = make(tmp_path)
    torch.manual_seed(1)
    ours = coupling.sample(9)
    torch.manual_seed(1)
    assert torch.equal(ours[0], union(tmp_path).sample(9)[0])


def test_pairs_end_on_the_given_device(tmp_path, device):
    coupling = make(tmp_path, velocity=network().to(device), device=device)
    for target in (device, "meta"):
        x0, x1 = coupling.sample(3, generator=seeded(), device=target)
        assert x0.device.type == x1.device.type == target


@pytest.mark.skipif(not STATM.exists(), reason="no /proc")
def test_the_files_are_mapped_not_read(tmp_path):
    """Of 100 MB the process holds nothing but the rows drawn; the rest is the system's to drop."""
    settings = {"size": 5000, "shard_size": 5000, "steps": 1, "solver": rf.euler}
    make(tmp_path, lambda x, t: -x, rf.Gaussian(2500), **settings)

    def own_memory() -> int:
        _, resident, of_files, *_ = map(int, STATM.read_text().split())
        return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")

    before = own_memory()
    coupling = rf.ShardedCoupling(tmp_path)
    coupling.sample(20, generator=seeded())
    assert own_memory() - before < 10e6


def test_images_with_labels_train(tmp_path):
    images = rf.Empirical(torch.randn(5, 1, 4, 4, generator=seeded()))
    labels = torch.arange(50) % 3

    class Velocity(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(3, 16)

        def forward(self, x, t, condition):
            return self.table(condition).reshape(x.shape)

    coupling = make(tmp_path, Velocity(), images, condition=labels)
    run = rf.train(Velocity(), coupling, steps=3, batch_size=8, progress=False)
    assert run.steps == 3


# --- after a crash


def test_only_what_is_missing_is_made(tmp_path):
    make(tmp_path)
    whole = union(tmp_path)
    (tmp_path / shard_name(1, 3)).unlink()
    (tmp_path / f".{shard_name(1, 3)}.rfteach-part").write_bytes(b"half of a fi")
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    velocity, solved = network(), []
    velocity.register_forward_hook(lambda module, given, out: solved.append(len(out)))
    make(tmp_path, velocity)
    assert solved.count(20) == 3 * 2  # heun looks twice a step; the rest is a look at few points
    assert all((tmp_path / name).stat().st_mtime_ns == then for name, then in kept.items())
    assert sorted(os.listdir(tmp_path)) == [shard_name(k, 3) for k in range(3)]
    assert torch.equal(union(tmp_path).x1, whole.x1)


def test_the_bar_counts_shards(tmp_path, capsys):
    make(tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "3/3" in err
    make(tmp_path)
    assert capsys.readouterr() == ("", "")
