"""The widgets' programs: the ES modules in `front/`, joined into one as anywidget takes it.

A page of the book has no server to fetch parts from, and a Jupyter server none for a package's
files. So the parts travel as one text, which the kernel (or the static page) hands to the browser.
"""

from __future__ import annotations

import re
from importlib.resources import files

FRONT = files("rfteach._widgets") / "front"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<part>[\w.]+)";\n', re.MULTILINE)
COMMENT = re.compile(r"^ *(/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
EXPORT = re.compile(r"^export (?=(const|class|function\*?|async) )", re.MULTILINE)


def esm(name: str) -> str:
    """Return the ES module `front/<name>` with all that it imports, as one text.

    The parts must not define a name twice; each is taken in once, before those that need it. A
    page need not carry the comments that fill a line.
    """
    parts: dict[str, str] = {}

    def add(part: str) -> None:
        source = (FRONT / part).read_text(encoding="utf-8")
        for found in IMPORT.finditer(source):
            if found["part"] not in parts:
                add(found["part"])
        parts[part] = IMPORT.sub("", source)

    add(name)
    return "".join(EXPORT.sub("", COMMENT.sub("", source)) for source in parts.values())


def css() -> str:
    """Return the style sheet of both widgets."""
    return (FRONT / "style.css").read_text(encoding="utf-8")
