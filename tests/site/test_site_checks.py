"""Show that the checks of the built site find what is wrong, on a page made for it."""

import base64
import random
import struct
import zlib

import pytest
from site_checks import EVERYWHERE, LARGEST_PAGE, ONE_WORD_OF_A_KIND, visit

from scripts.built_book import Site

HEAD = """<html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width"></head>"""

GOOD = f"""<!doctype html>{HEAD}<body><main><h1 id="top">A page</h1>
<p>A <a href="#top">link</a>, <a href="bad.html#wide">another</a>,
<a href="https://a.org/b">a third</a>. It costs <code>$5</code>.
<span class="math"><mjx-container>x</mjx-container></span></p>
<img src="dot.png" alt="A dot"></main></body></html>"""

BAD = f"""<!doctype html>{HEAD}<body><main class="bd-article"><h1>A page</h1>
<p>Raw $x$, <span class="math">\\(y\\)</span>,
<mjx-merror data-mjx-error="Missing brace"></mjx-merror>.
<a href="#nowhere">one</a> <a href="gone.html">two</a> <a href="good.html#no">three</a>
<a href="https://no host/">four</a></p>
<img src="http://other.example/far.png" alt="far away"> <img src="gone.png" alt="gone">
<img src="dot.png"> <section id="wide"><div style="width: 2000px">wide</div></section>
<div class="table-scroll" style="overflow: auto; width: 99px">
<p style="width: 999px">Table</p></div><div class="rf-still">no widget has this picture</div>
<div class="rf-widget" style="background: #eef">It shows nothing.</div>
<div class="widget-subarea"><button>dead</button></div></main>
<script>console.error("it hurts"); throw new Error("it broke")</script></body></html>"""

PLAYGROUND = f"""<!doctype html>{HEAD}<body><main><h1>A playground</h1>
<label>Data <select><option>moons</option><option>circle</option></select></label>
<label>Solver <select><option>Euler</option><option>Heun</option></select></label>
<label>Steps N <input type="range" max="100"></label>
<table class="rf-widget"><tr><td></td><td></td><td>ENERGY</td></tr></table></main>
<script>
const [data, solver] = document.querySelectorAll("select"), steps = document.querySelector("input");
onchange = oninput = () => {{
  document.querySelector("td").textContent = (solver.value === "Heun" ? 2 : 1) * steps.value;
}};
</script></body></html>"""


def png(size: int, pixels: bytes) -> bytes:
    """Encode a square grey-scale picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = b"".join(b"\0" + pixels[i : i + size] for i in range(0, size * size, size))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a site of two pages."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "good.html").write_text(GOOD)
    (folder / "bad.html").write_text(BAD)
    (folder / "dot.png").write_bytes(png(1, b"\0"))
    (folder / "favicon.ico").write_bytes(b"")
    return folder


@pytest.fixture
def visit_new(folder, serve, open_context):
    """A function that writes a page and visits it. Browsers cache: no two have the same name."""

    def visit_one(html: str, scheme: str = "light", width: int = 1280):
        name = f"page{len(list(folder.iterdir()))}.html"
        (folder / name).write_text(html)
        return visit(open_context(scheme, width), f"{serve(folder)}/{name}")

    return visit_one


@pytest.fixture(scope="module")
def problems(folder, serve, open_context):
    """Look at the bad page on a phone and on a desktop."""
    found = []
    for width in (375, 1280):
        with visit(open_context("light", width), f"{serve(folder)}/bad.html", patience=0.5) as bad:
            found += bad.look({"canvas": 1})
            found += bad.play()
    return "\n".join(found)


def test_a_good_page_has_no_problems(folder, serve, open_context):
    with visit(open_context("light", 375), f"{serve(folder)}/good.html") as good:
        assert good.look() == good.look({}) == []
    assert Site(folder).dead_links("good.html") == []


@pytest.mark.parametrize(
    "problem",
    [
        "request to another host: http://other.example/far.png",
        "broken image: http://other.example/far.png",
        "broken image: gone.png",
        "missing file: http://127.0.0.1",
        "formula raw TeX: Raw $x$",
        "formula not typeset: \\(y\\)",
        "formula TeX error: Missing brace",
        'too wide: <section id="wide"> is',
        "cut off: 999 px in 99 px: Table",
        "console error: it hurts",
        "script error: it broke",
        "a widget did not take the place",
        "critical for accessibility: image-alt",
        "0 widgets canvas, not 1",
        "1 elements of controls that need a kernel",
        "behind the widget is rgb(238, 238, 255), behind the page nothing",
        "the playground does not compute: ",
    ],
)
def test_a_bad_page_is_found_out(problems, problem):
    assert problem in problems


DARK, PHONE = EVERYWHERE[1:3], EVERYWHERE[2:]
PALE = '<span class="k">pale</span>'
READABLE = '<span class="n">readable</span> '
STYLE = """<style>
img { width: 30px; height: 30px; }
.k { color: #ddd; }
@media (prefers-color-scheme: dark) { .dark { color: #ddd; } }
@media (max-width: 600px) { .phone { color: #ddd; } }
@media (min-width: 600px) { .only-phone { display: none; } }
</style>"""


@pytest.mark.parametrize(
    "part, problem, where",
    [
        (f"<p>{PALE}</p>", "color-contrast", EVERYWHERE),
        (f"<pre>{PALE}</pre>", "color-contrast", EVERYWHERE),
        ('<p class="dark">pale</p>', "color-contrast", DARK),
        ('<pre><span class="dark">pale</span></pre>', "color-contrast", DARK),
        ('<p class="phone">pale</p>', "color-contrast", PHONE),
        ('<pre><span class="phone">pale</span></pre>', "color-contrast", PHONE),
        ('<img src="dot.png" class="only-phone">', "image-alt", PHONE),
        ('<section style="width: 600px">wide</section>', "too wide", PHONE),
    ],
)
def test_it_is_found_where_it_shows(visit_new, part, problem, where):
    with visit_new(GOOD.replace("</main>", f"{STYLE}{part}</main>")) as visited:
        found = visited.look_in(EVERYWHERE)
    assert all(problem in each for each in found)
    shown = [f"{scheme}, {width} px: " for scheme, width in EVERYWHERE]
    assert [any(each.startswith(start) for each in found) for start in shown] == [
        place in where for place in EVERYWHERE
    ]


@pytest.mark.parametrize(
    "code",
    [
        f"<pre>{READABLE * 9}{PALE} {READABLE * 9}</pre>",
        f"<pre>{READABLE * 99}{PALE}</pre>",  # one has to scroll to it
        f"<pre hidden>{PALE}</pre> <pre>{PALE}</pre>",
        f"<pre style='visibility: hidden'>{PALE}</pre> <pre>{PALE}</pre>",
        f"<details><pre>{PALE}</pre></details> <details open><pre>{PALE}</pre></details>",
        f"<pre style='background: #333'>{PALE}</pre> <pre>{PALE}</pre>",
        f"<pre><b style='background: #333'>{PALE}</b> <b>{PALE}</b></pre>",
        "<pre><span class='n' style='background: #333; color: #fff'>on dark "
        "<span style='color: #555'>pale</span></span> "
        "<span class='n' style='background: #333; color: #fff'>a long word on dark</span></pre>",
        f"<pre><span class='k'>{' ' * 9}</span> <span class='k'>():][()</span> {PALE}</pre>",
        f"<pre><span class='k'>(</span> {PALE} <span class='k'>■</span></pre>",
        f"<pre><span class='k'><span style='color: #000'>readable</span></span> {PALE}</pre>",
        f"<pre><span style='opacity: 0.2'>pale</span> {READABLE * 9}</pre>",
    ],
)
def test_a_pale_word_is_found_in_code(visit_new, code):
    style = f"{STYLE}<style>pre {{ overflow: auto; }}</style>"
    with visit_new(GOOD.replace("</main>", f"{style}{code}</main>"), width=375) as visited:
        assert "color-contrast" in "".join(visited.look())


def test_of_the_words_of_code_one_of_a_kind_is_looked_at(visit_new):
    """An element that is more than a color stays, and so does a word in another."""
    inner = f"<span class='o'>{READABLE}</span>"
    code = f"<pre>{READABLE * 9}<span id='more'>more</span> {READABLE * 9}{inner * 2}</pre>"
    with visit_new(GOOD.replace("</main>", f"{code * 2}</main>")) as visited:
        lines, words = visited.page.locator("pre"), visited.page.locator("pre span")
        text = lines.all_inner_texts()
        assert words.count() == 2 * (9 + 1 + 9 + 4)
        visited.page.evaluate(ONE_WORD_OF_A_KIND)
        assert lines.all_inner_texts() == text
        ids = words.evaluate_all("words => words.map((word) => word.id)")
        assert sorted(ids) == ["", "", "", "more", "more"]


def test_after_the_look_the_code_is_whole_again(visit_new):
    """Words that look alike in light mode may differ in dark mode."""
    with visit_new(GOOD.replace("</main>", f"<pre>{READABLE * 9}</pre></main>")) as visited:
        before = visited.page.locator("pre").inner_html()
        visited.look()
        assert visited.page.locator("pre").inner_html() == before


@pytest.mark.parametrize("energy, problems", [(0.01, 0), (0.5, 1)])
def test_a_playground_that_is_far_from_its_data_is_found(visit_new, energy, problems):
    with visit_new(PLAYGROUND.replace("ENERGY", str(energy))) as visited:
        assert visited.play() == []
        assert visited.play("circle") == ["the playground is far from the circle"] * problems


def test_dead_links_are_found(folder):
    links = ["#nowhere", "gone.html", "good.html#no", "https://no host/"]
    assert Site(folder).dead_links("bad.html") == [f"dead link: {link}" for link in links]


def test_a_heavy_page_is_found(folder):
    size = 1500  # noise does not compress: 2.25 MB
    (folder / "heavy.png").write_bytes(png(size, random.Random(0).randbytes(size * size)))
    (folder / "heavy.html").write_text(GOOD.replace("dot.png", "heavy.png"))
    assert Site(folder).weight("good.html") < 1000
    assert Site(folder).weight("heavy.html") > LARGEST_PAGE

    data = base64.b64encode((folder / "heavy.png").read_bytes()).decode()  # in the page itself
    (folder / "heavy.html").write_text(GOOD.replace("dot.png", f"data:image/png;base64,{data}"))
    assert Site(folder).weight("heavy.html") > LARGEST_PAGE
