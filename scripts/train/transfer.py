"""The flows of chapter 10: from sneakers to ankle boots, without labels.

Each sneaker gets some noise. They are a 1-RF, the 2-RF that Reflow makes of it, a 1-RF of pairs by
optimal transport, one whose loss weighs what a classifier sees (the shipped one), and one without
the noise. Short trainings with more and less noise are measured, and not shipped.

With two folders of your own it makes the first three for these images, and draws inputs and outputs
side by side in transfer.png:

    python -m scripts.train transfer --preset gpu --source cats --target faces --output made
"""

import argparse
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import rfteach as rf
from rfteach import transfer_metrics
from rfteach._runs.tensors import fingerprint
from scripts.train.job import DEVICE, SEED, Job, fresh
from scripts.train.measures import (
    accuracy,
    by_steps,
    draw,
    generate,
    in_bf16,
    shipped_classifier,
    to_bytes,
    uneven_times,
)

SNEAKER, BOOT = (rf.FASHION_CLASSES.index(name) for name in ("sneaker", "ankle boot"))
LEAST = 20  # images in a folder
SHOWN = 20  # steps of the outputs whose nearest neighbors are kept
GROWING = torch.cat([torch.zeros(1), torch.logspace(-3, 0, SHOWN)]).double()  # times of as many


class Data(NamedTuple):
    """The two sets of images: those to train on, those of the chapter, those to measure on."""

    source: Tensor
    target: Tensor
    shown_source: Tensor  # never trained on
    shown_target: Tensor
    test_source: Tensor  # never trained on
    test_target: Tensor


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add those of images of your own."""
    parser.add_argument("--source", type=Path, help="folder of images to start from")
    parser.add_argument("--target", type=Path, help="folder of images to arrive at")
    parser.add_argument("--size", type=int, help="of your images in pixels (28)")


def without(images: Tensor, others: Tensor) -> Tensor:
    """Return the images that are not among the others."""
    known = {image.numpy().tobytes() for image in others}
    return images[[image.numpy().tobytes() not in known for image in images]]


def split(source: Tensor, target: Tensor) -> Data:
    """Hold out a tenth of each set, every tenth image."""
    held = [images[::10] for images in (source, target)]
    rest = [images[torch.arange(len(images)) % 10 != 0] for images in (source, target)]
    return Data(*rest, *held, *held)


def fashion_data(small: bool) -> Data:
    """Return sneakers and ankle boots; the sample that the package ships is held out."""

    def both(part):
        images, labels = rf.fashion(part)
        return [images[labels == label] for label in (SNEAKER, BOOT)]

    shown = both("sample")
    if small:
        return split(*(images[:40] for images in shown))
    training = map(without, both("train"), shown)
    return Data(*training, *shown, *both("test"))


def own_data(job: Job) -> Data:
    """Return the images of two folders, or stop and say what is wrong with them."""
    options = job.options
    folders, size = (options.source, options.target), options.size or 28
    if None in (*folders, options.output):
        raise SystemExit("for images of your own pass --source, --target and --output")
    try:
        rf.UNetVelocity(size, job.preset.channels)  # refuses sizes that it cannot halve
        return split(*(rf.image_folder(path, size=size, at_least=LEAST) for path in folders))
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None


def train_flows(job: Job, data: Data, classifier) -> dict:
    """Train the flows, or load what is trained already; no feature loss without a classifier."""
    preset = job.preset
    fit = partial(job.fit, optimizer=rf.Muon, **preset.training)
    network = partial(fresh, rf.UNetVelocity, data.source.shape[-1], preset.channels)
    source = rf.Empirical(data.source, noise=preset.noise)
    target = rf.Empirical(data.target)
    coupling = rf.IndependentCoupling(source, target)
    flows = {"1-RF": fit("1-RF", network(), coupling, **preset.first)}

    def pairs():
        settings = {"steps": uneven_times(preset.pair_steps), "solver": rf.adams_bashforth}
        settings |= {"size": preset.size, "seed": SEED, "batch_size": 500}
        return job.flow_pairs("pairs of the 1-RF", in_bf16(flows["1-RF"]), source, **settings)

    second = network()
    second.load_state_dict(flows["1-RF"].state_dict())
    careful = {"time_sampler": rf.u_shaped_times, "loss": rf.pseudo_huber_loss}
    flows["2-RF"] = fit("2-RF", second, pairs, **careful, **preset.second)
    near = rf.MinibatchOTCoupling(source, target)
    flows["optimal pairs"] = fit("optimal pairs", network(), near, **preset.first)
    if classifier is not None:
        loss = partial(rf.feature_loss, features=classifier.features, weight=preset.feature_weight)
        flows["feature loss"] = fit("feature loss", network(), coupling, loss=loss, **preset.first)
        bare = rf.IndependentCoupling(rf.Empirical(data.source), target)
        flows["no noise"] = fit("no noise", network(), bare, **preset.first)
    return flows


def try_noises(job: Job, data: Data, classifier) -> dict[str, dict]:
    """Return what is measured of short trainings, by the noise on the source."""
    facts, target = {}, rf.Empirical(data.target)
    for noise in job.preset.noises:
        velocity = fresh(rf.UNetVelocity, data.source.shape[-1], job.preset.channels)
        coupling = rf.IndependentCoupling(rf.Empirical(data.source, noise=noise), target)
        settings = {"optimizer": rf.Muon, **job.preset.training, **job.preset.short}
        job.fit(f"noise {noise:g}", velocity, coupling, **settings)
        find = partial(look, data, classifier, noise, in_bf16(velocity), GROWING)
        facts[f"{noise:g}"] = job.note(f"noise {noise:g}, growing steps", find)
    return facts


def started(images: Tensor, noise: float, k: int = 0) -> Tensor:
    """Return where images start: with set k of the noise, drawn on the CPU for all machines."""
    normal = rf.Gaussian(*images.shape[1:])
    seeded = torch.Generator().manual_seed(1000 + k)
    return images + noise * normal.sample(len(images), generator=seeded, device=images.device)


def ends(velocity, images: Tensor, noise: float, steps, k: int = 0) -> Tensor:
    """Return what a flow makes of images, with set k of the noise."""
    starts = started(images, noise, k)
    return generate(velocity, starts, steps=steps, solver=rf.adams_bashforth)


def compare(inputs: Tensor, outputs: Tensor) -> dict[str, float]:
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
        facts["boots"] = accuracy(classifier, outputs, BOOT)
        facts["FID"] = rf.feature_fid(outputs, data.test_target, classifier)
    return facts


def look(data: Data, classifier, noise: float, velocity, steps) -> dict[str, float]:
    """Measure a flow on images that it has not seen, and the spread on some that it has."""
    outputs = ends(velocity, data.test_source, noise, steps)
    others = ends(velocity, data.test_source, noise, steps, k=1)
    seen = ends(velocity, data.source[: len(outputs)], noise, steps)
    again = compare(data.shown_source, ends(velocity, data.shown_source, noise, steps))
    return {
        **compare(data.test_source, outputs),
        **judge(outputs, data, classifier),
        "spread of one input": rf.transport_cost(outputs, others) / 2,
        "spread of seen inputs": transfer_metrics.spread(seen),
        **{f"recheck {fact}": value for fact, value in again.items()},
    }


def references(data: Data, classifier) -> dict[str, float]:
    """Measure the same of real target images, paired with the sources by chance."""
    n = min(len(data.test_source), len(data.test_target))
    facts = compare(data.test_source[:n], data.test_target[:n])
    facts |= judge(data.test_target, data, classifier)
    if classifier is not None:  # what two samples of real images are apart
        others = data.target[: len(data.test_target)]
        facts["FID"] = rf.feature_fid(others, data.test_target, classifier)
    return facts


def run(job: Job) -> None:
    """Train and measure the flows, and keep the training images nearest to what they make."""
    options, classifier = job.options, None
    if options.source or options.target:
        data = own_data(job)
        name = f"{options.source.resolve().name} to {options.target.resolve().name}"
    else:
        data = fashion_data(small=job.smoke)
        name = "sneakers to ankle boots"
        classifier, _ = shipped_classifier(job)
    data = Data(*(images.to(DEVICE) for images in data))
    job.require(images=[fingerprint(images) for images in data])

    flows = train_flows(job, data, classifier)
    noise = {flow: 0.0 if flow == "no noise" else job.preset.noise for flow in flows}
    models = {}
    for flow in flows:
        measure = partial(look, data, classifier, noise[flow])
        models |= by_steps(job, flows, {flow: job.preset.steps}, measure)
    real = job.note("real images", partial(references, data, classifier))
    noises = {}
    if classifier is not None:
        find = partial(look, data, classifier, 0.0, in_bf16(flows["no noise"]), GROWING)
        models["no noise"]["growing steps"] = job.note("no noise, growing steps", find)
        noises = try_noises(job, data, classifier)
    made = {
        flow: ends(in_bf16(velocity), data.shown_source, noise[flow], SHOWN)
        for flow, velocity in flows.items()
    }
    near = {
        what: to_bytes(data.target[transfer_metrics.nearest(images, data.target).row])
        for what, images in {**made, "unseen": data.shown_target}.items()
    }
    saved = job.save_flows("transfer.safetensors", flows)
    neighbors = job.save("transfer_neighbors.safetensors", near)
    if classifier is None:
        rows = [images[:16] for images in (data.shown_source, *made.values())]
        draw(job.output / "transfer.png", rows)
    job.write(
        {
            "images": {field: len(images) for field, images in data._asdict().items()},
            "pairs": job.note("pairs of the 1-RF"),
            "neighbors": {**neighbors, "steps": SHOWN},
            "real": real,
            "noises": noises,
            "data": {name: {**saved, "models": models}},
        }
    )
