"""The words of book/notation.md: an anchor for each, and links from where they are used.

In that list, "- **Heun's method, Heun**: ..." is an entry with two names. Behind the names may
stand, in parentheses, the phrases that lead to it, where a name alone has other meanings as well:
"- **Order** (first order, second order): ...". On each chapter, the first use of an entry in
running prose becomes a link with a tooltip. Where the chapter explains it (in bold or italics)
before, there is none. (subject_index.py lists where each is used.)
"""

import hashlib
import itertools
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx import addnodes

GLOSSARY = "book/notation"
CHAPTER = re.compile(r"book/0?(?P<number>\d+)(?P<half>b?)_\w+|book/probability")
ENTRY = re.compile(
    r"^- \*\*(?P<names>[^*]+)\*\*(?: \((?P<phrases>[^)]+)\))?: (?P<text>.+)$", re.MULTILINE
)
APOSTROPHE = "\u2019"  # as the pages have it
NO_PROSE = (
    nodes.reference,
    addnodes.pending_xref,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.table,
    nodes.caption,
    nodes.raw,
)
TEX = {  # the formulas of first sentences, which a tooltip shows as plain text
    r"\mathbb{E}": "E",
    r"\varnothing": "∅",
    r"\mid": "|",
    r"\ddot Z": "Z̈",
    r"\nabla": "∇",
    r"\cdot": "·",
    "_0": "₀",
    "_1": "₁",
    "_t": "ₜ",
    "^2": "²",
}


class Entry(NamedTuple):
    """An entry of the glossary."""

    name: str
    forms: tuple[str, ...]  # the phrases that lead to it
    names: tuple[str, ...]
    text: str

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return "term-" + nodes.make_id(self.name)

    @property
    def tooltip(self) -> str:
        """The first sentence of its text, without markup."""
        text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", self.text)
        sentence = re.split(r"(?<=[.?]) (?=[A-Z\d])", text)[0]
        for tex, plain in TEX.items():
            sentence = sentence.replace(tex, plain)
        sentence = re.sub(r"[$`*]", "", sentence)
        return sentence[0].upper() + sentence[1:]


class Use(NamedTuple):
    """A word or name in the text: its section, and where it stands."""

    key: str  # of an entry or a name
    text: nodes.Text
    match: re.Match
    section: nodes.section
    explained: bool = False  # in bold or italics: the chapter says here what it means


def entries(root: Path) -> list[Entry]:
    """Read the entries of the glossary, if the book has one."""
    path, found = root / f"{GLOSSARY}.md", []
    for match in ENTRY.finditer(path.read_text(encoding="utf-8") if path.exists() else ""):
        names = tuple(match["names"].split(", "))
        phrases = tuple(match["phrases"].split(", ")) if match["phrases"] else names
        found.append(Entry(names[0], phrases, names, match["text"]))
    return found


def form(phrase: str) -> str:
    """Return the pattern of a phrase: with a large or small first letter, and its plural."""
    pattern = r"\s+".join(map(re.escape, phrase.split())).replace("'", f"['{APOSTROPHE}]")
    if phrase[1].islower() or phrase[1] in " -":
        pattern = f"[{phrase[0].upper()}{phrase[0].lower()}]" + pattern[1:]
    if re.search("[^aeiou]y$", phrase):
        return pattern[:-1] + "(?:y|ies)"
    return pattern + "(?:s|es)?"


def finder(phrases: dict[str, str]) -> re.Pattern:
    """Return a pattern for phrases, the longest first; the group that matches is named `g` and n.

    `phrases[n]` is the n-th key.
    """
    patterns = {f"g{number}": form(phrase) for number, phrase in enumerate(phrases)}
    longest = sorted(patterns, key=lambda group: -len(patterns[group]))
    choices = "|".join(f"(?P<{group}>{patterns[group]})" for group in longest)
    return re.compile(rf"(?<![\w-])(?:{choices or '(?!)'})(?![\w+-])")


class Words:
    """The entries of the glossary, and how to find them in a text."""

    def __init__(self, root: Path):
        self.entries = {entry.name: entry for entry in entries(root)}
        each = self.entries.values()
        self._in_prose = {phrase: entry.name for entry in each for phrase in entry.forms}
        names = {name: entry.name for entry in each for name in entry.names}
        self._explained = self._in_prose | names
        self._find_in_prose = finder(self._in_prose)
        self._find_explained = finder(self._explained)

    def uses(self, doctree: nodes.document, *, index: bool) -> dict[str, Use]:
        """Return the first use of each entry on a page, by its name.

        For the index a heading is a use as well, and where the word is explained comes first.
        """
        first = {}
        for text, section, kind in prose(doctree):
            if kind == "title" and not index:
                continue
            explained = kind == "explained"
            pattern = self._find_explained if explained else self._find_in_prose
            keys = [*(self._explained if explained else self._in_prose).values()]
            for match in pattern.finditer(text.astext()):
                if explained and match[0] != text.astext().rstrip(".:"):
                    continue
                key = keys[int(match.lastgroup[1:])]
                if key not in first or (index and explained and not first[key].explained):
                    first[key] = Use(key, text, match, section, explained)
        return first


def join_lines(doctree: nodes.document):
    """Join the lines of a paragraph, which are nodes of their own, so that phrases are whole."""
    for element in doctree.findall(nodes.TextElement):
        parts = itertools.groupby(element.children, key=lambda child: isinstance(child, nodes.Text))
        joined = []
        for is_text, group in parts:
            group = list(group)
            many = is_text and len(group) > 1
            joined += [nodes.Text("".join(group))] if many else group
        if len(joined) < len(element):
            element.children = []
            element.extend(joined)


def prose(doctree: nodes.document):
    """Yield the running text below the first subheading: text, section, and kind.

    The kind is "plain", "title" or "explained" (bold or italics). What a page promises at its top,
    outputs, answers that a reader has yet to open, and the further reading are not running text.
    """
    join_lines(doctree)
    folded = 0
    for node in doctree.findall():
        if isinstance(node, nodes.raw):
            folded += node.astext().count("<details") - node.astext().count("</details")
        if not isinstance(node, nodes.Text) or folded:
            continue
        kind, section, above = "plain", None, node.parent
        while above is not None and section is None:
            if isinstance(above, NO_PROSE) or "cell" in above.get("classes", []):
                break
            if isinstance(above, nodes.strong | nodes.emphasis):
                kind = "explained"
            if isinstance(above, nodes.title):
                kind = "title"
            section = above if isinstance(above, nodes.section) else None
            above = above.parent
        inner = section is not None and isinstance(section.parent, nodes.section)
        if inner and "further-reading" not in section["ids"]:
            yield node, section, kind


def link(app, docname: str, target: str, anchor: str, text: str, **attributes) -> nodes.reference:
    """Return a link to a place on a page."""
    uri = f"{app.builder.get_relative_uri(docname, target)}#{anchor}"
    return nodes.reference("", text, refuri=uri, internal=True, **attributes)


def link_words(app, doctree, docname):
    """Let the first use of each word on a chapter lead to its entry."""
    if not CHAPTER.fullmatch(docname) or app.builder.format != "html":
        return
    words = Words(Path(app.srcdir))
    uses = [use for use in words.uses(doctree, index=False).values() if not use.explained]
    uses.sort(key=lambda use: (id(use.text), use.match.start()))
    for _, group in itertools.groupby(uses, key=lambda use: id(use.text)):
        parts, end = [], 0
        for use in group:
            text = use.text
            parts.append(nodes.Text(text[end : use.match.start()]))
            entry, end = words.entries[use.key], use.match.end()
            attributes = {"reftitle": entry.tooltip, "classes": ["rf-term"]}
            parts.append(link(app, docname, GLOSSARY, entry.anchor, use.match[0], **attributes))
        text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def set_anchors(app, doctree):
    """Give each entry of the glossary its place on the page."""
    if app.env.docname != GLOSSARY:
        return
    anchors = {", ".join(entry.names): entry.anchor for entry in entries(Path(app.srcdir))}
    for item in doctree.findall(nodes.list_item):
        names = next(item.findall(nodes.strong), None)
        if names is not None:
            anchor = anchors.get(names.astext().replace(APOSTROPHE, "'"))
            item["ids"] += [anchor] if anchor else []


def name_state(app, config):
    """Tell Sphinx when the glossary or this file has changed: then all pages are written anew."""
    files = (Path(app.srcdir) / f"{GLOSSARY}.md", Path(__file__))
    state = b"".join(path.read_bytes() for path in files if path.exists())
    config.glossary_state = hashlib.sha256(state).hexdigest()


def setup(app):
    """Register the anchors and the links."""
    app.add_config_value("glossary_state", "", "html", str)
    app.connect("config-inited", name_state)
    app.connect("doctree-read", set_anchors)
    app.connect("doctree-resolved", link_words)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
