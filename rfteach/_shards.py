"""The flow's own pairs in several files: for more than one process makes, or memory holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rfteach._checks import check_conditions, check_count, check_distribution, check_seed
from rfteach._couplings import PAIRS_FORMAT, PairedCoupling
from rfteach._distributions import Distribution
from rfteach._reflow import FixedStepSolver, flow_coupling
from rfteach._rows import Rows
from rfteach._runs.probe import close
from rfteach._runs.processes import check_one_device
from rfteach._runs.progress import progress_bar
from rfteach._runs.tensors import (
    CheckpointError,
    check_settings,
    fingerprint,
    function_name,
    held,
    load_tensors,
    save_tensors,
)
from rfteach._solvers import heun
from rfteach._velocity import Velocity

if TYPE_CHECKING:
    from accelerate import Accelerator

ELSEWHERE = "pass another folder"
PROBE = 4  # pairs of one seed, beside the others in each shard: they tell one flow from another
NAME = re.compile(r"pairs-\d{5,}-of-(\d{5,})\.safetensors")


class ShardedCoupling(Rows):
    """The pairs that `sharded_flow_coupling` left in a folder, drawn with replacement.

    It gives what a `PairedCoupling` of all the shards, one after the other, would give. The files
    are mapped into memory: only the rows that are drawn are read from disk, and the operating
    system keeps as many of them as fit. The rows of a batch lie anywhere, so a local SSD helps. In
    `train` each process draws the whole batch: P processes read P times as much as one.

    Args:
        folder: where the shards are, all of them.

    Raises:
        CheckpointError: a shard is missing or damaged, or the shards are of different runs.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        again = "call sharded_flow_coupling again: it makes what is missing"
        found = sorted(path.name for path in self.folder.glob("pairs-*-of-*.safetensors"))
        counts = sorted({int(match[1]) for name in found if (match := NAME.fullmatch(name))})
        if not counts:
            raise CheckpointError(f"{self.folder} holds no shards of pairs; {again}")
        if len(counts) > 1:
            raise CheckpointError(
                f"{self.folder} holds shards of runs with {' and '.join(map(str, counts))} shards; "
                f"delete those of one of them"
            )
        names = [shard_name(k, counts[0]) for k in range(counts[0])]
        missing = [name for name in names if name not in found]
        if missing:
            raise CheckpointError(
                f"{self.folder} lacks {len(missing)} of {len(names)} shards, the first of them "
                f"{missing[0]}; {again}"
            )
        read = [_read(self.folder / name) for name in names]
        self._shards, settings, probes = zip(*read, strict=True)
        for k, name in enumerate(names):
            expected = settings[0] | {"shard": k}
            check_settings(self.folder / name, settings[k], expected, f"delete it and {again}")
            _check_probe(self.folder / name, probes[k], probes[0], f"delete it and {again}")
        self.shard_size = settings[0]["shard_size"]
        self._size = settings[0]["size"]

    def __len__(self) -> int:
        return self._size

    def _take(self, rows: Int[Tensor, " n"]) -> list[Shaped[Tensor, "n ..."]]:
        rows = rows.cpu()
        shards, rows = rows // self.shard_size, rows % self.shard_size
        drawn = [c.new_empty(len(rows), *c.shape[1:]) for c in self._shards[0]]
        for shard in shards.unique().tolist():
            here = shards == shard
            for column, stored in zip(drawn, self._shards[shard], strict=True):
                column[here] = stored[rows[here]]
        return drawn


def sharded_flow_coupling(
    velocity: Velocity,
    source: Distribution,
    folder: Path | str,
    *,
    size: int = 50_000,
    shard_size: int = 10_000,
    solver: FixedStepSolver = heun,
    steps: int | Float[Tensor, " times"] = 20,
    batch_size: int = 2048,
    condition: Shaped[Tensor, "size *condition"] | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> ShardedCoupling:
    """Write the flow's own pairs (Z0, Z1) into files of a folder, by all processes together.

    Shard k holds the pairs from k * `shard_size` on, and its noise is that of `seed` and k alone.
    So the pairs do not depend on the number of processes. A shard is written whole or not at all;
    after a crash, the same call makes only those that are missing.

    Args:
        velocity: callable `velocity(x, t)`, the same in all processes, on the device where the
            pairs are made.
        source: distribution of Z0.
        folder: where the shards go, which all processes see.
        size: number of pairs, in all shards together.
        shard_size: pairs in a file; the last one may have fewer. What a crash can lose.
        solver: `euler`, `heun`, `rk4` or `adams_bashforth`.
        steps: number of solver steps, or their times, rising from 0 to 1.
        batch_size: points solved at a time.
        condition: what the velocity is told of each point, as for `flow_coupling`.
        seed: of the noise.
        accelerator: of the library accelerate; process r of P makes the shards r, r + P, and so on.
            At the end they wait for the slowest, on GPUs for 10 minutes by default; for larger
            shards pass it `InitProcessGroupKwargs(timeout=timedelta(hours=3))` as a handler.
        device: where the flow is solved, without an accelerator; PyTorch's default when None.
        progress: show a progress bar, in the main process.

    Returns:
        The coupling of all shards, once every process has made its own.

    Raises:
        ValueError, TypeError, ArithmeticError: as for `flow_coupling`.
        CheckpointError: a file in the folder is damaged, or was made with other settings, from
            other noise or by another flow; or another run is writing into the folder.
    """
    check_count("size", size)
    check_count("shard_size", shard_size)
    check_seed(seed)
    check_distribution("source", source)
    check_conditions(condition, size)
    rank, processes, main = 0, 1, True
    if accelerator is not None:
        check_one_device(accelerator, device)
        device = accelerator.device
        rank, processes = accelerator.process_index, accelerator.num_processes
        main = accelerator.is_main_process
    folder, count = Path(folder), -(-size // shard_size)
    paths = [folder / shard_name(k, count) for k in range(count)]
    settings = {
        "size": size,
        "shard_size": shard_size,
        "solver": function_name(solver),
        "steps": steps.tolist() if isinstance(steps, Tensor) else steps,
        "seed": seed,
        "source": f"{type(source).__name__} {list(source.event_shape)}",
        "velocity": fingerprint(velocity),
        "condition": None if condition is None else fingerprint(condition),
    }

    def pairs(rows: slice, pairs_seed: int) -> PairedCoupling:
        return flow_coupling(
            velocity,
            source,
            size=rows.stop - rows.start,
            solver=solver,
            steps=steps,
            batch_size=batch_size,
            condition=None if condition is None else condition[rows],
            generator=torch.Generator().manual_seed(pairs_seed),
            device=device,
            progress=False,
        )

    mine = range(rank, count, processes)
    with (
        held(folder / "pairs", ELSEWHERE) if main else contextlib.nullcontext(),
        progress_bar(len(mine), shown=progress and main, desc="pairs", unit="shard") as bar,
    ):
        files = sorted(path for path in folder.glob("pairs-*") if NAME.fullmatch(path.name))
        there = {path: _read(path) for path in files}
        for path, (_, saved, _) in there.items():  # all, before any is made
            expected = settings | {"shard": saved["shard"]}
            check_settings(path, saved, expected, f"delete it, or {ELSEWHERE}")
        few = pairs(slice(0, min(PROBE, size)), seed)
        probe = {"probe.x0": few.x0, "probe.x1": few.x1}
        for path, (_, _, saved_probe) in there.items():
            _check_probe(path, saved_probe, probe, f"delete it, or {ELSEWHERE}")
        for k in mine:
            if not paths[k].exists():
                rows = slice(k * shard_size, min((k + 1) * shard_size, size))
                made = pairs(rows, shard_seed(seed, k))
                tensors = {"x0": made.x0, "x1": made.x1, **probe}
                if made.condition is not None:
                    tensors["condition"] = made.condition
                made_with = json.dumps(settings | {"shard": k}, sort_keys=True)
                save_tensors(paths[k], tensors, {"format": PAIRS_FORMAT, "settings": made_with})
            bar.update()
        if accelerator is not None:
            accelerator.wait_for_everyone()
    return ShardedCoupling(folder)


def shard_name(k: int, count: int) -> str:
    """Name the file of shard k, counted from 0."""
    return f"pairs-{k:05d}-of-{count:05d}.safetensors"


def shard_seed(seed: int, k: int) -> int:
    """Return the seed of the noise of shard k.

    PyTorch's generator on the CPU looks at 32 bits of a seed. Two shards of a run never share them;
    shards of two runs do only by chance.
    """
    start = int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:4])
    return (start + k) % 2**32


def _read(path: Path) -> tuple[list[Tensor], dict, dict[str, Tensor]]:
    """Map a shard into memory: its columns, the settings that it was made with, and its probe."""
    again = "delete it and call sharded_flow_coupling again"
    tensors, header = load_tensors(path, PAIRS_FORMAT, again)
    probe = {name: tensors.pop(name) for name in ("probe.x0", "probe.x1") if name in tensors}
    try:
        settings = dict(json.loads(header["settings"]))
        first = settings["shard"] * settings["shard_size"]
        rows = min(settings["shard_size"], settings["size"] - first)
        count = -(-settings["size"] // settings["shard_size"])
        if path.name != shard_name(settings["shard"], count):
            raise ValueError("it was renamed")
        columns = [tensors.pop(name) for name in ("x0", "x1", "condition") if name in tensors]
        if tensors or len(columns) < 2 or any(len(column) != rows for column in columns):
            raise ValueError(f"it does not hold x0 and x1 of {rows} pairs")
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise CheckpointError(f"{path} is no shard of pairs: {error!r}; {again}") from error
    return columns, settings, probe


def _check_probe(path: Path, saved: dict[str, Tensor], probe: dict[str, Tensor], way_out: str):
    """Raise unless a shard's probe is that of this run; a shard of an old rfteach has none."""
    for name, what in (("probe.x0", "from other noise"), ("probe.x1", "by another flow")):
        if name in saved and name in probe and not close(saved[name], probe[name]):
            raise CheckpointError(f"{path} was made {what}; {way_out}")
