"""Find a Chromium for the browser tests.

`python -m scripts.find_chromium` also installs one when there is none: `make test` calls it.
A browser test without a browser is an error, never a skipped test.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
MAC_APPS = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
]
# Where `playwright install chromium` puts its own, on Linux and on macOS.
PLAYWRIGHT = [
    ("~/.cache/ms-playwright", "chromium-*/chrome-*/chrome"),
    ("~/Library/Caches/ms-playwright", "chromium-*/chrome-*/*.app/Contents/MacOS/*"),
]


def _runs(program: str | Path) -> bool:
    """Say whether it starts: on Ubuntu, `chromium-browser` may only advertise a snap."""
    try:
        command = [program, "--version"]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_chromium() -> Path:
    """Return the path of a Chromium or Chrome that starts.

    The environment variable RFTEACH_CHROMIUM may name one; otherwise it is looked for on PATH,
    among the applications of macOS, and in Playwright's cache.

    Raises:
        FileNotFoundError: there is none.
    """
    if named := os.environ.get("RFTEACH_CHROMIUM"):
        if not _runs(named):
            raise FileNotFoundError(f"RFTEACH_CHROMIUM names {named!r}, which does not start")
        return Path(named)
    places = [shutil.which(name) for name in NAMES] + MAC_APPS
    for folder, pattern in PLAYWRIGHT:
        places += sorted(Path(folder).expanduser().glob(pattern), reverse=True)
    for place in places:
        if place and _runs(place):
            return Path(place)
    raise FileNotFoundError("no Chromium or Chrome that starts was found")


def on_debian_as_root() -> bool:
    """Say whether Debian's packages can be installed."""
    os_release = Path("/etc/os-release")
    debian = os_release.exists() and "ID=debian" in os_release.read_text().splitlines()
    return os.geteuid() == 0 and debian and bool(shutil.which("apt-get"))


def _install() -> None:
    """Install Chromium: Debian's package where we may, else Playwright's own copy."""
    if on_debian_as_root():
        subprocess.run(["apt-get", "update"])
        subprocess.run(["apt-get", "install", "-y", "chromium"])
        if shutil.which("chromium"):
            return
    # The system libraries that it needs can be added too, but only by root.
    libraries = ["--with-deps"] if os.geteuid() == 0 else []
    subprocess.run([sys.executable, "-m", "playwright", "install", *libraries, "chromium"])


def main() -> None:
    """Print where Chromium is, and install it first if it is not there."""
    try:
        found = find_chromium()
    except FileNotFoundError:
        if "RFTEACH_CHROMIUM" in os.environ:
            raise
        print("No Chromium or Chrome found: installing one.", flush=True)
        _install()
        found = find_chromium()
    print(f"Chromium: {found}")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(
            f"The browser tests need Chromium, but {error}.\n"
            "Install Chromium or Google Chrome, or name the program in RFTEACH_CHROMIUM. If\n"
            "Playwright's copy is here but does not start, it lacks system libraries:\n"
            "  sudo .venv/bin/python -m playwright install-deps chromium"
        )
