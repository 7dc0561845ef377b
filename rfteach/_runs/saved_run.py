"""A training run half way, saved to pick it up again, bit for bit."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rfteach._runs.average import Average
from rfteach._runs.probe import Probe
from rfteach._runs.tensors import (
    CheckpointError,
    check_settings,
    function_name,
    held,
    lasting_repr,
    load_tensors,
    save_tensors,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

FORMAT = "rfteach.training/1"


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


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's state by name: `optimizer.3.exp_avg` is that of the fourth tensor."""
    return {
        f"optimizer.{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def described(optimizer: torch.optim.Optimizer) -> str:
    """Name an optimizer with the settings of each of its groups, whatever function made it."""
    groups = []
    for group in optimizer.param_groups:
        chosen = {
            k: float(v) if isinstance(v, Real) and not isinstance(v, bool) else v
            for k, v in group.items()
            if k != "params" and v is not None and v is not False  # switches that are off
        }
        if len(optimizer.param_groups) > 1:
            chosen["tensors"] = len(group["params"])
        groups.append(chosen)
    return f"{type(optimizer).__qualname__} {lasting_repr(groups)}"


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


def run_settings(
    parameters: Sequence[Tensor], accelerator: Accelerator | None, **chosen: object
) -> dict:
    """Return what a resumed run must agree on: what was chosen, and what the weights are like."""
    return {
        **{k: function_name(v) if callable(v) else v for k, v in chosen.items()},
        "shapes": [list(p.shape) for p in parameters],
        "precision": sorted({str(p.dtype) for p in parameters}),
        "mixed_precision": accelerator.mixed_precision if accelerator else "no",
    }


@contextlib.contextmanager
def held_checkpoint(path: Path | str | None, accelerator: Accelerator | None) -> Iterator[None]:
    """Keep other runs from the checkpoint for as long as this one trains.

    Raises:
        ValueError: the path is empty, or that of a folder.
        CheckpointError: another run writes it, or its folder cannot be written.
    """
    if path is not None and (str(path) in ("", ".") or Path(path).is_dir()):
        raise ValueError(f"checkpoint = {str(path)!r} is no name of a file; pass one, in a folder")
    if path is None or not (accelerator is None or accelerator.is_main_process):
        yield
        return
    with held(Path(path), "pass another checkpoint path"):
        yield


class SavedRun:
    """The state of a training run, gathered into its checkpoint file and put back from it.

    Args:
        path: the file; None saves nothing.
        settings: what a resumed run must agree on, see `run_settings`; "steps" among them.
        optimizer: of the weights that are trained.
        average: of these weights.
        generator: the source of the run's randomness.
        accelerator: the first of its processes saves, and the others wait.
        velocity: what is trained; its buffers are saved, too.
        probe: by which the run is told from another one; None without a path.
    """

    def __init__(
        self,
        path: Path | str | None,
        settings: dict,
        optimizer: torch.optim.Optimizer,
        average: Average,
        generator: torch.Generator,
        accelerator: Accelerator | None,
        velocity: nn.Module,
        probe: Probe | None,
    ):
        self.path = None if path is None else Path(path)
        self.settings, self.optimizer = settings, optimizer
        self.average, self.generator = average, generator
        self.accelerator = accelerator
        self.probe = probe
        kept = velocity.state_dict()
        self.buffers = {k: b for k, b in velocity.named_buffers() if k in kept}

    def save_when_due(self, losses: list[float]) -> None:
        """Save 20 times along the way, and at the end; `losses` are those of the steps so far."""
        steps, done = self.settings["steps"], len(losses)
        if self.path is None or (done % max(1, steps // 20) and done != steps):
            return
        if self.accelerator is None or self.accelerator.is_main_process:
            self.save(self.path, losses)
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def save(self, path: Path, losses: list[float]) -> None:
        """Write the state after the step that gave the last of the losses."""
        if not all(torch.isfinite(p).all() for p in self.average.parameters):
            return  # the next loss will say so; the last good state stays
        tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(self.average.parameters)}
        tensors |= {f"average.{i}": p for i, p in enumerate(self.average.values)}
        tensors |= {f"buffer.{name}": buffer for name, buffer in self.buffers.items()}
        tensors |= optimizer_tensors(self.optimizer)
        if self.probe is not None:
            tensors |= self.probe.tensors()
        tensors["generator"] = self.generator.get_state()
        tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
        save_checkpoint(path, tensors, self.settings)

    @torch.no_grad()
    def restore(self) -> list[float]:
        """Put back the state and return the losses so far; none when there is no file yet.

        Raises:
            CheckpointError: the file is damaged, or of another run or kind of device.
        """
        if self.path is None or not self.path.exists():
            return []
        tensors = load_checkpoint(self.path, self.settings)
        state = [*self.average.parameters, *self.average.values, *self.buffers.values()]
        before = [tensor.clone() for tensor in state]
        try:
            losses = self._put_back(tensors)
        except CheckpointError:  # the velocity stays as it was passed
            for tensor, old in zip(state, before, strict=True):
                tensor.copy_(old)
            raise
        self.average.updates = max(0, len(losses) - 1)
        return losses

    def _put_back(self, tensors: dict[str, Tensor]) -> list[float]:
        over = "delete it to start over, or pass another checkpoint path"
        try:
            self.generator.set_state(tensors["generator"])
            for i, parameter in enumerate(self.average.parameters):
                parameter.copy_(tensors[f"parameter.{i}"])
                self.average.values[i].copy_(tensors[f"average.{i}"])
            for name, buffer in self.buffers.items():
                buffer.copy_(tensors[f"buffer.{name}"])
            restore_optimizer(self.optimizer, tensors)
            losses = tensors["losses"].tolist()
        except KeyError as error:
            raise CheckpointError(f"{self.path} lacks {error}; {over}") from None
        except RuntimeError as error:  # the state of a GPU's generator fits no CPU's
            raise CheckpointError(
                f"{self.path} does not fit a run on {self.generator.device}; go on where it was "
                f"saved, or {over}"
            ) from error
        with torch.enable_grad():  # which a loss may need
            difference = self.probe and self.probe.difference(tensors)
        if difference:
            raise CheckpointError(f"{self.path} belongs to another run: {difference}; {over}")
        return losses
