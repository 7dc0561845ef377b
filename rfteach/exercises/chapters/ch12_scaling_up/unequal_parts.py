"""The gradient of a batch out of those of its parts, right and with mistakes, for 12.2."""

from __future__ import annotations

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import Mistake


def combined(gradients: Tensor, sizes: Tensor) -> tuple[Tensor, list[Mistake]]:
    """Return the gradient of the whole batch (*shape), and wrong ones with their hints.

    Args:
        gradients: of the mean losses of the parts, shape (k, *shape).
        sizes: rows of each part, shape (k,).
    """
    weights = along(sizes.to(gradients.dtype), gradients)
    total = weights.sum()
    k, shape = len(sizes), gradients.shape[1:]
    upside_down = "The weights are upside down: a large part counts for more."
    axes = "Give them trailing axes of length 1, one for each axis of a gradient: "
    axes += "`sizes.reshape(-1, *[1] * (gradients.ndim - 1))`."
    mistakes = [
        (gradients.mean(dim=0), "This is the plain mean of the parts. A row in a small part then "
         "counts for more than one in a large part."),
        (gradients.sum(dim=0), "This is the sum of the parts: nothing divides it."),
        ((weights * gradients).sum(dim=0), "This is the sum over all rows. The loss is a mean over "
         "the batch, so divide by the number of rows."),
        ((weights * gradients).mean(dim=0), "This divides by the number of parts. Divide by the "
         "number of rows in the batch."),
        ((gradients / weights).sum(dim=0), "The gradient of a part is that of a mean already. To "
         "get back to its sum, multiply by its size; do not divide."),
        ((gradients / weights).mean(dim=0), "The gradient of a part is that of a mean already. To "
         "get back to its sum, multiply by its size; do not divide."),
        ((gradients / weights).sum(dim=0) / (1 / weights).sum(), upside_down),
        (((total - weights) * gradients).sum(dim=0) / total, upside_down),
        (gradients.sum(dim=0) / total, "This divides by the number of rows without multiplying "
         "each part by its own number first."),
        ((weights * gradients).sum(dim=0) / total / k, "This divides by the number of parts, too. "
         "The number of rows is enough."),
        ((weights / weights.mean() * gradients).sum(dim=0), "The weights should add up to 1: "
         "divide the sizes by their sum, not by their mean."),
        ((weights / weights.norm() * gradients).sum(dim=0), "The weights should add up to 1: "
         "divide the sizes by their sum, not by their norm."),
        ((weights / weights.max() * gradients).sum(dim=0), "This divides by the largest part. "
         "Divide by the number of rows in the batch."),
        ((weights / weights.max() * gradients).mean(dim=0), "This divides by the largest part. "
         "Divide by the number of rows in the batch."),
        (_weighed(weights**2, gradients), "The sizes come in twice. Each part counts for its "
         "number of rows, not for the square of it."),
        (_weighed(weights.sqrt(), gradients), "Each part counts for its number of rows, not for "
         "the root of it."),
        (_weighed(torch.softmax(weights, dim=0), gradients), "A softmax is no share: divide each "
         "size by their sum."),
        (_weighed(weights.flip(0), gradients), "The sizes go the other way around."),
        (_weighed(weights.roll(1, 0), gradients), "The sizes are those of other parts, one off."),
        (_weighed(weights.roll(-1, 0), gradients), "The sizes are those of other parts, one off."),
        ((weights // total * gradients).sum(dim=0), "The shares are cut to whole numbers: is "
         "there a `//` where `/` belongs?"),
        (gradients[0], "This is the gradient of the first part alone."),
        (gradients[-1], "This is the gradient of the last part alone. Does each part replace the "
         "one before?"),
        (gradients[int(sizes.argmax())], "This is the gradient of the largest part alone."),
        (gradients.median(dim=0).values, "This is a median. The loss is a mean."),
        (_running(gradients), "Each part is averaged with the result so far, half and half. So the "
         "last one counts for half of it. Weigh by the rows on each side."),
    ]  # fmt: skip
    for axis, n in enumerate(shape):  # then this broadcasts without a word
        if n == k:
            trailing = len(shape) - 1 - axis
            wide = sizes.to(gradients.dtype).reshape(-1, *[1] * trailing)
            last = "along the last axis, that of" if not trailing else "along an axis of"
            hint = f"The sizes run {last} the weights. {axes}"
            mistakes += [
                ((wide * gradients).sum(dim=0) / total, hint),
                ((wide * gradients).sum(dim=0), f"{hint} And divide by the number of rows."),
            ]
    return _weighed(weights, gradients), mistakes


def _weighed(weights: Tensor, gradients: Tensor) -> Tensor:
    return (weights * gradients).sum(dim=0) / weights.sum()


def _running(gradients: Tensor) -> Tensor:
    result = gradients[0]
    for each in gradients[1:]:
        result = (result + each) / 2
    return result
