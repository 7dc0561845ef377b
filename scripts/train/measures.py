"""What several jobs measure with: noise that any machine draws, samples, and the classifier."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import rfteach as rf
from rfteach._runs.tensors import fingerprint
from scripts.train.job import DEVICE, Job

NOISE = rf.Gaussian(1, 28, 28)


def start_noise(count: int, k: int = 0) -> Tensor:
    """Return set k of the noise from which samples start: drawn on the CPU, for all machines."""
    return NOISE.sample(count, generator=torch.Generator().manual_seed(1000 + k), device=DEVICE)


def uneven_times(steps: int) -> Tensor:
    """Return the times of so many steps, the shorter the nearer to either end."""
    even = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return even / 2 + (1 - (torch.pi * even).cos()) / 4


def fashion_data(job: Job) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images and labels of Fashion-MNIST on the device: for training, and for the test."""
    if job.smoke:
        data = [tensor[:200] for tensor in rf.fashion("sample")] * 2
    else:
        data = [*rf.fashion("train"), *rf.fashion("test")]
    images, labels, test_images, test_labels = (tensor.to(DEVICE) for tensor in data)
    return images, labels, test_images, test_labels


def in_bf16(velocity: Callable) -> Callable:
    """Return the velocity as sampling calls it: in bf16, with the result in single precision."""

    def fast(x, t, condition=None):
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return rf.with_condition(velocity, condition)(x, t).float()

    return fast


def generate(
    velocity: Callable, noise, *, steps, condition=None, solver=rf.euler, batch_size: int = 500
) -> Tensor:
    """Return where the flow takes the noise, solved in batches."""
    ends = []
    for rows in torch.arange(len(noise)).split(batch_size):
        bound = rf.with_condition(velocity, None if condition is None else condition[rows])
        ends.append(solver(bound, noise[rows], steps=steps, keep="end").end)
    return torch.cat(ends)


def shipped_classifier(job: Job) -> tuple[rf.ImageClassifier, rf.FeatureMoments]:
    """Return the classifier of the job fashion and the moments of real images, on the device."""
    with torch.device(DEVICE):
        classifier, real = rf.fashion_classifier()
    job.require(classifier=fingerprint(classifier))
    return classifier, real


@torch.no_grad()
def accuracy(classifier: rf.ImageClassifier, images: Tensor, labels: Tensor | int) -> float:
    """Return the share of the images that the classifier gives their labels, or the one label."""
    guesses = torch.cat([classifier(part).argmax(dim=1) for part in images.split(1000)])
    return (guesses == labels).double().mean().item()


def held_out_parts(
    classifier: rf.ImageClassifier, images: Tensor, labels: Tensor, size: int
) -> list[dict]:
    """Return what test images are like, in parts: no flow can be asked for more.

    The classifier has not seen them in its training. Each part has `size` images, as many of one
    class as of another, like the samples of a flow. Its FID is that to the images of all other
    parts, so its reference is a little smaller than the shipped one.
    """
    count = max(2, len(images) // size)
    order = labels.argsort(stable=True)
    parts = [order[k::count] for k in range(count)]
    features = rf.features_of(images, classifier)

    def look(k: int) -> dict:
        others = rf.feature_moments(features[torch.cat(parts[:k] + parts[k + 1 :])])
        return {
            "FID": rf.frechet_distance(rf.feature_moments(features[parts[k]]), others),
            "accuracy": accuracy(classifier, images[parts[k]], labels[parts[k]]),
        }

    return [look(k) for k in range(count)]


def by_steps(job: Job, flows: dict, steps: dict[str, Sequence[int]], look: Callable) -> dict:
    """Return what the manifest says of flows: the log of each, and what was measured of it.

    Args:
        job: which has noted the log of each flow under its name.
        flows: the velocities by name.
        steps: the numbers of steps at which to measure each.
        look: called as `look(velocity, steps)`, returns the facts.
    """

    def find(name: str, n: int) -> dict:
        # One step is cheap: without bf16, so that it can be checked to the last digits.
        return look(flows[name] if n == 1 else in_bf16(flows[name]), n)

    return {
        name: {
            **job.note(name),
            "measured": {
                str(n): job.note(f"{name}, {n} steps", partial(find, name, n)) for n in counts
            },
        }
        for name, counts in steps.items()
    }


def draw(path: Path, rows: Sequence[Tensor]) -> None:
    """Draw rows of images, each pixel four times as large."""
    from PIL import Image

    lines = [torch.cat(list(to_bytes(row)), dim=2) for row in rows]
    pixels = torch.cat(lines, dim=1).permute(1, 2, 0).squeeze(2)  # gray images have no colors
    picture = Image.fromarray(pixels.cpu().numpy())
    picture.resize((4 * picture.width, 4 * picture.height), Image.NEAREST).save(path)


def to_bytes(images: Tensor) -> Tensor:
    """Return images as whole numbers from 0 to 255."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
