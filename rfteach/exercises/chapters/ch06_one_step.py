"""Checkers for chapter 6, on one step and distillation."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import torch

from rfteach.exercises.checking import exercise
from rfteach.exercises.tools import pictures
from rfteach.exercises.tools.answers import NotAttempted, Right, Wrong, call
from rfteach.exercises.tools.expect import as_whole, expect_close, expect_tensor
from rfteach.exercises.tools.expect_loss import expect_loss
from rfteach.exercises.tools.inputs import IMAGES_FIRST, inputs, waves
from rfteach.exercises.tools.probe import Probe, expect_without_gradient
from rfteach.exercises.tools.reference import at


@exercise("6.1", "One step that is one step", "code")
def one_step(one_step: Any) -> Right:
    """Check `one_step(velocity, z0)`: one evaluation, at t = 0."""
    for given in inputs(seed=61):
        z0 = given.points()
        velocity = Probe(waves, z0)
        result = call(one_step, velocity, z0)
        got = expect_tensor(result, z0, "The sample")
        v = at(z0, 0.0)
        half = z0 + v / 2
        mistakes = [
            (z0, "These are the starts: the velocity was not used at all."),
            (v, "This is the velocity. The sample is the start plus the velocity."),
            (
                z0 + at(z0, 1.0),
                "The velocity was taken at t = 1, where points have arrived. Noise is at t = 0.",
            ),
            (z0 + at(z0, 0.5), "The velocity was taken at t = 1/2. Noise is at t = 0."),
            *(
                (z0 - at(z0, t), "The step goes backward: the sample is z0 *plus* the velocity.")
                for t in (0.0, 1.0)
            ),
            (half, "The step stops half way. From t = 0 to t = 1, dt = 1."),
            (z0 + 2 * v, "The step goes twice as far as it should. From t = 0 to t = 1, dt = 1."),
            (half + at(half, 0.5) / 2, "These are two steps. One step has N = 1 and dt = 1."),
            (
                z0 + at(half, 0.5),
                "This is a step of the midpoint method: one step, but two evaluations.",
            ),
            (
                z0 + (v + at(z0 + v, 1.0)) / 2,
                "This is a step of Heun's method: one step, but two evaluations.",
            ),
        ]
        looks = velocity.evaluations
        late = ""
        often = f"Your step looked at the velocity {looks} times. One step of Euler looks once."
        if looks != 1:
            mistakes.append((got, often))
        elif velocity.times[0] != 0:
            late = f"The velocity was taken at t = {velocity.times[0]:.2g}, on average over the "
            late += "batch. Noise is at t = 0."
            mistakes.append((got, late))
        elif not torch.equal(velocity.points[0], z0):
            mistakes.append((got, "The velocity was taken at other points than z0."))
        draw = pictures.clouds(z0 + v, got)
        expect_close(got, z0 + v, mistakes, name="The sample", draw=draw)
        if looks != 1:
            raise Wrong(often)
        if late:
            raise Wrong(late)
        expect_without_gradient(result, velocity)
    return Right(
        "One evaluation, at t = 0. How good such a step is, you only know after counting: a "
        "sampler with more evaluations in it looks better than it is."
    )


@exercise("6.2", "The loss of a jump", "code")
def jump_loss(jump_loss: Any) -> Right:
    """Check `jump_loss(student, z0, z1)`: the least-squares loss of one step."""
    for given in inputs(IMAGES_FIRST, seed=62):
        z0, z1 = given.points(), given.points()
        student = Probe(waves, z0, "student")
        zero = z0.new_zeros(len(z0))
        result = call(jump_loss, student, z0, z1)
        places = [(z1, "The student was fed z1, the answer. It jumps from z0.")]
        if student.times and abs(student.times[0]) > 1e-6:
            raise Wrong(
                f"The student was asked at t = {student.times[0]:.2g} on average. It will only "
                f"ever be asked at t = 0, so train it there and nowhere else."
            )
        targets = [
            (
                z1,
                "The student's velocity is compared with z1, a place. It is added to z0 first: the "
                "jump lands at z0 + v.",
            ),
            (
                z0 - z1,
                "A sign is wrong. The jump lands at z0 *plus* v, so v should be z1 - z0, from the "
                "start to the end.",
            ),
            (z1 + z0, "The jump lands at z0 plus the velocity: the sign of z0 is wrong."),
        ]
        expect_loss(result, student, z0, zero, z1 - z0, places, targets)
    return Right(
        "The loss of chapter 3 with t = 0 throughout. The pairs must be those of a flow: with "
        "independent ones the best jump is to the mean of the data."
    )


@exercise("6.3", "Buy a sampler", "predict")
def choice(model_and_steps: Any) -> Right:
    """Check a choice: the cheapest undistilled flow, and its steps, for 500,000 samples."""
    samples, quality = 500_000, 0.15
    if model_and_steps is None or model_and_steps is Ellipsis:
        raise NotAttempted
    if not isinstance(model_and_steps, (tuple, list)) or len(model_and_steps) != 2:
        raise Wrong('Give a model and a number of steps, such as ("3-RF", 4).')
    model, steps = model_and_steps
    if model is None or steps is None:
        raise NotAttempted
    record = json.loads(files("rfteach._shipped").joinpath("ladder.json").read_text())
    names = list(record["distances"])
    steps = as_whole(steps) or 0
    if model not in names or steps not in record["steps"]:
        raise Wrong(
            f"Give the model first, one of {'; '.join(map(repr, names))}, and then the number of "
            f"steps, one of {', '.join(map(str, record['steps']))}."
        )
    counted = f"{model} with {steps} step{'s' * (steps > 1)}"

    # the prices of chapter 6, in evaluations: of a training, and of the pairs of a round
    training, pairs = 3000 * 512 * 3, 50_000 * 40
    price = {f"{k}-RF": k * training + (k - 1) * pairs for k in (1, 2, 3)}
    table = {}
    for name in price:
        runs = torch.tensor(list(record["distances"][name].values()))
        for n, distance in zip(record["steps"], runs.mean(dim=0).tolist(), strict=True):
            table[name, n] = (distance, price[name] / samples + n)
    costs = {key: cost for key, (distance, cost) in table.items() if distance <= quality}
    best = min(costs, key=lambda key: costs[key])
    found = (
        f"From the record: the cheapest is {best[0]} with {best[1]} "
        f"step{'s' * (best[1] > 1)}, {costs[best]:.1f} evaluations a sample, training included. "
    )
    if (model, steps) == best:
        again = f"1-RF with 32 steps would take {costs['1-RF', 32]:.1f}."
        return Right(found + again)
    if "distilled" in model:
        raise Wrong(found + "A distilled model is no flow: it cannot be run backward.")
    distance, cost = table[model, steps]
    if distance > quality:
        raise Wrong(found + f"{counted} is at {distance:.3f}, above {quality}.")
    raise Wrong(found + f"{counted} takes {cost:.1f}.")


@exercise("6.4", "Half the steps", "derive")
def halving_target(halving_target: Any) -> Right:
    """Check `halving_target(teacher, x, t, h)`: the velocity that does two steps of h in one."""
    for given, h in zip(inputs(seed=64), (0.3, 0.1, 0.05, 0.05, 0.25, 0.2, 0.5), strict=True):
        x, t = given.points(), given.times(0.0, min(0.4, 1 - 2 * h))
        teacher = Probe(waves, x, "teacher")
        got = expect_tensor(call(halving_target, teacher, x, t, h), x, "The target")
        first = waves(x, t)
        second = waves(x + h * first, t + h)
        wanted = (first + second) / 2
        start = "The teacher's second step starts where the first one ended."
        mistakes = [
            (first + second, "The student's step is 2h long. Divide the whole way by 2h, not h."),
            (
                h * (first + second),
                "This is the way that the two steps go. The student returns a velocity: divide by "
                "the length 2h of its step.",
            ),
            (
                wanted / h,
                "h stands in each of the two steps, and in the length 2h: it cancels.",
            ),
            (
                (first + waves(x - h * first, t + h)) / 2,
                f"{start} That is at x + h v, not x - h v.",
            ),
            (wanted * h, "Divide by 2h, not by 2: the way becomes a velocity."),
            *(
                ((first + waves(place, t + h)) / 2, f"{start} Yours starts at {yours}.")
                for place, yours in [(x, "x"), (first, "v, a velocity"), (x + first, "x + v")]
            ),
            (
                (first + waves(x + 2 * h * first, t + h)) / 2,
                f"{start} That is at x + h v, not x + 2h v.",
            ),
            (
                (first + waves(x + h * first, t + 2 * h)) / 2,
                "The teacher's second step starts at time t + h, not t + 2h.",
            ),
            *(
                (waves(x + h * first, time) / 2, "The way goes from x to x'', not from x' to x''.")
                for time in (t, t + h)
            ),
            (
                (first + waves(x + h * first, t - h)) / 2,
                "The clock rises: the teacher's second step starts at time t + h, not t - h.",
            ),
            (
                (first + waves(h * first, t + h)) / 2,
                f"{start} That is at x + h v, not h v: x is forgotten.",
            ),
            *(
                ((turned + waves(x + h * turned, later)) / 2, "The clock is turned: t, not 1 - t.")
                for turned in [waves(x, 1 - t)]
                for later in (1 - t - h, 1 - t + h)
            ),
            *(
                (
                    x + 2 * h * each,
                    "This is where a step of length 2h ends, a place. The student "
                    "returns a velocity.",
                )
                for each in (second, first)
            ),
            *(
                (
                    (second - first) / length,
                    "This is how fast the velocity changes. The student needs the mean of the two.",
                )
                for length in (h, 2 * h)
            ),
            (
                (first + waves(x + h * first, t)) / 2,
                "The teacher's second step starts at time t + h.",
            ),
            (
                (first + waves(x + 2 * h * first, t + 2 * h)) / 2,
                "This is a step of Heun's method of length 2h. The teacher's own second step "
                "starts after h.",
            ),
            (
                (first + waves(x + h / 2 * first, t + h / 2)) / 2,
                "The teacher's second step starts after the whole first one, which takes h.",
            ),
            (
                (first + waves(x + h * first, t + h / 2)) / 2,
                "The teacher's second step starts at time t + h, not t + h/2.",
            ),
            (
                (first + waves(x, t + 2 * h)) / 2,
                "The teacher's second step starts where the first one ended, and at time t + h.",
            ),
            (
                (first - second) / 2,
                "A sign is wrong: both steps of the teacher go along its velocity.",
            ),
            (
                (x + h * (first + second)) / (2 * h),
                "Take off the start: the way is x'' - x, and only then divide by 2h.",
            ),
            *(
                (each, "This is the teacher's second velocity alone. The two steps share the way.")
                for each in (second, waves(x, t + h))
            ),
            (first, "This is the teacher's first velocity alone."),
            (x + h * (first + second), "This is where the two steps end, a place."),
        ]
        expect_close(got, wanted, mistakes, name="The target")
    return Right(
        "Halve again and again, and 64 steps become one in six rounds: progressive distillation "
        "(Salimans and Ho, 2022)."
    )
