"""Whether the noise of a shard depends on its two numbers alone, for the checker of 12.3."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Wrong, call
from rfteach.exercises.tools.expect import expect_tensor

Draw = Callable[..., Tensor]
"""Draw n points (n, 2) for a seed and a shard; n is 5 unless said."""

# Shards of seed 0, then first shards of other seeds: a careless mixture takes two for one another.
SHARDS = [(0, k) for k in (*range(1000), 2**10, 10**4 - 1, 10**4, 2**16, 10**5, 10**6 - 1)]
SHARDS += [(seed, 0) for seed in range(1, 1000)]
FLOATS = "Leave it as `torch.randn` makes it, or convert with `.float()`."
NOT_FINITE = "Normal numbers are finite. Is there a logarithm of 0, or a division by it?"


def drawing(answer: Any) -> Draw:
    """Return a function that draws from an answer, wherever that keeps its tensors."""

    def draw(seed: int, k: int, n: int = 5) -> Tensor:
        result = call(answer, seed, k, n)
        if isinstance(result, Tensor) and result.device.type != "meta":
            result = result.cpu()  # a generator may be on any device, and the noise with it
        like = torch.empty(n, 2, device="cpu", dtype=torch.float32)
        return expect_tensor(result, like, "The noise", dtype=FLOATS, finite=NOT_FINITE)

    return draw


def expect_repeated(draw: Draw, seed: int, k: int) -> None:
    """Raise Wrong unless the noise is the same in each call, here and in another process."""
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 (it is the reader who may use this)
    random.seed(1)
    before, others = torch.get_rng_state(), _other_states()
    first = draw(seed, k)
    moved = not torch.equal(before, torch.get_rng_state())
    moved_others = others != _other_states()
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)
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
    if moved_others:
        raise Wrong(
            "The noise is the same each time, but the global generator of numpy or Python was "
            "seeded or used on the way. Make one of your own: `np.random.default_rng(...)`."
        )
    with mock.patch("builtins.hash", _hash_elsewhere):
        if not torch.equal(first, draw(seed, k)):
            raise Wrong(
                "Python hashes a text in another way in each process, so another process would "
                "make other noise. Mix the numbers by arithmetic, or take hashlib."
            )
    with _elsewhere():
        if not torch.equal(first, draw(seed, k)):
            raise Wrong(
                "Another process, with another rank or process number, makes other noise. So a "
                "shard is another one when another process makes it. Leave out the rank, the "
                "number of the process and the clock: k alone says which shard it is."
            )


def _other_states() -> str:
    return repr(np.random.get_state()) + repr(random.getstate())  # noqa: NPY002


def _hash_elsewhere(value: Any, _hash=hash) -> int:
    """Hash as another process might: the same for numbers, not for a text."""
    parts = value if isinstance(value, tuple) else (value,)
    return _hash(value) ^ any(isinstance(part, str | bytes) for part in parts)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Make the process look like another one of a run."""
    ranks = {"RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "8", "SLURM_PROCID": "3"}
    with (
        mock.patch.dict(os.environ, ranks),
        mock.patch("os.getpid", lambda: 4242),
        mock.patch("torch.distributed.get_rank", lambda *a: 3),
        mock.patch("torch.distributed.is_initialized", lambda: True),
        mock.patch("time.time", lambda _time=time.time: _time() + 12_345),
        mock.patch("time.time_ns", lambda _time=time.time_ns: _time() + 12_345 * 10**9),
    ):
        yield


def expect_own_numbers(draw: Draw) -> None:
    """Raise Wrong when two shards share noise, of one seed or of two, and of any sizes."""
    if torch.isin(draw(0, 0), draw(0, 1)).any():
        raise Wrong("Shards 0 and 1 of one seed share noise. The number k must come into the seed.")
    if torch.equal(draw(0, 1, 16), draw(0, 0, 32)[16:]):
        raise Wrong(
            "Shard 1 goes on where shard 0 of as many points ends: there is one stream of noise "
            "for the whole run, and the shards before are drawn and thrown away. Then shards of "
            "other sizes overlap, and a late one takes long. Seed a generator for each shard."
        )
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
    for (k, n), (other, m) in [
        ((0, 5), (1, 4)),
        ((0, 4), (1, 5)),
        ((2, 6), (3, 3)),
        ((1, 8), (2, 4)),
    ]:
        if torch.isin(draw(0, k, n), draw(0, other, m)).any():
            raise Wrong(
                f"Shard {k} with {n} points shares noise with shard {other} with {m} points. Does "
                f"the number of points come into the seed? k and the seed of the run suffice."
            )
    _expect_independent(draw)


def _expect_independent(draw: Draw) -> None:
    n = 20_000
    one = draw(0, 2, n)
    for seed, k in [(0, 3), (1, 2), (0, 0), (7, 2)]:
        other = draw(seed, k, n)
        correlation = torch.corrcoef(torch.cat([one, other], dim=1).T)[:2, 2:]
        if correlation.abs().max() > 0.05:  # seven standard errors
            raise Wrong(
                f"Shard 2 of seed 0 and shard {k} of seed {seed} are not independent: their "
                f"correlation is {correlation.flatten()[correlation.abs().argmax()]:.2f}. Part of "
                f"the noise is the same in both. Draw it once, from one seed made of both numbers."
            )


def expect_normal(many: Tensor) -> None:
    """Raise Wrong unless many points (n, 2) are standard normal."""
    if many.std() > 0.01 and torch.unique(many, dim=0).shape[0] < 0.9 * len(many):
        raise Wrong("Some points of a shard are repeated.")
    if many.mean().abs() > 0.05 or (many.std() - 1).abs() > 0.05:
        raise Wrong(
            f"The noise should be standard normal, but its mean is {many.mean():.2f} and its "
            f"standard deviation {many.std():.2f}."
        )
    fourth = many.pow(4).mean().item()
    if abs(fourth - 3) > 0.4:  # 3 for a normal distribution; it scatters by 0.05
        raise Wrong(
            f"The noise should be standard normal, and its mean fourth power is {fourth:.1f}, not "
            f"3. Is it uniform, or are large values cut off? Take `torch.randn`."
        )
    if (many[:, 0] * many[:, 1]).mean().abs() > 0.05:
        raise Wrong("The two coordinates of a point are not independent.")
