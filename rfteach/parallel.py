"""How the processes of an accelerator share the batch of one training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator


def add_gradient(
    model: nn.Module,
    loss: Callable[..., Tensor],
    batch: Sequence[Shaped[Tensor, "batch ..."]],
    accelerator: Accelerator | None,
) -> float:
    """Add the gradient of a batch's mean loss to the weights of `model`, and return that loss.

    With an accelerator, each process takes a share of the rows, those of its rank, in as many parts
    as gradients are accumulated. Gradient and loss are then the mean over all, the same in every
    process: but for rounding, those that one process finds for the whole batch at once.

    Args:
        model: what `accelerator.prepare` returned, or the velocity when there is no accelerator.
        loss: called as `loss(*columns)` with rows of the batch; the mean of something over them.
        batch: columns of shape (batch, ...), the same in all processes. `check_accelerator` has
            made sure that the rows can be shared out equally.
        accelerator: of the library accelerate, or None.
    """
    if accelerator is None:
        error = loss(*batch)
        error.backward()
        return error.item()
    parts = accelerator.gradient_accumulation_steps
    rows = len(batch[0]) // (parts * accelerator.num_processes)
    shares = list(zip(*(column.split(rows) for column in batch), strict=True))
    first = parts * accelerator.process_index
    total = torch.zeros((), device=accelerator.device)
    accelerator.step = 0  # its count of parts; a run that was interrupted left it anywhere
    for share in shares[first : first + parts]:
        with accelerator.accumulate(model):  # which synchronizes the gradients in the last part
            error = loss(*share)
            accelerator.backward(error)  # of error / parts
            total = total + error.detach() / parts
    return accelerator.reduce(total, reduction="mean").item()
