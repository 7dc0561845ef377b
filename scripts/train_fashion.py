"""Train the flows of chapter 9 on Fashion-MNIST: python -m scripts.train_fashion --preset gpu

The models: a class-conditional 1-RF, the 2-RF that Reflow makes of it, and both distilled into one
step. It also trains the classifier in whose features the FID is measured. Interrupted, the same
command goes on where it was. In the end it writes fashion.safetensors, fashion_classifier.
safetensors and fashion.json, with the log and what was measured, into rfteach/weights.

    preset   time                              what for
    gpu      about 40 minutes on one H100      the real weights (an estimate; not run yet)
    cpu      about an hour on two cores        weights without a GPU
    smoke    about a minute                    a test that everything runs; writes to --output
"""

import argparse
import copy
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

import rfteach as rf
from rfteach.fid import ImageClassifier, Moments, feature_fid, features_of, moments
from scripts import weights
from scripts.weights import DEVICE, SEED

NOISE = rf.Gaussian(1, 28, 28)
RECHECK = 1000  # samples that the chapter generates again


@dataclass(frozen=True)
class Preset:
    """The scale of a run."""

    channels: tuple[int, ...]
    batch_size: int
    first: int  # steps of the 1-RF
    second: int  # of the 2-RF
    distilled: int  # of each distillation
    size: int  # pairs
    pair_steps: int  # of Heun, for the pairs of the 1-RF; half as many for those of the 2-RF
    learning_rates: tuple[float, float, float]
    ema_decay: float
    samples: int  # for each FID
    steps: dict[str, tuple[int, ...]]  # Euler steps at which each model is measured
    epochs: int  # of the classifier


ONE_STEP = {"distilled": (1,), "1-RF distilled": (1,)}
PRESETS = {
    "gpu": Preset(
        channels=(32, 64, 96),
        batch_size=512,
        first=16_000,
        second=20_000,
        distilled=20_000,
        size=500_000,
        pair_steps=20,
        learning_rates=(1.2e-3, 8e-4, 6e-4),
        ema_decay=0.9995,
        samples=10_000,
        steps={"1-RF": (1, 2, 4, 8, 20, 50), "2-RF": (1, 2, 4, 8, 20, 50), **ONE_STEP},
        epochs=10,
    ),
    "cpu": Preset(
        channels=(16, 32, 64),
        batch_size=64,
        first=7000,
        second=1500,
        distilled=800,
        size=12_000,
        pair_steps=8,
        learning_rates=(1.2e-3, 8e-4, 8e-4),
        ema_decay=0.998,
        samples=10_000,
        steps={"1-RF": (1, 2, 4, 8, 50), "2-RF": (1, 2, 4, 8), **ONE_STEP},
        epochs=4,
    ),
    "smoke": Preset(
        channels=(8, 8),
        batch_size=8,
        first=3,
        second=3,
        distilled=3,
        size=16,
        pair_steps=2,
        learning_rates=(1e-3, 1e-3, 1e-3),
        ema_decay=0.9,
        samples=20,
        steps={"1-RF": (1, 2), "2-RF": (1,), **ONE_STEP},
        epochs=1,
    ),
}


def train_classifier(images, labels, epochs: int) -> ImageClassifier:
    """Fit the classifier that gives the features, by cross-entropy."""
    torch.manual_seed(SEED)
    classifier = ImageClassifier().to(images.device)
    total = epochs * -(-len(images) // 256)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=total)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(256):
            flipped = images[rows].flip(-1) if torch.rand(()) < 0.5 else images[rows]
            loss = F.cross_entropy(classifier(flipped), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval().requires_grad_(False)


@torch.no_grad()
def accuracy(classifier: ImageClassifier, images, labels) -> float:
    """Return the share of the images that the classifier gives their labels."""
    guesses = torch.cat([classifier(part).argmax(dim=1) for part in images.split(1000)])
    return (guesses == labels).double().mean().item()


def classifier_stage(stages: weights.Stages, preset: Preset, data) -> tuple:
    """Return the classifier, the moments of the test images, and the manifest's entry."""
    (images, labels), (test, test_labels) = data
    classifier = ImageClassifier()
    path = stages.folder / "classifier.pt"
    if path.exists():
        classifier.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        classifier.to(DEVICE).eval().requires_grad_(False)
    else:
        classifier = train_classifier(images, labels, preset.epochs)
        torch.save(classifier.state_dict(), path)
    weights.round_to_half(classifier)
    real = moments(features_of(test, classifier))
    facts = {
        "accuracy": round(accuracy(classifier, test, test_labels), 4),
        # What two samples of real images are apart: no model can be asked for less.
        "real against real": round(feature_fid(images[: len(test)], real, classifier), 3),
        "recheck floor": round(feature_fid(images[:RECHECK], real, classifier), 3),
    }
    return classifier, real, facts


def train_flows(stages: weights.Stages, preset: Preset, images, labels) -> dict:
    """Train the four models, or load what is trained already."""
    fit = partial(stages.fit, preset=preset)
    first_rate, second_rate, distill_rate = preset.learning_rates
    first = weights.network(28, preset.channels, classes=10)
    coupling = rf.ConditionalCoupling(NOISE, images, labels)
    fit("1-RF", first, coupling, steps=preset.first, learning_rate=first_rate)

    def pairs(name, velocity, steps, seed):  # not twice from the same noise
        generator = torch.Generator(DEVICE).manual_seed(seed)
        condition = torch.randint(10, (preset.size,), generator=generator, device=DEVICE)
        make = partial(
            rf.flow_coupling,
            weights.in_bf16(velocity),
            NOISE,
            size=preset.size,
            steps=steps,
            batch_size=1000 if DEVICE == "cpu" else 8192,
            condition=condition,
            generator=generator,
            device=DEVICE,
        )
        return stages.pairs(name, make)

    first_pairs = pairs("pairs of the 1-RF", first, preset.pair_steps, SEED)
    second = copy.deepcopy(first)
    fit(
        "2-RF",
        second,
        first_pairs,
        steps=preset.second,
        learning_rate=second_rate,
        time_sampler=rf.u_shaped_times,
        loss=rf.pseudo_huber_loss,
    )

    def distilled(name, teacher, coupling):
        student = copy.deepcopy(teacher)
        settings = {"steps": preset.distilled, "learning_rate": distill_rate}
        return fit(name, student, coupling, how=rf.distill, loss=rf.pseudo_huber_loss, **settings)

    second_pairs = pairs("pairs of the 2-RF", second, preset.pair_steps // 2, SEED + 1)
    return {
        "1-RF": first,
        "2-RF": second,
        "distilled": distilled("distilled", second, second_pairs),
        "1-RF distilled": distilled("1-RF distilled", first, first_pairs),
    }


def measure(stages: weights.Stages, preset: Preset, models: dict, classifier, real: Moments):
    """Measure the FID of each model against NFE; the samples of all start from the same noise."""
    generator = torch.Generator().manual_seed(1000)  # on the CPU, so that any machine has the same
    noise = NOISE.sample(preset.samples, generator=generator, device="cpu").to(DEVICE)
    labels = torch.arange(preset.samples, device=DEVICE) % 10
    for name, steps in preset.steps.items():
        for n in steps:
            key = f"{name}, {n} steps"
            if key in stages.notes:
                continue
            # One step is cheap: without bf16, so that it can be checked to the last digits.
            velocity = models[name] if n == 1 else weights.in_bf16(models[name])
            images = weights.generate(velocity, noise, steps=n, condition=labels)
            facts = {
                "FID": feature_fid(images, real, classifier),
                "recheck FID": feature_fid(images[:RECHECK], real, classifier),
                "accuracy": accuracy(classifier, images, labels),
            }
            stages.note(key, {fact: float(f"{value:.4g}") for fact, value in facts.items()})


def main() -> None:
    """Do what is not done yet, and write the weights and their manifest."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--folder", type=Path, help="of the checkpoints (build/fashion-PRESET)")
    parser.add_argument("--output", type=Path, help="where the weights go (rfteach/weights)")
    parser.add_argument("--data", type=Path, help="folder of the files of Fashion-MNIST")
    options = parser.parse_args()
    preset = PRESETS[options.preset]
    stages = weights.Stages(options.folder or Path("build") / f"fashion-{options.preset}")
    output = options.output or (stages.folder if options.preset == "smoke" else weights.FOLDER)
    if options.preset == "smoke":
        data = [tuple(tensor[:200] for tensor in rf.fashion("sample"))] * 2
    else:
        data = [rf.fashion(part, folder=options.data) for part in ("train", "test")]
    data = [tuple(tensor.to(DEVICE) for tensor in part) for part in data]

    stages.require("preset", asdict(preset))
    classifier, real, facts = classifier_stage(stages, preset, data)
    stages.require("classifier", weights.checksum(classifier))
    models = train_flows(stages, preset, *data[0])
    saved = weights.save_models(output / "fashion.safetensors", models)
    measure(stages, preset, models, classifier, real)

    command = f"python -m scripts.train_fashion --preset {options.preset}"
    record = weights.flows(
        command, "Fashion-MNIST", preset, stages, saved, models["1-RF"], preset.steps
    )
    record["recheck"] = RECHECK
    record["classifier"] = {
        **weights.save_tensors(
            output / "fashion_classifier.safetensors",
            {
                **{f"classifier/{k}": v.half() for k, v in classifier.state_dict().items()},
                **{f"moments/{k}": v.float() for k, v in real._asdict().items()},
            },
        ),
        **facts,
    }
    record["pairs"] = {k: note for k, note in stages.notes.items() if k.startswith("pairs")}
    (output / "fashion.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {output / 'fashion.json'}")


if __name__ == "__main__":
    main()
