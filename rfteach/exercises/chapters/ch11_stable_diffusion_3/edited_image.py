"""A model in the language of Stable Diffusion 3, and an image that it edits, for exercise 11.4."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from rfteach.exercises.tools.answers import Mistake
from rfteach.exercises.tools.inputs import waves


def sd3_model(sample: Tensor, timestep: Tensor) -> Tensor:
    """Stand for a network: a field at points (batch, *event), told 1000 sigma, shape (batch,)."""
    return waves(sample, timestep / 1000)


def edited(
    image: Tensor, noise: Tensor, strength: float, steps: int
) -> tuple[Tensor, list[Mistake]]:
    """Return where Euler steps lead from sigma = strength to 0, and wrong ends with their hints."""
    start = _mixed(image, noise, strength)
    length = strength / steps
    levels = [strength * (1 - i / steps) for i in range(steps)]
    whole = [1 - i / steps for i in range(steps)]
    fewer = int(strength * steps)

    def walk(z: Tensor, sigmas=levels, length=length, clock: Callable = _timestep) -> Tensor:
        for sigma in sigmas:
            z = z - length * sd3_model(z, z.new_full((len(z),), clock(sigma)))
        return z

    def at(z: Tensor, sigma: float) -> Tensor:
        return sd3_model(z, z.new_full((len(z),), _timestep(sigma)))

    mistakes = [
        (
            walk(start, length=-length),
            "The sign is wrong: the model's output points from data to noise, and your steps "
            "follow it. Go against it.",
        ),
        (
            walk(start, clock=_turned),
            "The clock is turned: the timestep is 1000 sigma, and sigma is 1 - t.",
        ),
        (
            walk(start, length=-length, clock=_turned),
            "Sign and clock are both those of our velocity. This model wants 1000 sigma, and "
            "returns noise minus data.",
        ),
        (
            walk(start, clock=lambda sigma: sigma),
            "The model was told sigma. It wants the timestep, which is 1000 sigma.",
        ),
        (
            walk(start, clock=lambda sigma: 1 - sigma),
            "The model was told t. It wants the timestep, 1000 sigma = 1000 (1 - t).",
        ),
        (
            walk(noise, whole, 1 / steps),
            "This starts from pure noise, so nothing of the image is left. Start at sigma = "
            "strength.",
        ),
        (walk(noise), "This starts from pure noise. Mix it with the image."),
        (
            walk(image),
            "This starts from the image without noise, but tells the model that there is some.",
        ),
        (
            walk(_mixed(noise, image, strength)),
            "The weights of the mixture are exchanged: sigma is the share of the *noise*.",
        ),
        (
            walk(image + strength * noise),
            "The image keeps its full weight. On the line it has the weight 1 - sigma.",
        ),
        (
            walk(start, length=1 / steps),
            "The steps are too long. Together they lead from strength to 0, not from 1.",
        ),
        (
            walk(start, whole, 1 / steps),
            "The clock runs from 1 down, but the start is at sigma = strength.",
        ),
        (
            walk(start, whole),
            "The clock runs from 1 down, but the start is at sigma = strength.",
        ),
        (
            walk(start, [sigma - length for sigma in levels]),
            "Each step takes the level at its end.",
        ),
        (
            walk(start, [strength] * steps),
            "The clock stands still: each step has a noise level of its own.",
        ),
        (
            walk(_mixed(image, noise, fewer / steps), whole[steps - fewer :], 1 / steps),
            "These are steps of 1 / steps, and fewer of them. Make `steps` steps of equal length "
            "between strength and 0.",
        ),
        *(
            (
                walk(start, [strength * (1 - i / max(steps - 1, 1)) for i in range(steps)], each),
                "The levels run from strength to 0 with both ends. The last step starts one step "
                "before 0.",
            )
            for each in (length, strength / max(steps - 1, 1))
        ),
        (
            walk(
                start,
                [strength * (1 - i / max(steps - 1, 1)) for i in range(steps - 1)],
                strength / max(steps - 1, 1),
            ),
            "These are steps - 1 steps: N steps lie between N + 1 levels.",
        ),
        (
            walk((1 - strength**2) ** 0.5 * image + strength * noise),
            "The squares of these weights add up to 1, as on the circle. On the line the weights "
            "do: 1 - sigma and sigma.",
        ),
        (
            walk((1 - strength) ** 0.5 * image + strength**0.5 * noise),
            "The squares of these weights add up to 1, as for DDPM. On the line the weights do: "
            "1 - sigma and sigma.",
        ),
        (
            walk(
                _mixed(image, noise, 1 - strength),
                [(1 - strength) * (1 - i / steps) for i in range(steps)],
                (1 - strength) / steps,
            ),
            "This starts at sigma = 1 - strength. A strength of 1 starts from pure noise.",
        ),
        (
            walk(start, [sigma - length / 2 for sigma in levels]),
            "Each step takes the level in its middle. Euler's method takes that at its start.",
        ),
        (walk(start, length=1), "Each step has the length 1. It is strength / steps."),
        *(
            (walk(start, rising), "The levels run upward. They fall from strength to 0.")
            for rising in (levels[::-1], [strength * i / steps for i in range(steps)])
        ),
        *(
            (
                start - length * sum(at(place, sigma) for sigma in levels),
                "The model is asked where the points were at first. Ask where they are.",
            )
            for place in (start, image)
        ),
        (
            walk(start, clock=lambda sigma: 999 * sigma),
            "The timestep is 1000 sigma, not 999.",
        ),
        (
            walk(start, clock=lambda sigma: 1000 * (sigma / strength)),
            "The model was told how much of the way is left. It wants 1000 sigma.",
        ),
        (walk(start) + image, "The image is added once more in the end."),
        (walk(image) + start - image, "Is the model asked where the points are?"),
        (walk(start, levels[:-1]), "A step is missing: the last one ends at sigma = 0."),
        (start, "This is the start: the model was not used."),
    ]
    return walk(start), mistakes


def _timestep(sigma: float) -> float:
    return 1000 * sigma


def _turned(sigma: float) -> float:
    return 1000 * (1 - sigma)


def _mixed(image: Tensor, noise: Tensor, sigma: float) -> Tensor:
    return (1 - sigma) * image + sigma * noise
