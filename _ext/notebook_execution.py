"""How the build executes notebooks: in a fixed environment, and again when their imports change.

MyST-NB's cache knows a notebook by its own cells alone, so a change in `rfteach` would leave old
outputs on the pages. Here the cache lives in a folder named after everything else that decides the
outputs: the package's files, the lock and the Python version. To Sphinx a new name is a changed
setting, so it reads every page anew as well.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

# The tests (conftest.py) use the same, so that both see the same numbers. A second thread gains
# little on networks this small, and costs a lot on a machine that has other work. A progress bar
# says nothing on a page. Figures come from the inline backend whatever the shell says. And whoever
# builds the book may have solved exercises; the pages start with none, from a file that never is.
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "RFTEACH_PROGRESS": "no-progress.json",
}


def fingerprint(root: Path) -> str:
    """Name the state of the package, the lock and the Python version, for the book at `root`."""
    package = (
        path for path in (root / "rfteach").rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    digest = hashlib.sha256("{}.{}".format(*sys.version_info).encode())
    for path in sorted([*package, root / "requirements.lock"]):
        if path.exists():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def current_cache(root: Path) -> Path:
    """Return this fingerprint's folder, and drop the folders of earlier ones."""
    caches = root / "_build" / ".jupyter_cache"
    current = caches / fingerprint(root)
    for old in caches.glob("*"):
        if old != current:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    current.mkdir(parents=True, exist_ok=True)
    return current


def choose_cache(app, config):
    """Point MyST-NB at the cache."""
    config.nb_execution_cache_path = str(current_cache(Path(app.srcdir)))
    os.environ.update(KERNEL_ENVIRONMENT)


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", choose_cache)
    return {"version": "1", "parallel_read_safe": True}
