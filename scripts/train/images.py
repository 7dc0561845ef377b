"""A flow from noise to the images of a folder, in color.

They are a reader's own, or faces that scripts/draw_faces.mjs draws.

Photos of one kind of thing, hundreds of them, are a good start:

    python -m scripts.train images --preset cpu --folder cats --size 32 --output made

It writes the weights (made/images.safetensors), the manifest, and made/images.png: 64 samples,
none of them chosen, and below them the training image nearest to each. A tenth of the images is
held out: the samples are compared with them. Each training image also comes mirrored, unless you
say --no-mirror.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf
from rfteach import transfer_metrics
from rfteach._runs.tensors import fingerprint
from scripts.train.job import DEVICE, Job, fresh, rounded
from scripts.train.measures import draw, generate, in_bf16, to_bytes

LEAST = 20  # images in a folder
SHOWN = 64  # samples in the picture
COLUMNS = 16
NOISE_SEED = 1000  # not that of the training


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add those of the images."""
    parser.add_argument("--folder", type=Path, help="where they are")
    parser.add_argument("--size", type=int, help="in pixels (32), a multiple of 4")
    parser.add_argument("--steps", type=int, help="of training (those of the preset)")
    parser.add_argument("--no-mirror", action="store_true", help="for letters")


def read(job: Job) -> tuple[Tensor, Tensor]:
    """Return the images to train on and those held out, or stop and say what is wrong with them."""
    options = job.options
    if None in (options.folder, options.output):
        raise SystemExit("pass --folder and --output")
    size = options.size or 32
    try:
        rf.UNetVelocity(size, job.preset.channels)  # refuses sizes that it cannot halve
        images = rf.image_folder(options.folder, size=size, color=True, at_least=LEAST)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    return images[torch.arange(len(images)) % 10 != 0].to(DEVICE), images[::10].to(DEVICE)


def run(job: Job) -> None:
    """Train the flow, draw with it, and measure how near its samples are to the images."""
    (originals, held_out), preset = read(job), job.preset
    training = dict(preset.training)
    if job.options.steps is not None:
        training["steps"] = job.options.steps
    mirrored = not job.options.no_mirror
    images = torch.cat([originals, originals.flip(-1)]) if mirrored else originals
    job.require(images=fingerprint(images))
    noise = rf.Gaussian(*images.shape[1:])
    flow = job.fit(
        "1-RF",
        fresh(rf.UNetVelocity, images.shape[-1], preset.channels, colors=3),
        rf.IndependentCoupling(noise, rf.Empirical(images)),
        optimizer=rf.Muon,
        time_sampler=rf.logit_normal_times,
        **training,
    )
    start = noise.sample(SHOWN, generator=torch.Generator().manual_seed(NOISE_SEED), device=DEVICE)
    made = generate(in_bf16(flow), start, steps=preset.euler)
    twins = transfer_metrics.nearest(made, images)
    usual = transfer_metrics.nearest(held_out, images)
    draw(job.output / "images.png", [*made.split(COLUMNS), *images[twins.row].split(COLUMNS)])
    neighbors = job.save("images_neighbors.safetensors", {"1-RF": to_bytes(images[twins.row])})
    folder = job.options.folder.resolve()
    saved = job.save_flows("images.safetensors", {"1-RF": flow})
    job.write(
        {
            "images": {"training": len(originals), "held out": len(held_out), "mirrored": mirrored},
            "neighbors": {**neighbors, "steps": preset.euler, "noise seed": NOISE_SEED},
            # Smaller for samples than for images: the flow repeats what it was trained on.
            "nearest": {
                "samples to images": rounded(twins.distance.median().item()),
                "held-out images to images": rounded(usual.distance.median().item()),
            },
            "data": {folder.name: {**saved, "models": {"1-RF": job.note("1-RF")}}},
        }
    )
