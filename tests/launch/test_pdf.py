"""The book as a PDF, a chapter on paper, and the downloads on the first page."""

import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from scripts import offer_downloads
from scripts.built_book import Site
from scripts.fold_cells import fold
from scripts.make_pdf import Book, contents

ROOT = Path(__file__).parents[2]
HEAD = "<title>Flows — Book</title><script>window.MathJax = 1</script><script>play()</script>"
PAGES = {
    "book/intro": '<h1>Book</h1><p><a href="01_flows.html#the-end">To the end</a></p>',
    "book/01_flows": """<h1 id="start">Flows</h1><p><a href="progress.html">Your progress</a></p>
<details class="hide"><summary>Code</summary>draw()</details>
<section id="questions"><h2>Questions</h2><details><summary>Answers</summary>It is 2.</details>
</section>
<section id="exercise"><details><summary>Hint</summary>Think.</details></section>
<section id="the-end"><details><summary>Why</summary>Because.</details><img src="../a.png">
</section>
""",
    "book/01b_more": """<section id="q"><h2>More</h2><details><summary>Answers</summary>It is 3.
</details></section>""",
    "book/solutions": '<h1 id="start">Solutions</h1><a href="solutions/01_flows.html">one</a>',
    "book/solutions/01_flows": """<section id="start"><a href="../01_flows.html">chapter</a>
<section id="exercise"><details><summary>Hint</summary>Think.</details>
<details class="hide"><summary><p class="collapsed">Show the solution</p></summary>solved</details>
</section></section>""",
    "book/notation": "<h1>Notation</h1>",
}
TOC = {
    "root": "book/intro",
    "parts": [
        {"chapters": [{"file": "book/01_flows", "sections": [{"file": "book/01b_more"}]}]},
        {
            "chapters": [
                {"file": "book/progress"},
                {"file": "book/solutions", "sections": [{"file": "book/solutions/01_flows"}]},
                {"file": "book/notation"},
            ]
        },
    ],
}


@pytest.fixture
def joined(tmp_path) -> BeautifulSoup:
    """Join a few pages into one."""
    for name, text in PAGES.items():
        path = tmp_path / "html" / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        article = f'<article class="bd-article">{text}</article>'
        body = f"<body><nav>aside</nav><main>{article}</main></body>"
        path.write_text(f"<html><head>{HEAD}</head>{body}</html>")
    (tmp_path / "html" / "a.png").touch()
    (tmp_path / "book.html").write_text(str(Book(tmp_path / "html", contents(TOC)).one))
    assert Site(tmp_path).dead_links("book.html") == []
    return BeautifulSoup((tmp_path / "book.html").read_text(), "html.parser")


def test_the_solutions_come_last(joined):
    order = [article["id"] for article in joined("article")]
    last = ["solutions:", "solutions/01_flows:"]
    assert order == ["intro:", "01_flows:", "01b_more:", "notation:", *last]


def test_links_lead_to_the_page_that_they_mean(joined):
    ids = [found["id"] for found in joined.select("[id]")]
    assert len(ids) == len({*ids}) and "01_flows:start" in ids
    links = {link.text: link["href"] for link in joined("a")}
    assert links["To the end"] == "#01_flows%3Athe-end"
    assert links["chapter"] == "#01_flows%3A"
    assert "Your progress" not in links and "Your progress" in joined.text  # it is left out
    assert joined.img["src"] == "html/a.png" and joined.nav is None
    assert joined.title.text == "Flows" and len(joined("script")) == 1


def test_hints_and_answers_wait_at_the_end(joined):
    chapter, *_, solutions = joined("article")[1:]
    for text in ["Think.", "It is 2.", "It is 3."]:
        assert joined.text.count(text) == solutions.text.count(text) == 1
    for left in chapter.select(".at-the-end a"):
        assert solutions.find(id=left["href"][1:].replace("%3A", ":").replace("%2F", "/"))
    folds = {fold.summary.text: fold.has_attr("open") for fold in joined("details")}
    assert folds == {
        "Code": False,
        "Why": True,
        "Hint": True,
        "The solution": True,
        "Answers to “Questions”": True,
        "Answers to “More”": True,
    }


@pytest.fixture(scope="module")
def printed(small_book, tmp_path_factory):
    """Build a small book for publishing, with the code of a figure folded, and print it."""
    book = type(small_book)(tmp_path_factory.mktemp("printed_book"))
    (book.root / "book" / "intro.md").write_text("# Introduction\n\n<!-- downloads -->\n")
    book.write("01_flows", "print('printed')")
    notebook = nbformat.read(book.root / "book" / "01_flows.ipynb", as_version=4)
    notebook.cells[-1].metadata["tags"] = ["draws"]
    fold(notebook.cells[-1])
    nbformat.write(notebook, book.root / "book" / "01_flows.ipynb")
    book.build(BOOK_ADDRESS="https://ada.example/book/")
    subprocess.run([sys.executable, "-m", "scripts.make_pdf", book.root], cwd=ROOT, check=True)
    return book


def test_the_pdf_has_bookmarks(printed):
    pdf = (printed.root / "_build" / "rfteach.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and b"/Outlines" in pdf and b"(A chapter)" in pdf


@pytest.mark.parametrize("media", ["screen", "print"])
def test_folded_code_is_not_printed_and_its_output_is(printed, browser, media):
    page = browser.new_page()
    page.goto((printed.root / "_build/html/book/01_flows.html").as_uri())
    page.emulate_media(media=media)
    on_screen = media == "screen"
    assert page.get_by_text("How this figure is drawn", exact=True).is_visible() == on_screen
    assert page.locator(".bd-sidebar-primary").is_visible() == on_screen
    assert page.get_by_text("printed", exact=True).is_visible()
    assert page.locator("article h1").is_visible()
    page.close()


def test_paper_is_white(printed, browser):
    page = browser.new_page(color_scheme="dark")
    page.goto((printed.root / "_build/html/book/01_flows.html").as_uri())
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"
    page.close()


def test_a_link_to_a_page_has_a_picture(printed):
    (image,) = printed.page("01_flows").select('meta[property="og:image"]')
    assert image["content"] == "https://ada.example/book/_static/cards/01_flows.webp"
    (image,) = printed.page("intro").select('meta[property="og:image"]')
    assert image["content"] == "https://ada.example/book/_static/hero.png"


def test_the_first_page_offers_what_is_there(printed):
    """Last, since it changes the pages."""
    html = printed.root / "_build" / "html"
    offer_downloads.main(printed.root)
    links = [
        link["href"] for link in printed.page("intro").select("article a[href$=pdf], a[href$=zip]")
    ]
    assert links == ["../rfteach.pdf", "../rfteach-book.zip"]
    assert Site(html).dead_links("book/intro.html") == []
    with zipfile.ZipFile(html / "rfteach-book.zip") as packed:
        names = packed.namelist()
        assert "rfteach-book/index.html" in names and "rfteach-book/rfteach.pdf" not in names
        assert b"rfteach.pdf" not in packed.read("rfteach-book/book/intro.html")
    with pytest.raises(ValueError, match="0 times"):
        offer_downloads.main(printed.root)
