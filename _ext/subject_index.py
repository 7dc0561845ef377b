"""The index: where the chapters use a word of the glossary, a public name, or prove a theorem.

The directive `book-index words|names|theorems` is replaced by such a list.
"""

from pathlib import Path

from api_reference import NAME, public_names
from docutils import nodes
from docutils.parsers.rst import directives
from glossary_links import APOSTROPHE, CHAPTER, GLOSSARY, Use, Words, link
from sphinx.util.docutils import SphinxDirective

INDEX = "book/subject_index"


def name_uses(doctree: nodes.document) -> dict[str, Use]:
    """Return the first use of each public name on a page, in its text or code."""
    known, first = set(public_names()), {}
    for code in doctree.findall(lambda node: isinstance(node, nodes.literal | nodes.literal_block)):
        section = code.parent
        while section is not None and not isinstance(section, nodes.section):
            section = None if "cell_output" in section.get("classes", []) else section.parent
        for match in NAME.finditer(code.astext()):
            if section is not None and match[1] in known:
                first.setdefault(match[1], Use(match[1], code, match, section))
    return first


class book_index(nodes.General, nodes.Element):  # noqa: N801, as docutils has it
    """The place of an index."""


class BookIndex(SphinxDirective):
    """An index of the words, of the public names, or of the theorems."""

    required_arguments = 1

    def run(self):
        """Leave a mark: the chapters are not yet read."""
        return [book_index(what=directives.choice(self.arguments[0], (*LINES,)))]


def place(app, docname: str, page: str, section: nodes.section, *, in_full: bool) -> nodes.Node:
    """Return a link to a section, named in full or by the number of its chapter."""
    chapter = CHAPTER.fullmatch(page)
    number = (chapter["number"] or "the probability kit") + (
        " (continued)" if chapter["half"] else ""
    )
    title = section.next_node(nodes.title).astext()
    label = f"Chapter {number}" if chapter["number"] else "Probability kit"
    label = f"{label}: {title}" if in_full else number
    return link(app, docname, page, section["ids"][0], label, reftitle=title)


def line(app, docname: str, head: nodes.Node, uses: dict[str, Use]) -> list[nodes.Node]:
    """Return a line of an index: the places that are named in full, then the others."""
    first = next(iter(uses), None)
    in_full = {page: page == first or use.explained for page, use in uses.items()}
    words = {True: (" ", "; "), False: ("; also in ", ", ")}
    parts = [nodes.strong("", "", head)]
    for full in (True, False):
        before, between = words[full]
        for page, use in uses.items():
            if in_full[page] == full:
                parts.append(nodes.Text(before))
                parts.append(place(app, docname, page, use.section, in_full=full))
                before = between
    return parts


def lines(app, docname: str, heads: dict[str, nodes.Node], find) -> list[list[nodes.Node]]:
    """Return a line for each head; `find` tells its first use on a page."""
    found = {page: find(app.env.get_doctree(page)) for page in chapters(app)}
    return [
        line(
            app, docname, heads[key], {page: use[key] for page, use in found.items() if key in use}
        )
        for key in sorted(heads, key=str.casefold)
    ]


def word_lines(app, docname: str) -> list[list[nodes.Node]]:
    """Return the index of the words."""
    words = Words(Path(app.srcdir))
    heads = {
        name: link(
            app,
            docname,
            GLOSSARY,
            entry.anchor,
            ", ".join(entry.names).replace("'", APOSTROPHE),
            classes=["rf-term"],
        )
        for name, entry in words.entries.items()
    }
    found = lines(app, docname, heads, lambda doctree: words.uses(doctree, index=True))
    return [parts for parts in found if len(parts) > 1]


def name_lines(app, docname: str) -> list[list[nodes.Node]]:
    """Return the index of the public names, which api_reference makes links."""
    heads = {name: nodes.literal("", f"rf.{name}") for name in public_names()}
    return lines(app, docname, heads, name_uses)


def theorem_lines(app, docname: str) -> list[list[nodes.Node]]:
    """Return the list of the theorems."""
    return [
        [place(app, docname, page, section, in_full=True)]
        for page in chapters(app)
        for section in app.env.get_doctree(page).findall(nodes.section)
        if section.next_node(nodes.title).astext().startswith("Theorem ")
    ]


LINES = {"words": word_lines, "names": name_lines, "theorems": theorem_lines}


def chapters(app) -> list[str]:
    """Return the pages whose words are in the index."""
    return sorted(filter(CHAPTER.fullmatch, app.env.found_docs))


def write_index(app, doctree, docname):
    """Put each index in the place of its mark."""
    for mark in list(doctree.findall(book_index)):
        index = nodes.bullet_list("", classes=["rf-index"])
        for line in LINES[mark["what"]](app, docname):
            index += nodes.list_item("", nodes.paragraph("", "", *line))
        mark.replace_self(index)


def write_index_again(app, env):
    """Write the index in each build: any chapter may have changed."""
    return [INDEX] if INDEX in env.found_docs else []


def setup(app):
    """Register the index."""
    app.add_node(book_index)
    app.add_directive("book-index", BookIndex)
    app.connect("env-updated", write_index_again)
    # Before api_reference, which turns the names in the index into links.
    app.connect("doctree-resolved", write_index, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
