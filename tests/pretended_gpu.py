"""A device "gpu" on the CPU with a GPU's rules: a call fails here if CUDA refuses its devices.

A tensor of the device holds one of the CPU, and works with it: its values are the right ones. Each
operation is looked at before it runs. It raises DeviceError when

- tensors of the two devices meet (one of the CPU without dimensions may; so may CPU indices);
- NumPy gets a tensor of the device, by `.numpy()` or otherwise;
- a generator of the CPU is to draw on the device.

CUDA is stricter about tensors without dimensions, and about a GPU's generator that draws on the
CPU. Streams, memory, speed, bf16 and the random numbers of CUDA are not pretended.
"""

import contextlib
import functools
from collections.abc import Iterator
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import return_and_correct_aliasing

if torch.cuda.is_available():  # with a second kind of GPU, PyTorch asks the wrong one for gradients
    pytest.skip("there is a GPU, so none is pretended", allow_module_level=True)
try:
    from torch.utils.backend_registration import (
        _DummyBackendModule,
        _setup_privateuseone_for_python_backend,
    )
except ImportError:  # PyTorch 2.4, for one
    pytest.skip("this PyTorch is too old to pretend a GPU", allow_module_level=True)


class _Module(_DummyBackendModule):
    """What torch.cuda is to CUDA: its random numbers are those of the CPU."""

    def get_rng_state(self, device=None):
        return torch.get_rng_state()

    def set_rng_state(self, state, device=None):
        torch.set_rng_state(state)


# Once in a process, and before its first gradient: the threads for gradients are made then.
_setup_privateuseone_for_python_backend("gpu", backend_module=_Module())
GPU, KEY = torch.device("gpu", 0), "PrivateUse1"
MARK = 1 << 62  # in the seeds of the device's generators; the numbers depend on the low bits alone

# Where tensors of both devices may meet, and which of the arguments must then be on the GPU.
MAY_MEET = {"aten::copy_": (), "aten::index": (0,), "aten::index_put_": (0, 2)}

# PyTorch calls these with a tensor of the device where it passes over __torch_dispatch__.
CALLED_WITHIN = ("copy_", "_to_copy", "_local_scalar_dense", "index.Tensor")
# These would first make an empty tensor, and then change its shape.
MADE_AT_ONCE = ("eye", "eye.m", "arange", "arange.start", "arange.start_step")


class DeviceError(RuntimeError):
    """What CUDA would refuse."""


class OnGPU(Tensor):
    """A tensor of the device, around one of the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor):
        """Say of a tensor that it is on the GPU."""
        layout = dict(strides=held.stride(), storage_offset=held.storage_offset())
        made = Tensor._make_wrapper_subclass(
            cls, held.size(), dtype=held.dtype, device=GPU, **layout
        )
        made.held = held
        return made

    def __repr__(self, **_):
        return f"{self.held!r} on the GPU"

    def numpy(self, **_):
        raise DeviceError("can't convert a tensor of the GPU to NumPy; copy it by .cpu() first")

    def __array__(self, *_, **__):
        self.numpy()

    def tolist(self):
        return self.detach().cpu().tolist()

    def untyped_storage(self):
        return self.held.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


_PlainGenerator = torch.Generator


class _OfBothDevices(type(_PlainGenerator)):
    def __instancecheck__(cls, instance):
        return isinstance(instance, _PlainGenerator)


class Generator(_PlainGenerator, metaclass=_OfBothDevices):
    """A generator of the CPU, or of the GPU: then its seed carries a mark."""

    device = GPU

    def __new__(cls, device="cpu"):
        if torch.device(device).type != GPU.type:
            return _PlainGenerator(device)
        return _PlainGenerator.__new__(cls).manual_seed(0)

    def __init__(self, device="cpu"):
        pass

    def manual_seed(self, seed):
        return super().manual_seed(seed | MARK)

    def initial_seed(self):
        return super().initial_seed() & ~MARK


def _run(operation, args, kwargs):
    """Check the devices, run the operation on the CPU, and say where its result is."""
    name = operation._schema.name
    if name == "aten::_efficientzerotensor":  # zeros without memory, for which nothing can be held
        operation = torch.ops.aten.zeros.default
    _check_devices(name, args, kwargs)
    generator = kwargs.get("generator")
    if generator is not None and not generator.initial_seed() & MARK:
        raise DeviceError(f"{name} draws on the GPU with a generator of the CPU")
    held_args = _mapped(lambda x: getattr(x, "held", x), args)
    held_kwargs = {key: _mapped(lambda x: getattr(x, "held", x), kwargs[key]) for key in kwargs}
    elsewhere = False
    if (asked := kwargs.get("device")) is not None:
        elsewhere = torch.device(asked).type != GPU.type
        held_kwargs["device"] = asked if elsewhere else "cpu"
    result = operation(*held_args, **held_kwargs)
    if elsewhere:
        return result
    if name == "aten::copy_":
        return args[0]
    if any(isinstance(x, OnGPU) and x.shape != x.held.shape for x in args):
        raise NotImplementedError(f"{name} changes a shape in place; see MADE_AT_ONCE")
    result = _mapped(OnGPU, result)
    if not _shares_memory(operation):
        return result
    return return_and_correct_aliasing(operation, args, kwargs, result)


def _mapped(change, x):
    """Change the tensors in a nest of tuples and lists."""
    if isinstance(x, Tensor):
        return change(x)
    return type(x)([_mapped(change, part) for part in x]) if isinstance(x, (tuple, list)) else x


def _tensors(x) -> list[Tensor]:
    """Return the tensors in a nest of tuples and lists."""
    found = []
    _mapped(lambda tensor: found.append(tensor) or tensor, x)
    return found


@functools.cache
def _shares_memory(operation) -> bool:
    """Whether it works in place, or returns a view."""
    schema = operation._schema
    return any(x.alias_info for x in (*schema.arguments, *schema.returns))


def _check_devices(name, args, kwargs):
    """Refuse tensors of two devices."""
    concerned = [args, *kwargs.values()]
    if name in MAY_MEET:  # it is here because one of its tensors is on the GPU
        concerned = [args[i] for i in MAY_MEET[name] if i < len(args)]
    tensors = _tensors(concerned)
    meets_gpu = name in MAY_MEET or any(isinstance(x, OnGPU) for x in tensors)
    if meets_gpu and any(x.dim() for x in tensors if not isinstance(x, OnGPU)):
        raise DeviceError(f"{name} got tensors of the GPU and of the CPU")


@contextlib.contextmanager
def pretended_gpu() -> Iterator[str]:
    """Let torch.Generator know the device, and modules keep their parameters when they move there.

    Yields:
        The name of the device.
    """
    kept = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with (
            mock.patch.object(torch, "Generator", Generator),
            mock.patch.object(torch.utils, "swap_tensors", _swap),
        ):
            yield GPU.type
    finally:
        torch.__future__.set_swap_module_params_on_conversion(kept)


_swap_tensors = torch.utils.swap_tensors


def _swap(parameter: Tensor, moved: Tensor):
    """Move a parameter. One that is there already is left alone, since a graph may hold it."""
    same = isinstance(parameter, OnGPU) and isinstance(moved, OnGPU)
    if not (same and parameter.held.data_ptr() == moved.held.data_ptr()):
        _swap_tensors(parameter, moved)


_LIBRARIES = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")


def _serve():
    """Have PyTorch run here what makes tensors on the device, and what its own code does there."""
    all_others, some = _LIBRARIES  # they serve as long as they live
    all_others.fallback(lambda operation, *args, **kwargs: _run(operation, args, kwargs), KEY)
    for name in CALLED_WITHIN + MADE_AT_ONCE:
        packet, _, overload = name.partition(".")
        operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
        some.impl(name, lambda *args, _of=operation, **kwargs: _run(_of, args, kwargs), KEY)


_serve()
