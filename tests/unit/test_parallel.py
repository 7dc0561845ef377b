"""Two processes of accelerate, on the CPU with gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import launched
import pytest
import torch
from launched import LAST, NOISE, SHARDS, STEPS, Labeled, network, results, train
from safetensors.torch import load_file
from torch.testing import assert_close

import rfteach as rf

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


# With --cpu, accelerate starts one process, or asks for mpirun. Port 0 is any that is free.
LAUNCH = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1"
LAUNCH += " --mixed_precision no --dynamo_backend no --main_process_port 0"


def run(folder: Path, what: str, *launch: str) -> subprocess.CompletedProcess:
    """Run launched.py in two processes.

    They see no GPU: one that a process has seen, its forks cannot use.
    """
    root = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *launch, launched.__file__, str(folder), what],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        timeout=300,
    )


def outcome(folder: Path) -> list[dict[str, torch.Tensor]]:
    """What each process has left."""
    return [load_file(folder / f"process {rank}.safetensors") for rank in (0, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes have trained in all ways, on with a run that one process began."""
    folder = tmp_path_factory.mktemp("two processes")
    with pytest.raises(launched.Stop):
        train(network(), checkpoint=folder / "by one.safetensors", callback=launched.stop)
    done = run(folder, "everything", *LAUNCH.split())
    assert done.returncode == 0, done.stderr
    (folder / "stderr").write_text(done.stderr)
    return folder


@pytest.fixture(scope="module")
def one():
    """What one process finds, without an accelerator."""
    found = {}
    for name in ("plain", "again"):
        velocity = network() if name == "plain" else velocity
        found |= results(name, velocity, train(velocity))
    velocity = Labeled()
    found |= results("labeled", velocity, train(velocity, launched.labeled_pairs()))
    for same in ("parts", "by one"):
        found |= {f"{same}.{k}": found[f"plain.{k}"] for k in ("losses", "weights", "gradient")}
    return found


def together(folder: Path) -> rf.PairedCoupling:
    """All shards of a folder as one list of pairs."""
    shards = [rf.PairedCoupling.load(path) for path in sorted(folder.glob("pairs-*"))]
    return rf.PairedCoupling(
        *(torch.cat([getattr(s, end) for s in shards]) for end in ("x0", "x1"))
    )


# --- the same run


@pytest.mark.parametrize("name", ["plain", "again", "parts", "labeled", "by one"])
def test_two_processes_make_the_run_of_one(name, folder, one):
    """They add the same 64 terms in another order, an error of 2^-24 or so in each of 60 steps.

    The gradient says that the terms are weighted right: Adam does not care for its length.
    """
    first, second = outcome(folder)
    rounding = STEPS * 2**-24  # 4e-6; a twentieth of it was seen
    for what, rtol, atol in (("losses", 1, 0), ("weights", 0, 1), ("gradient", 0, 1)):
        ours, theirs = first[f"{name}.{what}"], one[f"{name}.{what}"]
        assert torch.equal(ours, second[f"{name}.{what}"])
        assert_close(ours, theirs, rtol=rtol * rounding, atol=atol * rounding)


def test_two_processes_in_bf16(folder, one):
    """bf16 has 8 bits of mantissa; what it does to a loss is far below the loss's own noise."""
    first, second = outcome(folder)
    assert torch.equal(first["bf16.losses"], second["bf16.losses"])
    assert torch.equal(first["bf16.weights"], second["bf16.weights"])
    assert not torch.equal(first["bf16.losses"], one["plain.losses"])
    assert_close(first["bf16.losses"], one["plain.losses"], rtol=0.02, atol=0)


def test_one_process_goes_on_with_what_two_began(folder, one):
    velocity, made = network(), []
    trained = train(
        velocity,
        checkpoint=folder / "by two.safetensors",
        callback=lambda step, loss: made.append(step),
    )
    assert made == list(range(LAST - LAST % 3, STEPS)), "saved every third step"
    assert_close(trained.losses, one["plain.losses"], rtol=1e-5, atol=0)
    found = results("", velocity, trained)
    assert_close(found[".weights"], one["plain.weights"], rtol=0, atol=1e-5)


def test_both_stop_when_one_of_them_sees_nan(folder):
    assert [found["step of NaN"].item() for found in outcome(folder)] == [7, 7]


def test_one_bar_for_all_processes(folder):
    shown = (folder / "stderr").read_text()  # a slow machine draws the last state twice
    assert shown.count("training:   0%") == 1 and "training: 100%" in shown


# --- the same pairs


def test_the_shards_do_not_depend_on_the_number_of_processes(folder, tmp_path):
    """Not in one bit: a shard is solved by itself, whoever does it."""
    rf.sharded_flow_coupling(network(), NOISE, tmp_path, **SHARDS)
    both = tmp_path, folder / "shards"
    names, theirs = (sorted(path.name for path in where.iterdir()) for where in both)
    assert names == theirs and len(names) == 8
    pairs, theirs = map(together, both)
    assert torch.equal(pairs.x0, theirs.x0) and torch.equal(pairs.x1, theirs.x1)


# --- a process that is killed


def test_after_kill_9_of_one_process_the_same_command_ends_with_the_same_bits(folder, tmp_path):
    done = run(tmp_path, "deadly")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.glob("died*")} == {"died in training", "died in shards"}
    none, made = map(json.loads, done.stdout.splitlines())  # what was there after each death
    assert none == {}, "the first one was in the training"
    missing = 8 - len(made)
    assert 3 <= missing <= 7, "the second process made one of its four"
    shards = tmp_path / "shards"

    first, second = outcome(tmp_path)
    for found in (first, second):
        assert torch.equal(found["losses"], outcome(folder)[0]["plain.losses"])
        assert torch.equal(found["weights"], outcome(folder)[0]["plain.weights"])
    assert all((shards / name).stat().st_mtime_ns == then for name, then in made.items())
    calls = (first["calls"] + second["calls"]).item()
    assert calls == 2 * missing + 2 * 2, "two Euler steps for each, and for each process's look"

    velocity = network()
    torch.nn.utils.vector_to_parameters(first["weights"], velocity.parameters())
    rf.sharded_flow_coupling(velocity, NOISE, tmp_path / "whole", **SHARDS)
    assert torch.equal(together(shards).x1, together(tmp_path / "whole").x1)
