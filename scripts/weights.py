"""What the scripts that train the shipped weights share: stages that resume, files, manifests."""

import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import TorchDynamoPlugin
from safetensors.torch import save

import rfteach as rf

FOLDER = Path(__file__).parents[1] / "rfteach" / "weights"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEED = 0

# What is not in bf16 is in full single precision, so that a CPU finds the same numbers.
torch.backends.cudnn.allow_tf32 = False


def log_of(run: rf.TrainingRun, batch_size: int, made: int) -> dict:
    """Return what a manifest says of a training run, `made` steps of which this process has made.

    The time of a run that was interrupted is that of all its steps at the speed of the last ones.
    """
    every = max(1, run.steps // 8)
    step = run.seconds / made if made else None  # of a finished run, the time is not known
    return {
        "steps": run.steps,
        "batch_size": batch_size,
        "seconds": step and round(run.steps * step, 1),
        "examples_per_second": step and round(batch_size / step),
        "losses": [round(part.mean().item(), 4) for part in run.losses.split(every)],
    }


def round_to_half(model: torch.nn.Module) -> None:
    """Round the weights to half precision: what is measured afterward is what is shipped."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.half().float()


def save_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> dict:
    """Write tensors to a file; return its name and checksum for the manifest."""
    content = save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def save_models(path: Path, models: dict[str, torch.nn.Module]) -> dict:
    """Round models to half precision and write them to one file, as "model/parameter"."""
    for model in models.values():
        round_to_half(model)
    tensors = {
        f"{model}/{name}": tensor.half()
        for model, network in models.items()
        for name, tensor in network.state_dict().items()
    }
    return save_tensors(path, tensors)


def checksum(model: torch.nn.Module) -> str:
    """Return a checksum of a model's weights."""
    content = save({name: t.contiguous().cpu() for name, t in model.state_dict().items()})
    return hashlib.sha256(content).hexdigest()


def device_name() -> str:
    """Return the name of the GPU, or how many threads of the CPU are used."""
    if DEVICE == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"


class Stages:
    """A long training in parts: each keeps its result in a folder, and is not done twice."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.notes_file = folder / "notes.json"
        self.notes = json.loads(self.notes_file.read_text()) if self.notes_file.exists() else {}

    def require(self, name: str, value) -> None:
        """Keep what all stages rest on; stop when the folder holds stages that rest on another."""
        value = json.loads(json.dumps(value))
        if name not in self.notes:
            self.note(name, value)
        elif self.notes[name] != value:
            raise SystemExit(
                f"{self.folder} holds stages of a run with another {name}; delete it to start "
                f"over, or pass another --folder"
            )

    def note(self, name: str, facts) -> None:
        """Keep facts under a name, now and for the next start."""
        self.notes[name] = facts
        unfinished = self.notes_file.with_suffix(".part")
        unfinished.write_text(json.dumps(self.notes, indent=1))
        os.replace(unfinished, self.notes_file)
        print(f"{name}: {facts}", flush=True)

    def fit(self, name: str, velocity, coupling, preset, *, how=rf.train, **training):
        """Train a velocity in place, going on from the last checkpoint; return it."""
        checkpoint = self.folder / f"{name}.safetensors"
        steps: list[int] = []  # made by this process
        settings = {
            "accelerator": make_accelerator(),
            "batch_size": preset.batch_size,
            "ema_decay": preset.ema_decay,
            "seed": SEED,
            "callback": lambda step, loss: steps.append(step),
        }
        run = how(velocity, coupling, checkpoint=checkpoint, **settings | training)
        if name not in self.notes:
            self.note(name, log_of(run, preset.batch_size, len(steps)))
        return velocity

    def pairs(self, name: str, make) -> rf.PairedCoupling:
        """Return pairs on the device: those in the folder, or else those that `make()` returns."""
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            started = time.perf_counter()
            coupling = make()
            coupling.save(path)
            seconds = round(time.perf_counter() - started, 1)
            self.note(name, {"pairs": len(coupling), "seconds": seconds})
        kept = rf.PairedCoupling.load(path)
        condition = None if kept.condition is None else kept.condition.to(DEVICE)
        return rf.PairedCoupling(kept.x0.to(DEVICE), kept.x1.to(DEVICE), condition)


def make_accelerator() -> Accelerator:
    """Return an accelerator in bf16; on a GPU it also compiles, with CUDA graphs."""
    gpu = DEVICE == "cuda"
    graphs = {"backend": "inductor", "mode": "reduce-overhead"} if gpu else {"backend": "no"}
    return Accelerator(
        mixed_precision="bf16", cpu=not gpu, dynamo_plugin=TorchDynamoPlugin(**graphs)
    )


def network(size: int, channels, classes: int | None = None) -> rf.UNetVelocity:
    """Return a network on the device, with the same weights in each call."""
    torch.manual_seed(SEED)
    layout = torch.channels_last if DEVICE == "cuda" else torch.contiguous_format
    return rf.UNetVelocity(size, channels, classes).to(DEVICE, memory_format=layout)


def flows(made_by: str, name: str, preset, stages: Stages, saved: dict, flow, steps) -> dict:
    """Return the manifest of some trained flows.

    Args:
        made_by: the command.
        name: of the data.
        preset: the scale of the run, a dataclass.
        stages: of the run; they have noted each model and what was measured of it.
        saved: the file of the weights, as `save_models` says.
        flow: one of the models.
        steps: at how many Euler steps each model was measured, by name of the model.
    """
    models = {
        model: {
            **stages.notes[model],
            "measured": {str(n): stages.notes[f"{model}, {n} steps"] for n in counts},
        }
        for model, counts in steps.items()
    }
    shape = {key: getattr(flow, key) for key in ("size", "channels", "classes")}
    return {
        "made_by": made_by,
        "device": device_name(),
        "torch": torch.__version__,
        "seed": SEED,
        "preset": asdict(preset),
        "data": {
            name: {**saved, "network": {"kind": "UNetVelocity", **shape}, "models": models},
        },
    }


def in_bf16(velocity):
    """Return the velocity as sampling calls it: in bf16, with the result in single precision."""

    def fast(x, t, condition=None):
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return rf.given(velocity, condition)(x, t).float()

    return fast


def generate(velocity, noise, *, steps: int, condition=None, batch_size: int = 500):
    """Return where Euler's method takes the noise, in batches."""
    ends = []
    for rows in torch.arange(len(noise)).split(batch_size):
        bound = rf.given(velocity, None if condition is None else condition[rows])
        ends.append(rf.euler(bound, noise[rows], steps=steps, keep="end").end)
    return torch.cat(ends)
