"""The records that chapters 7 and 8 read hold every run of the scripts that made them."""

import json
import math
import runpy
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
MEMORY, PREDICTIONS = (
    runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py")) for name in ("memory", "predictions")
)


def runs_of(script: dict) -> list[dict]:
    return json.loads(script["RECORD"].read_text())["runs"]


def test_the_record_of_the_training_points_is_complete():
    runs = runs_of(MEMORY)
    found = [tuple(run[name] for name in ("setting", "n", "steps", "seed")) for run in runs]
    assert sorted(found) == sorted(MEMORY["jobs"]())
    for run in runs:
        assert 0 <= run["nearer"] <= 1 and 0.3 < run["nearer, true"] < 0.7
        assert run["loss, training"] > run["floor, training"]


def test_nearness_tells_copies_from_new_points():
    circle = MEMORY["CIRCLE"]
    generator = torch.Generator().manual_seed(0)
    training, truth, *fresh = (circle.sample(500, generator=generator) for _ in range(12))
    nearer, copies = MEMORY["nearness"](training, training, fresh)
    assert nearer == copies == 1
    nearer, copies = MEMORY["nearness"](truth, training, fresh)
    assert abs(nearer - 0.5) < 0.1 and copies < 0.2


def test_the_record_of_the_predictions_is_complete():
    runs = runs_of(PREDICTIONS)
    variants = [
        (target, weight)
        for target in PREDICTIONS["TARGETS"]
        for weight in PREDICTIONS["WEIGHTS"]
        if (target, weight) != ("velocity", "of the velocity")
    ]
    expected = [
        (*variant, rate, seed)
        for variant in variants
        for rate in PREDICTIONS["RATES"]
        for seed in PREDICTIONS["SEEDS"]
    ]
    found = [tuple(run[name] for name in ("target", "weight", "rate", "seed")) for run in runs]
    assert sorted(found) == sorted(expected)
    assert all(math.isfinite(run["distance"]) and run["distance"] > 0 for run in runs)


@pytest.mark.parametrize("target", PREDICTIONS["TARGETS"])
def test_each_prediction_gives_the_velocity_and_its_error(target):
    generator = torch.Generator().manual_seed(1)
    x0, x1 = (torch.randn(200, 2, generator=generator).double() for _ in range(2))
    t = 0.02 + 0.96 * torch.rand(200, generator=generator).double()
    x = (1 - t[:, None]) * x0 + t[:, None] * x1
    right = PREDICTIONS["target_of"](target, x0, x1, t[:, None])
    off = torch.randn(200, 2, generator=generator).double()
    v = PREDICTIONS["velocity_of"](target, lambda x, t: right)(x, t)
    assert torch.allclose(v, x1 - x0, atol=1e-9)
    v = PREDICTIONS["velocity_of"](target, lambda x, t: right + off)(x, t)
    error = PREDICTIONS["weight"](target, t) * off.square().sum(dim=1)
    assert torch.allclose((v - (x1 - x0)).square().sum(dim=1), error, rtol=1e-6)
