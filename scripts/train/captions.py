"""The small Stable Diffusion 3 of chapter 11: Fashion-MNIST from noise, given a text.

With it come the smaller flows of an ablation, which differ in one thing, with three seeds each:
times uniform, logit-normal or of mode sampling, and one stream in place of two. Uniform and
logit-normal times are also tried at other learning rates, since the best one may not be the same.

The classifier that measures them is the shipped one. What is measured of the flow is measured from
several noises, so that a difference can be told from chance.

`--part flow` and `--part ablation` do one half each, in two processes at once; after them the
command without `--part` only writes the files.
"""

import argparse
from functools import partial

import torch
from torch import Tensor, nn

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh
from scripts.train.measures import (
    NOISE,
    accuracy,
    generate,
    held_out_parts,
    shipped_classifier,
    start_noise,
)

SEEDS = 3
NOISES = 3  # sets of noise from which the shipped flow is measured
RECHECK = 200  # samples that a test generates again
VARIANTS = {  # of the ablation: one thing differs from the first
    "logit-normal times": {},
    "uniform times": {"time_sampler": rf.uniform_times},
    "mode sampling": {"time_sampler": rf.mode_times},
    "one stream": {"streams": 1},
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add that of the halves."""
    parser.add_argument("--part", choices=("flow", "ablation"), help="only this (all)")


def fit(job: Job, name: str, size: dict, coupling, *, seed=SEED, streams=2, **how) -> nn.Module:
    """Train a network of a size of the preset, or load what is trained already."""
    shape = {key: size[key] for key in ("patch", "width", "depth")}
    training = {key: value for key, value in size.items() if key not in shape}
    words = len(rf.CAPTION_VOCABULARY)
    velocity = fresh(rf.MMDiTVelocity, 28, **shape, words=words, streams=streams, seed=seed)
    how = {"time_sampler": rf.logit_normal_times, **training, **how}
    bf16 = DEVICE == "cuda"  # for networks as small, a CPU is no faster in bf16
    return job.fit(name, velocity, coupling, seed=seed, bf16=bf16, **how)


def texts(count: int, unseen: bool) -> tuple[Tensor, Tensor]:
    """Return the tokens of captions, and their labels: all classes, and all wordings, in turn."""
    labels = torch.arange(count) % 10
    wordings = [
        rf.tokenize_captions(rf.fashion_captions(label, unseen=unseen)) for label in range(10)
    ]
    tokens = torch.stack([wordings[k % 10][k // 10 % len(wordings[0])] for k in range(count)])
    return tokens.to(DEVICE), labels.to(DEVICE)


class Measurement:
    """What is noted of every flow: the FID, and whether a picture shows what was asked for."""

    def __init__(self, job: Job):
        self.job = job
        self.classifier, self.real = shipped_classifier(job)

    def each(self, name: str, velocity, steps, **how) -> list[dict]:
        """Return what is noted with each set of noise."""
        return [self(f"{name}, noise {k}", velocity, steps, k, **how) for k in range(NOISES)]

    def __call__(
        self, name: str, velocity, steps, k=0, *, scale=1.0, interval=None, unseen=False
    ) -> dict:
        """Generate images from the noise of set k, guided by texts; return what they are like."""

        def guided(x, t, condition):
            nothing = torch.zeros_like(condition)
            return rf.guided(velocity, condition, nothing, scale=scale, interval=interval)(x, t)

        def find():
            noise = start_noise(self.job.preset.samples, k)
            tokens, labels = texts(len(noise), unseen)
            told = velocity if scale == 1 else guided
            images = generate(told, noise, steps=steps, condition=tokens, batch_size=64)
            return self.look(images, labels)

        return self.job.note(name, find)

    def look(self, images: Tensor, labels: Tensor) -> dict:
        """Return what images are like that were asked for by labels."""
        return {
            "FID": rf.feature_fid(images, self.real, self.classifier),
            "accuracy": accuracy(self.classifier, images, labels),
            "recheck accuracy": accuracy(self.classifier, images[:RECHECK], labels[:RECHECK]),
        }


def flow_part(preset, flow: nn.Module, measure: Measurement) -> dict:
    """Measure guidance and shift of the flow that is shipped."""
    guidance = {
        f"{scale:g}": measure.each(f"guidance {scale:g}", flow, preset.steps, scale=scale)
        for scale in preset.scales
    }
    parts = {}  # guidance in an interval: at the best scale in each, in the best one at each scale
    for interval in preset.intervals:
        scales = preset.scales_between if interval == preset.between else [preset.best]
        name = f"{interval[0]:g} to {interval[1]:g}"
        parts[name] = {
            f"{scale:g}": measure.each(
                f"guidance {scale:g} for t from {name}",
                flow,
                preset.steps,
                scale=scale,
                interval=tuple(interval),
            )
            for scale in scales
        }
    best = {"scale": preset.best, "interval": tuple(preset.between)}
    unseen = measure.each("unseen captions", flow, preset.steps, unseen=True, **best)
    equal = torch.linspace(0, 1, preset.few + 1, dtype=torch.float64)
    shift = {  # alone, without guidance
        f"{shift:g}": measure.each(f"shift {shift:g}", flow, rf.shift_times(equal, shift))
        for shift in preset.shifts
    }
    found = {"guidance": guidance, "guidance in an interval": parts}
    return {**found, "unseen captions": unseen, "shift": shift}


def ablation_part(job: Job, coupling, measure: Measurement) -> dict:
    """Train and measure each variant with each seed, and the times at other learning rates."""

    def measured(variant: str, name: str, seed: int, **how) -> dict:
        how = {**VARIANTS[variant], **how}
        flow = fit(job, name, job.preset.ablation, coupling, seed=seed, **how)
        facts = measure(f"{name}, measured", flow, job.preset.steps)
        return job.note(name) | facts

    found = {variant: [] for variant in VARIANTS}
    for seed in range(SEEDS):
        for variant in VARIANTS:
            found[variant].append(measured(variant, f"{variant}, seed {seed}", seed))
    rates = {
        variant: {
            f"{rate:g}": [
                measured(variant, f"{variant}, rate {rate:g}, seed {k}", k, learning_rate=rate)
                for k in range(SEEDS - 1)
            ]
            for rate in job.preset.other_rates
        }
        for variant in ("logit-normal times", "uniform times")
    }
    return {"ablation": found, "other rates": rates}


def run(job: Job) -> None:
    """Train and measure the flow, the ablation, or both; only then there is a manifest."""
    job.require()
    preset, part = job.preset, job.options.part
    train, test = ("sample", "sample") if job.smoke else ("train", "test")
    images, labels = (rows.to(DEVICE) for rows in rf.fashion(train))
    coupling = rf.CaptionCoupling(rf.ConditionalCoupling(NOISE, images, labels))
    measure = Measurement(job)
    record = {}
    if part != "flow":
        record |= ablation_part(job, coupling, measure)
    if part != "ablation":
        flow = fit(job, "1-RF", preset.flow, coupling)
        record |= flow_part(preset, flow, measure)
    if part is not None:
        return
    test_images = (rows.to(DEVICE) for rows in rf.fashion(test))
    look = partial(held_out_parts, measure.classifier, *test_images, preset.samples)
    real = job.note("real images", look)
    saved = job.save_flows("captions.safetensors", {"1-RF": flow})
    data = {"Fashion-MNIST, captions": {**saved, "models": {"1-RF": job.note("1-RF")}}}
    told = {"recheck": RECHECK, "vocabulary": rf.CAPTION_VOCABULARY}
    job.write({**told, **record, "real images": real, "data": data})
