"""Offer the built book for download: python -m scripts.offer_downloads [FOLDER]

For publishing, after `make book` and `make pdf`: puts the PDF and a zip file of the pages into
_build/html, and a line with links to both on the first page. A book that is built at home has no
such line, and neither has the one in the zip file.
"""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST = "book/intro.html"
MARK = "<!-- downloads -->"  # in book/intro.md
PDF, PAGES = "rfteach.pdf", "rfteach-book.zip"
LINE = (
    '<p>To read offline: <a href="../{pdf}">the book as a PDF</a> ({pdf_size:.0f} MB), '
    'or <a href="../{pages}">its pages as a zip file</a> ({pages_size:.0f} MB).</p>'
)


def main(root: Path = ROOT) -> None:
    """Pack, move and offer.

    Raises:
        ValueError: the first page has no place for the line, or has the line already.
    """
    build, html = root / "_build", root / "_build" / "html"
    text = (html / FIRST).read_text(encoding="utf-8")
    if text.count(MARK) != 1:
        raise ValueError(f"{FIRST} has {text.count(MARK)} times {MARK}, not once")
    named = build / "rfteach-book"  # what the pages unpack into
    html.rename(named)
    try:
        shutil.make_archive(str(build / Path(PAGES).stem), "zip", build, named.name)
    finally:
        named.rename(html)
    sizes = {}
    for name in (PDF, PAGES):
        moved = shutil.move(build / name, html / name)
        sizes[name] = Path(moved).stat().st_size / 1e6
    line = LINE.format(pdf=PDF, pages=PAGES, pdf_size=sizes[PDF], pages_size=sizes[PAGES])
    (html / FIRST).write_text(text.replace(MARK, line), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
