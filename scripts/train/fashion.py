"""The flows of chapter 9: Fashion-MNIST from noise, given the class.

They are a 1-RF, the 2-RF that Reflow makes of it, and both distilled into one step. With them comes
the classifier in whose features the FID of chapters 9 to 11 is measured. So when this is done, do
`transfer` and `captions` again, too.
"""

import copy
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import rfteach as rf
from rfteach._runs.tensors import fingerprint, load_tensors, save_tensors
from scripts.train.job import DEVICE, SEED, Job, fresh, round_to_half
from scripts.train.measures import (
    NOISE,
    accuracy,
    by_steps,
    generate,
    held_out_parts,
    in_bf16,
    start_noise,
)

RECHECK = 1000  # samples that the chapter generates again
PART = 2000  # test images that are held against the rest of them
CLASSIFIER = "rfteach.classifier/1"  # the format of its stage


def train_classifier(classifier: rf.ImageClassifier, images, labels, epochs: int) -> None:
    """Fit the classifier that gives the features, by cross-entropy."""
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


def classifier_stage(job: Job, images, labels) -> rf.ImageClassifier:
    """Return the classifier as shipped: the one that is kept, or else one that is trained now."""
    classifier = fresh(rf.ImageClassifier)
    path = job.stages / "classifier.safetensors"
    if path.exists():
        tensors, _ = load_tensors(path, CLASSIFIER, f"delete {path} to train it again")
        classifier.load_state_dict(tensors)
    else:
        train_classifier(classifier, images, labels, job.preset.epochs)
        save_tensors(path, classifier.state_dict(), {"format": CLASSIFIER})
    round_to_half(classifier)
    return classifier.eval().requires_grad_(False)


def train_flows(job: Job, images: Tensor, labels: Tensor) -> dict:
    """Train the four flows, or load what is trained already."""
    preset = job.preset
    fit = partial(job.fit, **preset.training)

    def pairs(name, velocity, steps, seed):
        settings = {"size": preset.size, "steps": steps, "seed": seed}
        labels = torch.arange(preset.size, device=DEVICE) % 10
        name = f"pairs of the {name}"
        return job.flow_pairs(name, in_bf16(velocity), NOISE, condition=labels, **settings)

    def distilled(name, teacher, coupling):
        return fit(
            name,
            copy.deepcopy(teacher),
            coupling,
            how=rf.distill,
            loss=rf.pseudo_huber_loss,
            **preset.distilled,
        )

    first = fit(
        "1-RF",
        fresh(rf.UNetVelocity, 28, preset.channels, classes=10),
        rf.ConditionalCoupling(NOISE, images, labels),
        **preset.first,
    )
    first_pairs = pairs("1-RF", first, preset.pair_steps, SEED)
    second = fit(
        "2-RF",
        copy.deepcopy(first),
        first_pairs,
        time_sampler=rf.u_shaped_times,
        loss=rf.pseudo_huber_loss,
        **preset.second,
    )
    second_pairs = pairs("2-RF", second, preset.pair_steps // 2, SEED + 1)
    return {
        "1-RF": first,
        "2-RF": second,
        "distilled": distilled("distilled", second, second_pairs),
        "1-RF distilled": distilled("1-RF distilled", first, first_pairs),
    }


def run(job: Job) -> None:
    """Train the classifier and the flows, and measure the FID of each flow against NFE."""
    job.require()
    preset = job.preset
    if job.smoke:
        data = [tensor[:200] for tensor in rf.fashion("sample")] * 2
    else:
        data = [*rf.fashion("train"), *rf.fashion("test")]
    images, labels, test_images, test_labels = (tensor.to(DEVICE) for tensor in data)

    classifier = classifier_stage(job, images, labels)
    job.require(classifier=fingerprint(classifier))
    real = rf.feature_moments(rf.features_of(test_images, classifier))
    facts = job.note(
        "classifier, measured",
        lambda: {
            "accuracy": accuracy(classifier, test_images, test_labels),
            # What two samples of real images are apart: no flow can be asked for less.
            "held-out parts": held_out_parts(classifier, test_images, test_labels, size=PART),
            "real against real": rf.feature_fid(images[: len(test_images)], real, classifier),
            "recheck floor": rf.feature_fid(images[:RECHECK], real, classifier),
        },
    )

    flows = train_flows(job, images, labels)
    noise = start_noise(preset.samples)
    asked = torch.arange(preset.samples, device=DEVICE) % 10

    def look(velocity, steps):
        made = generate(velocity, noise, steps=steps, condition=asked)
        return {
            "FID": rf.feature_fid(made, real, classifier),
            "recheck FID": rf.feature_fid(made[:RECHECK], real, classifier),
            "accuracy": accuracy(classifier, made, asked),
        }

    models = by_steps(job, flows, preset.steps, look)
    shipped = {f"classifier/{k}": tensor.half() for k, tensor in classifier.state_dict().items()}
    shipped |= {f"moments/{k}": tensor.float() for k, tensor in real._asdict().items()}
    saved = job.save_flows("fashion.safetensors", flows)
    job.write(
        {
            "recheck": RECHECK,
            "classifier": {**job.save("fashion_classifier.safetensors", shipped), **facts},
            "pairs": {name: job.note(name) for name in ("pairs of the 1-RF", "pairs of the 2-RF")},
            "data": {"Fashion-MNIST": {**saved, "models": models}},
        }
    )
