import shutil
import sys

import pytest
import torch

import rfteach as rf

# the module; `rf.pretrained` is its function
from rfteach.pretrained import WEIGHTS, manifest

DATA = {"moons": rf.Moons(), "eight Gaussians": rf.EightGaussians(), "circle": rf.Circle()}


def test_the_manifest_lists_what_is_there():
    assert list(manifest()) == list(DATA)
    files = {path.name for path in WEIGHTS.iterdir()}
    assert files == {"plane.json", *(entry["file"] for entry in manifest().values())}


@pytest.mark.parametrize("data", DATA)
def test_the_models_are_as_good_as_measured(data, generator):
    start = rf.Gaussian(2).sample(2000, generator=generator)
    models = rf.pretrained(data)
    assert list(models) == ["1-RF", "2-RF", "3-RF", "distilled"]
    for name, velocity in models.items():
        measured = manifest()[data]["models"][name]["measured"]
        path = rf.euler(velocity, start, steps=100)
        # Over clouds of 2,000, S scatters by a few percent; that of a straight flow by more, since
        # it hangs on the few particles that start where paths part.
        scatter = 0.2 if measured["S"] > 0.01 else 0.6
        assert rf.straightness(path) == pytest.approx(measured["S"], rel=scatter)
    target = DATA[data].sample(2000, generator=generator)
    truth = DATA[data].sample(2000, generator=generator)
    floor = rf.energy_distance(target, truth)  # near 0
    for name in ("2-RF", "3-RF", "distilled"):
        one_step = rf.euler(models[name], start, steps=1).end
        # ten times what sampling noise makes of it
        assert rf.energy_distance(one_step, target) < 0.01 + abs(floor)
    assert rf.energy_distance(rf.euler(models["1-RF"], start, steps=1).end, target) > 0.3


def test_the_weights_are_those_of_half_precision():
    for velocity in rf.pretrained("moons").values():
        for parameter in velocity.parameters():
            assert parameter.dtype == torch.float32 and parameter.requires_grad
            assert torch.equal(parameter, parameter.half().float())


def test_every_call_gives_fresh_networks():
    first, second = rf.pretrained("circle"), rf.pretrained("circle")
    with torch.no_grad():
        first["1-RF"].net[0].weight.zero_()
    assert second["1-RF"].net[0].weight.abs().sum() > 0


def test_an_unknown_data_set_is_named():
    with pytest.raises(ValueError, match="data = 'cats'.*moons"):
        rf.pretrained("cats")


def test_a_damaged_file_is_found_out(tmp_path, monkeypatch):
    shutil.copytree(str(WEIGHTS), tmp_path / "weights")
    file = tmp_path / "weights" / "moons.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(sys.modules["rfteach.pretrained"], "WEIGHTS", tmp_path / "weights")
    with pytest.raises(rf.CheckpointError, match=r"moons\.safetensors is damaged"):
        rf.pretrained("moons")
