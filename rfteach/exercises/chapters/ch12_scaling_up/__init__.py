"""Checkers for chapter 12, on scaling up."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach._optional import optional
from rfteach._runs.costs import count_operations
from rfteach.exercises.chapters.ch12_scaling_up.expect_rows import expect_rows
from rfteach.exercises.checking import exercise
from rfteach.exercises.tools.answers import Right, Wrong, call
from rfteach.exercises.tools.expect import expect_close, expect_number, expect_tensor, misconception

SPLITS = [(2, 8), (4, 12), (3, 12), (1, 5), (5, 5), (8, 64)]  # processes, rows of the batch


@exercise("12.1", "Which rows are mine?", "code")
def rows_of(rows_of: Any) -> Right:
    """Check `rows_of(rank, processes, batch)`: the rows of a global batch that a process takes."""
    for processes, batch in SPLITS:
        shares = [
            expect_rows(call(rows_of, rank, processes, batch), batch) for rank in range(processes)
        ]
        here = f"With {processes} processes and a batch of {batch}: "
        taken = [row for share in shares for row in share]
        if not taken:
            raise Wrong(f"{here}nobody takes any row.")
        for rank, share in enumerate(shares):
            outside = [row for row in share if not 0 <= row < batch]
            if outside:
                raise Wrong(
                    f"{here}process {rank} asks for row {outside[0]}, but the rows are 0 to "
                    f"{batch - 1}. The ranks count from 0, as the rows do."
                )
        if processes > 1 and all(len(set(share)) == batch for share in shares):
            raise Wrong(
                f"{here}every process takes all the rows. So each does the whole work, and more "
                f"processes save no time."
            )
        if processes > 1 and all(share == shares[0] for share in shares):
            raise Wrong(
                f"{here}every process takes the same rows, {shares[0]}. So {processes} "
                f"processes do the work of one. What differs between them is the rank."
            )
        twice = sorted({row for row in taken if taken.count(row) > 1})
        if twice:
            raise Wrong(f"{here}row {twice[0]} is taken more than once, so it would count twice.")
        missing = sorted(set(range(batch)) - set(taken))
        if missing:
            raise Wrong(
                f"{here}row {missing[0]} is taken by nobody, so its pair was drawn in vain."
            )
        sizes = [len(share) for share in shares]
        if len(set(sizes)) > 1:
            raise Wrong(
                f"{here}the processes take {sizes} rows. The shares must be equal: the others wait "
                f"for the largest, and a plain mean of the gradients would be wrong."
            )
    return Right(
        "Every row once, and equal shares: the mean of the processes' gradients is the gradient of "
        "the whole batch."
    )


PARTS = [  # sizes of the parts; shape of a gradient; dtype
    ((5, 3, 2), (3,), torch.float64),
    ((1, 7), (2, 5), torch.float32),
    ((3, 3, 3), (4,), torch.float64),
    ((6,), (2,), torch.float32),
    ((100, 30, 1, 1), (3, 2), torch.float32),
]


@exercise("12.2", "Parts of unequal size", "derive")
def combine(combine: Any) -> Right:
    """Check `combine(gradients, sizes)`: the gradient of the batch out of those of its parts."""
    for i, (numbers_of_rows, shape, dtype) in enumerate(PARTS):
        k, generator = len(numbers_of_rows), torch.Generator().manual_seed(1220 + i)
        gradients = torch.randn(k, *shape, generator=generator, device="cpu", dtype=dtype)
        gradients = gradients.to(torch.get_default_device())
        sizes = torch.tensor(numbers_of_rows, device=gradients.device)
        got = expect_tensor(call(combine, gradients, sizes), gradients[0], "The gradient")
        weights = along(sizes.to(dtype), gradients)
        total = weights.sum()
        mistakes = [
            (gradients.mean(dim=0), "This is the plain mean of the parts. A row in a small part "
             "then counts for more than one in a large part."),
            (gradients.sum(dim=0), "This is the sum of the parts: nothing divides it."),
            ((weights * gradients).sum(dim=0), "This is the sum over all rows. The loss is a mean "
             "over the batch, so divide by the number of rows."),
            ((weights * gradients).mean(dim=0), "This divides by the number of parts. Divide by "
             "the number of rows in the batch."),
            ((gradients / weights).sum(dim=0), "The gradient of a part is that of a mean already. "
             "To get back to its sum, multiply by its size; do not divide."),
            ((gradients / weights).sum(dim=0) / (1 / weights).sum(), "The weights are upside down: "
             "a large part counts for more."),
            (gradients.sum(dim=0) / total, "This divides by the number of rows without multiplying "
             "each part by its own number first."),
            ((weights**2 * gradients).sum(dim=0) / (weights**2).sum(), "The sizes come in twice. "
             "Each part counts for its number of rows, not for the square of it."),
            (gradients[0], "This is the gradient of the first part alone."),
            (gradients[-1], "This is the gradient of the last part alone. Does each part replace "
             "the one before?"),
        ]  # fmt: skip
        if shape[-1] == k:  # then this broadcasts without a word
            mistakes.append(((sizes * gradients).sum(dim=0) / total, "The sizes run along the last "
             "axis, that of the weights. Give them trailing axes of length 1, one for each axis of "
             "a gradient: `sizes.reshape(-1, *[1] * (gradients.ndim - 1))`."))  # fmt: skip
        wanted = (weights * gradients).sum(dim=0) / total
        expect_close(got, wanted, mistakes, name="The gradient")
    return Right(
        "Each part counts for its share of the rows. With equal parts this is the plain mean, and "
        "that is why `rf.train` insists on equal parts."
    )


# Shards of seed 0, then first shards of other seeds: a careless mixture takes two for one another.
SHARDS = [(0, k) for k in (*range(1000), 2**10, 10**4 - 1, 10**4, 2**16, 10**5, 10**6 - 1)]
SHARDS += [(seed, 0) for seed in range(1, 1000)]


@exercise("12.3", "The noise of a shard", "code")
def shard_noise(shard_noise: Any) -> Right:
    """Check `shard_noise(seed, k, n)`: noise (n, 2) for shard k, whoever makes it and when."""
    device = torch.get_default_device()
    like = torch.empty(5, 2, device=device, dtype=torch.float32)

    def draw(seed: int, k: int, n: int = 5) -> Tensor:
        result = call(shard_noise, seed, k, n)
        return expect_tensor(result, like.new_empty(n, 2), "The noise")

    for seed, k in [(0, 0), (7, 3)]:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = draw(seed, k)
        moved = not torch.equal(before, torch.get_rng_state())
        torch.manual_seed(2)
        if not torch.equal(first, draw(seed, k)):
            raise Wrong(
                f"shard_noise({seed}, {k}, 5) gave other noise when it was called again. A shard "
                f"that is made anew after a crash must be the same."
            )
        if moved:
            raise Wrong(
                "The noise is the same each time, but PyTorch's global generator was seeded or "
                "used on the way. Whatever is random afterward then repeats. Make a "
                "`torch.Generator` of your own, and pass it to `torch.randn`."
            )
        with mock.patch("builtins.hash", _hash_elsewhere):
            if not torch.equal(first, draw(seed, k)):
                raise Wrong(
                    "Python hashes a text in another way in each process, so another process would "
                    "make other noise. Mix the numbers by arithmetic, or take hashlib."
                )
    if torch.isin(draw(0, 0), draw(0, 1)).any():
        raise Wrong("Shards 0 and 1 of one seed share noise. The number k must come into the seed.")
    for k in (0, 1, 3):
        if torch.equal(draw(3, k), draw(4, k)):
            raise Wrong(
                f"Shard {k} is the same for the seeds 3 and 4. The seed of the run must come in, "
                f"for each shard."
            )
    made: dict[tuple[float, ...], tuple[int, int]] = {}
    for seed, k in SHARDS:
        before = made.setdefault(tuple(draw(seed, k, 1).flatten().tolist()), (seed, k))
        if before != (seed, k):
            raise Wrong(
                f"Shard {before[1]} of seed {before[0]} is shard {k} of seed {seed}. So two runs "
                f"share pairs that should be independent. Every pair (seed, k) needs a seed of its "
                f"own, as in a number system whose base is larger than any last digit."
            )
    many = draw(0, 2, 20_000)
    if many.mean().abs() > 0.05 or (many.std() - 1).abs() > 0.05:
        raise Wrong(
            f"The noise should be standard normal, but its mean is {many.mean():.2f} and its "
            f"standard deviation {many.std():.2f}."
        )
    if (many[:, 0] * many[:, 1]).mean().abs() > 0.05:
        raise Wrong("The two coordinates of a point are not independent.")
    return Right(
        "The noise depends on the seed and on k, and on nothing else: not on who makes the shard, "
        "nor on what was made before it. That is all a restart needs."
    )


def _hash_elsewhere(value: Any, _hash=hash) -> int:
    """Hash as another process might: the same for numbers, not for a text."""
    parts = value if isinstance(value, tuple) else (value,)
    return _hash(value) ^ any(isinstance(part, str | bytes) for part in parts)


@exercise("12.4", "Four times the side", "predict")
def factor(factor: Any) -> Right:
    """Check a prediction: the growth of the U-Net's work from 64 x 64 latents to 256 x 256."""
    predicted = expect_number(factor, "The factor")
    small, large = _counts()
    counted = large / small
    found = (
        f"Counted: {small / 1e12:.2f} TFLOP at 64 x 64, {large / 1e12:.1f} at 256 x 256, a factor "
        f"of {counted:.1f}. "
    )
    if abs(predicted - counted) <= 0.12 * counted:
        return Right(
            found + "The part that is linear in the pixels grows 16 times, the attention among all "
            "pixels 256 times. What was a small part at 64 x 64 is most of the work now."
        )
    hint = misconception(
        predicted,
        [
            (4, "That is the growth of the side. The pixels are its square."),
            (16, "That is the growth of the pixels, as for convolutions alone. The attention grows "
             "as its square."),
            (256, "That is the growth of attention alone. Most of the work at 64 x 64 grows like "
             "the pixels, 16 times, as convolutions do."),
            (64, "There is no part that grows like the cube of the side. Fit a n + b n^2 to the "
             "counts of the chapter, with n the number of pixels."),
            (1 / counted, "You have the inverse."),
            (5.82**2, "The ratio from 64 to 128 does not repeat from 128 to 256: by then attention "
             "has a larger share."),
        ],
    )  # fmt: skip
    hint = hint or (
        "Fit a n + b n^2, with n the number of pixels, to two of the chapter's counts, and put in "
        "n = 256^2."
    )
    raise Wrong(found + hint)


@functools.cache
def _counts() -> tuple[int, int]:
    """Count the operations of Stable Diffusion's network at 64 x 64 and at 256 x 256."""
    with torch.device("meta"), torch.no_grad():
        network = optional("diffusers").UNet2DConditionModel(cross_attention_dim=768)
        text = torch.empty(1, 77, 768)
        small, large = (
            count_operations(network, torch.empty(1, 4, side, side), torch.zeros(1), text)
            for side in (64, 256)
        )
        return small, large
