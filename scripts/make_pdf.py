"""Print the whole book into _build/rfteach.pdf: python -m scripts.make_pdf [FOLDER]

Sphinx joins all pages into one, with the outputs that `make book` has left in the cache. Chromium
prints that page, with an outline of its headings.
"""

import subprocess
import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

from scripts.find_chromium import find_chromium

ROOT = Path(__file__).resolve().parents[1]
TEN_MINUTES = 600_000  # for all formulas at once
STYLE = """
.bd-header, .bd-header-article, .bd-sidebar, .copybtn { display: none; }
* { animation: none !important; transition: none !important; } /* what opens is there at once */
[id^="document-"] + section { break-before: page; }
.bd-article :is(h1, h2) { font-size: 1.4rem; } /* in one line: the outline swallows a line's end */
.cell_input, .cell_output, .highlight, figure { break-inside: avoid; }
pre { white-space: pre-wrap !important; }
"""
# Nobody can click on paper, so all that is folded opens.
PREPARE = """async () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  await MathJax.startup.promise;
  await Promise.all([...document.images].map((image) => image.decode()));
}"""
PAPER = {
    "format": "A4",
    "scale": 0.8,
    "margin": dict.fromkeys(["top", "bottom", "left", "right"], "15mm"),
    "display_header_footer": True,
    "header_template": "<i></i>",
    "footer_template": '<p style="font-size: 8px; margin: auto" class="pageNumber"></p>',
    "outline": True,
    "tagged": True,  # for screen readers
}


def main(root: Path = ROOT) -> None:
    """Make the one page, and print it."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([jupyter_book, "build", root, "--builder", "singlehtml"], check=True)
    folder, out = root / "_build" / "singlehtml", root / "_build" / "rfteach.pdf"
    start = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["root"]
    # Sphinx writes it beside the first page, with paths that lead from the folder above.
    book = (folder / f"{start}.html").replace(folder / "book.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(TEN_MINUTES)
        page.goto(book.as_uri())
        page.emulate_media(media="print")
        page.add_style_tag(content=STYLE)
        page.evaluate(PREPARE)
        page.pdf(path=out, **PAPER)
        browser.close()
    print(f"The book is printed. Open {out}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
