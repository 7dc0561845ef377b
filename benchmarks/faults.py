"""Put deliberate faults into the project, one at a time, and look whether the tests catch each.

    python -m benchmarks.faults                    # all of them, one at a time: 50 minutes
    python -m benchmarks.faults --jobs 2           # in two processes, where two cores are free
    python -m benchmarks.faults --only Heun pages  # those with one of these in group or name
    python -m benchmarks.faults --list

The faults are in `faults.toml`: a text that occurs once in a file, what takes its place, and the
tests that must fail then. They are there to see that a test suite that was made faster, or
rearranged, has lost nothing. Those in pages need a built book (`make book`).

The tracked files are copied, and the faults go into the copy. There the tests run first without
any fault: only what passes then can catch one.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import queue
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FAULTS = Path(__file__).with_name("faults.toml")
BUILT = Path("_build/html")
PYTEST = "pytest -x -q -p no:cacheprovider"
LIMIT = 900  # seconds for the tests of one fault

Command = tuple[str, str, int]  # what runs; the notebook that is cut for it, and to how many cells


class Fault(NamedTuple):
    """A fault and what should catch it.

    Attributes:
        group: what it is in: the package, checkers, notebooks or pages.
        name: short, and its own.
        file: the file that it is in, below the root of the project.
        old: a text that occurs there once.
        new: what takes its place. "RANDOM" in it becomes 3 MB that do not compress.
        test: arguments of pytest; most often one file of tests.
        command: another module of Python in place of pytest, with its arguments.
        cells: how many of its first cells a notebook keeps, to run in seconds; 0 for all.
    """

    group: str
    name: str
    file: str
    old: str
    new: str
    test: str = ""
    command: str = ""
    cells: int = 0

    @property
    def is_built(self) -> bool:
        """Whether it is in a page of the built book."""
        return self.file.startswith(f"{BUILT}/")

    @property
    def check(self) -> Command:
        """What must fail."""
        return self.command or f"{PYTEST} {self.test}", self.file if self.cells else "", self.cells


def read_faults() -> list[Fault]:
    """Read all faults, in the order of the file."""
    groups = tomllib.loads(FAULTS.read_text(encoding="utf-8"))
    return [Fault(group, **each) for group, faults in groups.items() for each in faults]


def copy_project(copy: Path) -> None:
    """Copy the tracked files as they are now, and the built book if there is one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # a file may be deleted, but not yet in git
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    if (ROOT / BUILT).exists():
        shutil.copytree(ROOT / BUILT, copy / BUILT)
    (copy / ".venv").symlink_to((ROOT / ".venv").resolve())


@contextlib.contextmanager
def changed(path: Path, change) -> Iterator[None]:
    """Change the text of a file for a while."""
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(change(before), encoding="utf-8")
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def put_in(fault: Fault, text: str) -> str:
    """Return a file's text with the fault in it."""
    if text.count(fault.old) != 1:
        raise ValueError(f"its text occurs {text.count(fault.old)} times in {fault.file}")
    noise = base64.b64encode(random.Random(0).randbytes(2_250_000)).decode()
    return text.replace(fault.old, fault.new.replace("RANDOM", noise))


def first_cells(count: int, text: str) -> str:
    """Return a notebook's text with its first cells alone."""
    notebook = json.loads(text)
    notebook["cells"] = notebook["cells"][:count]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def run(copy: Path, check: Command) -> tuple[int, str]:
    """Run it in the copy; return its exit code and what it printed."""
    command, notebook, cells = check
    with contextlib.ExitStack() as stack:
        if cells:
            stack.enter_context(changed(copy / notebook, lambda text: first_cells(cells, text)))
        try:
            done = subprocess.run(
                [sys.executable, "-m", *shlex.split(command)],
                cwd=copy,
                env=os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return -1, f"it did not end within {LIMIT} s"
        return done.returncode, done.stdout


def judge(copy: Path, fault: Fault) -> tuple[str, str]:
    """Put a fault in, run its tests, take it out; return the outcome and what there is to say."""
    try:
        with changed(copy / fault.file, lambda text: put_in(fault, text)):
            code, output = run(copy, fault.check)
    except (OSError, ValueError) as error:
        return "error", str(error)
    if code == 1:
        failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return "caught", failed[0].split(" - ")[0] if failed else ""
    # 2 and above are pytest's own troubles: nothing was collected, or it was called wrongly
    return ("SURVIVED", "") if code == 0 else ("error", f"exit code {code}\n{output[-2000:]}")


class Workers:
    """Copies of the project, each for one job at a time."""

    def __init__(self, folder: Path, jobs: int):
        self.pool = ThreadPoolExecutor(jobs)
        self.copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for job in range(jobs):
            copy_project(folder / str(job))
            self.copies.put(folder / str(job))

    def map(self, work, items: list) -> Iterator[tuple]:
        """Yield each item, what `work(copy, item)` returned, and its seconds."""

        def timed(item):
            copy, start = self.copies.get(), time.perf_counter()
            try:
                return item, *work(copy, item), time.perf_counter() - start
            finally:
                self.copies.put(copy)

        return self.pool.map(timed, items)


def run_all(faults: list[Fault], workers: Workers) -> int:
    """Run all tests without a fault, and then each fault's; return how many faults were caught."""
    broken, counts = set(), dict.fromkeys(("caught", "SURVIVED", "error"), 0)
    for check, code, output, seconds in workers.map(run, list({f.check: 0 for f in faults})):
        print(f"{seconds:5.0f} s  without a fault, exit code {code}: {check[0]}", flush=True)
        if code:
            broken.add(check)
            print(output[-2000:])
    for fault, outcome, said, seconds in workers.map(judge, faults):
        if fault.check in broken:
            outcome, said = "error", "its tests fail without it"
        counts[outcome] += 1
        print(f"{seconds:5.0f} s  {outcome:8}  {fault.group}: {fault.name}  {said}", flush=True)
    print(f"{counts['caught']} of {len(faults)} caught: {counts}", flush=True)
    return counts["caught"]


def main() -> int:
    """Run the faults that were asked for; return 1 unless all are caught."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="show the faults and run nothing")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names or of groups")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at once")
    options = parser.parse_args()
    faults = [
        fault
        for fault in read_faults()
        if any(part in f"{fault.group}: {fault.name}" for part in options.only)
    ]
    if options.list:
        for fault in faults:
            print(f"{fault.group}: {fault.name}: {fault.command or fault.test}")
        return 0
    if any(fault.is_built for fault in faults) and not (ROOT / BUILT).exists():
        sys.exit(f"There is no built book in {BUILT}: run `make book` first.")

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        workers = Workers(Path(folder), options.jobs)
        try:
            caught = run_all(faults, workers)
        finally:
            workers.pool.shutdown(cancel_futures=True)
    print(f"{time.perf_counter() - start:.0f} s")
    return int(caught < len(faults))


if __name__ == "__main__":
    sys.exit(main())
