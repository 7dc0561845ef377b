"""Record what real pairs, run backward, do in Reflow: rfteach/_shipped/real_pairs.json.

    python -m benchmarks.real_pairs

The pairs are made by the cell of chapter 5 that has this name, which is executed here. Three
settings, each with drawn pairs, half and half, and real pairs only, from the same first flow, with
the same training: a first flow that was hardly trained; three hasty rounds; and a coarse solver for
the pairs. Each seed has its own first flow, pairs, noise and data for the measures, and within a
seed these are the same for all flows.
"""

import ast
import copy
import hashlib
import json
import os
import statistics
import time
from pathlib import Path

import torch

import rfteach as rf

ROOT = Path(__file__).parents[1]
CHAPTER = ROOT / "book" / "05_reflow.ipynb"
RECORD = ROOT / "rfteach" / "_shipped" / "real_pairs.json"
CELL = "real-pairs"
SEEDS, POINTS, PAIRS = range(1, 7), 2500, 10_000
SHARES = {"drawn": 0.0, "half and half": 0.5, "real": 1.0}
SETTINGS = {  # steps of the first training; rounds; steps of each; solver of the pairs
    "poor first flow": (100, 1, 400, {}),
    "three hasty rounds": (1500, 3, 300, {}),
    "coarse solver": (1500, 1, 500, {"solver": rf.euler, "steps": 4}),
}
noise, moons = rf.Gaussian(2), rf.Moons()


def chapter_code() -> str:
    """Return the source of the cell."""
    cells = json.loads(CHAPTER.read_text())["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["id"] == CELL)


def fingerprint() -> str:
    """Return a hash of that code as Python sees it: layout and comments do not matter."""
    return hashlib.sha256(ast.unparse(ast.parse(chapter_code())).encode()).hexdigest()


def ends(velocity, x0: torch.Tensor) -> torch.Tensor:
    """Return where the flow leads, by so many steps that the solver does not count."""
    return rf.heun(velocity, x0, steps=20, keep="end").end


def measure(seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return a thousand times the energy distances of all flows of one seed."""
    names: dict = {"rf": rf, "torch": torch, "noise": noise, "moons": moons}
    exec(chapter_code(), names)
    generator = torch.Generator().manual_seed(10_000 + seed)
    z, other = (noise.sample(POINTS, generator=generator) for _ in range(2))
    data, x = (moons.sample(POINTS, generator=generator) for _ in range(2))

    def distances(velocity) -> dict[str, float]:
        one = rf.euler(velocity, z, steps=1).end
        found = {"ends": (ends(velocity, z), x), "one step": (one, x)}
        return {k: round(1000 * rf.energy_distance(*pair), 3) for k, pair in found.items()}

    firsts, found = {}, {}
    for setting, (first_steps, rounds, steps, solver) in SETTINGS.items():
        if first_steps not in firsts:
            torch.manual_seed(seed)
            first = rf.VelocityMLP(dim=2)
            pairs = rf.IndependentCoupling(noise, moons)
            rf.train(first, pairs, steps=first_steps, seed=seed, progress=False)
            firsts[first_steps] = first
        first = firsts[first_steps]
        found[setting] = {"first flow": distances(first)}
        for name, share in SHARES.items():
            velocity = first
            for k in range(rounds):
                torch.manual_seed(100 * seed + k)
                pairs = names["mixed_pairs"](velocity, PAIRS, real=share, **solver)
                velocity = copy.deepcopy(velocity)
                rf.train(velocity, pairs, steps=steps, seed=seed + k + 1, progress=False)
            found[setting][name] = distances(velocity)
            if name == "real":  # the noise of its real pairs, and where the flow leads from there
                back = names["mixed_pairs"](first, POINTS, real=1.0, **solver).x0
                found[setting]["noise of the real pairs"] = {
                    "to Gaussian": round(1000 * rf.energy_distance(back, other), 3),
                    "ends": round(1000 * rf.energy_distance(ends(velocity, back), x), 3),
                }
    floors = {"ends": (data, x), "to Gaussian": (z, other)}
    found["two true samples"] = {
        k: round(1000 * rf.energy_distance(*pair), 3) for k, pair in floors.items()
    }
    return found


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)
    runs = {}
    for seed in SEEDS:
        started = time.process_time()
        runs[str(seed)] = measure(seed)
        record = {
            "what": "1000 times the energy distance of flows of real and drawn pairs, chapter 5",
            "made_by": "python -m benchmarks.real_pairs",
            "code": fingerprint(),
            "seeds": [int(done) for done in runs],
            "distances": runs,
        }
        RECORD.write_text(json.dumps(record) + "\n")
        print(f"seed {seed}: {time.process_time() - started:.0f} s of CPU time", flush=True)
    for setting, by_name in runs[str(SEEDS[0])].items():
        for name in by_name:
            values = [run[setting][name] for run in runs.values()]
            columns = {"": values} if isinstance(values[0], float) else values[0]
            for key in columns:
                column = values if key == "" else [value[key] for value in values]
                print(
                    f"{setting:20s} {name:24s} {key:12s} {statistics.mean(column):8.2f} "
                    f"+- {statistics.stdev(column) / len(column) ** 0.5:.2f}"
                )
