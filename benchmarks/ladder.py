"""Record the ladder of chapter 6 over many seeds, in rfteach/_shipped/ladder.json.

    python -m benchmarks.ladder

The code that trains and measures is the chapter's own: its cells of these names are executed here.
The chapter itself runs one more seed and holds it against this record. Seeds run in two processes.
"""

import ast
import hashlib
import json
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHAPTER = ROOT / "book" / "06_one_step.ipynb"
RECORD = ROOT / "rfteach" / "_shipped" / "ladder.json"
CELLS = ["setup", "ladder-training", "ladder-measure"]
SEEDS = range(1, 25)


def chapter_code() -> str:
    """Return the source of the named cells, one after the other."""
    cells = {cell["id"]: cell["source"] for cell in json.loads(CHAPTER.read_text())["cells"]}
    return "\n".join("".join(cells[name]) for name in CELLS)


def fingerprint() -> str:
    """Return a hash of that code as Python sees it: layout and comments do not matter."""
    return hashlib.sha256(ast.unparse(ast.parse(chapter_code())).encode()).hexdigest()


def chapter_names() -> dict:
    """Execute the code and return the names that it defines."""
    names: dict = {}
    exec(chapter_code(), names)
    return names


def climb(seed: int) -> tuple[dict[str, list[float]], float]:
    """Train and measure all models from one seed; return their distances and the CPU time."""
    started = time.process_time()
    chapter = chapter_names()
    models = chapter["train_ladder"](seed)
    distances = {
        name: [round(float(d), 5) for d in chapter["measure"](velocity).values()]
        for name, velocity in models.items()
    }
    return distances, time.process_time() - started


if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
    with ProcessPoolExecutor(2) as pool:
        runs = dict(zip(SEEDS, pool.map(climb, SEEDS), strict=True))
    names = next(iter(runs.values()))[0].keys()
    record = {
        "what": "mean 2-Wasserstein distance to the data after N Euler steps, chapter 6",
        "made_by": "python -m benchmarks.ladder",
        "code": fingerprint(),
        "seeds": list(SEEDS),
        "steps": chapter_names()["STEPS"],
        "distances": {
            name: {str(seed): distances[name] for seed, (distances, _) in runs.items()}
            for name in names
        },
    }
    RECORD.write_text(json.dumps(record) + "\n")
    slowest = max(seconds for _, seconds in runs.values())
    print(f"{RECORD.name}: {len(SEEDS)} seeds, at most {slowest:.0f} s of CPU time each")
    print(f"{'N':16s}", *(f"{n:>13d}" for n in record["steps"]))
    for name, by_seed in record["distances"].items():
        columns = list(zip(*by_seed.values(), strict=True))
        cells = (f"{statistics.mean(c):.3f} +- {statistics.stdev(c):.3f}" for c in columns)
        print(f"{name:16s}", *cells)
