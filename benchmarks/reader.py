"""How long a chapter takes its reader: in a plain environment, alone and beside a busy program.

    python -m benchmarks.reader [CHAPTER ...]

Each is run by `jupyter nbconvert --execute`: with the environment variables that the build sets,
without them as in JupyterLab, and so once more while another program keeps one core busy. The goal
is at most 1.2 times the first. Run it on a machine that has nothing else to do.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "_ext"))

from notebook_execution import KERNEL_ENVIRONMENT  # noqa: E402

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def seconds(chapter: str, **variables: str) -> float:
    """Run one chapter with PyTorch's default threads, unless the variables say otherwise."""
    plain = {name: value for name, value in os.environ.items() if name not in THREADS}
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("jupyter"), "nbconvert", "--to", "notebook"]
        command += ["--execute", ROOT / "book" / f"{chapter}.ipynb", "--output-dir", folder]
        started = time.monotonic()
        subprocess.run(command, env=plain | variables, check=True, capture_output=True)
        return time.monotonic() - started


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores; seconds (and the ratio to the build's environment)")
    for chapter in sys.argv[1:] or ["03_loss", "05_reflow", "09_images"]:
        build = seconds(chapter, **KERNEL_ENVIRONMENT)
        alone = seconds(chapter)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            beside = seconds(chapter)
        finally:
            busy.kill()
        print(
            f"{chapter:12s} build {build:5.1f}   plain {alone:5.1f} ({alone / build:.2f})   "
            f"beside a busy program {beside:5.1f} ({beside / build:.2f})",
            flush=True,
        )
