"""A training run that kills its own process as `kill -9` would, for test_training.py.

Argument: a folder. For each time sampler, its checkpoint is left there by two runs that were killed
between checkpoints, the second one in a new process and with other initial weights.
"""

import functools
import os
import signal
import sys

import torch

import rfteach as rf

SAMPLERS = {
    "stratified": rf.stratified_times,
    "bound": functools.partial(rf.logit_normal_times, mean=0.5),
}


class Deadly(rf.IndependentCoupling):
    """The noise and the moons, until draw number `kill_at` of this process."""

    def __init__(self, kill_at: int):
        super().__init__(rf.Gaussian(2), rf.Moons())
        self.left = kill_at

    def sample(self, n, **keywords):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().sample(n, **keywords)


def train(checkpoint: str, kill_at: int, sampler: str, weights: int):
    torch.manual_seed(weights)
    velocity = rf.VelocityMLP(dim=2, width=16, depth=2)
    run = rf.train(
        velocity,
        Deadly(kill_at),
        steps=205,
        batch_size=64,
        seed=3,
        time_sampler=SAMPLERS[sampler],
        checkpoint=checkpoint,
        progress=False,
    )
    return velocity, run


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in the tests: another number gives other bits
    for sampler in SAMPLERS:
        for kill_at, weights in ((57, 0), (88, 1)):
            child = os.fork()
            if child == 0:
                train(f"{sys.argv[1]}/{sampler}", kill_at, sampler, weights)
                os._exit(0)  # it should not have come to this
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
