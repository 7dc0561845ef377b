"""What a page of the built book must hold to: functions that return the problems they find."""

from contextlib import contextmanager, suppress

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, TimeoutError
from watching import Watched

DESKTOP = 1024  # pixels, and above
# In which order a page is turned. The corners are what each page is looked at in.
EVERYWHERE = [("light", 1280), ("dark", 1280), ("dark", 375), ("light", 375)]
CORNERS = EVERYWHERE[::2]
LARGEST_PAGE = 2_000_000  # bytes, gzip'd, with its images
LARGEST_WIDGETS = 400_000  # bytes of all widgets of a page: programs, weights, still pictures
LARGEST_OF_IMAGES = 600_000  # the same where they draw images
WIDGETS = ["canvas", ".needs-kernel"]  # what the reader can touch

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
  // Kept for WHOLE_CODE: what looks alike in light mode need not do so in dark mode.
  for (const code of document.querySelectorAll("pre")) code.whole = code.cloneNode(true);
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

WHOLE_CODE = """() =>
  document.querySelectorAll("pre").forEach((code) => code.replaceChildren(...code.whole.childNodes))
"""

# What moves after a page was turned is at its end, and what has to be scrolled can be reached: the
# theme sees to that 300 ms after a change of the width.
END_TRANSITIONS = """() => {
  for (const change of document.getAnimations())
    if (change instanceof CSSTransition) change.finish();
}"""
HAS_THEME = "(scheme) => [undefined, scheme].includes(document.documentElement.dataset.theme)"
SCROLLS_BY_KEY = """() =>
  [...document.querySelectorAll("pre")]
    .every((box) => box.scrollWidth <= box.clientWidth || box.tabIndex === 0)
"""

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

    def look_in(self, places, widgets: dict[str, int] | None = None) -> list[str]:
        """Look at the page in several places, and say of each problem where it shows.

        It is loaded once, and then turned as a reader would turn it: that costs far less than to
        load it anew.

        Args:
            places: color schemes and widths in pixels; the page was loaded in the first of them.
            widgets: as in `look`.
        """
        found = []
        for place in places:
            if place != places[0]:
                self.turn(*place)
            found += [f"{place[0]}, {place[1]} px: {problem}" for problem in self.look(widgets)]
            self.problems.clear()
        return found

    def turn(self, scheme: str, width: int):
        """Change the color scheme of the system and the width of the window."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)
        try:
            self.page.wait_for_function(HAS_THEME, arg=scheme, timeout=10_000)
        except TimeoutError:
            self.problems.append(f"the system turned {scheme}, the page did not")
        with suppress(TimeoutError):  # axe then says what cannot be reached
            self.page.wait_for_function(SCROLLS_BY_KEY, timeout=2000)
        self.page.evaluate(END_TRANSITIONS)

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

        All its rules run in each look: most of its time goes to finding out where everything is,
        which fewer rules need too, and which `exclude` (of formulas, say) does not shorten.
        """
        self.page.evaluate(ONE_WORD_OF_A_KIND)
        # "preload" would fetch the style sheets again, from wrong addresses; passes take time.
        options = {"preload": False, "resultTypes": ["violations"]}
        violations = Axe().run(self.page, None, options).response["violations"]
        self.page.evaluate(WHOLE_CODE)
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
            per_step = 1
            if page.get_by_label("Solver").count():  # none where there is noise on the way
                page.get_by_label("Solver").select_option("Heun")
                per_step = 2
            page.get_by_label("Steps N").fill("3")
            page.wait_for_function(counts, arg=str(3 * per_step))
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
