import json

import pytest
from safetensors import safe_open

from scripts import train_fashion


@pytest.mark.timeout(600)
def test_the_command_trains_every_model_and_resumes(tmp_path, monkeypatch):
    """A few steps of each; then again after two stages and the manifest are lost."""
    arguments = ["train_fashion", "--preset", "smoke", "--folder", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    train_fashion.main()
    record = json.loads((tmp_path / "fashion.json").read_text())
    models = record["data"]["Fashion-MNIST"]["models"]
    assert list(models) == ["1-RF", "2-RF", "distilled", "1-RF distilled"]
    for facts in models.values():
        assert facts["steps"] == 3 and len(facts["losses"]) == 3
        assert all(measured["FID"] > 0 for measured in facts["measured"].values())
    assert record["classifier"]["real against real"] >= 0
    with safe_open(tmp_path / "fashion.safetensors", "pt") as file:
        assert {name.split("/")[0] for name in file.keys()} == set(models)  # noqa: SIM118

    weights = (tmp_path / "fashion.safetensors").read_bytes()
    kept = (tmp_path / "1-RF.safetensors").stat().st_mtime_ns
    for name in ("fashion.json", "distilled.safetensors", "pairs of the 2-RF.safetensors"):
        (tmp_path / name).unlink()
    train_fashion.main()
    assert (tmp_path / "fashion.safetensors").read_bytes() == weights
    assert (tmp_path / "1-RF.safetensors").stat().st_mtime_ns == kept
    again = json.loads((tmp_path / "fashion.json").read_text())
    assert again["data"] == record["data"] and again["classifier"] == record["classifier"]
