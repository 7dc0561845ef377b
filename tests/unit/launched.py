"""What each of two processes runs, for test_parallel.py.

Arguments: a folder for the results, and `everything`, under `accelerate launch`, or `deadly`, which
forks its two processes itself, so that PyTorch is imported once. It starts them again when one of
them is killed, and prints each time which pairs there are by then: their files, with their times.
"""

import contextlib
import functools
import json
import os
import signal
import sys
from pathlib import Path

import torch
from accelerate import Accelerator, debug_launcher
from accelerate.state import AcceleratorState
from safetensors.torch import save_file
from torch import nn
from torch.multiprocessing.spawn import ProcessException

import rfteach as rf

NOISE = rf.Gaussian(2)
COUPLING = rf.IndependentCoupling(NOISE, rf.Moons())
BATCH, STEPS, LAST = 64, 60, 37  # pairs and steps of a run, and the last step of one that stops
SHARDS = {"size": 150, "shard_size": 20, "solver": rf.euler, "steps": 2, "progress": False}


def network(seed: int = 0) -> rf.VelocityMLP:
    torch.manual_seed(seed)
    return rf.VelocityMLP(dim=2, width=16, depth=2)


class Labeled(nn.Module):
    """A velocity with a condition."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(5, 2)

    def forward(self, x, t, condition):
        return self.table(condition) - x


def labeled_pairs() -> rf.PairedCoupling:
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    return rf.PairedCoupling(x, x.flip(0), torch.arange(40) % 5)


def train(velocity, coupling=COUPLING, **settings):
    settings = {"steps": STEPS, "batch_size": BATCH, "progress": False} | settings
    return rf.train(velocity, coupling, **settings)


def results(name, velocity, run) -> dict[str, torch.Tensor]:
    """The losses, the weights, and the gradient of the last step."""
    weights = nn.utils.parameters_to_vector(velocity.parameters()).detach()
    gradient = torch.cat([p.grad.flatten() for p in velocity.parameters()])
    return {f"{name}.losses": run.losses, f"{name}.weights": weights, f"{name}.gradient": gradient}


class Stop(Exception):
    pass


def stop(step, loss):
    if step == LAST:
        raise Stop


class Spoiled:
    """NaN in the last row of batch 7: the other process sees none of it."""

    left = 7

    def sample(self, n, **keywords):
        x0, x1 = COUPLING.sample(n, **keywords)
        if self.left == 0:
            x1[-1] = float("nan")
        self.left -= 1
        return x0, x1


def everything(folder: Path, accelerator: Accelerator) -> dict[str, torch.Tensor]:
    """Train in all ways, one after the other."""
    found = {}
    way = functools.partial(train, accelerator=accelerator)
    velocity = network(seed=accelerator.process_index)  # those of the first process count
    before = set(vars(velocity))
    found |= results("plain", velocity, way(velocity, progress=True))
    assert set(vars(velocity)) == before
    found |= results("again", velocity, way(velocity))  # nothing is left of the first run

    accelerator.gradient_accumulation_steps = 4
    velocity = network()
    found |= results("parts", velocity, way(velocity))
    accelerator.gradient_accumulation_steps = 1
    velocity = Labeled()
    found |= results("labeled", velocity, way(velocity, labeled_pairs()))

    velocity = network()  # goes on with the file that one process has left
    found |= results("by one", velocity, way(velocity, checkpoint=folder / "by one.safetensors"))
    with contextlib.suppress(Stop):
        way(network(), checkpoint=folder / "by two.safetensors", callback=stop)
    try:
        way(network(), Spoiled())
    except rf.NonFiniteLossError as error:
        found["step of NaN"] = torch.tensor(int(str(error).split("in step ")[1].split(";")[0]))
    rf.sharded_flow_coupling(network(), NOISE, folder / "shards", accelerator=accelerator, **SHARDS)

    AcceleratorState._reset_state()
    bf16 = Accelerator(cpu=True, mixed_precision="bf16")
    velocity, seen = network(), set()
    velocity.net[0].register_forward_hook(lambda m, given, out: seen.add((out.dtype, len(out))))
    found |= results("bf16", velocity, train(velocity, accelerator=bf16))
    assert seen == {(torch.bfloat16, BATCH // 2)}, "half of the rows each"
    return found


def die_once(folder: Path, accelerator: Accelerator, name: str) -> None:
    """Kill the second process as `kill -9` would, the first time that this is called."""
    marker = folder / f"died in {name}"
    if accelerator.process_index == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def deadly(folder: Path, accelerator: Accelerator) -> dict[str, torch.Tensor]:
    """Train, and make pairs of the flow; the second process dies once in each."""

    def kill(step, loss):
        if step == LAST:
            die_once(folder, accelerator, "training")

    velocity = network()
    path = folder / "run.safetensors"
    run = train(velocity, accelerator=accelerator, checkpoint=path, callback=kill)
    calls = []

    def count(module, given):
        calls.append(1)
        if len(calls) == 6:  # in its second shard: two calls each, and two for its look before
            die_once(folder, accelerator, "shards")

    velocity.register_forward_pre_hook(count)
    rf.sharded_flow_coupling(velocity, NOISE, folder / "shards", accelerator=accelerator, **SHARDS)
    weights = nn.utils.parameters_to_vector(velocity.parameters()).detach()
    return {"losses": run.losses, "weights": weights, "calls": torch.tensor(len(calls))}


def main(what, folder: Path) -> None:
    torch.set_num_threads(1)  # as in the tests: another number gives other bits
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    found = what(folder, accelerator)
    save_file(found, folder / f"process {accelerator.process_index}.safetensors")


if __name__ == "__main__":
    if sys.argv[2] == "everything":
        main(everything, Path(sys.argv[1]))
    else:
        folder = Path(sys.argv[1])
        for deaths in range(3):
            try:
                debug_launcher(main, (deadly, folder))
            except ProcessException:
                if deaths == 2:
                    raise
                made = (folder / "shards").glob("pairs-*.safetensors")
                print(json.dumps({path.name: path.stat().st_mtime_ns for path in made}))
