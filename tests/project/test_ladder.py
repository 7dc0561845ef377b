"""The record of the ladder in chapter 6 belongs to the code that stands in the chapter."""

import json
import math
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
LADDER = runpy.run_path(str(ROOT / "benchmarks" / "ladder.py"))
RECORD = json.loads((ROOT / "rfteach" / "_shipped" / "ladder.json").read_text())


def test_the_record_was_made_by_the_code_of_the_chapter():
    again = "the chapter's ladder has changed: run python -m benchmarks.ladder"
    assert RECORD["code"] == LADDER["fingerprint"](), again


def test_the_record_is_complete():
    names = [f"{k}-RF{end}" for k in (1, 2, 3) for end in ("", ", distilled")]
    assert sorted(RECORD["distances"]) == sorted(names)
    for by_seed in RECORD["distances"].values():
        assert list(by_seed) == [str(seed) for seed in RECORD["seeds"]]
        for distances in by_seed.values():
            assert len(distances) == len(RECORD["steps"])
            assert all(math.isfinite(d) and d > 0 for d in distances)


def test_the_recorded_seeds_are_not_the_one_that_the_chapter_runs():
    cells = json.loads(LADDER["CHAPTER"].read_text())["cells"]
    run = next("".join(cell["source"]) for cell in cells if cell["id"] == "ladder-run")
    names: dict = {}
    exec(run.splitlines()[0], names)
    assert names["SEED"] not in RECORD["seeds"]
