"""Files of tensors that are whole or not there, and names that tell one run from another.

Each is a safetensors file: tensors by name, and texts in its header, such as the settings of a run
as JSON. Reading it executes nothing.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)  # a disk that knows none


class CheckpointError(ValueError):
    """A file of tensors that cannot be used: damaged, foreign, or of another run."""


@contextlib.contextmanager
def held(path: Path, way_out: str) -> Iterator[None]:
    """Hold a file, or a folder of files, for one run: a second one that wants it gets an error.

    The system lets go of it when the process ends, however it ends. On a disk that knows no locks,
    such as some of networks and clouds, nothing is held.

    Raises:
        CheckpointError: another run holds it, or its folder cannot be written.
    """
    path = path.resolve()  # two links to one file are one
    beside = path.with_name(f".{path.name}.rfteach-lock")
    lock = FileLock(beside)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(
            f"another run is writing {path}; wait until it ends, or {way_out}"
        ) from None
    except NotImplementedError:  # what filelock makes of ENOSYS
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise CheckpointError(
                f"{path.parent} cannot be written: {error.strerror}; {way_out}"
            ) from error
    try:
        yield
    finally:
        beside.unlink(missing_ok=True)
        lock.release()


def save_tensors(
    path: Path, tensors: dict[str, Tensor], header: dict[str, str], *, checked: bool = True
) -> None:
    """Write the file whole or not at all: a crash while saving leaves the previous one in place.

    Args:
        path: the file to write; missing folders are made, and a link leads to what it points to.
        tensors: named tensors.
        header: texts to keep beside them; "format" says what kind of file it is.
        checked: keep a checksum in the header as well; shipped weights have theirs in a manifest.
            (The texts of a header come in any order, so the bytes of the file vary with two.)

    Raises:
        OSError: it cannot be written; the message says why.
    """
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.rfteach-part")
    tensors = {name: t.contiguous() for name, t in tensors.items()}
    if checked:
        header = header | {"sha256": digest(tensors.items())}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        unfinished.touch()
        mode = unfinished.stat().st_mode  # as the reader's umask has it; safetensors makes it 0600
        save_file(tensors, unfinished, metadata=header)
        with contextlib.suppress(OSError):  # some disks know no permissions
            os.chmod(unfinished, mode)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())  # on the disk before it takes the name: power may be cut, too
        os.replace(unfinished, path)
    except (SafetensorError, OSError) as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        room = "make room on the disk, or " if _is_full(error) else ""
        raise OSError(f"{path} cannot be written ({error}); {room}pass another path") from error


def _is_full(error: Exception) -> bool:
    """Whether there is no room on the disk; safetensors tells it in the text of its error."""
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return any(os.strerror(code) in str(error) for code in codes)


def load_tensors(path: Path, kind: str, way_out: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the header of a file that `save_tensors` wrote with format `kind`.

    Raises:
        CheckpointError: the file is missing, cannot be opened, is damaged or of another kind.
            Where that helps, the message ends with `way_out`.
    """
    try:
        with open(path, "rb"):  # says why, which safetensors does not
            pass
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist; {way_out}") from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be opened: {error.strerror}. The file may be whole, so do not delete "
            f"it; put right what keeps it from being opened, or pass another path"
        ) from error
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file; {way_out}") from error
    if header.get("format") != kind:
        raise CheckpointError(
            f"{path} has the format {header.get('format')}, not {kind}, so rfteach wrote it for "
            f"something else or not at all; if you need it, pass another path, else {way_out}"
        )
    if header.pop("sha256", None) not in (None, digest(tensors.items())):
        raise CheckpointError(
            f"{path} is damaged: its numbers are not those that were saved; {way_out}"
        )
    return tensors, header


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of named tensors: of their names, kinds, shapes and bytes."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        _add(found, tensor)
    return found.hexdigest()


def check_settings(path: Path, saved: dict, settings: dict, way_out: str) -> None:
    """Raise CheckpointError unless the settings saved in a file are those of this run.

    The message names the first that differs, and ends with `way_out`.
    """
    for name in sorted(saved.keys() | settings.keys()):
        if saved.get(name) != settings.get(name):
            raise CheckpointError(
                f"{path} belongs to a run with {name} = {saved.get(name)}, but this one has "
                f"{name} = {settings.get(name)}; {way_out}"
            )


def function_name(function: object) -> str:
    """Name a function in the same way in every process, with the arguments bound to it."""
    if isinstance(function, functools.partial):

        def name(value) -> str:
            if isinstance(value, (Tensor, nn.Module)):
                return fingerprint(value)
            is_function = callable(value) and hasattr(value, "__qualname__")
            is_function |= isinstance(value, functools.partial)
            return function_name(value) if is_function else lasting_repr(value)

        bound = [
            *map(name, function.args),
            *(f"{k}={name(v)}" for k, v in function.keywords.items()),
        ]
        return f"{function_name(function.func)}({', '.join(bound)})"
    return getattr(function, "__qualname__", type(function).__qualname__)


def lasting_repr(value: object) -> str:
    """Return the repr of a value without addresses, which are others in each process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def fingerprint(what: object) -> str:
    """Return a short hash of a module's weights or of a tensor; of anything else, its name."""
    if isinstance(what, nn.Module):
        tensors = [*what.parameters(), *what.buffers()]
    elif isinstance(what, Tensor):
        tensors = [what]
    else:
        return function_name(what)
    found = hashlib.sha256()
    for tensor in tensors:
        _add(found, tensor)
    return f"{type(what).__name__} {found.hexdigest()[:16]}"


def _add(found, tensor: Tensor) -> None:
    """Add the bytes of a tensor to a hash."""
    found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
