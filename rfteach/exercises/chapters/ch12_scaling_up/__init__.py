"""Checkers for chapter 12, on scaling up."""

from __future__ import annotations

import functools
import reprlib
from typing import Any

import torch

from rfteach._optional import optional
from rfteach._runs.costs import count_operations
from rfteach.exercises.chapters.ch12_scaling_up.expect_rows import expect_rows, slip_of_ranges
from rfteach.exercises.chapters.ch12_scaling_up.shards import (
    drawing,
    expect_normal,
    expect_own_numbers,
    expect_repeated,
)
from rfteach.exercises.chapters.ch12_scaling_up.unequal_parts import combined
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
        n = batch // processes
        here = f"With {processes} processes and a batch of {batch}: "
        taken = [row for share in shares for row in share]
        if not taken:
            raise Wrong(f"{here}nobody takes any row.")
        ends = [[[rank * n, (rank + 1) * n - last] for rank in range(processes)] for last in (0, 1)]
        if n > 2 and shares in ends:
            raise Wrong(
                f"{here}process 0 returns {tuple(shares[0])}. A pair is read as two rows, not as a "
                f"first and a last one: return them all, as by `range`."
            )
        if slip := slip_of_ranges(shares, batch):
            raise Wrong(f"{here}process 1 takes {reprlib.repr(shares[1])}. {slip}")
        for rank, share in enumerate(shares):
            outside = [row for row in share if not 0 <= row < batch]
            if outside:
                raise Wrong(
                    f"{here}process {rank} asks for row {outside[0]}, but the rows are 0 to "
                    f"{batch - 1}. {_why_outside(share, rank, n)}"
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
        counts = {len(set(share)) for share in shares}
        if len(counts) == 1 and counts != {n}:
            raise Wrong(
                f"{here}process 0 takes {reprlib.repr(shares[0])}. Its share is {n} rows, "
                f"{batch} / {processes}."
            )
        first = f"Process 0 takes {reprlib.repr(shares[0])}."
        if processes > 1:
            first += f" Process 1 takes {reprlib.repr(shares[1])}."
        twice = sorted({row for row in taken if taken.count(row) > 1})
        if twice:
            raise Wrong(
                f"{here}row {twice[0]} is taken more than once, so it would count twice. {first}"
            )
        missing = sorted(set(range(batch)) - set(taken))
        if missing:
            raise Wrong(
                f"{here}row {missing[0]} is taken by nobody, so its pair was drawn in vain. {first}"
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


def _why_outside(share: list[int], rank: int, n: int) -> str:
    """Say why a share of rows reaches out of the batch, where n is its right number of rows."""
    if len(set(share)) != n:
        return f"It takes {len(set(share))} rows. Its share is {n}."
    own = set(range(rank * n, (rank + 1) * n))
    if set(share) in ({row + n for row in own}, {row - n for row in own}):
        return "The ranks count from 0, as the rows do."
    if set(share) == {row + 1 for row in own}:
        return "The rows count from 0."
    return "Where does process 0 begin, and by how many rows does each begin later?"


PARTS = [  # sizes of the parts; shape of a gradient; dtype
    ((3, 5, 2), (3,), torch.float64),
    ((1, 7), (2, 5), torch.float32),
    ((3, 3, 3), (4,), torch.float64),
    ((2, 9, 4), (3, 5), torch.float64),
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
        result = call(combine, gradients, sizes)
        like = "The sizes are integers: convert with `sizes.to(gradients.dtype)`."
        got = expect_tensor(
            result, gradients[0], "The gradient", dtype=like, finite="No part is empty."
        )
        wanted, mistakes = combined(gradients, sizes)
        case = "A case to try: parts of 1 row and 3 rows count for 1/4 and 3/4."
        expect_close(got, wanted, mistakes, name="The gradient", pointer=case)
    return Right(
        "Each part counts for its share of the rows. With equal parts this is the plain mean, and "
        "that is why `rf.train` insists on equal parts."
    )


@exercise("12.3", "The noise of a shard", "code")
def shard_noise(shard_noise: Any) -> Right:
    """Check `shard_noise(seed, k, n)`: noise (n, 2) for shard k, whoever makes it and when."""
    with torch.device("cpu"):  # so that a generator and `randn` go together, on any machine
        draw = drawing(shard_noise)
        for seed, k in [(0, 0), (7, 3)]:
            expect_repeated(draw, seed, k)
        expect_own_numbers(draw)
        expect_normal(draw(0, 2, 20_000))
    return Right(
        "The noise depends on the seed and on k, and on nothing else: not on who makes the shard, "
        "nor on what was made before it. That is all a restart needs."
    )


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
