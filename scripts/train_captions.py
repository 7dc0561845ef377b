"""Train the small Stable Diffusion 3 of chapter 11: python -m scripts.train_captions --preset gpu

A text-to-image flow on Fashion-MNIST with captions, and smaller ones that differ in one thing, with
three seeds each: times uniform, logit-normal or of mode sampling, and one stream in place of two.
Interrupted, the same command goes on where it was. In the end it writes captions.safetensors and
captions.json, with the log and what was measured, into rfteach/weights. The classifier is that of
chapter 9: after `python -m scripts.train_fashion`, measure these again too.

    preset   time                              what for
    gpu      about 30 minutes on one H100      the real weights (an estimate; not run yet)
    cpu      about an hour on each of 2 cores  weights without a GPU
    smoke    about half a minute               a test that everything runs

`--part flow` and `--part ablation` do one half each, in two processes at once; after them the
command without `--part` only writes the files.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf
from rfteach.captions import VOCABULARY
from rfteach.fid import ImageClassifier, Moments, feature_fid
from scripts import weights
from scripts.weights import DEVICE, SEED

NOISE = rf.Gaussian(1, 28, 28)
NAME = "Fashion-MNIST, captions"
SEEDS = 3
RECHECK = 200  # samples that a test generates again
VARIANTS = {  # of the ablation: one thing differs from the first
    "logit-normal times": {},
    "uniform times": {"time_sampler": rf.uniform_times},
    "mode sampling": {"time_sampler": rf.mode_times},
    "one stream": {"streams": 1},
}


@dataclass(frozen=True)
class Size:
    """A network and its training."""

    patch: int
    width: int
    depth: int
    batch_size: int
    steps: int
    learning_rate: float
    ema_decay: float


@dataclass(frozen=True)
class Preset:
    """The scale of a run."""

    flow: Size
    ablation: Size
    samples: int  # for each measurement
    scales: tuple[float, ...]  # of guidance
    best: float  # the one that the chapter samples with
    shifts: tuple[float, ...]
    few: int  # Euler steps with which shifts are compared
    steps: int  # of all other measurements


MEASURED = {
    "scales": (0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
    "best": 2.0,
    "shifts": (0.5, 0.71, 1.0, 1.41, 2.0, 3.0),
    "few": 8,
    "steps": 20,
}
PRESETS = {
    "gpu": Preset(
        flow=Size(2, 128, 6, 256, 60_000, 1e-3, 0.9995),
        ablation=Size(4, 96, 4, 256, 10_000, 1e-3, 0.999),
        samples=10_000,
        **MEASURED,
    ),
    "cpu": Preset(
        flow=Size(4, 96, 4, 64, 12_000, 3e-3, 0.999),
        ablation=Size(4, 64, 3, 64, 1500, 3e-3, 0.998),
        samples=2000,
        **MEASURED,
    ),
    "smoke": Preset(
        flow=Size(14, 32, 2, 8, 3, 1e-3, 0.9),
        ablation=Size(14, 32, 1, 8, 3, 1e-3, 0.9),
        samples=20,
        scales=(1.0, 2.0),
        best=2.0,
        shifts=(1.0, 2.0),
        few=1,
        steps=2,
    ),
}


def fit(stages: weights.Stages, name: str, size: Size, coupling, *, seed=SEED, streams=2, **how):
    """Train a network of a size, or load what is trained already."""
    torch.manual_seed(seed)
    settings = {k: getattr(size, k) for k in ("patch", "width", "depth")}
    velocity = rf.MMDiTVelocity(28, **settings, words=len(VOCABULARY), streams=streams).to(DEVICE)
    training = {"steps": size.steps, "learning_rate": size.learning_rate, "seed": seed}
    if DEVICE == "cpu":
        training["accelerator"] = None  # for networks as small, a CPU is no faster in bf16
    how = {"time_sampler": rf.logit_normal_times, **how}
    return stages.fit(name, velocity, coupling, size, **training, **how)


def texts(count: int, unseen: bool = False) -> tuple[Tensor, Tensor]:
    """Return the tokens of captions, and their labels: all classes, and all wordings, in turn."""
    labels = torch.arange(count) % 10
    wordings = [rf.tokenize(rf.captions_of(label, unseen=unseen)) for label in range(10)]
    tokens = torch.stack([wordings[k % 10][k // 10 % len(wordings[0])] for k in range(count)])
    return tokens.to(DEVICE), labels.to(DEVICE)


class Measurement:
    """What is measured of every flow: the FID, and whether a picture shows what was asked for."""

    def __init__(self, stages: weights.Stages, classifier: ImageClassifier, real: Moments, preset):
        self.stages, self.classifier, self.real = stages, classifier, real
        generator = torch.Generator().manual_seed(1000)  # on the CPU: the same on any machine
        self.noise = NOISE.sample(preset.samples, generator=generator, device="cpu").to(DEVICE)

    def note(self, name: str, velocity, steps, scale: float, unseen: bool = False) -> None:
        """Generate an image for each noise, and keep what they are like."""
        if name in self.stages.notes:
            return
        tokens, labels = texts(len(self.noise), unseen)
        images = torch.cat(
            [
                sample(velocity, self.noise[rows], tokens[rows], steps, scale)
                for rows in torch.arange(len(self.noise)).split(64)
            ]
        )
        self.keep(name, images, labels)

    def keep(self, name: str, images: Tensor, labels: Tensor) -> None:
        """Keep what images are like that were asked for by labels."""
        right = (self.classifier(images).argmax(dim=1) == labels).double()
        facts = {
            "FID": feature_fid(images, self.real, self.classifier),
            "accuracy": right.mean().item(),
            "recheck accuracy": right[:RECHECK].mean().item(),
        }
        self.stages.note(name, {fact: float(f"{value:.4g}") for fact, value in facts.items()})


def sample(velocity, noise, tokens, steps, scale: float) -> Tensor:
    """Return the end points of the flow, given the texts, or guided by them."""
    told = rf.given(velocity, tokens)
    if scale != 1:
        told = rf.guided(velocity, tokens, torch.zeros_like(tokens), scale=scale)
    return rf.euler(told, noise, steps=steps, keep="end").end


def flow_part(stages, preset: Preset, coupling, measure: Measurement):
    """Train the flow that is shipped, and measure guidance and shift."""
    flow = fit(stages, "1-RF", preset.flow, coupling)
    weights.round_to_half(flow)
    note, best = partial(measure.note, velocity=flow), preset.best
    for scale in preset.scales:
        note(f"guidance {scale:g}", steps=preset.steps, scale=scale)
    note("unseen captions", steps=preset.steps, scale=best, unseen=True)
    for shift in preset.shifts:
        times = rf.shift_times(torch.linspace(0, 1, preset.few + 1, dtype=torch.float64), shift)
        note(f"shift {shift:g}", steps=times, scale=1)  # alone, without guidance
    return flow


def ablation_part(stages, preset: Preset, coupling, measure: Measurement) -> None:
    """Train and measure each variant with each seed."""
    for seed in range(SEEDS):
        for variant, how in VARIANTS.items():
            name = f"{variant}, seed {seed}"
            flow = fit(stages, name, preset.ablation, coupling, seed=seed, **how)
            measure.note(f"{name}, measured", flow, preset.steps, scale=1)


def main() -> None:
    """Do what is not done yet, and write the weights and their manifest."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--part", choices=("flow", "ablation"), help="only this (all)")
    parser.add_argument("--folder", type=Path, help="of the checkpoints (build/captions-PRESET)")
    parser.add_argument("--output", type=Path, help="where the weights go (rfteach/weights)")
    parser.add_argument("--data", type=Path, help="folder of the files of Fashion-MNIST")
    options = parser.parse_args()
    preset = PRESETS[options.preset]
    folder = options.folder or Path("build") / f"captions-{options.preset}"
    smoke = options.preset == "smoke"
    images, labels = rf.fashion("sample") if smoke else rf.fashion("train", folder=options.data)
    coupling = rf.CaptionCoupling(
        rf.ConditionalCoupling(NOISE, images.to(DEVICE), labels.to(DEVICE))
    )
    torch.set_default_device(DEVICE)
    classifier, real = rf.fashion_classifier()
    torch.set_default_device(None)

    parts = {}
    for part in ("flow", "ablation"):
        if options.part in (None, part):
            parts[part] = weights.Stages(folder / part)
            parts[part].require("preset", asdict(preset))
            parts[part].require("classifier", weights.checksum(classifier))
    if "ablation" in parts:
        measure = Measurement(parts["ablation"], classifier, real, preset)
        ablation_part(parts["ablation"], preset, coupling, measure)
    if "flow" in parts:
        measure = Measurement(parts["flow"], classifier, real, preset)
        shown = slice(0, preset.samples)
        measure.keep("real images", images[shown].to(DEVICE), labels[shown].to(DEVICE))
        flow = flow_part(parts["flow"], preset, coupling, measure)
    if options.part is not None:
        return
    output = options.output or (folder if smoke else weights.FOLDER)
    record = describe(options.preset, preset, parts, flow)
    record["data"][NAME] |= weights.save_models(output / "captions.safetensors", {"1-RF": flow})
    (output / "captions.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"wrote {output / 'captions.json'}")


def describe(command: str, preset: Preset, parts: dict[str, weights.Stages], flow) -> dict:
    """Return the manifest."""
    notes, trials = parts["flow"].notes, parts["ablation"].notes
    return {
        "made_by": f"python -m scripts.train_captions --preset {command}",
        "device": weights.device_name(),
        "torch": torch.__version__,
        "seed": SEED,
        "preset": asdict(preset),
        "recheck": RECHECK,
        "vocabulary": VOCABULARY,
        "data": {
            NAME: {
                "network": {"kind": "MMDiTVelocity"}
                | {k: getattr(flow, k) for k in ("size", "patch", "width", "depth", "words")},
                "models": {"1-RF": notes["1-RF"]},
            }
        },
        "guidance": {f"{s:g}": notes[f"guidance {s:g}"] for s in preset.scales},
        "unseen captions": notes["unseen captions"],
        "shift": {f"{s:g}": notes[f"shift {s:g}"] for s in preset.shifts},
        "ablation": {
            variant: [
                trials[f"{variant}, seed {seed}"] | trials[f"{variant}, seed {seed}, measured"]
                for seed in range(SEEDS)
            ]
            for variant in VARIANTS
        },
        "real images": notes["real images"],
    }


if __name__ == "__main__":
    main()
