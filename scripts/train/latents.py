"""The autoencoders of chapter 18, and flows in their latents: Fashion-MNIST as a few numbers.

Three autoencoders have 1, 2 and 4 channels of 7 x 7. In the latents of each a flow is trained, with
three seeds; its rival is a U-Net in pixels that trains for as many seconds of the processor.
"""

import time
from functools import partial

import torch
from torch import Tensor

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh
from scripts.train.measures import NOISE, generate, shipped_classifier

DATA = "Fashion-MNIST, latents"
SHIPPED = 4  # channels of the autoencoder that is shipped with a flow


def reconstruction_loss(autoencoder, x0, x1, t):
    """Mean square per pixel: the images are the data x1; noise and times are not needed."""
    return (autoencoder(x1) - x1).square().mean()


@torch.no_grad()
def encode(autoencoder: rf.ImageAutoencoder, images: Tensor) -> Tensor:
    """Return the latents of many images, flattened, shape (n, 49 channels)."""
    return torch.cat([autoencoder.encode(part).flatten(1) for part in images.split(1000)])


@torch.no_grad()
def decode(autoencoder: rf.ImageAutoencoder, latents: Tensor) -> Tensor:
    """Return the images of flattened latents, within their range."""
    shaped = latents.reshape(len(latents), autoencoder.channels, 7, 7)
    return torch.cat([autoencoder.decode(part) for part in shaped.split(1000)]).clamp(-1, 1)


def quality(job: Job, autoencoder, images, test_images, classifier, real) -> dict:
    """Return what a reconstruction loses, and what the latents are like before any scale."""
    again = decode(autoencoder, encode(autoencoder, test_images))
    latents = encode(autoencoder, images)
    return {
        "numbers": latents.shape[1],
        "mean square error": (again - test_images).square().mean().item(),
        "FID": rf.feature_fid(again[: job.preset.samples], real, classifier),
        "mean": latents.mean().item(),
        "scale": latents.std().item(),
        "largest width over smallest": (latents.std(dim=0).max() / latents.std(dim=0).min()).item(),
    }


def spent(job: Job, name: str, train) -> float:
    """Return the seconds of the processor that a training takes, noted beside its log."""
    started = time.process_time()
    train()
    return job.note(f"{name}, processor", lambda: time.process_time() - started)


def train_rivals(job: Job, images: Tensor, classifier, real) -> dict:
    """Train a U-Net in pixels with each seed; return its log, its seconds and its FID."""
    preset = job.preset
    rivals = {}
    start = NOISE.sample(
        preset.samples, generator=torch.Generator().manual_seed(1000), device=DEVICE
    )
    for seed in range(SEED, SEED + preset.seeds):
        name = f"pixels, seed {seed}"
        velocity = fresh(rf.UNetVelocity, 28, preset.channels, seed=seed)
        coupling = rf.IndependentCoupling(NOISE, rf.Empirical(images))
        fit = partial(job.fit, name, velocity, coupling, bf16=False, seed=seed, **preset.pixels)
        seconds = spent(job, name, fit)

        def look_at_pixels(velocity=velocity):
            made = generate(velocity, start, steps=preset.steps).clamp(-1, 1)
            return {"FID": rf.feature_fid(made, real, classifier)}

        measured = job.note(f"{name}, measured", look_at_pixels)
        rivals[name] = {**job.note(name), "processor seconds": seconds, **measured}
    return rivals


def run(job: Job) -> None:
    """Train the autoencoders, then a flow in each, then its rival; measure all by one FID."""
    job.require()
    preset, training = job.preset, job.preset.training
    if job.smoke:
        data = [rf.fashion("sample")[0][:200]] * 2
    else:
        data = [rf.fashion("train")[0], rf.fashion("test")[0]]
    images, test_images = (tensor.to(DEVICE) for tensor in data)
    classifier, _ = shipped_classifier(job)
    real = rf.feature_moments(rf.features_of(test_images, classifier))
    floor = job.note("floor", lambda: rf.feature_fid(images[: preset.samples], real, classifier))

    autoencoders, qualities, flows = {}, {}, {}
    for channels in (1, 2, 4):
        name = f"autoencoder, {channels} channels"
        autoencoder = fresh(rf.ImageAutoencoder, channels)
        coupling = rf.IndependentCoupling(NOISE, rf.Empirical(images))
        job.fit(name, autoencoder, coupling, loss=reconstruction_loss, bf16=False, **preset.packing)
        autoencoder.eval().requires_grad_(False)
        find = partial(quality, job, autoencoder, images, test_images, classifier, real)
        qualities[str(channels)] = {
            **job.note(name),
            "measured": job.note(f"{name}, measured", find),
        }
        autoencoders[str(channels)] = autoencoder

    models: dict = {}
    for channels, autoencoder in autoencoders.items():
        facts = qualities[channels]["measured"]
        latents = (encode(autoencoder, images) - facts["mean"]) / facts["scale"]
        noise = rf.Gaussian(facts["numbers"])
        coupling = rf.IndependentCoupling(noise, rf.Empirical(latents))
        for seed in range(SEED, SEED + preset.seeds):
            name = f"{channels} channels, seed {seed}"
            velocity = fresh(rf.VelocityMLP, facts["numbers"], seed=seed, **preset.network)
            fit = partial(job.fit, name, velocity, coupling, bf16=False, seed=seed, **training)
            seconds = spent(job, name, fit)

            def look(velocity=velocity, noise=noise, facts=facts, autoencoder=autoencoder):
                generator = torch.Generator().manual_seed(1000)
                start = noise.sample(preset.samples, generator=generator, device=DEVICE)
                end = generate(velocity, start, steps=preset.steps)
                made = decode(autoencoder, facts["scale"] * end + facts["mean"])
                return {"FID": rf.feature_fid(made, real, classifier)}

            measured = job.note(f"{name}, measured", look)
            models[name] = {**job.note(name), "processor seconds": seconds, **measured}
            flows.setdefault(channels, velocity)

    rivals = train_rivals(job, images, classifier, real)
    chosen = str(SHIPPED)
    packed = {
        f"{channels}/{name}": tensor.half()
        for channels, autoencoder in autoencoders.items()
        for name, tensor in autoencoder.state_dict().items()
    }
    saved = job.save_flows("latents.safetensors", {"1-RF": flows[chosen]})
    shipped = {"1-RF": models[f"{chosen} channels, seed {SEED}"]}
    job.write(
        {
            "floor": floor,
            "autoencoders": {**job.save("autoencoders.safetensors", packed), "channels": qualities},
            "flows": models,
            "pixels": rivals,
            "data": {DATA: {**saved, "models": shipped}},
        }
    )
