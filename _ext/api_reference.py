"""The reference of rfteach's public names: a page made from the docstrings, and links to it.

`{{ reference }}` in book/api.md becomes all public names, under the chapter that first uses each.
In all other pages `rf.name`, in the text and in code, leads to its entry there.
"""

import inspect
import json
import re
from pathlib import Path

from docutils import nodes

PAGE = "book/api"
MARK = "{{ reference }}"
NAME = re.compile(r"\brf\.(\w+)")
IN_CODE = re.compile(
    r'<span class="n">rf</span><span class="o">\.</span><span class="n">(?P<name>\w+)</span>'
)


def public_names() -> list[str]:
    """Return the names that a reader writes behind `rf.`, without modules."""
    import rfteach

    return [
        name
        for name, value in vars(rfteach).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    ]


def chapters(root: Path) -> dict[str, tuple[str, str]]:
    """Return the title and the text of each chapter, by its file name, in order."""
    found = {}
    for path in sorted((root / "book").glob("[0-9][0-9]*_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells]
        title = texts[0].splitlines()[0].removeprefix("# ")
        found[path.name] = title, "\n".join(texts)
    return found


def by_chapter(root: Path) -> dict[str, list[str]]:
    """Return Markdown headings, each with the public names that its chapter is the first to use."""
    left = public_names()
    groups = {}
    for file, (title, text) in chapters(root).items():
        used = dict.fromkeys(NAME.findall(text))  # in the order of the chapter
        heading = f"Chapter {int(file[:2])}: [{title}]({file})"
        groups[heading] = [name for name in used if name in left]
        left = [name for name in left if name not in used]
    return {**groups, "Types, errors and extras": sorted(left)}


def entry(name: str) -> str:
    """Return the directive that documents a name."""
    import rfteach

    value = getattr(rfteach, name)
    if inspect.isclass(value):
        return f".. autoclass:: rfteach.{name}\n   :members:\n"
    if inspect.isroutine(value):
        return f".. autofunction:: rfteach.{name}\n"
    return f".. py:data:: rfteach.{name}\n\n   {summary(name)}\n"


def summary(name: str) -> str:
    """Return what stands in the source below a value that is neither function nor class."""
    import rfteach

    root = Path(rfteach.__file__).parent
    told = re.compile(rf'^{name}\b.*?=.*?^"""(?P<text>.*?)"""', re.MULTILINE | re.DOTALL)
    for path in root.rglob("*.py"):
        if found := told.search(path.read_text(encoding="utf-8")):
            return plain_stars(" ".join(found["text"].split()))
    return "A constant."


def write_page(app, docname, source):
    """Put the entries in the place of the mark."""
    if docname == PAGE:
        parts = []
        for heading, names in by_chapter(Path(app.srcdir)).items():
            if names:
                entries = "\n".join(map(entry, names))
                parts.append(f"## {heading}\n\n```{{eval-rst}}\n{entries}\n```\n")
        source[0] = source[0].replace(MARK, "\n".join(parts))


def plain_stars(line: str) -> str:
    """Let a star outside of backticks be a star: docstrings write shapes as (batch, *event)."""
    parts = line.split("`")
    parts[::2] = [part.replace("*", r"\*") for part in parts[::2]]
    return "`".join(parts)


def read_docstring(app, what, name, obj, options, lines):
    """Prepare a docstring for reStructuredText."""
    lines[:] = map(plain_stars, lines)


def link_text(app, doctree, docname):
    """Let `rf.name` in the text lead to its entry."""
    if docname == PAGE or app.builder.format != "html":
        return
    known = set(public_names())
    for code in list(doctree.findall(nodes.literal)):
        found = NAME.match(code.astext())
        inside = code.parent
        while inside is not None and not isinstance(inside, nodes.reference | nodes.title):
            inside = inside.parent
        if found and found[1] in known and inside is None:
            target = app.builder.get_relative_uri(docname, PAGE) + f"#rfteach.{found[1]}"
            link = nodes.reference("", "", refuri=target, internal=True, classes=["rf-api"])
            code.replace_self(link)
            link += code


def link_code(app, pagename, templatename, context, doctree):
    """Let `rf.name` in code lead to its entry."""
    if pagename == PAGE or "body" not in context:
        return
    known, target = set(public_names()), context["pathto"](PAGE)

    def linked(found: re.Match) -> str:
        if found["name"] not in known:
            return found[0]
        return f'<a class="rf-api" href="{target}#rfteach.{found["name"]}">{found[0]}</a>'

    context["body"] = IN_CODE.sub(linked, context["body"])


def setup(app):
    """Register the page and the links."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-process-docstring", read_docstring, priority=100)  # before napoleon, 500
    app.connect("source-read", write_page)
    app.connect("doctree-resolved", link_text)
    app.connect("html-page-context", link_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
