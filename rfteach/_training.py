"""The one training loop of the book: 1-Rectified Flow, Reflow and distillation all run through it.

What differs between them is the coupling and the time sampler, never the loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rfteach._checks import check_count, check_coupling, check_seed, check_trainable
from rfteach._couplings import Coupling
from rfteach._losses import Loss, velocity_matching_loss
from rfteach._runs.average import Average
from rfteach._runs.probe import Probe
from rfteach._runs.processes import add_gradient, prepared
from rfteach._runs.progress import progress_bar
from rfteach._runs.saved_run import SavedRun, described, held_checkpoint, run_settings
from rfteach._runs.threads import training_threads
from rfteach._times import TimeSampler, stratified_times

if TYPE_CHECKING:
    from accelerate import Accelerator


def _adam(parameters: list[nn.Parameter], *, lr: float) -> torch.optim.Optimizer:
    """Return Adam (Kingma and Ba 2015), in the quickest of PyTorch's ways to compute it."""
    return torch.optim.Adam(parameters, lr=lr, fused=True)


class NonFiniteLossError(ArithmeticError):
    """The loss (or a weight) became NaN or infinite; the message names the step."""


@dataclass(frozen=True)
class TrainingRun:
    """What a training run leaves behind, besides the trained velocity.

    Attributes:
        losses: the loss of every step, shape (steps,).
        steps: number of optimizer steps made, those before a resume included.
        seconds: wall-clock time of this call.
    """

    losses: Float[Tensor, " steps"]
    steps: int
    seconds: float

    def __repr__(self) -> str:
        last = self.losses[-100:].mean().item()
        return (
            f"TrainingRun(steps={self.steps}, seconds={self.seconds:.1f}, "
            f"mean loss of the last {min(self.steps, 100)} steps={last:.4f})"
        )


def _factor(progress: float) -> float:
    """Rise linearly over the first tenth of the run, then fall to 0 along a cosine."""
    if progress < 0.1:
        return progress / 0.1
    return 0.5 * (1 + math.cos(math.pi * (progress - 0.1) / 0.9))


def train(
    velocity: nn.Module,
    coupling: Coupling,
    *,
    steps: int = 3000,
    batch_size: int = 512,
    learning_rate: float = 5e-3,
    time_sampler: TimeSampler = stratified_times,
    loss: Loss = velocity_matching_loss,
    optimizer: Callable[..., torch.optim.Optimizer] = _adam,
    ema_decay: float = 0.998,
    seed: int = 0,
    device: torch.device | str | None = None,
    checkpoint: Path | str | None = None,
    accelerator: Accelerator | None = None,
    progress: bool = True,
    callback: Callable[[int, float], None] | None = None,
) -> TrainingRun:
    """Fit `velocity` to a coupling, in place, by least squares (Liu et al. 2022, equation 1).

    The learning rate warms up and then falls to 0. When the call returns, is interrupted
    (KeyboardInterrupt), or fails, `velocity` holds the average of the weights so far. On a CPU a
    small network is trained on one thread, which is fastest; PyTorch's setting is put back
    afterward.

    Args:
        velocity: module called as `velocity(x, t)`, or `velocity(x, t, condition=...)` when the
            coupling gives conditions; with its initial weights chosen by the caller
            (`torch.manual_seed`).
        coupling: where the pairs come from.
        steps: number of optimizer steps.
        batch_size: pairs per step, those of all processes together.
        learning_rate: the highest learning rate of the schedule.
        time_sampler: `stratified_times`, `uniform_times`, `logit_normal_times` or your own.
        loss: `velocity_matching_loss`, `pseudo_huber_loss` or your own
            `loss(velocity, x0, x1, t)`, a mean over the pairs.
        optimizer: Adam, or what makes another one when it is called with the weights and
            `lr=learning_rate`: `rfteach.Muon`, or a class of PyTorch's such as `torch.optim.SGD`.
        ema_decay: share of the old average kept in each step; 0 keeps the last weights alone.
        seed: of all the randomness of the run: pairs and times.
        device: moves `velocity` there and trains there; where its parameters are when None.
        checkpoint: a file saved 20 times along the way. If it exists already, the run goes on from
            it, and on a CPU ends with the very bits that an unbroken run gives (not with dropout,
            whose random numbers are not those of `seed`). A run with other settings, pairs, loss
            or network is refused: eight pairs and the loss on them are compared, so it goes unseen
            when a few rows of the data are others. A second run is refused while the first still
            writes. All processes must see the file; it may be resumed with another number of them,
            but not on a CPU when it comes from a GPU.
        accelerator: of the library accelerate. It sets the device and the precision (bf16),
            whether the velocity is compiled, in how many parts a step is made
            (`gradient_accumulation_steps`, for batches that do not fit into memory), and, under
            `accelerate launch`, how many processes share it. None of the last two changes the run
            but for rounding: every process draws the whole batch and takes its share of the rows.
            (The GPUs must be of one kind, since another kind may draw other random numbers.)
        progress: show a progress bar, in the main process.
        callback: called as `callback(step, loss)` after each step, counted from 0, in each
            process. What it raises ends the run, and `velocity` then holds the average of the
            weights so far.

    Returns:
        The losses and the time taken.

    Raises:
        ValueError: a setting is out of range, or the coupling or the velocity give wrong shapes.
        TypeError: the velocity is not a module, its weights have 16 bits, or a number is of
            another kind.
        NonFiniteLossError: the loss became NaN or infinite; the checkpoint stays that of before.
        CheckpointError: the checkpoint file is damaged, belongs to another run, or cannot be
            read or written.
        OSError: it could not be saved along the way, for want of room on the disk.
    """
    _check_settings(steps, batch_size, learning_rate, ema_decay)
    check_seed(seed)
    check_trainable(velocity)
    check_coupling(coupling)
    if not callable(optimizer):
        raise TypeError(
            f"optimizer is of type {type(optimizer).__name__}, but it must make one, as a class "
            f"does; pass optimizer=rfteach.Muon, say, and train gives it the weights"
        )
    parameters = [p for p in velocity.parameters() if p.requires_grad]
    started = time.perf_counter()
    with (
        torch.enable_grad(),
        held_checkpoint(checkpoint, accelerator),
        prepared(velocity, accelerator, device, batch_size) as model,
        training_threads(parameters),
        Average(parameters, ema_decay) as average,
    ):
        device = parameters[0].device
        generator = torch.Generator(device).manual_seed(seed)
        method = optimizer(parameters, lr=learning_rate)
        highest = [group["lr"] for group in method.param_groups]
        settings = run_settings(
            parameters,
            accelerator,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            time_sampler=time_sampler,
            loss=loss,
            optimizer=described(method),
            ema_decay=ema_decay,
            seed=seed,
        )
        probe = Probe(velocity, coupling, loss, time_sampler) if checkpoint else None
        saved = SavedRun(
            checkpoint, settings, method, average, generator, accelerator, velocity, probe
        )
        losses = saved.restore()
        shown = progress and (accelerator is None or accelerator.is_main_process)
        for step in _bar(losses, steps, shown):
            # Every process draws the whole batch, so the run does not depend on their number.
            pairs = coupling.sample(batch_size, generator=generator, device=device)
            t = time_sampler(batch_size, generator=generator, device=device)
            method.zero_grad()
            value = add_gradient(model, loss, pairs, t, accelerator)
            if not math.isfinite(value):
                raise _not_finite(f"the loss became {value} in step {step}", learning_rate)
            if step > 0:
                average.update()  # weights enter once they have given a finite loss
            for group, rate in zip(method.param_groups, highest, strict=True):
                group["lr"] = rate * _factor((step + 0.5) / steps)
            method.step()
            losses.append(value)
            saved.save_when_due(losses)
            if callback is not None:
                callback(step, value)
        if not all(torch.isfinite(p).all() for p in parameters):
            raise _not_finite(f"weights not finite after step {len(losses) - 1}", learning_rate)
        average.update()
    return TrainingRun(torch.tensor(losses), len(losses), time.perf_counter() - started)


def _bar(losses: list[float], steps: int, shown: bool) -> Iterable[int]:
    """Run through the steps that are left, behind a progress bar that shows the recent loss."""
    done = len(losses)
    with progress_bar(steps, shown=shown, initial=done, desc="training", unit="step") as bar:
        for step in range(done, steps):
            yield step
            bar.update()
            if (step + 1) % 100 == 0:
                bar.set_postfix_str(f"loss {sum(losses[-100:]) / 100:.4f}", refresh=False)


def _not_finite(what: str, learning_rate: float) -> NonFiniteLossError:
    return NonFiniteLossError(
        f"{what}; lower learning_rate (now {learning_rate:g}), or look for NaN in what the "
        f"coupling gives and for a division by zero in the velocity"
    )


def _check_settings(steps: int, batch_size: int, learning_rate: float, ema_decay: float) -> None:
    check_count("steps", steps)
    check_count("batch_size", batch_size)
    for name, value in (("learning_rate", learning_rate), ("ema_decay", ema_decay)):
        if not isinstance(value, (int, float)):
            raise TypeError(f"{name} = {value!r}, but it must be a number; pass a float")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate = {learning_rate}, but it must be positive and finite")
    if not 0 <= ema_decay < 1:
        raise ValueError(f"ema_decay = {ema_decay}, but it must be in [0, 1)")
