"""Draw the picture of the README: python -m scripts.hero writes assets/hero.png."""

import matplotlib.pyplot as plt
import torch

import rfteach as rf
from rfteach import figures

if __name__ == "__main__":
    figures.use_style()
    torch.manual_seed(1)
    noise, moons = rf.Gaussian(2), rf.Moons()
    velocity = rf.VelocityMLP(dim=2)
    rf.train(velocity, rf.IndependentCoupling(noise, moons))
    flow = rf.euler(velocity, noise.sample(3000), steps=100)

    titles = [
        "1. draw straight lines",
        "2. learn one velocity field",
        "3. follow it from new noise",
    ]
    figure, axes = figures.planes(titles, size=2.6)
    figures.lines(axes[0], noise.sample(40), moons.sample(40))
    figures.paths(axes[1], flow, "1-RF", count=40)
    figures.arrows(axes[1], velocity, 0.5, limit=2.4, count=9, color="line")
    figures.points(axes[2], flow.start, "source", size=2)
    figures.points(axes[2], flow.end, "target", size=4)
    for ax in axes:
        ax.set(xlim=(-2.4, 2.8), ylim=(-2.4, 2.4))
    plt.savefig("assets/hero.png")
