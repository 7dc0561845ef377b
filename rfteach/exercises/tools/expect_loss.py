"""Checking a loss: where the network was called, and what was averaged how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Mistake, Wrong
from rfteach.exercises.tools.expect import close, expect_close, expect_tensor
from rfteach.exercises.tools.inputs import waves
from rfteach.exercises.tools.probe import Probe, expect_one_call


def expect_loss(
    result: Any,
    velocity: Probe,
    place: Tensor,
    t: Tensor,
    target: Tensor,
    places: Sequence[Mistake] = (),
    targets: Sequence[Mistake] = (),
) -> None:
    """Raise Wrong unless `result` is the batch mean of ||target - velocity(place, t)||^2.

    Args:
        result: what the answer returned.
        velocity: the probe it was given.
        place: where the network should have been called, shape (batch, *event).
        t: at which times, shape (batch,).
        target: what the network is compared with, shape (batch, *event).
        places: wrong places, each with its hint.
        targets: wrong targets, each with its hint.
    """
    expect_one_call(velocity, place, t, places)
    if isinstance(result, float):
        raise Wrong("The loss is a float. Return the tensor, without `.item()`: it must train.")
    if isinstance(result, Tensor) and result.shape == t.shape and t.numel() > 1:
        raise Wrong("This is one loss for each point. Take their mean over the batch.")
    constant = isinstance(result, Tensor) and not result.requires_grad
    if isinstance(result, Tensor) and result.is_floating_point():  # a loss of any dtype trains
        result = result.to(t.dtype)
    loss = expect_tensor(result, t.mean(), "The loss")
    error = target - waves(place, t)
    wanted = error.square().flatten(1).sum(dim=1).mean()
    mistakes = [
        (
            error.square().mean(),
            "This is a mean over all entries. The squared norm is a *sum* over the event; only "
            "then comes a mean over the batch. As it is, images and points cannot be compared.",
        ),
        (
            2 * error.square().mean(),
            "This is twice the mean over all entries, which is the squared norm for points in the "
            "plane only. Sum over the event, whatever its shape.",
        ),
        (
            error.square().flatten(1).mean(dim=1).sum(),
            "Sum and mean are swapped: *sum* over the event, *mean* over the batch.",
        ),
        (error.square().sum(), "This is a sum over the batch, too. There, take the mean."),
        (
            error.norm() / len(t),
            "This is one norm over the whole batch. Square, and sum over each event, first.",
        ),
        (wanted.sqrt(), "This is the root of the loss. Leave it out: only squares are needed."),
        (
            error.norm(dim=-1).mean(),
            "This is the mean of the norms of the last axis. Flatten each event, and square.",
        ),
        (
            error.flatten(1).norm(dim=1).mean(),
            "This is the mean of the norms. Their squares are needed: only the least squares lead "
            "to the conditional mean.",
        ),
        (
            error.flatten(1).sum(dim=1).mean(),
            "These are the errors themselves, summed. Square them first.",
        ),
        (
            error.flatten(1).sum(dim=1).square().mean(),
            "The errors of an event are summed and then squared, so that they cancel. Square each "
            "entry first, and then sum.",
        ),
        (
            error.abs().flatten(1).sum(dim=1).mean(),
            "This takes absolute values, not squares. It would lead to the median of the lines.",
        ),
        (
            error.square().sum(dim=1).mean(),
            "For images this sums over the first axis of the event only. Flatten first: "
            "`.flatten(1).sum(dim=1)`.",
        ),
        (
            error.square().sum(dim=-1).mean(),
            "For images this sums over the last axis of the event only. Flatten first: "
            "`.flatten(1).sum(dim=1)`.",
        ),
        (wanted / 2, "There is a factor 1/2 too much."),
        (
            wanted * len(t) / max(len(t) - 1, 1),
            "This divides by n - 1. Here the mean over the batch divides by n.",
        ),
        (
            error.mean(dim=0).square().sum(),
            "This squares the mean error of the batch, where errors cancel. Square first.",
        ),
    ]
    for each, hint in targets:
        squares = (each - waves(place, t)).square().flatten(1)
        mistakes.append((squares.sum(dim=1).mean(), hint))
        mistakes.append((squares.mean(), f"{hint} And over the event, take the sum."))
    expect_close(loss, wanted, mistakes, name="The loss")
    if velocity.weight.grad is not None:
        raise Wrong(
            "The value is right, but your loss calls `backward` itself, so each gradient would "
            "count twice. Leave `backward` to the training loop."
        )
    if constant:
        raise Wrong(
            "The value is right, but it carries no gradient, so nothing can be learned from it. "
            "Look for `no_grad`, `detach` or `.item()`."
        )
    _expect_gradient(result, velocity, (-2 * error * waves(place, t)).flatten(1).sum(dim=1).mean())


def _expect_gradient(loss: Tensor, velocity: Probe, wanted: Tensor) -> None:
    """Raise Wrong unless the loss has this derivative in the probe's one weight."""
    try:
        (gradient,) = torch.autograd.grad(loss, velocity.weight, allow_unused=True)
    except RuntimeError as error:
        raise Wrong(
            f"The value is right, but its gradient is gone ({error}). Leave `backward` to the "
            f"training loop."
        ) from error
    if gradient is None or not close(gradient.to(wanted.dtype), wanted, 1e-3):
        raise Wrong(
            "The value is right, but the gradient does not reach the network as it should: it is "
            "cut or changed between the prediction and the loss. Look for `no_grad`, `detach` or "
            "`requires_grad_`."
        )
