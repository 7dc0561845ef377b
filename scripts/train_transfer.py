"""Train the flows of chapter 10: python -m scripts.train_transfer --preset gpu

From sneakers to ankle boots of Fashion-MNIST, without noise and without labels. The models: a 1-RF,
the 2-RF that Reflow makes of it, and a 1-RF whose loss weighs what a classifier sees. Interrupted,
the same command goes on where it was. In the end it writes transfer.safetensors,
transfer_neighbors.safetensors and transfer.json, with the log and what was measured, into
rfteach/weights. The classifier is that of chapter 9: after `python -m scripts.train_fashion`, train
these again too.

    preset   time                              what for
    gpu      about 15 minutes on one H100      the real weights (an estimate; not run yet)
    cpu      about 45 minutes on one core      weights without a GPU
    smoke    about half a minute               a test that everything runs

With two folders of your own it does the same for these images, without the classifier's model, and
draws inputs and outputs side by side in transfer.png:

    python -m scripts.train_transfer --preset gpu --source cats --target faces --output made
"""

import argparse
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import rfteach as rf
from rfteach import transfer_metrics
from rfteach.fid import ImageClassifier
from rfteach.images import CLASSES
from scripts import weights

SNEAKER, BOOT = (CLASSES.index(name) for name in ("sneaker", "ankle boot"))
LEAST = 20  # images in a folder
SHOWN = 20  # Euler steps of the outputs whose nearest neighbors are kept


@dataclass(frozen=True)
class Preset:
    """The scale of a run."""

    channels: tuple[int, ...]
    batch_size: int
    first: int  # steps of the 1-RF, and of the one with the feature loss
    second: int  # steps of the 2-RF
    pair_steps: int  # of Heun, for the pairs
    learning_rates: tuple[float, float]
    ema_decay: float
    feature_weight: float  # of the feature loss
    steps: tuple[int, ...]  # Euler steps at which each model is measured


PRESETS = {
    "gpu": Preset(
        channels=(24, 48, 72),
        batch_size=256,
        first=10_000,
        second=5000,
        pair_steps=20,
        learning_rates=(1.2e-3, 6e-4),
        ema_decay=0.999,
        feature_weight=1.0,
        steps=(1, 4, 20, 50),
    ),
    "cpu": Preset(
        channels=(16, 32, 64),
        batch_size=64,
        first=2500,
        second=1200,
        pair_steps=8,
        learning_rates=(1.5e-3, 8e-4),
        ema_decay=0.998,
        feature_weight=1.0,
        steps=(1, 4, 20, 50),
    ),
    "smoke": Preset(
        channels=(8, 8),
        batch_size=8,
        first=3,
        second=3,
        pair_steps=2,
        learning_rates=(1e-3, 1e-3),
        ema_decay=0.9,
        feature_weight=1.0,
        steps=(1, 2, SHOWN),
    ),
}


class Data(NamedTuple):
    """The two sets of images: those to train on, those of the chapter, those to measure on."""

    source: Tensor
    target: Tensor
    shown_source: Tensor  # never trained on
    shown_target: Tensor
    test_source: Tensor  # never trained on
    test_target: Tensor


def without(images: Tensor, others: Tensor) -> Tensor:
    """Return the images that are not among the others."""
    known = {image.numpy().tobytes() for image in others}
    return images[[image.numpy().tobytes() not in known for image in images]]


def fashion_data(folder: Path | None, small: bool) -> Data:
    """Return sneakers and ankle boots; the sample that the package ships is held out."""
    images, labels = rf.fashion("sample")
    shown = [images[labels == label] for label in (SNEAKER, BOOT)]
    if small:
        return split(*shown)
    images, labels = rf.fashion("train", folder=folder)
    training = [
        without(images[labels == label], held)
        for label, held in zip((SNEAKER, BOOT), shown, strict=True)
    ]
    images, labels = rf.fashion("test", folder=folder)
    return Data(*training, *shown, *(images[labels == label] for label in (SNEAKER, BOOT)))


def split(source: Tensor, target: Tensor) -> Data:
    """Hold out a tenth of each set, every tenth image."""
    held = [images[::10] for images in (source, target)]
    rest = [images[torch.arange(len(images)) % 10 != 0] for images in (source, target)]
    return Data(*rest, *held, *held)


def read_classifier(path: Path | None) -> ImageClassifier:
    """Return the classifier of chapter 9: the shipped one, or that of a training run."""
    if path is None:
        return rf.fashion_classifier()[0].to(weights.DEVICE)
    classifier = ImageClassifier()
    classifier.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    weights.round_to_half(classifier)
    return classifier.to(weights.DEVICE).eval().requires_grad_(False)


def train_flows(stages: weights.Stages, preset: Preset, data: Data, classifier) -> dict:
    """Train the models, or load what is trained already; no feature loss without a classifier."""
    fit = partial(stages.fit, preset=preset)
    network = partial(weights.network, data.source.shape[-1], preset.channels)
    coupling = rf.IndependentCoupling(rf.Empirical(data.source), rf.Empirical(data.target))
    first_rate, second_rate = preset.learning_rates

    settings = {"steps": preset.first, "learning_rate": first_rate}
    models = {"1-RF": fit("1-RF", network(), coupling, **settings)}

    def pairs():
        # Each source image once: there are no more of them, as there would be of noise.
        velocity = weights.in_bf16(models["1-RF"])
        ends = [
            rf.heun(velocity, part, steps=preset.pair_steps, keep="end").end
            for part in data.source.split(1000)
        ]
        return rf.PairedCoupling(data.source, torch.cat(ends))

    second = network()
    second.load_state_dict(models["1-RF"].state_dict())
    models["2-RF"] = fit(
        "2-RF",
        second,
        stages.pairs("pairs of the 1-RF", pairs),
        steps=preset.second,
        learning_rate=second_rate,
        time_sampler=rf.u_shaped_times,
        loss=rf.pseudo_huber_loss,
    )
    if classifier is not None:
        loss = partial(rf.feature_loss, features=classifier.features, weight=preset.feature_weight)
        models["feature loss"] = fit("feature loss", network(), coupling, loss=loss, **settings)
    return models


def look_at(inputs: Tensor, outputs: Tensor) -> dict[str, float]:
    """Return what the outputs keep of the inputs, how much they differ, and how far they went."""
    return {
        "kept": transfer_metrics.kept(inputs, outputs),
        "kept brightness": transfer_metrics.kept(inputs, outputs, cells=1),
        "spread": transfer_metrics.spread(outputs),
        "cost": rf.transport_cost(inputs, outputs),
    }


def judge(outputs: Tensor, data: Data, classifier) -> dict[str, float]:
    """Return whether the outputs look like the target, and how near they are to its images."""
    near = transfer_metrics.nearest(outputs, data.target).distance
    facts = {"nearest": near.median().item(), "nearest of all": near.min().item()}
    if classifier is not None:
        with torch.no_grad():
            facts["boots"] = (classifier(outputs).argmax(dim=1) == BOOT).double().mean().item()
        facts["FID"] = rf.feature_fid(outputs, data.test_target, classifier)
    return facts


def measure(stages: weights.Stages, preset: Preset, models: dict, data: Data, classifier) -> None:
    """Measure each model on images that it has not seen."""
    for name, model in models.items():
        for n in preset.steps:
            key = f"{name}, {n} steps"
            if key in stages.notes:
                continue
            # One step is cheap: without bf16, so that it can be checked to the last digits.
            velocity = model if n == 1 else weights.in_bf16(model)
            outputs = weights.generate(velocity, data.test_source, steps=n)
            facts = look_at(data.test_source, outputs) | judge(outputs, data, classifier)
            again = weights.generate(velocity, data.shown_source, steps=n)
            facts |= {
                f"recheck {fact}": value
                for fact, value in look_at(data.shown_source, again).items()
            }
            stages.note(key, rounded(facts))


def references(data: Data, classifier) -> dict[str, float]:
    """Measure the same of real target images, paired with the sources by chance."""
    n = min(len(data.test_source), len(data.test_target))
    facts = look_at(data.test_source[:n], data.test_target[:n])
    facts |= judge(data.test_target, data, classifier)
    if classifier is not None:  # what two samples of real images are apart
        others = data.target[: len(data.test_target)]
        facts["FID"] = rf.feature_fid(others, data.test_target, classifier)
    return rounded(facts)


def rounded(facts: dict[str, float]) -> dict[str, float]:
    """Round to four digits."""
    return {fact: float(f"{value:.4g}") for fact, value in facts.items()}


def neighbors(models: dict, data: Data) -> dict[str, Tensor]:
    """Return the training images nearest to outputs of each model, and to real ones, as bytes."""
    looked_at = {
        name: weights.generate(weights.in_bf16(model), data.shown_source, steps=SHOWN)
        for name, model in models.items()
    }
    looked_at["unseen"] = data.shown_target
    return {
        name: to_bytes(data.target[transfer_metrics.nearest(images, data.target).row])
        for name, images in looked_at.items()
    }


def to_bytes(images: Tensor) -> Tensor:
    """Return images as whole numbers from 0 to 255."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def draw(path: Path, models: dict, data: Data) -> None:
    """Draw sixteen inputs, and below them what each model makes of them."""
    from PIL import Image

    inputs = data.shown_source[:16]
    made = [weights.generate(model, inputs, steps=SHOWN) for model in models.values()]
    rows = [torch.cat(list(to_bytes(images)[:, 0]), dim=1) for images in (inputs, *made)]
    picture = Image.fromarray(torch.cat(rows).cpu().numpy())
    picture.resize((4 * picture.width, 4 * picture.height), Image.NEAREST).save(path)


def main() -> None:
    """Do what is not done yet, and write the weights and their manifest."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--source", type=Path, help="folder of images to start from")
    parser.add_argument("--target", type=Path, help="folder of images to arrive at")
    parser.add_argument("--size", type=int, default=28, help="of your images in pixels (28)")
    parser.add_argument("--folder", type=Path, help="of the checkpoints (under build/)")
    parser.add_argument("--output", type=Path, help="where the weights go (rfteach/weights)")
    parser.add_argument("--data", type=Path, help="folder of the files of Fashion-MNIST")
    parser.add_argument("--classifier", type=Path, help="classifier.pt (the shipped one)")
    options = parser.parse_args()
    if (options.source is None) != (options.target is None):
        parser.error("pass both --source and --target, or none of them")
    own = options.source is not None
    preset = PRESETS[options.preset]
    if own:
        name = f"{options.source.resolve().name} to {options.target.resolve().name}"
        try:
            rf.UNetVelocity(options.size, preset.channels)  # refuses sizes that it cannot halve
            data = split(
                *(
                    rf.image_folder(folder, size=options.size, at_least=LEAST)
                    for folder in (options.source, options.target)
                )
            )
        except (FileNotFoundError, ValueError) as error:
            parser.error(str(error))
        classifier = None
    else:
        name = "sneakers to ankle boots"
        data = fashion_data(options.data, small=options.preset == "smoke")
        classifier = read_classifier(options.classifier)
    data = Data(*(images.to(weights.DEVICE) for images in data))

    what = f"{name.replace(' ', '-')}-{options.size}-" if own else ""
    stages = weights.Stages(options.folder or Path("build") / f"transfer-{what}{options.preset}")
    output = options.output or (
        stages.folder if own or options.preset == "smoke" else weights.FOLDER
    )
    stages.require("preset", asdict(preset))
    stages.require("numbers of images", [len(images) for images in data])
    if classifier is not None:
        stages.require("classifier", weights.checksum(classifier))
    models = train_flows(stages, preset, data, classifier)
    saved = weights.save_models(output / "transfer.safetensors", models)
    measure(stages, preset, models, data, classifier)
    near = weights.save_tensors(output / "transfer_neighbors.safetensors", neighbors(models, data))
    if own:
        draw(output / "transfer.png", models, data)

    command = f"python -m scripts.train_transfer --preset {options.preset}"
    if own:
        command += f" --source {options.source} --target {options.target}"
    measured = dict.fromkeys(models, preset.steps)
    record = weights.flows(command, name, preset, stages, saved, models["1-RF"], measured)
    record["images"] = {field: len(images) for field, images in data._asdict().items()}
    record["pairs"] = stages.notes["pairs of the 1-RF"]
    record["neighbors"] = near | {"steps": SHOWN}
    record["real"] = references(data, classifier)
    (output / "transfer.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {output / 'transfer.json'}")


if __name__ == "__main__":
    main()
