"""Build the book: execute its notebooks on all cores, make the pages, and say what took how long.

    python -m scripts.build_book [FOLDER]

jupyter-book would execute the notebooks one after the other while it reads the pages. Here they run
side by side, each in a process of its own, into the cache that jupyter-book then reads. What is in
the cache already does not run again, so an interrupted build goes on where it was.
"""

import argparse
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.executors.basic import ExecutionWorkerLocalMProc, ProcessData
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "_ext"))

from notebook_execution import KERNEL_ENVIRONMENT, current_cache  # noqa: E402

EXECUTED, RAISED = 0, 1  # what a worker of jupyter-cache returns: no cell raised, or one did
SLOWEST = 5  # notebooks named at the end


def notebooks(root: Path) -> list[Path]:
    """List the notebooks that _toc.yml names."""
    pages = (root / f"{name}.ipynb" for name in parse_toc_yaml(root / "_toc.yml"))
    return [page for page in pages if page.exists()]


class Durations:
    """Seconds that each notebook took when it was last executed, kept beside the cache."""

    def __init__(self, root: Path):
        self._file = root / "_build" / "notebook_seconds.json"
        self.seconds = json.loads(self._file.read_text()) if self._file.exists() else {}

    def note(self, name: str, seconds: float):
        """Store what a notebook took."""
        self.seconds[name] = round(seconds, 1)
        self._file.write_text(json.dumps(self.seconds, indent=1))

    def expected(self, root: Path, name: str) -> float:
        """Guess what it will take: of a new notebook, a second for each kilobyte."""
        return self.seconds.get(name, (root / name).stat().st_size / 1000)


def _start_worker():
    multiprocessing.log_to_stderr(logging.WARNING)  # what a cell raised, and any other mishap
    os.setpgrp()  # Ctrl-C is for the main process, which then ends the workers


def execute(root: Path, durations: Durations) -> list[str]:
    """Execute what is not in the cache, the longest first; return the notebooks that failed."""
    os.environ.update(KERNEL_ENVIRONMENT)
    cache = get_cache(current_cache(root))
    records = [cache.add_nb_to_project(str(path)) for path in notebooks(root)]
    waiting = {record.pk for record in cache.list_unexecuted(filter_pks=[r.pk for r in records])}
    names = {r.uri: Path(r.uri).relative_to(root).as_posix() for r in records if r.pk in waiting}
    records = [record for record in records if record.uri in names]
    records.sort(key=lambda record: -durations.expected(root, names[record.uri]))

    timeout = yaml.safe_load((root / "_config.yml").read_text())["execute"]["timeout"]
    processes = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    print(f"{len(records)} notebooks to execute, {processes} at a time", flush=True)
    tasks = [ProcessData(record.pk, record.uri, cache, timeout, False) for record in records]
    failed, done, again = [], 0, []
    with ProcessPoolExecutor(processes, initializer=_start_worker) as pool:
        try:
            # A kernel may die without a fault of its notebook: two that start at once may choose
            # one port. What ended so is tried once more when all others are done.
            for may_be_tried_again, todo in ((True, tasks), (False, again)):
                running = {pool.submit(ExecutionWorkerLocalMProc(), task): task for task in todo}
                for ended in as_completed(running):
                    status, uri = ended.result()
                    if status not in (EXECUTED, RAISED) and may_be_tried_again:
                        again.append(running[ended])
                        print(f" AGAIN, later  {names[uri]}", flush=True)
                        continue
                    done += 1
                    if status == EXECUTED:
                        seconds = cache.get_cached_project_nb(uri).data["execution_seconds"]
                        durations.note(names[uri], seconds)
                        said = f"{seconds:6.1f} s"
                    else:  # the worker has logged the error
                        failed.append(names[uri])
                        said = "  FAILED"
                    print(f"{said}  {names[uri]} ({done} of {len(tasks)})", flush=True)
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.kill()  # gently would mean to wait; its kernel ends when it misses it
            raise
    return failed


def main() -> int:
    """Build the book at the folder named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, metavar="FOLDER")
    root = parser.parse_args().root.resolve()

    started = time.monotonic()
    durations = Durations(root)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the workers then, too
    try:
        failed = execute(root, durations)
    except KeyboardInterrupt:
        print("Interrupted. What was executed is kept, and the next build goes on from there.")
        return 130
    if failed:
        print(f"{len(failed)} failed: {', '.join(failed)}. Their errors stand above.")
        return 1
    executed = time.monotonic()

    # Warnings are errors.
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    status = subprocess.run([jupyter_book, "build", root, "-W", "--keep-going"]).returncode
    if status != 0:
        return status
    print(
        f"{executed - started:.0f} s for the notebooks, {time.monotonic() - executed:.0f} s for "
        "the pages. The slowest notebooks:"
    )
    names = {path.relative_to(root).as_posix() for path in notebooks(root)}
    known = {name: seconds for name, seconds in durations.seconds.items() if name in names}
    for name in sorted(known, key=known.get, reverse=True)[:SLOWEST]:
        print(f"{known[name]:6.1f} s  {name}")
    print(f"The book is ready. Open {root / '_build' / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
