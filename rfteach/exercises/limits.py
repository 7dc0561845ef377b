"""Calling code that may never return."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


class TimeLimitExceeded(BaseException):
    """Raised inside of the code that ran too long; no `except Exception` catches it."""


def run_within(seconds: float, work: Callable[[], T]) -> T:
    """Return `work()`, or stop it after the given time.

    The work runs in a thread of its own, so that even a sleeping or blocked answer cannot hold up
    the caller. What it raises is raised here. It draws its random numbers from a copy of PyTorch's
    global generator, and makes float32 tensors unless it says otherwise; the caller gets both
    settings back as they were.

    Two things cannot be stopped: a single call into C that never ends, which holds up the caller,
    and a loop that catches every exception, which runs on in its thread.

    Raises:
        TimeLimitExceeded: the work took longer.
    """
    value, error, done = [], [], threading.Event()
    device = torch.get_default_device()  # a thread starts with the default of its own
    dtype = torch.get_default_dtype()

    def target() -> None:
        try:
            with device:
                value.append(work())
        except KeyboardInterrupt:  # not from the keyboard: that interrupts the caller
            error.append(RuntimeError("the answer raises KeyboardInterrupt"))
        except BaseException as raised:
            error.append(raised)
        finally:
            done.set()

    with torch.random.fork_rng(devices=_indices(device)):
        torch.set_default_dtype(torch.float32)
        worker = threading.Thread(target=target, daemon=True)
        try:
            worker.start()
            done.wait(seconds)  # not `join`: interrupted by Ctrl-C, it takes the thread for ended
        finally:
            try:
                _stop(worker, done)
            finally:
                torch.set_default_dtype(dtype)
    if value:
        return value[0]
    raise error[0] if error else TimeLimitExceeded


def _indices(device: torch.device) -> list[int]:
    """Return the CUDA devices whose generators the work may use: the default device, if it is one.

    Left to itself, `fork_rng` copies the generators of all devices, and warns when there are many.
    """
    if device.type != "cuda":
        return []
    return [torch.cuda.current_device() if device.index is None else device.index]


def _stop(worker: threading.Thread, done: threading.Event) -> None:
    """Raise TimeLimitExceeded in the thread, again if the code in it catches that, for a second."""
    for _ in range(10):
        if done.is_set() or worker.ident is None:  # finished, or never started
            return
        stop = ctypes.py_object(TimeLimitExceeded)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), stop)
        done.wait(0.1)
