"""The record of the races in chapter 15 belongs to the script that made it."""

import json
import math
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
RACES = runpy.run_path(str(ROOT / "benchmarks" / "flow_maps.py"))
RECORD = json.loads((ROOT / "rfteach" / "_shipped" / "flow_maps.json").read_text())


def test_the_record_was_made_by_the_script():
    again = "the script has changed: run python -m benchmarks.flow_maps"
    assert RECORD["code"] == RACES["fingerprint"](), again


def test_the_record_is_complete():
    seeds = [str(seed) for seed in RECORD["seeds"]]
    assert list(RECORD["races"]) == [str(steps) for steps in RECORD["budgets"]]
    assert list(RECORD["variants"]) == list(RACES["variants"]())
    assert all(list(by_seed) == seeds for by_seed in RECORD["races"].values())
    assert all(list(by_seed) == seeds for by_seed in RECORD["variants"].values())
    runs = [run for by_seed in RECORD["variants"].values() for run in by_seed.values()]
    runs += [
        run
        for by_seed in RECORD["races"].values()
        for models in by_seed.values()
        for run in models.values()
    ]
    for run in runs:
        assert len(run["distance"]) == len(RECORD["jumps"]) and run["seconds"] > 0
        assert all(math.isfinite(d) for d in run["distance"])
