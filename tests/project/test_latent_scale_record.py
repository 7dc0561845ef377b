"""The record of chapter 18's scales belongs to its script, and all its arms ask the same."""

import json
import math
import runpy
from pathlib import Path

import pytest
import torch

import rfteach as rf

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "latent_scale.py"))


def record() -> dict:
    return json.loads(SCRIPT["RECORD"].read_text())


def test_the_record_was_made_by_the_script():
    again = "the script has changed: run python -m benchmarks.latent_scale"
    assert record()["code"] == SCRIPT["fingerprint"](), again


def test_the_record_is_complete():
    runs = record()["runs"]
    assert list(runs) == ["1", *(f"{s:g}" for s in SCRIPT["SCALES"])]
    assert list(runs.pop("1")) == ["none"]
    for arms in runs.values():
        assert set(arms) == {*SCRIPT["ARMS"]} - {"none"}
        for run in arms.values():
            assert len(run["distance"]) == len(SCRIPT["SEEDS"])
            assert all(math.isfinite(d) for d in [*run["distance"], *run["rates"].values()])
            assert run["rate"] == float(min(run["rates"], key=run["rates"].__getitem__))


@pytest.mark.parametrize("s", SCRIPT["SCALES"])
@pytest.mark.parametrize("arm", ["all", "numbers", "times"])
def test_the_arms_have_the_same_expected_loss(s, arm):
    """Up to the factor s at the scale s."""
    generator = torch.Generator().manual_seed(0)
    n = 20_000
    x0, x1 = (torch.randn(n, 2, generator=generator).double() for _ in range(2))

    def velocity(x, t):
        return torch.sin(x) + t[:, None]

    def loss(arm):
        scale, settings = SCRIPT["how"](arm, s)
        times = settings.get("time_sampler", rf.stratified_times)
        t = times(n, generator=torch.Generator().manual_seed(1)).double()
        v = SCRIPT["at_scale"](velocity, scale)
        measure = settings.get("loss", rf.velocity_matching_loss)
        value = measure(v, x0, scale * x1, t).item()
        return value / (s if scale != 1 else 1)

    # a squared error scatters by about its mean; the weights multiply its variance by at most 10
    assert abs(loss(arm) / loss("none") - 1) < 4 * math.sqrt(2 * 10 / n)
