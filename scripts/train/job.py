"""What all jobs share: stages that resume, notes, files of weights, and the manifest."""

import hashlib
import inspect
import json
import os
import shlex
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from accelerate import Accelerator
from accelerate.utils import TorchDynamoPlugin
from torch import Tensor, nn

import rfteach as rf
from rfteach._runs.tensors import load_tensors, save_tensors

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "rfteach" / "_shipped" / "weights"
COMMITTED = ROOT / "scripts" / "train" / "stages"
STAGE = "rfteach.stage/1"  # the format of a velocity that is trained
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0


class Job:
    """A long training in stages: each keeps its result in a folder, and is not done twice.

    Beside the results stand notes, what is known of each. So a job that is started again runs
    through all its stages, and those that are done only read what they have kept. Stages of a job
    that takes days may be committed, in scripts/train/stages, until its weights are shipped.

    Attributes:
        options: those of the command line.
        preset: the scale, with the names of presets.toml.
        smoke: whether this only tests that everything runs.
        stages: the folder of results and notes.
        committed: the folder of those that came with the code, if there are any.
        output: where weights and manifest go.
        commit: that of the code, as it was at the start.
    """

    def __init__(self, options: Namespace, preset: dict):
        self.options, self.preset = options, SimpleNamespace(**preset)
        self.smoke = options.preset == "smoke"
        folder = options.output or Path("build") / f"{options.name}-{options.preset}"
        self.stages = folder / "stages"
        self.committed = COMMITTED / f"{options.name}-{options.preset}"
        self.output = folder if options.output or self.smoke else WEIGHTS
        self.commit = commit()

    def require(self, **grounds) -> None:
        """Keep what all stages rest on; stop when the folder holds stages that rest on another."""
        for name, value in {"preset": vars(self.preset), **grounds}.items():
            text = json.dumps(value)
            if self.note(name, lambda text=text: text) != text:
                raise SystemExit(
                    f"{self.stages} holds stages of a run with another {name}; delete it to start "
                    f"over, or pass another --output"
                )

    def find(self, file: str) -> Path:
        """Return where a file of a stage is, or where it will be."""
        committed = self.committed / file
        return committed if committed.exists() else self.stages / file

    def note(self, name: str, find: Callable | None = None):
        """Return what is noted under a name; if nothing is, note what `find()` returns, rounded."""
        path = self.find(f"notes/{name}.json")
        if not path.exists():
            facts = rounded(find())
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")  # two processes may share the folder
            unfinished.write_text(json.dumps(facts))
            os.replace(unfinished, path)
            print(f"{name}: {facts}", flush=True)
        return json.loads(path.read_text())

    def fit(
        self, name: str, velocity: nn.Module, coupling, *, how=rf.train, bf16=True, **training
    ) -> nn.Module:
        """Train a velocity in place, going on from the last checkpoint; return it as shipped.

        The coupling may be a function that returns it, which is called when it is needed.
        """
        done = self.find(f"{name}.safetensors")
        if done.exists():
            again = f"delete {done.parent} to start over"
            tensors, _ = load_tensors(done, STAGE, again)
            for setting in ("steps", "batch_size"):
                was, asked = self.note(name)[setting], training[setting]
                if was != asked:
                    raise SystemExit(f"{done} has {setting} = {was}, not {asked}; {again}")
            if done.is_relative_to(self.committed):
                print(f"{name}: taken from {done}", flush=True)
            velocity.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
            return velocity
        running = self.stages / "running" / f"{name}.safetensors"
        made: list[int] = []  # the steps of this process
        run = how(
            velocity,
            coupling() if callable(coupling) else coupling,
            checkpoint=running,
            accelerator=make_accelerator() if bf16 else None,
            callback=lambda step, loss: made.append(step),
            **{"seed": SEED, **training},
        )
        self.note(name, lambda: log_of(run, training["batch_size"], len(made)))
        round_to_half(velocity)
        tensors = {key: tensor.half() for key, tensor in velocity.state_dict().items()}
        save_tensors(done, tensors, {"format": STAGE})
        running.unlink()
        return velocity

    def pairs(self, name: str, make: Callable[[], rf.PairedCoupling]) -> rf.PairedCoupling:
        """Return pairs on the device: those that are kept, or else those that `make()` returns."""
        path = self.find(f"{name}.safetensors")
        if not path.exists():
            started = time.perf_counter()
            coupling = make()
            seconds = time.perf_counter() - started
            self.note(name, lambda: {"pairs": len(coupling), "seconds": seconds})
            coupling.save(path)
        kept = rf.PairedCoupling.load(path)
        columns = (kept.x0, kept.x1, kept.condition)
        return rf.PairedCoupling(*(c if c is None else c.to(DEVICE) for c in columns))

    def flow_pairs(
        self, name: str, velocity: Callable, noise, *, seed: int, **settings
    ) -> rf.PairedCoupling:
        """Return the pairs of a flow; take another seed for each, so that no noise comes twice."""
        generator = torch.Generator(DEVICE).manual_seed(seed)
        settings |= {"generator": generator, "device": DEVICE}
        return self.pairs(name, lambda: rf.flow_coupling(velocity, noise, **settings))

    def save(self, file: str, tensors: dict[str, Tensor]) -> dict:
        """Write a file of weights; return its name and checksum for the manifest."""
        path = self.output / file
        save_tensors(path, tensors, {"format": "rfteach.weights/1"}, checked=False)
        return {"file": file, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def save_flows(self, file: str, flows: dict[str, nn.Module]) -> dict:
        """Write flows of one shape to a file; return what the manifest says of it and the shape."""
        tensors = {
            f"{flow}/{name}": tensor.half()
            for flow, network in flows.items()
            for name, tensor in network.state_dict().items()
        }
        first, *_ = flows.values()
        keys = [key for key in inspect.signature(type(first)).parameters if key in vars(first)]
        network = {"kind": type(first).__name__, **{key: getattr(first, key) for key in keys}}
        return {**self.save(file, tensors), "network": network}

    def write(self, record: dict) -> None:
        """Write the manifest: how the weights were made, then the record of what they are."""
        how = {
            "made_by": command(self.options),
            "version": rf.__version__,
            "commit": self.commit,
            "device": device_name(),
            "torch": torch.__version__,
            "seed": SEED,
            "preset": vars(self.preset),
            "remarks": self.options.remark,
        }
        path = self.output / f"{self.options.name}.json"
        path.write_text(json.dumps(how | record, indent=1) + "\n")
        print(f"wrote {path}")


def rounded(facts):
    """Return facts as JSON holds them, each number with four digits."""
    return json.loads(json.dumps(facts), parse_float=lambda digits: float(f"{float(digits):.4g}"))


def log_of(run: rf.TrainingRun, batch_size: int, made: int) -> dict:
    """Return what a manifest says of a training run, `made` steps of which this process has made.

    The time of a run that was interrupted is that of all its steps at the speed of the last ones.
    """
    step = run.seconds / made if made else None  # of a finished run, the time is not known
    return {
        "steps": run.steps,
        "batch_size": batch_size,
        "seconds": step and run.steps * step,
        "examples_per_second": step and round(batch_size / step),
        "losses": [part.mean().item() for part in run.losses.chunk(8)],
    }


def round_to_half(model: nn.Module) -> None:
    """Round the weights to half precision: what is measured afterward is what is shipped."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.half().float()


def make_accelerator() -> Accelerator:
    """Return an accelerator in bf16; on a GPU it also compiles, with CUDA graphs."""
    gpu = DEVICE == "cuda"
    graphs = {"backend": "inductor", "mode": "reduce-overhead"} if gpu else {"backend": "no"}
    return Accelerator(
        mixed_precision="bf16", cpu=not gpu, dynamo_plugin=TorchDynamoPlugin(**graphs)
    )


def fresh(network: Callable[..., nn.Module], *shape, seed: int = SEED, **settings) -> nn.Module:
    """Return a network on the device, with the same weights in each call."""
    torch.manual_seed(seed)
    return network(*shape, **settings).to(DEVICE, memory_format=torch.channels_last)


def device_name() -> str:
    """Return the name of the GPU, or how many threads of the CPU are used."""
    if DEVICE == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"


def command(options: Namespace) -> str:
    """Return the command, without where its files go and what the manifest says elsewhere."""
    words = ["python", "-m", "scripts.train", options.name]
    for option, value in vars(options).items():
        if value not in (None, False) and option not in ("name", "output", "remark"):
            flag = "--" + option.replace("_", "-")
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def commit() -> str | None:
    """Return the commit of this code, "-dirty" after it when files differ; None without git.

    Weights do not count, since those of the job before may be new.
    """

    def git(*words: str) -> str:  # of this folder, not of a repository that it may lie in
        how = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
        return subprocess.run(["git", "--git-dir=.git", *words], **how).stdout.strip()

    try:
        changed = git(
            "status", "--porcelain", "--untracked-files=no", ".", ":!rfteach/_shipped/weights"
        )
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
