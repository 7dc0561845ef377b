"""What a page of the built book must hold to: functions that return the problems they find."""

import gzip
import re
from contextlib import contextmanager
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Error, TimeoutError
from watching import Watched

DESKTOP = 1024  # pixels, and above
LARGEST_PAGE = 2_000_000  # bytes, gzip'd, with its images
LARGEST_WIDGETS = 400_000  # bytes of all widgets of a page: programs, weights, still pictures
WIDGETS = ["canvas", ".needs-kernel"]  # what the reader can touch
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


# Code is thousands of words in a dozen colors, and the contrast of them all takes axe longer than
# the rest of the page. One word of a kind is enough: of words that look the same, in surroundings
# that look the same, the longest stays an element; the others become text of what they are in.
# The browser is asked how they look, so that no style is missed, wherever it comes from.
ONE_WORD_OF_A_KIND = r"""() => {
  const looks = ["color", "backgroundColor", "backgroundImage", "opacity", "filter",
                 "mixBlendMode", "textShadow", "fontSize", "fontWeight"];
  const numbers = new Map(), kinds = new Map();
  const kindOf = (element) => {  // a number for how it looks, and all that it is in
    if (!element) return 0;
    if (!kinds.has(element)) {
      const style = getComputedStyle(element);
      const visible = element.checkVisibility({ visibilityProperty: true });
      const look = [kindOf(element.parentElement), visible,
                    ...looks.map((name) => style[name])].join();
      if (!numbers.has(look)) numbers.set(look, numbers.size + 1);
      kinds.set(element, numbers.get(look));
    }
    return kinds.get(element);
  };
  const words = [...document.querySelectorAll("pre span")].filter((word) =>
    [...word.attributes].every(({ name }) => name === "class" || name === "style"));
  const length = (word) =>  // axe passes over punctuation and single characters
    [...word.childNodes].map((node) => (node.nodeType === Node.TEXT_NODE ? node.data : ""))
      .join("").replace(/\W/g, "").length;
  const longest = new Map();
  for (const word of words) {  // nothing changes yet: so the browser answers fast
    const best = longest.get(kindOf(word));
    if (!best || length(word) > length(best)) longest.set(kindOf(word), word);
  }
  for (const word of words.reverse())  // the inner ones come first
    if (longest.get(kindOf(word)) !== word && !word.childElementCount)
      word.replaceWith(...word.childNodes);
  document.querySelectorAll("pre").forEach((code) => code.normalize());
}"""

# What is behind the text of a widget must be what is behind the text of the page.
OTHER_BACKGROUND = """() => {
  const behind = (element) => {
    if (!element) return "nothing";
    const color = getComputedStyle(element).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? behind(element.parentElement) : color;
  };
  const page = behind(document.querySelector(".bd-article h1"));
  return [...document.querySelectorAll(".rf-widget, .needs-kernel")].map(behind)
    .filter((widget) => widget !== page)
    .map((widget) => `behind the widget is ${widget}, behind the page ${page}`);
}"""


class Visit(Watched):
    """One page, loaded in the browser, with its formulas and widgets.

    Patience is how long, in seconds, a widget may take.
    """

    def __init__(self, context, url: str, patience: float = 20):
        super().__init__(context, url)
        self.page.goto(url, wait_until="load")
        self.page.evaluate("window.MathJax?.startup?.promise")
        self.page.set_default_timeout(1000 * patience)
        try:
            self.page.wait_for_function("!document.querySelector('.rf-still')")
        except TimeoutError:
            self.problems.append("a widget did not take the place of its still picture")

    def look(self, widgets: dict[str, int] | None = None) -> list[str]:
        """Run all checks that need a browser and change nothing that a reader would notice.

        Args:
            widgets: how many of what must be there for the reader to touch, by CSS selector;
                None: they are not counted.
        """
        problems, ask = self.problems, self.page.evaluate
        problems += [f"formula {each}" for each in ask(UNREAD_MATH)]
        problems += [f"broken image: {each}" for each in ask(BROKEN_IMAGES)]
        problems += [f"too wide: {each}" for each in ask(TOO_WIDE)]
        problems += [f"cut off: {each}" for each in ask(CUT_OFF, DESKTOP)]
        if widgets is not None:
            problems += self._wrong_widgets(widgets)
        problems += self._inaccessible()
        return problems

    def _wrong_widgets(self, expected: dict[str, int]) -> list[str]:
        """Count the widgets; find controls that nothing serves, and boxes of another color."""
        problems = self.page.evaluate(OTHER_BACKGROUND)
        for selector in WIDGETS:
            found = self.page.locator(f".bd-article {selector}:visible").count()
            if found != expected.get(selector, 0):
                problems.append(f"{found} widgets {selector}, not {expected.get(selector, 0)}")
        if dead := self.page.locator(".jupyter-widgets, .widget-subarea *").count():
            problems.append(f"{dead} elements of controls that need a kernel")
        return problems

    def _inaccessible(self) -> list[str]:
        """Ask axe-core; tell of what it calls serious or critical.

        All its rules run in each visit: most of its time goes to finding out where everything is,
        which fewer rules need too, and which `exclude` (of formulas, say) does not shorten.
        """
        self.page.evaluate(ONE_WORD_OF_A_KIND)
        # "preload" would fetch the style sheets again, from wrong addresses; passes take time.
        options = {"preload": False, "resultTypes": ["violations"]}
        violations = Axe().run(self.page, None, options).response["violations"]
        return [
            f"{violation['impact']} for accessibility: {violation['id']} ({violation['help']}), "
            + ", ".join(node["html"][:150] for node in violation["nodes"][:3])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ]

    def play(self, other_data: str = "") -> list[str]:
        """Use the playground: does it compute? This changes the page, so do it last."""
        page, row = self.page, self.page.locator(".rf-widget td")
        counts = "count => document.querySelector('.rf-widget td')?.textContent === count"
        try:
            page.get_by_label("Solver").select_option("Heun")
            page.get_by_label("Steps N").fill("3")
            page.wait_for_function(counts, arg="6")
            if other_data:
                page.get_by_label("Data").select_option(other_data)
                page.get_by_label("Steps N").fill("40")
                page.wait_for_function(counts, arg="80")
                if not float(row.nth(2).inner_text()) < 0.02:
                    self.problems.append(f"the playground is far from the {other_data}")
        except (Error, ValueError) as error:
            self.problems.append(f"the playground does not compute: {error}")
        return self.problems


@contextmanager
def visit(context, url: str, **settings):
    """Load a page, and close it in the end."""
    visited = Visit(context, url, **settings)
    try:
        yield visited
    finally:
        visited.page.close()


class Parsed(HTMLParser):
    """What the checks need of a page: a small part of what a tree of it would take.

    Attributes:
        ids: of the elements.
        links: where they lead.
        images: where they are.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.images = set(), [], set()
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        """Note an element."""
        values = dict(attrs)
        self.ids.add(values.get("id"))
        if tag == "a" and values.get("href") is not None:
            self.links.append(values["href"])
        if tag == "img" and values.get("src") is not None:
            self.images.add(values["src"])


class Site:
    """The files of a built site; each page is parsed once."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._parse = cache(Parsed)

    def pages(self) -> list[str]:
        """All pages, as paths below the root."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*.html"))

    def dead_links(self, page: str) -> list[str]:
        """Find links to files or anchors that are not there, and malformed addresses elsewhere."""
        path = self.root / page
        links = self._parse(path).links
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
        return not anchor or anchor in self._parse(target).ids

    def weight(self, page: str) -> int:
        """Count the bytes of a page and its image files, each gzip'd."""
        path = self.root / page
        images = self._parse(path).images
        # an address with a scheme is on another host, or `data:`, which is a part of the page
        files = [path, *(path.parent / image for image in images if not urlsplit(image).scheme)]
        return sum(len(gzip.compress(file.read_bytes())) for file in files)

    def widget_weight(self, page: str) -> int:
        """Count the bytes that a page has for its widgets' sake, as they are in its files."""
        parsed = BeautifulSoup((self.root / page).read_text(encoding="utf-8"), "html.parser")
        parts = [str(part) for part in parsed.select(f'.rf-still, script[type="{WIDGET_STATE}"]')]
        if not parts:
            return 0
        loader = self.root / "_static" / "widgets.js"
        return sum(len(part.encode()) for part in parts) + loader.stat().st_size
