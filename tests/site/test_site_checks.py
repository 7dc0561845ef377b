"""Show that the checks of the built site find what is wrong, on a page made for it."""

import base64
import random
import struct
import zlib

import pytest
from site_checks import CONTRAST, CONTRAST_OF_CODE, LARGEST_PAGE, STRUCTURE, Site, visit

HEAD = """<html lang="en"><head><title>A page</title>
<meta name="viewport" content="width=device-width"></head>"""

GOOD = f"""<!doctype html>{HEAD}<body><main><h1 id="top">A page</h1>
<p>A <a href="#top">link</a>, <a href="bad.html#wide">another</a>,
<a href="https://a.org/b">a third</a>. It costs <code>$5</code>.
<span class="math"><mjx-container>x</mjx-container></span></p>
<img src="dot.png" alt="A dot"></main></body></html>"""

BAD = f"""<!doctype html>{HEAD}<body><main><h1>A page</h1>
<p>Raw $x$, <span class="math">\\(y\\)</span>,
<mjx-merror data-mjx-error="Missing brace"></mjx-merror>.
<a href="#nowhere">one</a> <a href="gone.html">two</a> <a href="good.html#no">three</a>
<a href="https://no host/">four</a></p>
<img src="http://other.example/far.png" alt="far away"> <img src="gone.png" alt="gone">
<img src="dot.png"> <section id="wide"><div style="width: 2000px">wide</div></section>
<div class="table-scroll" style="overflow: auto; width: 99px">
<p style="width: 999px">Table</p></div><div class="rf-still">no widget has this picture</div>
</main><script>console.error("it hurts"); throw new Error("it broke")</script></body></html>"""


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


@pytest.fixture(scope="module")
def problems(folder, serve, open_context):
    """Look at the bad page on a phone and on a desktop."""
    found = []
    for width in (375, 1280):
        address = f"{serve(folder)}/bad.html"
        with visit(open_context("light", width), address, patience=500) as bad:
            found += bad.look(STRUCTURE)
    return "\n".join(found)


def test_a_good_page_has_no_problems(folder, serve, open_context):
    with visit(open_context("light", 375), f"{serve(folder)}/good.html") as good:
        assert good.look(STRUCTURE, CONTRAST) == []
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
    ],
)
def test_a_bad_page_is_found_out(problems, problem):
    assert problem in problems


PALE = "<style>@media {when} {{ .pale {{ color: #ddd }} }}</style>"


@pytest.mark.parametrize("when", ["(prefers-color-scheme: dark)", "(max-width: 400px)"])
@pytest.mark.parametrize("scheme, width", [("light", 1280), ("dark", 1280), ("dark", 375)])
def test_pale_text_is_found_where_it_is_pale(folder, serve, open_context, when, scheme, width):
    text = f'{PALE.format(when=when)}<p><span class="pale">pale</span></p></main>'
    (folder / "pale.html").write_text(GOOD.replace("</main>", text))
    with visit(open_context(scheme, width), f"{serve(folder)}/pale.html") as visited:
        found = "color-contrast" in "".join(visited.look(CONTRAST))
    assert found == (scheme == "dark" if "dark" in when else width == 375)


def test_all_code_is_looked_at_in_one_place(folder, serve, open_context, tmp_path):
    block = '<div class="{0}"><details><pre><span class="{1}">x</span></pre></details></div>'
    style = "<style>.result .pale { color: #ddd }</style>"
    pages = {"one.html": [("source", "k"), ("source", "n")], "two.html": [("result", "pale")]}
    for name, blocks in pages.items():
        code = "".join(block.format(*each) for each in blocks)
        (tmp_path / name).write_text(f"<article>{code}</article>")
    samples = Site(tmp_path).code_samples()
    assert samples.count("<pre>") == 2 and samples.count("<span") == 3

    (folder / "code.html").write_text(GOOD.replace("</main>", f"{style}{samples}</main>"))
    with visit(open_context("light", 1280), f"{serve(folder)}/code.html") as visited:
        assert visited.look(CONTRAST) == []
        (problem,) = visited.inaccessible(CONTRAST_OF_CODE)
    assert 'class="pale"' in problem and problem.count("<span") == 1


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
