"""The flows of chapter 9: Fashion-MNIST from noise, given the class.

They are a 1-RF, the 2-RF that Reflow makes of it, the 2-RF distilled into one step, and its rival,
the 1-RF distilled, which gets the training of both. All but the 1-RF learn from drawn pairs.

Six more answer questions. Do pairs help that end at real images, each with the noise that the flow
leads it back to? Two short 2-RFs have as many pairs, without real images and with them, and a third
one has all pairs and the whole training. And do the pairs of the 2-RF hold its student back? Two
short students of it learn from those, and from pairs of the 1-RF that are new to it. A third one
learns from the latter for the whole training, in an equal race with the rival.
"""

import copy
from functools import cache, partial

import torch
from torch import Tensor

import rfteach as rf
from scripts.train.job import DEVICE, SEED, Job, fresh
from scripts.train.measures import (
    NOISE,
    accuracy,
    by_steps,
    fashion_data,
    generate,
    in_bf16,
    shipped_classifier,
    start_noise,
    uneven_times,
)

SHIPPED = ("1-RF", "2-RF", "distilled", "1-RF distilled")
RECHECK = 1000  # samples that the chapter generates again
DRAWS = 3  # sets of noise in each measurement
EXACT = 100  # steps of Heun that count as exact
EVALUATIONS = (12, 24, 48)  # that each of the solvers is given
SOLVERS = (
    ("Euler", rf.euler, 1),
    ("Heun", rf.heun, 2),
    ("RK4", rf.rk4, 4),
    ("Adams-Bashforth", rf.adams_bashforth, 1),
)


def carried_back(job: Job, first, steps: int, images: Tensor, labels: Tensor) -> rf.PairedCoupling:
    """Return pairs that end at real images: each is led back to its noise by the 1-RF."""

    def make() -> rf.PairedCoupling:
        solve = {"steps": uneven_times(steps), "solver": rf.adams_bashforth}
        starts = [
            rf.invert(rf.with_condition(in_bf16(first), labels[rows]), images[rows], **solve).start
            for rows in torch.arange(len(images)).split(500)
        ]
        return rf.PairedCoupling(torch.cat(starts), images, labels)

    return job.pairs("real pairs of the 1-RF", make)


def joined(*couplings: rf.PairedCoupling) -> rf.PairedCoupling:
    """Return all pairs of several couplings as one."""
    columns = ("x0", "x1", "condition")
    return rf.PairedCoupling(*(torch.cat([getattr(c, k) for c in couplings]) for k in columns))


def some(coupling: rf.PairedCoupling, count: int) -> rf.PairedCoupling:
    """Return so many pairs of a coupling, chosen by chance."""
    rows = torch.randperm(len(coupling), generator=torch.Generator().manual_seed(SEED))[:count]
    return rf.PairedCoupling(coupling.x0[rows], coupling.x1[rows], coupling.condition[rows])


def train_flows(job: Job, images: Tensor, labels: Tensor) -> tuple[dict, dict]:
    """Train the flows, or load what is trained already.

    Returns:
        the flows, and functions that return the pairs that they learn: those of a flow that is
        trained already are not made again.
    """
    preset = job.preset
    fit = partial(job.fit, optimizer=rf.Muon, **preset.training)

    def pairs(name, velocity, steps, seed):
        asked = torch.arange(preset.size, device=DEVICE) % 10
        settings = {"size": preset.size, "seed": seed, "batch_size": 500}
        settings |= {"steps": uneven_times(steps), "solver": rf.adams_bashforth}
        velocity = in_bf16(velocity)
        return job.flow_pairs(f"pairs of the {name}", velocity, NOISE, condition=asked, **settings)

    straighten = partial(fit, time_sampler=rf.u_shaped_times, loss=rf.pseudo_huber_loss)
    distilled = partial(fit, how=rf.distill, loss=rf.pseudo_huber_loss)

    first = fit(
        "1-RF",
        fresh(rf.UNetVelocity, 28, preset.channels, classes=10),
        rf.ConditionalCoupling(NOISE, images, labels),
        time_sampler=rf.logit_normal_times,
        **preset.first,
    )

    steps = preset.pair_steps

    @cache
    def drawn():
        return pairs("1-RF", first, steps, SEED)

    @cache
    def mixed():
        return joined(drawn(), carried_back(job, first, steps, images, labels))

    def mixed_as_many():
        return some(mixed(), preset.size)

    @cache
    def again():
        return pairs("2-RF", second, steps // 2, SEED + 1)

    @cache
    def others():  # pairs of the 1-RF that the 2-RF has not seen
        return pairs("1-RF, more", first, steps, SEED + 2)

    def twice_as_many():  # the rival has the training of both
        return joined(drawn(), others())

    straight = {
        name: straighten(name, copy.deepcopy(first), coupling, **training)
        for name, coupling, training in (
            ("2-RF, short, drawn pairs", drawn, preset.short),
            ("2-RF, short, real pairs, too", mixed_as_many, preset.short),
            ("2-RF, real pairs, too", mixed, preset.second),
            ("2-RF", drawn, preset.second),
        )
    }
    second = straight["2-RF"]
    total = preset.second["steps"] + preset.distilled["steps"]
    students = {
        name: distilled(name, copy.deepcopy(start), coupling, **training)
        for name, start, coupling, training in (
            ("2-RF distilled, short, its pairs", second, again, preset.short),
            ("2-RF distilled, short, pairs of the 1-RF", second, others, preset.short),
            ("distilled", second, again, preset.distilled),
            ("2-RF distilled, pairs of the 1-RF", second, others, preset.distilled),
            ("1-RF distilled", first, twice_as_many, preset.distilled | {"steps": total}),
        )
    }
    couplings = {"pairs of the 1-RF": drawn, "pairs of the 2-RF": again}
    return {"1-RF": first, **straight, **students}, couplings


def solver_errors(velocity, count: int) -> dict[str, dict]:
    """Return the mean squared distance of each solver's ends to those of many small steps."""
    noise, asked = start_noise(count), torch.arange(count, device=DEVICE) % 10

    def ends(solver, steps):
        settings = {"steps": steps, "condition": asked, "solver": solver}
        return generate(in_bf16(velocity), noise, **settings)

    exact = ends(rf.heun, EXACT)
    errors = {}
    for name, solver, evaluations in SOLVERS:
        for n in EVALUATIONS:
            for kind, times in (
                ("even", n // evaluations),
                ("uneven", uneven_times(n // evaluations)),
            ):
                gap = (ends(solver, times) - exact).square().flatten(1).sum(dim=1).mean()
                errors.setdefault(f"{name}, {kind}", {})[str(n)] = gap.item()
    return errors


def run(job: Job) -> None:
    """Train the flows, and measure the FID of each against the number of steps."""
    job.require()
    preset = job.preset
    images, labels, _, _ = fashion_data(job)
    classifier, real = shipped_classifier(job)
    flows, couplings = train_flows(job, images, labels)
    asked = torch.arange(preset.samples, device=DEVICE) % 10

    def look(velocity, steps, solver=rf.euler):
        found: dict = {"FID": [], "accuracy": []}
        for k in range(DRAWS):
            noise = start_noise(preset.samples, k)
            made = generate(velocity, noise, steps=steps, condition=asked, solver=solver)
            found["FID"].append(rf.feature_fid(made, real, classifier))
            found["accuracy"].append(accuracy(classifier, made, asked))
            if k == 0:
                found["recheck FID"] = rf.feature_fid(made[:RECHECK], real, classifier)
        return found

    def ends(coupling):  # of as many pairs as there are samples
        return rf.feature_fid(coupling.x1[: preset.samples], real, classifier)

    def finer_ends(coupling):  # of the 2-RF, from the same noise by twice as many steps
        start, asked = coupling.x0[: preset.samples], coupling.condition[: preset.samples]
        ways = {"steps": uneven_times(preset.pair_steps), "solver": rf.adams_bashforth}
        made = generate(in_bf16(flows["2-RF"]), start, condition=asked, **ways)
        return {"FID": rf.feature_fid(made, real, classifier)}

    models = by_steps(job, flows, preset.steps, look)
    others = {name: models.pop(name) for name in list(models) if name not in SHIPPED}
    saved = job.save_flows("fashion.safetensors", {name: flows[name] for name in models})
    better = partial(look, steps=uneven_times(preset.pair_steps), solver=rf.adams_bashforth)
    job.write(
        {
            "recheck": RECHECK,
            "solvers": job.note(
                "solvers", lambda: solver_errors(flows["1-RF"], preset.solver_samples)
            ),
            "pairs": {
                **{
                    name: job.note(name)
                    | job.note(f"{name}, ends", lambda c=coupling: {"FID": ends(c())})
                    for name, coupling in couplings.items()
                },
                **{
                    name: job.note(name)
                    for name in ("pairs of the 1-RF, more", "real pairs of the 1-RF")
                },
            },
            "finer pairs of the 2-RF": job.note(
                "finer pairs of the 2-RF", lambda: finer_ends(couplings["pairs of the 2-RF"]())
            ),
            "others": others,
            "better solver": job.note(
                f"1-RF, {preset.pair_steps} steps of Adams-Bashforth",
                lambda: better(in_bf16(flows["1-RF"])),
            ),
            "data": {"Fashion-MNIST": {**saved, "models": models}},
        }
    )
