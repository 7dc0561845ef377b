"""How long `import rfteach` takes, held against `import torch` alone.

    python -m benchmarks.import_time

Each import happens in a fresh interpreter; the two take turns, so that a drift of the machine's
speed hits both.
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds(module: str) -> float:
    """Time one import in a process of its own, the start of Python included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    seconds("torch"), seconds("rfteach")  # warm up: files in memory, bytecode written
    pairs = [(seconds("torch"), seconds("rfteach")) for _ in range(ROUNDS)]
    ratios = [ours / bare for bare, ours in pairs]
    print(f"import torch    {statistics.median(bare for bare, _ in pairs):.2f} s (median)")
    print(f"import rfteach  {statistics.median(ours for _, ours in pairs):.2f} s (median)")
    print(
        f"ratio           {statistics.median(ratios):.3f} (median of {ROUNDS} interleaved pairs, "
        f"{min(ratios):.3f} to {max(ratios):.3f}; goal: at most 1.2)"
    )
