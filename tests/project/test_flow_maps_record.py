"""The records of the races in chapter 15 belong to the scripts that made them."""

import json
import math
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("flow_maps", "flow_maps_digits")
SCRIPTS = {name: runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py")) for name in NAMES}
RECORDS = {
    name: json.loads((ROOT / "rfteach" / "_shipped" / f"{name}.json").read_text()) for name in NAMES
}


@pytest.mark.parametrize("name", NAMES)
def test_the_record_was_made_by_the_script(name):
    again = f"the script has changed: run python -m benchmarks.{name}"
    assert RECORDS[name]["code"] == SCRIPTS[name]["fingerprint"](), again


def test_the_record_of_the_plane_is_complete():
    record = RECORDS["flow_maps"]
    seeds = [str(seed) for seed in record["seeds"]]
    assert list(record["races"]) == [str(steps) for steps in record["budgets"]]
    assert list(record["variants"]) == list(SCRIPTS["flow_maps"]["variants"]())
    by_seed = [*record["races"].values(), *record["variants"].values()]
    assert all(list(runs) == seeds for runs in by_seed)
    runs = [run for each in record["variants"].values() for run in each.values()]
    runs += [
        run
        for each in record["races"].values()
        for models in each.values()
        for run in models.values()
    ]
    for run in runs:
        assert len(run["distance"]) == len(record["jumps"]) and run["seconds"] > 0
        assert all(math.isfinite(d) for d in run["distance"])


def test_the_record_of_digits_is_complete():
    record = RECORDS["flow_maps_digits"]
    draws = SCRIPTS["flow_maps_digits"]["DRAWS"]
    assert list(record["race"]) == [str(seed) for seed in record["seeds"]]
    runs = [run for trials in record["tried"].values() for run in trials]
    for models in record["race"].values():
        assert list(models) == ["1-RF", "2-RF", "1-RF, distilled", "MeanFlow"]
        runs += models.values()
    for run in runs:
        assert run["seconds"] > 0
        for key in ("distance", "right label"):
            assert [len(row) for row in run[key]] == [draws] * len(record["jumps"])
            assert all(math.isfinite(value) for row in run[key] for value in row)
    assert all(len(digit) == 64 for drawn in record["digits"].values() for digit in drawn)
