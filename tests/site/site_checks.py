"""What a page of the built book must hold to: functions that return the problems they find."""

import gzip
import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import TimeoutError
from watching import Watched

DESKTOP = 1024  # pixels, and above
LARGEST_PAGE = 2_000_000  # bytes, gzip'd, with its images
LARGEST_WIDGETS = 400_000  # bytes of all widgets of a page: programs, weights, still pictures
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

# Formulas that MathJax left alone or could not read. Code may hold dollar signs.
UNREAD_MATH = r"""() => {
  const found = [];
  for (const formula of document.querySelectorAll(".math"))
    if (!formula.querySelector("mjx-container")) found.push("not typeset: " + formula.textContent);
  for (const error of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    found.push("TeX error: " + (error.getAttribute("data-mjx-error") ?? error.textContent));
  const code = "pre, code, script, style, mjx-container";
  const walker = document.createTreeWalker(document.querySelector("main") ?? document.body,
                                           NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, parent = text.parentElement;
    if (/\$|\\\(|\\\[/.test(text.data) && !parent.closest(code))
      found.push("raw TeX: " + text.data.trim());
  }
  return found;
}"""

# A box whose content is wider than itself scrolls or spills over. Code, tables and formulas may
# scroll in boxes of their own; the page and its sections may not.
TOO_WIDE = """() =>
  [document.documentElement, ...document.querySelectorAll("body, main, article, section, figure")]
    .filter((box) => box.scrollWidth > box.clientWidth + 1)
    .map((box) => `<${box.localName} id="${box.id}"> is ${box.clientWidth} px wide, its content ` +
                  `${box.scrollWidth} px`)
"""

# On a desktop nobody should have to scroll to read a formula or a table.
CUT_OFF = """(desktop) =>
  [...document.querySelectorAll("div.math mjx-container, .table-scroll")]
    .filter((box) => innerWidth >= desktop && box.scrollWidth > box.clientWidth + 1)
    .map((box) => `${box.scrollWidth} px in ${box.clientWidth} px: ` +
                  (box.closest(".math")?.id || box.textContent.trim().slice(0, 80)))
"""

BROKEN_IMAGES = """async () => {
  const broken = [];
  for (const image of document.images) {
    await image.decode().catch(() => null);
    if (!image.naturalWidth) broken.push(image.getAttribute("src"));
  }
  return broken;
}"""


# What axe-core is asked, as its options and the parts of the page that it leaves out. All its rules
# but one look at the structure, which has no colors. The contrast of code takes half of the time of
# all contrast, and is looked at in one place for all pages (`Site.code_samples`).
STRUCTURE = {"rules": {"color-contrast": {"enabled": False}}}, None
CONTRAST = {"runOnly": ["color-contrast"]}, {"exclude": [["pre"]]}
CONTRAST_OF_CODE = {"runOnly": ["color-contrast"]}, {"include": [["#code-samples"]]}


class Visit(Watched):
    """One page, loaded in the browser, with its formulas and widgets.

    Widgets may take `patience` milliseconds to appear.
    """

    def __init__(self, context, url: str, patience: int):
        super().__init__(context, url)
        self.page.goto(url, wait_until="load")
        self.page.evaluate("window.MathJax?.startup?.promise")
        try:
            self.page.wait_for_function("!document.querySelector('.rf-still')", timeout=patience)
        except TimeoutError:
            self.problems.append("a widget did not take the place of its still picture")

    def look(self, *questions) -> list[str]:
        """Run all checks that need a browser, and ask axe-core these questions."""
        problems = self.problems
        problems += [f"formula {each}" for each in self.page.evaluate(UNREAD_MATH)]
        problems += [f"broken image: {each}" for each in self.page.evaluate(BROKEN_IMAGES)]
        problems += [f"too wide: {each}" for each in self.page.evaluate(TOO_WIDE)]
        problems += [f"cut off: {each}" for each in self.page.evaluate(CUT_OFF, DESKTOP)]
        for question in questions:
            problems += self.inaccessible(question)
        return problems

    def inaccessible(self, question) -> list[str]:
        """Ask axe-core; tell of what it calls serious or critical."""
        options, parts = question
        # "preload" would fetch the style sheets again, from wrong addresses; passes take time.
        options = options | {"preload": False, "resultTypes": ["violations"]}
        return [
            f"{violation['impact']} for accessibility: {violation['id']} ({violation['help']}), "
            + ", ".join(node["html"][:150] for node in violation["nodes"][:3])
            for violation in Axe().run(self.page, parts, options).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]


@contextmanager
def visit(context, url: str, patience: int = 10_000):
    """Load a page, and close it in the end."""
    visited = Visit(context, url, patience)
    try:
        yield visited
    finally:
        visited.page.close()


class Site:
    """The files of a built site; each page is parsed once."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._parsed = {}

    def pages(self) -> list[str]:
        """All pages, as paths below the root."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.html"))

    def _parse(self, path: Path) -> BeautifulSoup:
        if path not in self._parsed:
            self._parsed[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        return self._parsed[path]

    def dead_links(self, page: str) -> list[str]:
        """Find links to files or anchors that are not there, and malformed addresses elsewhere."""
        path = self.root / page
        links = [tag["href"] for tag in self._parse(path).find_all("a", href=True)]
        return [f"dead link: {link}" for link in links if not self._is_alive(path, link)]

    def _is_alive(self, page: Path, link: str) -> bool:
        address = urlsplit(link)
        if address.scheme in ("http", "https"):
            return bool(re.fullmatch(r"[\w-]+(\.[\w-]+)+", address.netloc)) and " " not in link
        if address.scheme:
            return address.scheme == "mailto" and "@" in address.path
        target = (page.parent / unquote(address.path)).resolve() if address.path else page
        if not target.is_file() or not target.is_relative_to(self.root):
            return False
        anchor = unquote(address.fragment)
        return not anchor or self._parse(target).find(id=anchor) is not None

    def code_samples(self) -> str:
        """Return every kind of code of all pages, as HTML to put into one of them.

        A kind is what the code stands in, from the article down (but for sections, which have no
        color, and folds, which would hide it), and each kind has all the classes of words that
        occur in it anywhere.
        """
        words_in = {}
        for page in self.pages():
            for block in self._parse(self.root / page).select("article pre"):
                around = []
                for tag in block.parents:
                    if tag.name == "article":
                        break
                    if tag.name in ("div", "blockquote", "aside"):
                        around.insert(0, f'<{tag.name} class="{" ".join(tag.get("class", []))}">')
                words = words_in.setdefault(tuple(around), set())
                words |= {" ".join(word.get("class", [])) for word in block.find_all("span")}
        samples = []
        for around, words in sorted(words_in.items()):
            spans = " ".join(f'<span class="{word}">word</span>' for word in sorted(words))
            ends = [f"</{opening[1:].split()[0]}>" for opening in reversed(around)]
            samples.append("".join([*around, f"<pre>text {spans}</pre>", *ends]))
        return f'<div id="code-samples">{"".join(samples)}</div>'

    def weight(self, page: str) -> int:
        """Count the bytes of a page and its image files, each gzip'd."""
        path = self.root / page
        images = {tag["src"] for tag in self._parse(path).find_all("img", src=True)}
        # an address with a scheme is on another host, or `data:`, which is a part of the page
        files = [path, *(path.parent / image for image in images if not urlsplit(image).scheme)]
        return sum(len(gzip.compress(file.read_bytes())) for file in files)

    def widget_weight(self, page: str) -> int:
        """Count the bytes that a page has for its widgets' sake, as they are in its files."""
        parsed = self._parse(self.root / page)
        parts = [str(part) for part in parsed.select(f'.rf-still, script[type="{WIDGET_STATE}"]')]
        if not parts:
            return 0
        loader = self.root / "_static" / "widgets.js"
        return sum(len(part.encode()) for part in parts) + loader.stat().st_size
