"""An accelerator in training: what it must be like, and how its processes share a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from rfteach._losses import Loss
from rfteach._velocity import with_condition

if TYPE_CHECKING:
    from accelerate import Accelerator


def check_one_device(accelerator: Accelerator, device: torch.device | str | None) -> None:
    """Raise when there is an accelerator and a device was asked for besides."""
    if device is not None:
        raise ValueError(
            f"device = {device!r}, but the accelerator chooses the device ({accelerator.device}); "
            f"pass one of the two"
        )


def check_accelerator(
    accelerator: Accelerator, device: torch.device | str | None, batch_size: int
) -> None:
    """Raise unless the accelerator suits `train`, its batch, and no other device was asked for."""
    check_one_device(accelerator, device)
    if accelerator.scaler is not None:
        raise ValueError("fp16 needs a scaled loss, which train does not do; use bf16")
    if accelerator.distributed_type in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        raise ValueError(
            f"the accelerator shares out the weights ({accelerator.distributed_type.value}), but "
            f"train keeps all of them in each process; start it with: accelerate launch --multi_gpu"
        )
    processes, parts = accelerator.num_processes, accelerator.gradient_accumulation_steps
    if batch_size % (processes * parts):
        above = batch_size + -batch_size % (processes * parts)
        raise ValueError(
            f"batch_size = {batch_size} is that of all processes together, and does not divide "
            f"into {processes} processes times {parts} parts (gradient_accumulation_steps); take a "
            f"multiple of {processes * parts}, such as {above}"
        )


@contextlib.contextmanager
def prepared(
    velocity: nn.Module,
    accelerator: Accelerator | None,
    device: torch.device | str | None,
    batch_size: int,
) -> Iterator[nn.Module]:
    """Move a velocity to where it is trained, and yield what to call there in place of it.

    With an accelerator, all processes then have the weights of the first one. What it puts into the
    velocity is taken out again at the end.

    Raises:
        ValueError: the accelerator does not suit the training (see `check_accelerator`).
    """
    if accelerator is None:
        if device is not None:
            velocity.to(device)
        yield velocity
        return
    check_accelerator(accelerator, device, batch_size)
    velocity.to(accelerator.device)
    try:
        yield accelerator.prepare(velocity)
    finally:
        for name in ("forward", "_original_forward", "_is_accelerate_prepared"):
            vars(velocity).pop(name, None)


def add_gradient(
    model: nn.Module,
    loss: Loss,
    pairs: Sequence[Shaped[Tensor, "batch ..."]],
    t: Float[Tensor, "batch *pair"],
    accelerator: Accelerator | None,
) -> float:
    """Add the gradient of a batch's mean loss to the weights of `model`, and return that loss.

    With an accelerator, each process takes a share of the rows, those of its rank, in as many parts
    as gradients are accumulated. Gradient and loss are then the mean over all, the same in every
    process: but for rounding, those that one process finds for the whole batch at once.

    Args:
        model: what `prepared` yields.
        loss: called as `loss(velocity, x0, x1, t)` with rows of the batch; a mean over them.
        pairs: x0 and x1, each of shape (batch, *event), and what the velocity is told of each pair,
            if anything; the same in all processes. `check_accelerator` has made sure that the rows
            can be shared out equally.
        t: their times, shape (batch,); (batch, 2) for the two ends of a step.
        accelerator: of the library accelerate, or None.
    """

    def error_of(t: Tensor, x0: Tensor, x1: Tensor, *condition: Tensor) -> Tensor:
        return loss(with_condition(model, *condition), x0, x1, t)

    if accelerator is None:
        error = error_of(t, *pairs)
        error.backward()
        return error.item()
    parts = accelerator.gradient_accumulation_steps
    rows = len(t) // (parts * accelerator.num_processes)
    shares = list(zip(*(column.split(rows) for column in (t, *pairs)), strict=True))
    first = parts * accelerator.process_index
    total = torch.zeros((), device=accelerator.device)
    accelerator.step = 0  # its count of parts; a run that was interrupted left it anywhere
    for share in shares[first : first + parts]:
        with accelerator.accumulate(model):  # which synchronizes the gradients in the last part
            error = error_of(*share)
            accelerator.backward(error)  # of error / parts
            total = total + error.detach() / parts
    return torch.as_tensor(accelerator.reduce(total, reduction="mean")).item()
