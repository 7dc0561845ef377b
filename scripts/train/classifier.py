"""The classifier in whose features the FID of chapters 9 to 11 is measured.

When it is done anew, do `fashion`, `transfer` and `captions` again, too.
"""

import torch
import torch.nn.functional as F

import rfteach as rf
from scripts.train.job import Job, fresh, round_to_half, rounded
from scripts.train.measures import accuracy, fashion_data, held_out_parts

PART = 2000  # test images that are held against the rest of them
RECHECK = 1000  # images that a chapter measures again


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


def run(job: Job) -> None:
    """Train the classifier; it takes a minute, so there are no stages."""
    images, labels, test_images, test_labels = fashion_data(job)
    classifier = fresh(rf.ImageClassifier)
    train_classifier(classifier, images, labels, job.preset.epochs)
    round_to_half(classifier)
    classifier.eval().requires_grad_(False)
    real = rf.feature_moments(rf.features_of(test_images, classifier))
    tensors = {f"classifier/{k}": tensor.half() for k, tensor in classifier.state_dict().items()}
    tensors |= {f"moments/{k}": tensor.float() for k, tensor in real._asdict().items()}
    facts = {
        "accuracy": accuracy(classifier, test_images, test_labels),
        # What two samples of real images are apart: no flow can be asked for less.
        "held-out parts": held_out_parts(classifier, test_images, test_labels, size=PART),
        "real against real": rf.feature_fid(images[: len(test_images)], real, classifier),
        "recheck floor": rf.feature_fid(images[:RECHECK], real, classifier),
    }
    saved = job.save("fashion_classifier.safetensors", tensors)
    job.write({"recheck": RECHECK, "classifier": {**saved, **rounded(facts)}})
