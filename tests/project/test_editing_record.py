"""The record of the ways to edit in chapter 17 is complete."""

import json
import math
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCHMARK = runpy.run_path(str(ROOT / "benchmarks" / "editing.py"))
RECORD = json.loads((ROOT / "rfteach" / "_shipped" / "editing.json").read_text())


def test_the_record_is_complete():
    assert RECORD["seeds"] == list(BENCHMARK["SEEDS"])
    assert (RECORD["images"], RECORD["steps"]) == (BENCHMARK["IMAGES"], BENCHMARK["STEPS"])
    assert RECORD["gammas and eta"] == [*BENCHMARK["GAMMAS"], BENCHMARK["ETA"]]
    guidance = BENCHMARK["GUIDANCE"]
    assert RECORD["guidance"] == [guidance["scale"], *guidance["interval"]]
    assert list(RECORD["runs"]) == list(BENCHMARK["PAIRS"])
    for runs in RECORD["runs"].values():
        assert list(runs) == [str(seed) for seed in RECORD["seeds"]]
        for run in runs.values():
            assert list(run) == list(BENCHMARK["WAYS"])
            for name, strengths in BENCHMARK["WAYS"].items():
                assert list(run[name]) == [str(k) for k in strengths]
                for found in run[name].values():
                    assert sorted(found) == ["changed", "distance", "kept"]
                    assert all(math.isfinite(value) for value in found.values())


def test_the_other_scales_are_there():
    assert list(RECORD["scales"]) == [str(scale) for scale in BENCHMARK["SCALES"]]
    for pairs in RECORD["scales"].values():
        assert list(pairs) == list(BENCHMARK["PAIRS"])
        for runs in pairs.values():
            assert list(runs) == [str(seed) for seed in RECORD["seeds"]]
            for run in runs.values():
                chosen = {name: list(found) for name, found in run.items()}
                assert chosen == {name: [str(k)] for name, k in BENCHMARK["CHOSEN"].items()}


def test_all_noise_is_the_floor():
    for runs in RECORD["runs"].values():
        for run in runs.values():
            assert abs(run["SDEdit"]["0"]["kept"]) < 0.3  # nothing of the image goes in
