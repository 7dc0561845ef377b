"""The record of the real pairs in chapter 5 belongs to the code that stands in the chapter."""

import json
import math
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "real_pairs.py"))
RECORD = json.loads((ROOT / "rfteach" / "_shipped" / "real_pairs.json").read_text())


def test_the_record_was_made_by_the_code_of_the_chapter():
    again = "mixed_pairs of chapter 5 has changed: run python -m benchmarks.real_pairs"
    assert RECORD["code"] == BENCHMARK["fingerprint"](), again


def test_the_record_is_complete():
    assert RECORD["seeds"] == list(BENCHMARK["SEEDS"])
    assert list(RECORD["distances"]) == [str(seed) for seed in RECORD["seeds"]]
    for run in RECORD["distances"].values():
        assert list(run) == [*BENCHMARK["SETTINGS"], "two true samples"]
        for setting in BENCHMARK["SETTINGS"]:
            names = ["first flow", *BENCHMARK["SHARES"], "noise of the real pairs"]
            assert sorted(run[setting]) == sorted(names)
        numbers = [value for found in run.values() for value in _numbers(found)]
        assert all(math.isfinite(value) for value in numbers)


def _numbers(found):
    for value in found.values():
        if isinstance(value, dict):
            yield from _numbers(value)
        else:
            yield value
