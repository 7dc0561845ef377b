"""The built book and the widgets in Firefox and in WebKit, as far as each is installed.

Chromium is looked at in full (test_site.py). Here each page is opened once: what these browsers may
do otherwise is to run scripts and to lay out.
"""

import base64
import json

import pytest
import torch
from other_browsers import BROWSERS
from site_checks import BROKEN_IMAGES, CUT_OFF, DESKTOP, TOO_WIDE, UNREAD_MATH
from test_image_playground_page import playground as image_playground
from test_playground_page import COMPUTE, MODELS, SOLVERS, playground
from test_site import BUILT, PAGES
from widget_pages import widget_page

import rfteach as rf
from scripts.find_other_browsers import missing

READY = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  for (let i = 0; i < 400 && document.querySelector(".rf-still"); i++)
    await new Promise((done) => setTimeout(done, 50));
  return document.querySelector(".rf-still") ? ["a widget did not take its picture's place"] : [];
}"""

OTHER_HOSTS = """() => performance.getEntriesByType("resource").map((entry) => entry.name)
  .filter((name) => /^(http|ws)/.test(name) && new URL(name).host !== location.host)
  .map((name) => "request to another host: " + name)"""

# What a reader can open shows more when it is open.
FOLDS = """() => [...document.querySelectorAll("main details")].flatMap((fold) => {
  for (let outer = fold.parentElement.closest("details"); outer;
       outer = outer.parentElement.closest("details")) outer.open = true;
  fold.open = false;
  const height = fold.offsetHeight;
  fold.querySelector("summary").click();
  const grown = fold.open && fold.offsetHeight > height;
  return grown ? [] : ["a fold does not open: " + fold.textContent.trim().slice(0, 60)];
})"""

# What is drawn is drawn in the next frame, which may be late: a canvas is given 5 s.
EMPTY_CANVASES = """async () => {
  const empty = () => [...document.querySelectorAll("main canvas")].filter((canvas) => {
    if (!canvas.checkVisibility()) return false; // the plane of a second flow, while there is one
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size < 3;
  });
  for (let i = 0; i < 100 && empty().length; i++)
    await new Promise((done) => setTimeout(done, 50));
  return empty().map((canvas) => "an empty canvas: " + canvas.ariaLabel);
}"""

# The slider is moved as by hand. Not before the noise is carried anew does the picture change.
PLAY = """async () => {
  const label = [...document.querySelectorAll("label")]
    .find((label) => label.textContent.startsWith("Steps N"));
  if (!label?.control) return [];
  const widget = label.closest(".rf-widget"), canvas = widget.querySelector("canvas");
  const put = (control, value) => {
    control.value = value;
    for (const kind of ["input", "change"])
      control.dispatchEvent(new Event(kind, { bubbles: true }));
  };
  for (const choice of widget.querySelectorAll("select"))  // with "one step", N says nothing
    if (choice.value === "one step") put(choice, "Euler");
  const before = canvas.toDataURL();
  put(label.control, 3);
  for (let i = 0; i < 400 && canvas.toDataURL() === before; i++)
    await new Promise((done) => setTimeout(done, 50));
  return canvas.toDataURL() === before ? ["the slider for N changes no picture"] : [];
}"""

DARK = """async () => {
  const button = document.querySelector(".theme-switch-button"), page = document.documentElement;
  for (let i = 0; i < 3 && page.dataset.theme !== "dark"; i++) button.click();
  for (const change of document.getAnimations())
    if (change instanceof CSSTransition) change.finish();
  const brightness = (element, name) => getComputedStyle(element)[name].match(/[0-9.]+/g)
    .slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  const dark = brightness(document.body, "backgroundColor") < 200;
  const light = brightness(document.querySelector("h1"), "color") > 400;
  return page.dataset.theme === "dark" && dark && light ? [] : ["no dark mode"];
}"""


@pytest.fixture(scope="module", params=BROWSERS)
def other(request, tmp_path_factory):
    """Start each of the browsers that are there."""
    if lacks := missing(request.param):
        pytest.skip(f"{request.param} is not looked at: there is no {lacks}")
    browser = BROWSERS[request.param](tmp_path_factory.mktemp(request.param))
    yield browser
    browser.close()


def ask(browser, program: str, *arguments):
    """Call a function of JavaScript."""
    return browser.run(f"({program})(...{json.dumps(arguments)})")


def look(browser, url: str) -> list[str]:
    """Open a page and use it; return what is wrong."""
    browser.open(url)
    problems = ask(browser, READY)
    problems += [f"formula {each}" for each in ask(browser, UNREAD_MATH)]
    problems += [f"broken image: {each}" for each in ask(browser, BROKEN_IMAGES)]
    problems += [f"too wide: {each}" for each in ask(browser, TOO_WIDE)]
    problems += [f"cut off: {each}" for each in ask(browser, CUT_OFF, DESKTOP)]
    problems += ask(browser, EMPTY_CANVASES) + ask(browser, PLAY)
    browser.resize(375)
    problems += [f"on a phone, too wide: {each}" for each in ask(browser, TOO_WIDE)]
    problems += ask(browser, FOLDS) + ask(browser, OTHER_HOSTS)
    return problems + browser.complaints()


@pytest.mark.parametrize("page", PAGES)
def test_page_in_another_browser(other, serve, page):
    problems = look(other, f"{serve(BUILT)}/{page}") + ask(other, DARK)
    assert not problems, "\n".join(problems)


BAD = """<!doctype html><html><head><title>A page</title><link rel="icon" href="data:,"></head>
<body style="background: white"><main><h1>A page</h1><p>Raw $x$.</p>
<img src="gone.png" alt="gone"> <canvas></canvas>
<section id="wide"><div style="width: 2000px">wide</div></section>
<section id="phone"><div style="width: 500px">wide on a phone</div></section>
<details onclick="event.preventDefault()"><summary>Shut</summary><p>Never seen.</p></details>
<div class="rf-widget"><canvas></canvas><label>Steps N <input type="range"></label></div>
<div class="table-scroll" style="overflow: auto; width: 99px">
<p style="width: 999px">Table</p></div>
<button class="theme-switch-button">dark</button></main>
<script>console.error("it hurts")</script><script>throw new Error("it broke")</script>
</body></html>"""


def test_a_bad_page_is_found_out_in_another_browser(other, serve, tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    found = look(other, f"{serve(tmp_path)}/bad.html") + ask(other, DARK)
    for problem in (
        "formula raw TeX: Raw $x$",
        "broken image: gone.png",
        'too wide: <section id="wide">',
        'on a phone, too wide: <section id="phone">',
        "cut off: 999 px in 99 px",
        "an empty canvas",
        "a fold does not open: Shut",
        "the slider for N changes no picture",
        "missing file: http://127.0.0.1",
        "console error: it hurts",
        "it broke",
        "no dark mode",
    ):
        assert problem in "\n".join(found), problem
    assert not any(each.startswith('too wide: <section id="phone">') for each in found)


WIDGETS = {
    "playground": playground,
    "crossing": rf.crossing,
    "steering": rf.steering_playground,
    "images": image_playground,
}


@pytest.mark.parametrize("name", WIDGETS)
def test_widget_in_another_browser(other, serve, tmp_path, name):
    other.open(f"{serve(tmp_path)}/{widget_page(tmp_path, WIDGETS[name]()).name}")
    problems = ask(other, READY) + ask(other, EMPTY_CANVASES) + ask(other, PLAY)
    other.resize(375)
    assert problems + ask(other, TOO_WIDE) + other.complaints() == []


@pytest.mark.parametrize("solver", SOLVERS)
def test_another_browser_and_torch_carry_the_noise_to_the_same_ends(other, serve, tmp_path, solver):
    other.open(f"{serve(tmp_path)}/{widget_page(tmp_path, playground()).name}")
    assert ask(other, READY) == []
    for plain in (False, True):
        ((end, evaluations),) = ask(other, COMPUTE, ["moons", "2-RF", solver, [7], plain])
        path = SOLVERS[solver](MODELS["moons"]["2-RF"], playground().start, 7)
        assert evaluations == path.evaluations
        assert (torch.tensor(end).reshape(-1, 2) - path.end).abs().max() < 1e-3


def test_firefox_prints_a_page(other, serve):
    """On white paper, whatever is on the screen. WebKit's driver cannot print."""
    if not hasattr(other, "print"):
        pytest.skip("the driver of this browser cannot print")
    other.open(f"{serve(BUILT)}/book/notation.html")
    ask(other, READY)
    ask(other, DARK)
    assert base64.b64decode(other.print()).startswith(b"%PDF")
    assert other.complaints() == []
