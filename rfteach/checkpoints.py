"""Saving tensors, and a training run half way to pick it up again, bit for bit.

Each file is one safetensors file: tensors by name, and texts in its header, such as the settings
of a run as JSON. Reading it executes nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rfteach.averaging import Average

FORMAT = "rfteach.training/1"


class CheckpointError(ValueError):
    """A file of tensors that cannot be used: damaged, foreign, or of another run."""


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """Write the file whole or not at all: a crash while saving leaves the previous one in place.

    Args:
        path: the file to write; missing folders are made.
        tensors: named tensors.
        header: texts to keep beside them; "format" says what kind of file it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    save_file({name: t.contiguous() for name, t in tensors.items()}, unfinished, metadata=header)
    with open(unfinished, "rb+") as file:
        os.fsync(file.fileno())  # on the disk before it takes the name: the power may be cut, too
    os.replace(unfinished, path)


def load_tensors(path: Path, kind: str, way_out: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the header of a file that `save_tensors` wrote with format `kind`.

    Raises:
        CheckpointError: the file is missing, truncated or of another kind; the message ends with
            `way_out`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; {way_out}") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file; {way_out}") from error
    if header.get("format") != kind:
        raise CheckpointError(
            f"{path} has the format {header.get('format')}, not {kind}, so rfteach wrote it for "
            f"something else or not at all; {way_out}"
        )
    return tensors, header


def save_checkpoint(path: Path, tensors: dict[str, Tensor], settings: dict) -> None:
    """Save the state of a training run, with the settings that a resumed run must agree on."""
    header = {"format": FORMAT, "settings": json.dumps(settings, sort_keys=True)}
    save_tensors(path, tensors, header)


def load_checkpoint(path: Path, settings: dict) -> dict[str, Tensor]:
    """Read a checkpoint that `save_checkpoint` wrote for a run with the same settings.

    Raises:
        CheckpointError: the file is truncated or not a checkpoint of this package, or its settings
            differ; the message names the first that does.
    """
    again = f"delete {path} to start over, or pass another checkpoint path"
    tensors, header = load_tensors(path, FORMAT, again)
    try:
        saved = dict(json.loads(header["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} was not written by rfteach's train; {again}") from error
    check_settings(path, saved, settings, again)
    return tensors


def check_settings(path: Path, saved: dict, settings: dict, way_out: str) -> None:
    """Raise CheckpointError unless the settings saved in a file are those of this run.

    The message names the first that differs, and ends with `way_out`.
    """
    for name in sorted(saved.keys() | settings.keys()):
        if saved.get(name) != settings.get(name):
            raise CheckpointError(
                f"{path} belongs to a run with {name} = {saved.get(name)}, but this one has "
                f"{name} = {settings.get(name)}; {way_out}"
            )


def function_name(function: Callable) -> str:
    """Name a function in the same way in every process, with the arguments bound to it."""
    if isinstance(function, functools.partial):

        def name(value) -> str:  # the repr of a function holds its address
            return function_name(value) if callable(value) else repr(value)

        bound = [
            *map(name, function.args),
            *(f"{k}={name(v)}" for k, v in function.keywords.items()),
        ]
        return f"{function_name(function.func)}({', '.join(bound)})"
    return getattr(function, "__qualname__", type(function).__qualname__)


def fingerprint(what: object) -> str:
    """Return a short hash of a module's weights or of a tensor; of anything else, its name."""
    if isinstance(what, nn.Module):
        tensors = [*what.parameters(), *what.buffers()]
    elif isinstance(what, Tensor):
        tensors = [what]
    else:
        return function_name(what)
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return f"{type(what).__name__} {found.hexdigest()[:16]}"


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's state by name: `optimizer.3.exp_avg` is that of the fourth tensor."""
    return {
        f"optimizer.{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for parameter, restored in optimizer.state.items():
        for name, value in restored.items():
            if value.shape == parameter.shape:  # in memory like the parameter, as Adam needs it
                restored[name] = torch.empty_like(parameter).copy_(value)


class SavedRun:
    """The state of a training run, gathered into its checkpoint file and put back from it.

    Args:
        path: the file.
        settings: what a resumed run must agree on.
        parameters: the weights that are trained.
        optimizer: of these weights.
        average: of these weights.
        generator: the source of the run's randomness.
    """

    def __init__(
        self,
        path: Path,
        settings: dict,
        parameters: list[nn.Parameter],
        optimizer: torch.optim.Optimizer,
        average: Average,
        generator: torch.Generator,
    ):
        self.path, self.settings = path, settings
        self.parameters, self.optimizer = parameters, optimizer
        self.average, self.generator = average, generator

    def save(self, losses: list[float]) -> None:
        """Write the state after the step that gave the last of the losses."""
        if not all(torch.isfinite(p).all() for p in self.parameters):
            return  # the next loss will say so; the last good state stays
        tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(self.parameters)}
        tensors |= {f"average.{i}": p for i, p in enumerate(self.average.values)}
        tensors |= optimizer_tensors(self.optimizer)
        tensors["generator"] = self.generator.get_state()
        tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
        save_checkpoint(self.path, tensors, self.settings)

    @torch.no_grad()
    def restore(self) -> list[float]:
        """Put back the state and return the losses so far; none when there is no file yet.

        Raises:
            CheckpointError: the file is damaged, or of another run or kind of device.
        """
        if not self.path.exists():
            return []
        tensors = load_checkpoint(self.path, self.settings)
        try:
            self.generator.set_state(tensors["generator"])
            for i, parameter in enumerate(self.parameters):
                parameter.copy_(tensors[f"parameter.{i}"])
                self.average.values[i].copy_(tensors[f"average.{i}"])
            restore_optimizer(self.optimizer, tensors)
            losses = tensors["losses"].tolist()
        except KeyError as error:
            raise CheckpointError(f"{self.path} lacks {error}; delete it to start over") from None
        except RuntimeError as error:  # the state of a GPU's generator fits no CPU's
            raise CheckpointError(
                f"{self.path} does not fit a run on {self.generator.device}; go on where it was "
                f"saved, or delete it to start over"
            ) from error
        self.average.updates = max(0, len(losses) - 1)
        return losses
