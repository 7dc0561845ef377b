"""The built book in a real browser, on desktop and phone, in light and dark mode."""

from pathlib import Path

import pytest
import yaml
from site_checks import (
    CORNERS,
    EVERYWHERE,
    LARGEST_OF_IMAGES,
    LARGEST_PAGE,
    LARGEST_WIDGETS,
    visit,
)

from scripts.built_book import Site

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "_build" / "html"


def contents() -> list[str]:
    """List the pages that _toc.yml names."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [toc["root"]]
    for part in toc["parts"]:
        for chapter in part["chapters"]:
            pages += [page["file"] for page in (chapter, *chapter.get("sections", []))]
    return [f"{page}.html" for page in pages]


def size(page: str) -> int:
    """Tell how large a page is; 0, if there is none."""
    path = BUILT / page
    return path.stat().st_size if path.exists() else 0


# The largest first, so that several processes end at about the same time.
PAGES = sorted([*contents(), "search.html"], key=size, reverse=True)

WIDGETS = {  # what the reader can touch, and how many of it
    "book/intro.html": {"canvas": 2},
    "book/01_flows.html": {"canvas": 1},
    "book/02_interpolation.html": {"canvas": 1},
    "book/03_loss.html": {".needs-kernel": 1},
    "book/04_sampling.html": {"canvas": 1},
    "book/05_reflow.html": {"canvas": 2},
    "book/06_one_step.html": {"canvas": 2},
    "book/09_images.html": {"canvas": 3},
    "book/13_random_paths.html": {"canvas": 1},
    "book/16_steering.html": {"canvas": 1},
}
KINDS = [  # one page of each
    "book/intro.html",
    "book/05_reflow.html",
    "book/solutions/05_reflow.html",
    "book/api.html",
    "search.html",
]
PLAYGROUNDS = {  # with other data than those of the page, as the cache may have mixed them
    "book/01_flows.html": "eight Gaussians",
    "book/04_sampling.html": "",
    "book/05_reflow.html": "",
    "book/06_one_step.html": "eight Gaussians",
    "book/13_random_paths.html": "",
}


@pytest.fixture(scope="module")
def site() -> Site:
    """Return the built book."""
    if not (BUILT / "index.html").exists():
        pytest.fail(f"There is no built book in {BUILT}: run `make book` first.", pytrace=False)
    return Site(BUILT)


@pytest.fixture(scope="module")
def address(site, serve) -> str:
    """Return where the book is served."""
    return serve(site.root)


def test_the_contents_are_what_is_built(site):
    built = {page for page in site.pages() if not page.startswith("_static/")}
    assert built == {*PAGES, "index.html"}


def test_the_start_page_leads_to_the_introduction(address, open_context):
    page = open_context("light", 1280).new_page()
    page.goto(f"{address}/index.html")
    page.wait_for_url("**/book/intro.html")
    page.close()


@pytest.mark.parametrize("page", PAGES)
def test_page_in_the_browser(address, open_context, page):
    """All checks of a page in one visit: most of the time goes to loading it and to axe.

    It is loaded on a light desktop; then the system turns dark and the window narrow. These two
    say what all four combinations would: formulas and pictures depend on neither; what is too wide
    or cut off, on the width alone; the colors of what shows at both widths, on the scheme alone.
    What shows at one width only is the frame that the theme puts around all pages of a kind: so one
    page of each kind is looked at in all four.
    """
    places = EVERYWHERE if page in KINDS else CORNERS
    with visit(open_context("light", 1280), f"{address}/{page}") as visited:
        assert visited.page.evaluate("document.documentElement.dataset.theme") == "light"
        problems = visited.look_in(places, WIDGETS.get(page, {}))
        if page in PLAYGROUNDS:
            visited.turn("light", 1280)
            problems += visited.play(PLAYGROUNDS[page])
        assert not problems, "\n".join(problems)


def test_a_page_can_be_loaded_on_a_dark_phone(address, open_context):
    """As the others are turned to: this shows that a page loaded there is no other page."""
    with visit(open_context("dark", 375), f"{address}/book/intro.html") as visited:
        assert visited.page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert visited.look(WIDGETS["book/intro.html"]) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_are_alive(site, page):
    assert site.dead_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_page_is_light(site, page):
    assert site.weight(page) <= LARGEST_PAGE


@pytest.mark.parametrize("page", WIDGETS)
def test_the_widgets_are_light(site, page):
    largest = LARGEST_OF_IMAGES if page == "book/09_images.html" else LARGEST_WIDGETS
    assert 0 < site.widget_weight(page) <= largest
