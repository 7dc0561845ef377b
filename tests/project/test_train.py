"""Each job of scripts.train runs, goes on after an interruption, and writes what rfteach reads."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import rfteach as rf
from scripts.train import captions, job as shared, transfer
from scripts.train.__main__ import TABLES, choose, main, make_parser
from scripts.train.job import Job
from scripts.train.recipe import SEEDS, DataPrediction

PRETRAINED = sys.modules["rfteach._shipped.pretrained"]
FLOWS = {
    "plane": ["1-RF", "2-RF", "3-RF", "distilled"],
    "digits": ["1-RF", "2-RF", "distilled", "1-RF distilled", "1-RF distilled, half time"],
    "fashion": ["1-RF", "2-RF", "distilled", "1-RF distilled"],
    "transfer": ["1-RF", "2-RF", "optimal pairs", "feature loss", "no noise"],
    "captions": ["1-RF"],
    "latents": ["1-RF"],
}
LOST = {  # two stages that do not need each other
    "plane": ["moons, pairs of the 2-RF", "circle, distilled"],
    "digits": ["pairs of the 1-RF, seed 1", "distilled, seed 2, rate 0.006"],
    "fashion": ["pairs of the 2-RF", "distilled"],
    "transfer": ["pairs of the 1-RF", "feature loss"],
    "captions": ["1-RF", "one stream, seed 1"],
    "latents": ["flow, autoencoder, 1 channels, seed 0", "flow, PCA, 49 numbers, seed 1"],
}


@pytest.fixture(autouse=True)
def one_thread():
    """The networks are tiny, and other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FLOWS)
def test_a_job_trains_resumes_after_a_lost_stage_and_gives_the_same_bytes(
    name, tmp_path, monkeypatch, capsys
):
    def files(folder):
        return {path.name: path for path in folder.iterdir() if path.is_file()}

    arguments = [name, "--preset", "smoke", "--output", str(tmp_path), "--remark", "Only a test."]
    main(arguments)
    made = {file: path.read_bytes() for file, path in files(tmp_path).items()}
    record = json.loads(made[f"{name}.json"])
    assert record["made_by"] == f"python -m scripts.train {name} --preset smoke"
    assert record["remarks"] == ["Only a test."]
    for entry in record["data"].values():
        for facts in entry["models"].values():
            assert facts["seconds"] > 0 and facts["examples_per_second"] > 0
            assert len(facts["losses"]) >= 3

    stages = files(tmp_path / "stages")
    for lost in (tmp_path / f"{name}.json", *(stages.pop(f"{s}.safetensors") for s in LOST[name])):
        lost.unlink()
    times = {file: path.stat().st_mtime_ns for file, path in stages.items()}
    capsys.readouterr()
    main(arguments)
    assert capsys.readouterr().out == f"wrote {tmp_path / name}.json\n"  # nothing measured again
    assert {file: path.stat().st_mtime_ns for file, path in stages.items()} == times
    assert {file: path.read_bytes() for file, path in files(tmp_path).items()} == made

    monkeypatch.setattr(PRETRAINED, "WEIGHTS_FOLDER", tmp_path)
    monkeypatch.setattr(PRETRAINED, "MANIFESTS", (name,))
    for data in record["data"]:
        assert list(rf.pretrained(data)) == FLOWS[name]


@pytest.mark.slow
def test_the_classifier_is_what_its_manifest_says(tmp_path, monkeypatch):
    main(["classifier", "--preset", "smoke", "--output", str(tmp_path)])
    monkeypatch.setattr(PRETRAINED, "WEIGHTS_FOLDER", tmp_path)
    classifier, real = rf.fashion_classifier()
    images, labels = (rows[:200] for rows in rf.fashion())
    right = (classifier(images).argmax(dim=1) == labels).double().mean().item()
    facts = rf.weights_manifest("classifier")["classifier"]
    assert facts["accuracy"] == pytest.approx(right, abs=1e-4)
    made = rf.feature_moments(rf.features_of(images, classifier))
    assert (made.mean - real.mean).norm() < 1e-5 * real.mean.norm()  # to single precision


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_ablation_of_the_captions_can_be_trained_alone(tmp_path):
    main(["captions", "--preset", "smoke", "--output", str(tmp_path), "--part", "ablation"])
    assert [path.name for path in tmp_path.iterdir()] == ["stages"]
    for variant in captions.VARIANTS:
        notes = [tmp_path / f"stages/notes/{variant}, seed {seed}.json" for seed in range(3)]
        assert len({json.loads(note.read_text())["losses"][0] for note in notes}) == 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_choice_of_the_recipe_is_trained_with_both_seeds(tmp_path):
    main(["recipe", "--preset", "smoke", "--output", str(tmp_path)])
    flows = json.loads((tmp_path / "recipe.json").read_text())["flows"]
    first = {name: runs[0]["losses"] for name, runs in flows.items()}
    for name, runs in flows.items():
        assert len({tuple(run["losses"]) for run in runs}) == len(SEEDS)
        assert all(run["steps"] == (4 if name == "Adam" else 3) for run in runs)
        assert all(run["FID"] > 0 for run in runs)
        assert [other for other in first if first[other] == first[name]] == [name]  # a change


def test_from_any_time_a_predicted_image_is_one_step_away():
    image = torch.full((3, 1, 4, 4), 0.3)
    velocity = DataPrediction(lambda x, t, condition: image)
    x, t = torch.randn(3, 1, 4, 4), torch.tensor([0.0, 0.5, 0.9])
    assert torch.allclose(x + (1 - t).reshape(-1, 1, 1, 1) * velocity(x, t), image, atol=1e-6)
    assert velocity(x, torch.ones(3)).isfinite().all()  # and no further


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three folders of images in the working directory; that of few has too few."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, count, shape in (
        ("cats", 24, (14, 18, 3)),
        ("faces", 31, (12, 12)),
        ("few", 5, (12, 12)),
    ):
        (tmp_path / name).mkdir()
        for i in range(count):
            picture = Image.fromarray(random.integers(0, 256, shape, np.uint8))
            picture.save(tmp_path / name / f"{i:03}.png")
    return tmp_path


OWN = "transfer --preset smoke --source cats"


@pytest.mark.slow
def test_two_folders_give_weights_a_manifest_and_a_picture(folders):
    main(f"{OWN} --target faces --size 12 --output made".split())
    record = json.loads((folders / "made/transfer.json").read_text())
    assert record["made_by"] == f"python -m scripts.train {OWN} --target faces --size 12"
    assert list(record["images"].values()) == [21, 27, 3, 4, 3, 4]
    entry = record["data"]["cats to faces"]
    assert list(entry["models"]) == [
        "1-RF",
        "2-RF",
        "optimal pairs",
    ]  # no classifier knows these images
    said = entry["models"]["2-RF"]["measured"]
    assert list(said) == ["1", "20"] and "boots" not in said["1"]

    # the weights do what the manifest says
    velocity = rf.UNetVelocity(**{k: v for k, v in entry["network"].items() if k != "kind"})
    tensors = load_file("made/transfer.safetensors")
    velocity.load_state_dict(
        {k.removeprefix("2-RF/"): v.float() for k, v in tensors.items() if k.startswith("2-RF/")}
    )
    inputs = rf.image_folder("cats", size=12)[::10]
    starts = transfer.started(inputs, record["preset"]["noise"])
    outputs = rf.euler(velocity, starts, steps=1).end
    assert rf.transport_cost(inputs, outputs) == pytest.approx(said["1"]["cost"], rel=1e-3)

    near = load_file("made/transfer_neighbors.safetensors")
    assert [len(near[name]) for name in ("1-RF", "2-RF", "unseen")] == [3, 3, 4]
    with Image.open("made/transfer.png") as picture:  # the inputs, and three flows
        assert picture.size == (4 * 3 * 12, 4 * 4 * 12)


@pytest.mark.slow
def test_a_folder_gives_weights_and_a_picture_in_color(folders):
    command = ["images", "--preset", "smoke", "--folder", "cats", "--size", "8"]
    command += ["--steps", "2", "--no-mirror"]  # not the three of the preset
    main([*command, "--output", "made"])
    record = json.loads((folders / "made/images.json").read_text())
    assert record["made_by"].endswith(" ".join(command))
    assert record["images"] == {"training": 21, "held out": 3, "mirrored": False}
    entry = record["data"]["cats"]
    assert entry["network"]["colors"] == 3 and entry["models"]["1-RF"]["steps"] == 2
    with Image.open("made/images.png") as picture:
        assert picture.mode == "RGB" and picture.size == (16 * 8 * 4, 8 * 8 * 4)
    near = load_file("made/images_neighbors.safetensors")["1-RF"].float() / 127.5 - 1
    images = rf.image_folder("cats", size=8, color=True)[torch.arange(24) % 10 != 0]
    assert torch.cdist(near.flatten(1), images.flatten(1)).min(dim=1).values.max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("plane --preset gpu", "'gpu'.*cpu.*smoke"),
        ("plane --preset smoke --source cats", "unrecognized arguments: --source"),
        (f"{OWN} --output made", "pass --source, --target and --output"),
        (f"{OWN} --target faces", "pass --source, --target and --output"),
        (f"{OWN} --target few --output made", "holds 5 images that can be read, but at least 20"),
        ("images --preset smoke --folder cats", "pass --folder and --output"),
        ("images --preset smoke --folder few --output made", "holds 5 images"),
        (f"{OWN} --target faces --size 13 --output made", "size = 13 cannot be halved"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_written(folders, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code  # argparse prints, and its code is 2
    assert re.search(message, f"{stopped.value.code} {capsys.readouterr().err}")
    assert not (folders / "made").exists() and not (folders / "build").exists()


def test_stages_of_another_preset_are_not_taken(tmp_path):
    options = make_parser().parse_args(["plane", "--preset", "cpu", "--output", str(tmp_path)])
    Job(options, {"steps": 1}).require(images="a")
    Job(options, {"steps": 1}).require(images="a")
    with pytest.raises(SystemExit, match="another preset"):
        Job(options, {"steps": 2}).require(images="a")
    with pytest.raises(SystemExit, match="another images"):
        Job(options, {"steps": 1}).require(images="b")


def test_a_flow_that_was_trained_otherwise_is_not_taken(tmp_path):
    options = make_parser().parse_args(["plane", "--preset", "smoke", "--output", str(tmp_path)])

    def trained(steps):
        flow, coupling = rf.VelocityMLP(2), rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
        return Job(options, {}).fit("1-RF", flow, coupling, bf16=False, steps=steps, batch_size=8)

    once, again = trained(2), trained(2)
    assert all(map(torch.equal, once.state_dict().values(), again.state_dict().values()))
    with pytest.raises(SystemExit, match="has steps = 2, not 3; delete"):
        trained(3)


def test_each_setting_has_a_value_for_each_preset():
    """Also of those that no test runs. And the chapter on transfer shows 20 steps."""
    for table in TABLES.values():
        for preset in table["presets"]:
            choose(table["settings"], preset, table["presets"])
    counts = TABLES["transfer"]["settings"]["steps"].values()
    assert all(transfer.SHOWN in steps for steps in counts)


def test_images_of_the_chapter_are_held_out():
    images = torch.arange(40.0).reshape(10, 1, 2, 2)
    left = transfer.without(images, images[[3, 7]])
    assert torch.equal(left, images[[0, 1, 2, 4, 5, 6, 8, 9]])
    data = transfer.fashion_data(small=True)
    for images, held in ((data.source, data.shown_source), (data.target, data.shown_target)):
        assert len(images) == 36 and len(held) == 4
        assert len(transfer.without(images, held)) == 36


def test_the_commit_is_named_and_marked_when_files_differ(tmp_path, monkeypatch):
    def git(*arguments):
        author = ["-c", "user.name=a", "-c", "user.email=b"]
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True)

    monkeypatch.setattr(shared, "ROOT", tmp_path)
    assert shared.commit() is None
    git("init", "-q")
    (tmp_path / "rfteach/_shipped/weights").mkdir(parents=True)
    code, weights = tmp_path / "code", tmp_path / "rfteach/_shipped/weights/new"
    for file in (code, weights):
        file.write_text("one")
    git("add", ".")
    git("commit", "-qm", "one")
    weights.write_text("another")
    clean = shared.commit()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    code.write_text("another")
    assert shared.commit() == f"{clean}-dirty"
    monkeypatch.setenv("PATH", "")
    assert shared.commit() is None
