"""Print the built book into _build/rfteach.pdf: python -m scripts.make_pdf [FOLDER]

The pages in _build/html, which `make book` has made, are joined into one. Chromium prints it as the
style sheet says (assets/book.css), with its headings as bookmarks. The solutions come last.
"""

import re
import sys
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import quote, unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

from scripts.find_chromium import find_chromium

ROOT = Path(__file__).resolve().parents[1]
TEN_MINUTES = 600_000  # for all formulas at once
LEFT_OUT = {"book/progress"}  # it shows what a reader has solved
SOLUTIONS = "book/solutions"
PAPER = {
    "format": "A4",
    "outline": True,
    "tagged": True,  # for screen readers; the bookmarks need it
}


def contents(toc: dict) -> list[str]:
    """List the pages of a table of contents in the order of the PDF."""
    names = [toc["root"]]

    def add(chapters: list[dict]):
        for chapter in chapters:
            names.append(chapter["file"])
            add(chapter.get("sections", []))

    for part in toc.get("parts", [toc]):
        add(part["chapters"])
    names = [name for name in names if name not in LEFT_OUT]
    return sorted(names, key=lambda name: name.startswith(SOLUTIONS))  # the others keep their order


class Book:
    """The articles of the built pages in `html`, joined into one page.

    Attributes:
        articles: by the names of the pages.
        one: the joined page.
    """

    def __init__(self, html: Path, names: list[str]):
        self.html = html
        pages = {name: self._read(name) for name in names}
        self.one = pages[names[0]]
        place = self._article(self.one).parent
        self.one.title.string = self.one.title.text.split(" \N{EM DASH} ")[0]
        self.articles = {name: self._article(page).extract() for name, page in pages.items()}
        for name, article in self.articles.items():
            self._address(name, article)
        for name, article in self.articles.items():
            self._settle_folds(name, article)
        # The page has the theme's look and the formulas, and nothing beside the text or that moves.
        place.clear()
        place.extend(self.articles.values())
        while place.name != "body":
            place, inner = place.parent, place
            place.clear()
            place.append(inner)
        for script in self.one("script"):
            if "MathJax" not in script.text and "mathjax" not in script.get("src", ""):
                script.decompose()
        for found in self.one.head(["link", "script"]):
            for name in {"href", "src"} & found.attrs.keys():
                found[name] = self._file(names[0], found[name])

    def _read(self, name: str) -> BeautifulSoup:
        text = (self.html / f"{name}.html").read_text(encoding="utf-8")
        return BeautifulSoup(text, "html.parser")

    @staticmethod
    def _article(page: BeautifulSoup) -> Tag:
        return page.select_one("article.bd-article")

    def _file(self, name: str, address: str) -> str:
        """Return an address on a page as seen from the folder above `html`."""
        if urlsplit(address).scheme:
            return address
        return quote(self.html.name) + "/" + normpath(join(dirname(name), address))

    def _address(self, name: str, article: Tag):
        """Make each `id` one of its page, and let links lead within the joined page."""
        article["id"] = ""
        for found in article.select("[id]") + [article]:
            found["id"] = _anchor(name, found["id"])
        for image in article.select("img[src]"):
            image["src"] = self._file(name, image["src"])
        for link in article.select("a[href]"):
            address = urlsplit(link["href"])
            if address.scheme:
                continue
            page = normpath(join(dirname(name), unquote(address.path))) if address.path else name
            page = page.removesuffix(".html")
            if page in self.articles:
                link["href"] = "#" + quote(_anchor(page, unquote(address.fragment)))
            else:
                link.unwrap()  # what it leads to is not in the PDF

    def _settle_folds(self, name: str, article: Tag):
        """Open what is folded, but leave hints and answers to the end of the book."""
        solutions = self._solutions(name)
        for fold in article.select("details:not(.hide)"):
            summary = fold.summary.get_text(" ", strip=True)
            ids = [section["id"] for section in fold.find_parents("section", id=True)]
            section = ids[0].split(":")[1] if ids else ""
            if solutions is None:
                fold["open"] = ""
            elif solutions.find(id=_anchor(_page(solutions), section)):
                # An exercise. It stands there once more, with the same hints.
                self._leave(fold, summary, _anchor(_page(solutions), section))
            elif re.fullmatch("Answers?", summary):
                number = len(solutions.select(".answers")) + 1
                target = _anchor(_page(solutions), f"answers-{number}")
                heading = article.find(id=ids[0]).find(re.compile("h[1-6]")).get_text(strip=True)
                self._leave(fold, summary, target)
                fold.attrs |= {"id": target, "class": "answers", "open": ""}
                fold.summary.string = f"{summary} to “{heading.rstrip('#')}”"
                solutions.section.append(fold)
            else:
                fold["open"] = ""
        if name.startswith(SOLUTIONS):
            for fold in article.select("details.hide"):
                fold["open"] = ""
                title = fold.select_one("summary .collapsed").text.strip()
                fold.summary.string = title.replace("Show the", "The")

    def _solutions(self, name: str) -> Tag | None:
        """Return the solutions to a chapter, which a second page ("book/07b_more") shares."""
        start = name.replace("book/", f"{SOLUTIONS}/", 1)[: len(f"{SOLUTIONS}/07")]
        return next((self.articles[each] for each in self.articles if each.startswith(start)), None)

    def _leave(self, fold: Tag, summary: str, target: str):
        """Put a link in the place of a fold."""
        link = self.one.new_tag("a", href="#" + quote(target))
        link.string = f"{summary}: at the end of the book"
        paragraph = self.one.new_tag("p", attrs={"class": "at-the-end"})
        paragraph.append(link)
        fold.replace_with(paragraph)


def _anchor(name: str, fragment: str) -> str:
    return f"{name.removeprefix('book/')}:{fragment}"


def _page(article: Tag) -> str:
    return article["id"].split(":")[0]


def main(root: Path = ROOT) -> None:
    """Join the pages, and print."""
    build = root / "_build"
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    joined, out = build / "book.html", build / "rfteach.pdf"
    joined.write_text(str(Book(build / "html", contents(toc)).one), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(TEN_MINUTES)
        page.goto(joined.as_uri())
        page.evaluate("document.documentElement.dataset.theme = 'light'")
        page.emulate_media(media="print")
        page.evaluate("window.MathJax?.startup?.promise")
        page.evaluate("Promise.all([...document.images].map((image) => image.decode()))")
        page.pdf(path=out, **PAPER)
        browser.close()
    joined.unlink()
    print(f"The book is printed. Open {out}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
