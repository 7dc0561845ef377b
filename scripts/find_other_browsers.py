"""Find Firefox and WebKit, in which the site is looked at where they are there.

`python -m scripts.find_other_browsers` also installs them, as root on Debian: `make test` calls it.
Elsewhere it says what is missing, and the tests of that browser are skipped.
"""

import shutil
import subprocess
from pathlib import Path

from scripts.find_chromium import on_debian_as_root

PACKAGES = {"firefox": ["firefox-esr"], "webkit": ["webkit2gtk-driver", "xvfb"]}


def firefox() -> str | None:
    """Return where Firefox is."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


def mini_browser() -> str | None:
    """Return where WebKitGTK's small browser is, which is on no PATH."""
    found = Path("/usr").glob("lib*/**/webkit2gtk-4*/MiniBrowser")
    return next(map(str, found), None)


def missing(name: str) -> str:
    """Say which programs a browser lacks to be driven; empty, if none."""
    if name == "firefox":
        there = {"firefox": firefox()}
    else:
        there = {program: shutil.which(program) for program in ("WebKitWebDriver", "Xvfb")}
        there["MiniBrowser"] = mini_browser()
    return ", ".join(program for program, path in there.items() if not path)


def main() -> None:
    """Install what is missing, where we may, and say what is still missing."""
    if on_debian_as_root():
        wanted = [package for name in PACKAGES if missing(name) for package in PACKAGES[name]]
        if wanted:
            subprocess.run(["apt-get", "update"])
            subprocess.run(["apt-get", "install", "-y", *wanted])
    for name in PACKAGES:
        lacks = missing(name)
        print(f"{name}: not tested, there is no {lacks}" if lacks else f"{name}: tested")


if __name__ == "__main__":
    main()
