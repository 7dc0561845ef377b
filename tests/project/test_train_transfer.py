"""The training of chapter 10 runs from any two folders of images to their flows."""

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import rfteach as rf
from scripts import train_transfer


def make_folder(folder, count, mode, shape, suffix):
    """Fill a folder with disks of random size and place on a dark ground."""
    folder.mkdir()
    random = np.random.default_rng(count)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for i in range(count):
        center, radius = random.uniform(4, 8, 2), random.uniform(2, 4)
        disk = np.hypot(rows - center[0], columns - center[1]) < radius
        Image.fromarray((200 * disk + 20).astype(np.uint8)).convert(mode).save(
            folder / f"{i:03}{suffix}"
        )
    return folder


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["train_transfer", *map(str, arguments)])
    train_transfer.main()


@pytest.fixture
def folders(tmp_path):
    source = make_folder(tmp_path / "disks", 24, "RGB", (14, 18), ".jpg")
    target = make_folder(tmp_path / "spots", 31, "L", (12, 12), ".png")
    return source, target


def test_two_folders_give_weights_a_manifest_and_a_picture(monkeypatch, tmp_path, folders, capsys):
    source, target = folders
    output = tmp_path / "made"
    arguments = ["--preset", "smoke", "--source", source, "--target", target, "--size", 12]
    arguments += ["--folder", tmp_path / "stages", "--output", output]
    run(monkeypatch, *arguments)

    record = json.loads((output / "transfer.json").read_text())
    assert record["images"] == {
        "source": 21,
        "target": 27,
        "shown_source": 3,
        "shown_target": 4,
        "test_source": 3,
        "test_target": 4,
    }
    (entry,) = record["data"].values()
    assert list(record["data"]) == ["disks to spots"]
    assert list(entry["models"]) == ["1-RF", "2-RF"]  # no classifier knows these images
    for model in entry["models"].values():
        assert model["steps"] == 3 and len(model["losses"]) == 3
        assert list(model["measured"]) == ["1", "2", "20"]
        assert "boots" not in model["measured"]["1"]
    content = (output / "transfer.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]

    # the weights do what the manifest says
    settings = dict(entry["network"])
    assert settings.pop("kind") == "UNetVelocity"
    velocity = rf.UNetVelocity(**settings)
    tensors = load_file(output / "transfer.safetensors")
    velocity.load_state_dict(
        {k.removeprefix("2-RF/"): v.float() for k, v in tensors.items() if k.startswith("2-RF/")}
    )
    inputs = rf.image_folder(source, size=12)[::10]
    outputs = rf.euler(velocity, inputs, steps=1).end
    said = entry["models"]["2-RF"]["measured"]["1"]
    assert rf.transport_cost(inputs, outputs) == pytest.approx(said["cost"], rel=2e-3)

    near = load_file(output / "transfer_neighbors.safetensors")
    assert {name: tuple(images.shape) for name, images in near.items()} == {
        "1-RF": (3, 1, 12, 12),
        "2-RF": (3, 1, 12, 12),
        "unseen": (4, 1, 12, 12),
    }
    with Image.open(output / "transfer.png") as picture:  # inputs, 1-RF, 2-RF
        assert picture.size == (4 * 3 * 12, 4 * 3 * 12)

    # again: nothing is trained or measured anew, and the result is the same
    capsys.readouterr()
    run(monkeypatch, *arguments)
    assert capsys.readouterr().out == f"wrote {output / 'transfer.json'}\n"
    assert json.loads((output / "transfer.json").read_text())["data"] == record["data"]


def test_images_of_the_chapter_are_held_out(monkeypatch):
    images = torch.arange(40.0).reshape(10, 1, 2, 2)
    left = train_transfer.without(images, images[[3, 7]])
    assert torch.equal(left, images[[0, 1, 2, 4, 5, 6, 8, 9]])
    data = train_transfer.fashion_data(None, small=True)
    for images, held in ((data.source, data.shown_source), (data.target, data.shown_target)):
        assert len(images) == 180 and len(held) == 20
        assert len(train_transfer.without(images, held)) == 180


def test_the_presets_differ_in_scale_alone():
    gpu, cpu = (train_transfer.PRESETS[name] for name in ("gpu", "cpu"))
    assert gpu.steps == cpu.steps and train_transfer.SHOWN in gpu.steps
    parameters = rf.UNetVelocity(28, gpu.channels).parameters()
    # three models in half precision, and four times 200 neighbors: below 7 MB
    assert 3 * 2 * sum(p.numel() for p in parameters) + 4 * 200 * 784 < 7e6


def test_one_folder_alone_is_refused(monkeypatch, capsys, folders):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--preset", "smoke", "--source", folders[0])
    assert "both --source and --target" in capsys.readouterr().err


def test_a_folder_with_too_few_images_is_refused(monkeypatch, capsys, tmp_path, folders):
    few = make_folder(tmp_path / "few", 5, "L", (12, 12), ".png")
    with pytest.raises(SystemExit):
        run(monkeypatch, "--preset", "smoke", "--source", folders[0], "--target", few)
    assert "holds 5 images, but at least 20" in capsys.readouterr().err


def test_a_size_that_cannot_be_halved_is_refused(monkeypatch, capsys, folders):
    arguments = ["--source", folders[0], "--target", folders[1], "--size", 13]
    with pytest.raises(SystemExit):
        run(monkeypatch, "--preset", "smoke", *arguments)
    assert "size = 13 cannot be halved" in capsys.readouterr().err
