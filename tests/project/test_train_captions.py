import json

import pytest
from safetensors import safe_open

from scripts import train_captions


@pytest.mark.timeout(600)
def test_the_command_trains_the_flow_and_the_ablation_and_resumes(tmp_path, monkeypatch):
    """One half, then all; then again after a part of it is lost."""

    def run(folder, *options):
        arguments = ["train_captions", "--preset", "smoke", "--folder", str(folder), *options]
        monkeypatch.setattr("sys.argv", arguments)
        train_captions.main()

    run(tmp_path, "--part", "ablation")
    assert not (tmp_path / "captions.json").exists()
    run(tmp_path)
    record = json.loads((tmp_path / "captions.json").read_text())
    assert list(record["guidance"]) == ["1", "2"] and list(record["shift"]) == ["1", "2"]
    variants = ["logit-normal times", "uniform times", "mode sampling", "one stream"]
    assert list(record["ablation"]) == variants
    for seeds in record["ablation"].values():
        assert len({facts["losses"][0] for facts in seeds}) == 3
        assert all(facts["steps"] == 3 and facts["FID"] > 0 for facts in seeds)
    with safe_open(tmp_path / "captions.safetensors", "pt") as file:
        assert {name.split("/")[0] for name in file.keys()} == {"1-RF"}  # noqa: SIM118

    kept = (tmp_path / "flow" / "1-RF.safetensors").stat().st_mtime_ns
    for name in ("captions.json", "ablation/one stream, seed 1.safetensors"):
        (tmp_path / name).unlink()
    run(tmp_path)
    assert (tmp_path / "flow" / "1-RF.safetensors").stat().st_mtime_ns == kept
    again = json.loads((tmp_path / "captions.json").read_text())
    assert again["ablation"] == record["ablation"] and again["data"] == record["data"]
