"""Record what ways to edit a caption change and keep: rfteach/_shipped/editing.json.

    python -m benchmarks.editing             # all, about five minutes
    python -m benchmarks.editing --scales    # the other scales of guidance alone

Test images of one class are to become another, by a change of the caption. Each way is measured at
five of its strengths: which share the classifier takes for the new class, how much of each image is
kept (`rf.transfer_metrics.kept`), and the mean distance in pixels. Each seed has its own images and
noise, the same for all ways. Steps, guidance and captions are those of chapter 17. At one strength
each way is measured with other scales of guidance, too: is it the scale that holds one back?
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

import rfteach as rf

RECORD = Path(__file__).parents[1] / "rfteach" / "_shipped" / "editing.json"
SEEDS, IMAGES, STEPS = range(1, 4), 16, 20
PAIRS = {  # label and caption of the images, and those that are wanted
    "sneaker to ankle boot": (7, "a sneaker", 9, "an ankle boot"),
    "T-shirt to dress": (0, "a T-shirt", 3, "a dress"),
}
STARTS = (0, 2, 5, 8, 11)  # the first step of twenty: late starts keep more
UNTIL = (0, 2, 4, 6, 8)  # the last step that is pulled: late ends keep more
GAMMAS, ETA = (0.5, 0.0), 0.9  # strength of the pull backward, to noise, and forward
GUIDANCE = {"scale": 2.0, "interval": (0.2, 0.6)}
WAYS = {"SDEdit": STARTS, "inversion": STARTS, "FlowEdit": STARTS, "RF-Inversion": UNTIL}
WAYS |= {"RF-Inversion, not pulled back": UNTIL}
SCALES = (1.0, 4.0)  # of guidance, besides that of GUIDANCE
CHOSEN = {"SDEdit": 5, "inversion": 0, "FlowEdit": 2, "RF-Inversion": 4}  # their strengths


def walk(velocity, x, first: int, last: int):
    """Make Euler steps from t = first / STEPS to t = last / STEPS, forward or backward."""
    sign = 1 if last > first else -1
    for k in range(first, last, sign):
        x = x + sign / STEPS * velocity(x, x.new_full((len(x),), k / STEPS))
    return x


def edits(flow, images, texts: tuple[str, str], seed: int, scale: float, strengths: dict):
    """Yield the name, the strength and the edited images of each way, at its `strengths`."""
    old, new = (rf.tokenize_captions([text] * len(images)) for text in texts)
    nothing = torch.zeros_like(old)
    source, untold = (rf.with_condition(flow, told) for told in (old, nothing))
    target = rf.guided(flow, new, nothing, **(GUIDANCE | {"scale": scale}))
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    back, late = {STEPS: images}, STEPS
    for k in sorted(strengths["inversion"], reverse=True):
        back[k], late = walk(source, back[late], late, k), k

    def backward(x, s):
        return -untold(x, 1 - s)

    for k in strengths["SDEdit"]:
        yield "SDEdit", k, walk(target, (1 - k / STEPS) * noise + k / STEPS * images, k, STEPS)
    for k in strengths["inversion"]:
        yield "inversion", k, walk(target, back[k], k, STEPS)
    for k in strengths["FlowEdit"]:
        draws = torch.Generator().manual_seed(100 + seed)
        how = {"steps": STEPS, "start": k / STEPS, "generator": draws}
        yield "FlowEdit", k, rf.flow_edit(source, target, images, **how)
    for name, gamma in zip(list(WAYS)[-2:], GAMMAS, strict=True):
        if name not in strengths:
            continue
        start = rf.euler(rf.pulled(backward, noise, strength=gamma), images, steps=STEPS).end
        for k in strengths[name]:
            velocity = rf.pulled(target, images, strength=ETA, until=k / STEPS)
            yield name, k, rf.euler(velocity, start, steps=STEPS).end


@torch.no_grad()
def measure(
    pair: str, seed: int, scale: float, strengths: dict
) -> dict[str, dict[str, dict[str, float]]]:
    """Return for each way and strength what is changed and what is kept."""
    label, old, wanted, new = PAIRS[pair]
    flow = rf.pretrained("Fashion-MNIST, captions")["1-RF"].eval().requires_grad_(False)
    classifier, _ = rf.fashion_classifier()
    images, labels = rf.fashion("test")
    rows = (labels == label).nonzero()[:, 0]
    images = images[rows[IMAGES * (seed - 1) : IMAGES * seed]]
    found: dict = {name: {} for name in strengths}
    for name, k, edited in edits(flow, images, (old, new), seed, scale, strengths):
        right = classifier(edited).argmax(dim=1) == wanted
        found[name][str(k)] = {
            "changed": round(right.double().mean().item(), 4),
            "kept": round(rf.transfer_metrics.kept(images, edited), 4),
            "distance": round((edited - images).flatten(1).norm(dim=1).mean().item(), 3),
        }
    return found


def at_other_scales(scale: float) -> dict:
    """Return what each way changes and keeps at its chosen strength, by pair and seed."""
    strengths = {name: (k,) for name, k in CHOSEN.items()}
    return {
        pair: {str(seed): measure(pair, seed, scale, strengths) for seed in SEEDS} for pair in PAIRS
    }


def all_runs() -> dict:
    """Return what each way changes and keeps at each of its strengths, by pair and seed."""
    runs: dict = {pair: {} for pair in PAIRS}
    for pair in PAIRS:
        for seed in SEEDS:
            started = time.process_time()
            runs[pair][str(seed)] = measure(pair, seed, GUIDANCE["scale"], WAYS)
            print(f"{pair}, seed {seed}: {time.process_time() - started:.0f} s", flush=True)
        for name, strengths in WAYS.items():
            for k in strengths:
                means = [
                    statistics.mean(run[name][str(k)][what] for run in runs[pair].values())
                    for what in ("changed", "kept", "distance")
                ]
                print(f"{name:14s} {k:3d}", *(f"{mean:8.3f}" for mean in means), flush=True)
    return runs


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", action="store_true", help="only the other scales of guidance")
    torch.set_num_threads(1)
    record = {
        "what": "what four ways to edit a caption change and keep, chapter 17",
        "made_by": "python -m benchmarks.editing",
        "seeds": list(SEEDS),
        "images": IMAGES,
        "steps": STEPS,
        "gammas and eta": [*GAMMAS, ETA],
        "guidance": [GUIDANCE["scale"], *GUIDANCE["interval"]],
    }
    if parser.parse_args().scales:
        record["runs"] = json.loads(RECORD.read_text())["runs"]
    else:
        record["runs"] = all_runs()
    record["scales"] = {}
    for scale in SCALES:
        record["scales"][str(scale)] = at_other_scales(scale)
        RECORD.write_text(json.dumps(record) + "\n")
