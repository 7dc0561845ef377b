"""Make copies of the notebooks that run on Colab, where rfteach has to be installed first.

    python -m scripts.make_colab --out colab --repository OWNER/NAME --commit SHA
    python -m scripts.make_colab --out colab --wheel dist/rfteach-0.1.0-py3-none-any.whl

Each copy of a notebook that uses rfteach starts with a cell that installs it: from that repository
at that commit, or from the given wheel. A folded cell becomes a form, which shows its title and no
code. With a repository, relative links are made absolute too, since Colab resolves them against
itself.
"""

import argparse
import posixpath
import re
from pathlib import Path

import nbformat

from scripts.fold_cells import title

BOOK = Path(__file__).parents[1] / "book"
INSTALL = """\
# Colab has no rfteach yet. This installs the version that this page was made with.
import importlib.util

if importlib.util.find_spec("rfteach") is None:
    %pip install --quiet "rfteach[chapters] @ {source}"\
"""
# [text](target) where the target is a relative path to a file: not https://..., not $E[X](x)$.
RELATIVE_LINK = re.compile(
    r"(?<=\]\()(?P<path>[\w.-][\w./-]*\.[a-z]\w*)(?P<anchor>#[^)\s]*)?(?=\))"
)


def absolute(link: str, notebook: str, repository: str, commit: str) -> str:
    """Translate a relative link of `notebook` ("book/01_flows.ipynb").

    Notebooks lead to their copies on Colab, pages to the published book, files to GitHub.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(notebook), link))
    if path.startswith("book/") and path.endswith(".ipynb"):
        copy = path.removeprefix("book/")
        return f"https://colab.research.google.com/github/{repository}/blob/gh-pages/colab/{copy}"
    if path.startswith("book/") and path.endswith(".md"):
        owner, name = repository.split("/")
        return f"https://{owner}.github.io/{name}/{path.removesuffix('.md')}.html"
    return f"https://github.com/{repository}/raw/{commit}/{path}"


def add_install_cell(notebook, source: str):
    """Let a notebook that uses rfteach install it first; the cell's id is always the same."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if any("rfteach" in each for each in code):
        cell = nbformat.v4.new_code_cell(INSTALL.format(source=source), id="install-rfteach")
        notebook.cells.insert(0, cell)


def make_forms(notebook):
    """Fold on Colab what is folded in the book."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and (shown := title(cell)):
            cell.source = f"# @title {shown}\n{cell.source}"
            cell.metadata["cellView"] = "form"


def make_links_absolute(notebook, name: str, repository: str, commit: str):
    """Replace the relative links in the Markdown cells of the notebook `name`."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = RELATIVE_LINK.sub(
                lambda link: (
                    absolute(link["path"], name, repository, commit) + (link["anchor"] or "")
                ),
                cell.source,
            )


def main() -> None:
    """Read the command line and write the copies."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the copies")
    parser.add_argument("--wheel", type=Path, help="what pip installs, for a copy on this machine")
    parser.add_argument("--repository", help="OWNER/NAME on GitHub, with --commit")
    parser.add_argument("--commit", help="what pip installs from there")
    options = parser.parse_args()
    if not options.wheel and not (options.repository and options.commit):
        parser.error("give --wheel, or both --repository and --commit")

    source = f"git+https://github.com/{options.repository}@{options.commit}"
    if options.wheel:
        source = options.wheel.resolve().as_uri()
    for path in sorted(BOOK.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        notebook = nbformat.read(path, as_version=4)
        add_install_cell(notebook, source)
        make_forms(notebook)
        if options.repository:
            name = f"book/{path.relative_to(BOOK).as_posix()}"
            make_links_absolute(notebook, name, options.repository, options.commit)
        copy = options.out / path.relative_to(BOOK)
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, copy)


if __name__ == "__main__":
    main()
