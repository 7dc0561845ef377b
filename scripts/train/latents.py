"""The autoencoders of chapter 18, and flows in their latents: Fashion-MNIST as a few numbers.

Three autoencoders have 1, 2 and 4 channels of 7 x 7; their rivals are as many numbers of PCA. In
the latents of the smallest and the largest a flow is trained, with the best of some learning rates
and three seeds. (The flow on pixels to hold them against is that of the job `fashion`.)
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh
from scripts.train.measures import NOISE, generate, shipped_classifier

DATA = "Fashion-MNIST, latents"
CHANNELS = (1, 2, 4)
FLOWN = (1, 4)  # those with flows in their latents, and in as many numbers of PCA
SHIPPED = "autoencoder, 1 channels"  # the latents whose flow is shipped
OTHER_SEED = 100  # of the runs that choose a learning rate, and of the noise they are judged with


class Packing(NamedTuple):
    """How images become numbers, shape (n, numbers), and numbers become images."""

    encode: Callable[[Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]


class Judge(NamedTuple):
    """What the FID is measured with."""

    classifier: rf.ImageClassifier
    real: rf.FeatureMoments

    def __call__(self, images: Tensor) -> float:
        return rf.feature_fid(images.clamp(-1, 1), self.real, self.classifier)


def reconstruction_loss(autoencoder, x0, x1, t):
    """Mean square per pixel: the images are the data x1; noise and times are not needed."""
    return (autoencoder(x1) - x1).square().mean()


def in_parts(network: Callable, x: Tensor) -> Tensor:
    """Return what the network makes of many rows, without gradients."""
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(1000)])


def convolutional(autoencoder: rf.ImageAutoencoder) -> Packing:
    """Return the packing by an autoencoder, with flattened latents."""
    shape = (autoencoder.channels, 7, 7)
    return Packing(
        lambda images: in_parts(autoencoder.encode, images).flatten(1),
        lambda latents: in_parts(autoencoder.decode, latents.unflatten(1, shape)),
    )


def linear(images: Tensor, numbers: int) -> Packing:
    """Return the packing by PCA: the directions of largest variance of the images."""
    flat = images.flatten(1).double()
    mean = flat.mean(dim=0)
    directions = torch.linalg.eigh((flat - mean).T @ (flat - mean))[1].flip(1)[:, :numbers].float()
    mean = mean.float()
    return Packing(
        lambda images: (images.flatten(1) - mean) @ directions,
        lambda latents: (mean + latents @ directions.T).reshape(-1, 1, 28, 28),
    )


def quality(job: Job, packing: Packing, images: Tensor, test_images: Tensor, judge: Judge) -> dict:
    """Return what a reconstruction loses, and what the latents are like before any scale."""
    again = packing.decode(packing.encode(test_images)).clamp(-1, 1)
    latents = packing.encode(images)
    widths = latents.std(dim=0)
    size = job.preset.samples
    return {
        "numbers": latents.shape[1],
        "mean square error": (again - test_images).square().mean().item(),
        "FID": [judge(part) for part in again.split(size)[: job.preset.parts]],
        "mean": latents.mean().item(),
        "scale": latents.std().item(),
        "largest width over smallest": (widths.max() / widths.min()).item(),
    }


def spent(job: Job, name: str, train: Callable) -> float:
    """Return the seconds of the processor that a training takes, noted beside its log."""
    started = time.process_time()
    train()
    return job.note(f"{name}, processor", lambda: time.process_time() - started)


def best_flows(
    job: Job,
    name: str,
    network: Callable,
    coupling,
    decode: Callable,
    judge: Judge,
) -> tuple[dict, nn.Module]:
    """Train with each rate, then with the best one and each seed; return the facts, and a flow.

    The rates are judged with another seed, other noise, and fewer samples than the flows that are
    reported.
    """
    preset = job.preset

    def fit(label: str, seed: int, starts: range, rate: float) -> tuple[dict, nn.Module]:
        velocity = network(seed=seed)
        settings = {**preset.training, "learning_rate": rate, "seed": seed, "bf16": False}
        seconds = spent(job, label, partial(job.fit, label, velocity, coupling, **settings))

        def look():
            found = []
            for k in starts:
                count = preset.tried if k == OTHER_SEED else preset.samples
                generator = torch.Generator().manual_seed(1000 + k)
                start = coupling.source.sample(count, generator=generator, device=DEVICE)
                found.append(judge(decode(generate(velocity, start, steps=preset.steps))))
            return {"FID": found}

        measured = job.note(f"{label}, measured", look)
        return {**job.note(label), "processor seconds": seconds, **measured}, velocity

    tried = {}
    for rate in preset.rates:
        label = f"{name}, rate {rate:g}"
        tried[rate] = fit(label, OTHER_SEED, range(OTHER_SEED, OTHER_SEED + 1), rate)[0]["FID"][0]
    best = min(tried, key=tried.__getitem__)
    seeds = range(SEED, SEED + preset.seeds)
    made = {s: fit(f"{name}, seed {s}", s, range(preset.noises), best) for s in seeds}
    facts = {
        "rates": {f"{rate:g}": fid for rate, fid in tried.items()},
        "rate": best,
        "seeds": {str(seed): log for seed, (log, _) in made.items()},
    }
    return facts, made[SEED][1]


def run(job: Job) -> None:
    """Train the autoencoders, then flows in their latents and in those of PCA; measure all."""
    job.require()
    preset = job.preset
    if job.smoke:
        data = [rf.fashion("sample")[0][:200]] * 2
    else:
        data = [rf.fashion("train")[0], rf.fashion("test")[0]]
    images, test_images = (tensor.to(DEVICE) for tensor in data)
    classifier, _ = shipped_classifier(job)
    judge = Judge(classifier, rf.feature_moments(rf.features_of(test_images, classifier)))
    parts = images.split(preset.samples)[: preset.parts]
    floor = job.note("floors", lambda: [judge(part) for part in parts])

    autoencoders, packings = {}, {}
    for channels in CHANNELS:
        name = f"autoencoder, {channels} channels"
        autoencoder = fresh(rf.ImageAutoencoder, channels)
        coupling = rf.IndependentCoupling(NOISE, rf.Empirical(images))
        job.fit(name, autoencoder, coupling, loss=reconstruction_loss, bf16=False, **preset.packing)
        autoencoders[channels] = autoencoder.eval().requires_grad_(False)
        packings[name] = convolutional(autoencoders[channels])
        packings[f"PCA, {49 * channels} numbers"] = linear(images, 49 * channels)
    qualities = {
        name: job.note(
            f"{name}, quality", partial(quality, job, packing, images, test_images, judge)
        )
        for name, packing in packings.items()
    }

    flows, velocities = {}, {}
    for name, packing in packings.items():
        if qualities[name]["numbers"] not in [49 * channels for channels in FLOWN]:
            continue
        mean, scale = qualities[name]["mean"], qualities[name]["scale"]
        numbers = qualities[name]["numbers"]
        unit = (packing.encode(images) - mean) / scale
        flows[name], velocities[name] = best_flows(
            job,
            f"flow, {name}",
            partial(fresh, rf.VelocityMLP, numbers, **preset.network),
            rf.IndependentCoupling(rf.Gaussian(numbers), rf.Empirical(unit)),
            lambda end, packing=packing, m=mean, s=scale: packing.decode(s * end + m),
            judge,
        )

    packed = {
        f"{channels}/{name}": tensor.half()
        for channels, autoencoder in autoencoders.items()
        for name, tensor in autoencoder.state_dict().items()
    }
    saved = job.save_flows("latents.safetensors", {"1-RF": velocities[SHIPPED]})
    shipped = {"1-RF": flows[SHIPPED]["seeds"][str(SEED)]}
    facts = {
        str(channels): {
            **job.note(f"autoencoder, {channels} channels"),
            "measured": qualities[f"autoencoder, {channels} channels"],
        }
        for channels in CHANNELS
    }
    job.write(
        {
            "floor": floor,
            "autoencoders": {**job.save("autoencoders.safetensors", packed), "channels": facts},
            "packings": qualities,
            "flows": flows,
            "data": {DATA: {**saved, "models": shipped}},
        }
    )
