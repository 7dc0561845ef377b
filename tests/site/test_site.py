"""The built book in a real browser, on desktop and phone, in light and dark mode."""

from pathlib import Path

import pytest
import yaml
from site_checks import (
    CONTRAST,
    CONTRAST_OF_CODE,
    LARGEST_PAGE,
    LARGEST_WIDGETS,
    STRUCTURE,
    Site,
    visit,
)

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


PAGES = [*contents(), "search.html"]


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


WIDGETS = {  # what the reader can touch, and how many of it
    "book/01_flows.html": {"canvas": 1},
    "book/02_interpolation.html": {"canvas": 1},
    "book/03_loss.html": {".needs-kernel": 1},
    "book/04_sampling.html": {"canvas": 1},
    "book/05_reflow.html": {"canvas": 2},
    "book/06_one_step.html": {"canvas": 2},
}
PLAYGROUNDS = WIDGETS.keys() - {"book/02_interpolation.html", "book/03_loss.html"}

# axe-core is asked once per question. The structure does not depend on the color scheme, and colors
# hardly on the width: a phone shows other parts of the page, so each is asked there once, too.
QUESTIONS = {
    ("light", 1280): [STRUCTURE, CONTRAST],
    ("dark", 1280): [CONTRAST],
    ("light", 375): [STRUCTURE],
    ("dark", 375): [CONTRAST],
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme, width", QUESTIONS)
def test_page_in_the_browser(address, open_context, page, scheme, width):
    """One visit, in which all is looked at; what plays with the page comes last."""
    with visit(open_context(scheme, width), f"{address}/{page}") as visited:
        assert visited.page.evaluate("document.documentElement.dataset.theme") == scheme
        visited.look(*QUESTIONS[scheme, width])
        if page in WIDGETS and width == 1280:
            look_at_widgets(visited, WIDGETS[page])
        if page in PLAYGROUNDS and (scheme, width) == ("light", 1280):
            play(visited.page, page)
        assert not visited.problems, "\n".join(visited.problems)


# What is behind the text of an element.
BEHIND = """element => {
  while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)")
    element = element.parentElement;
  return getComputedStyle(element).backgroundColor;
}"""


def look_at_widgets(visited, expected: dict[str, int]):
    """Note the widgets that are missing, useless, or light on a dark page."""
    page = visited.page
    for selector, count in expected.items():
        found = page.locator(f".bd-article {selector}:visible").count()
        if found != count:
            visited.problems.append(f"{found} visible {selector}, not {count}")
    if page.locator(".jupyter-widgets, .widget-subarea *").count():
        visited.problems.append("a control without a kernel to serve it")
    behind_widget = page.locator(".rf-widget, .needs-kernel").evaluate(BEHIND)
    behind_title = page.locator(".bd-article h1").evaluate(BEHIND)
    if behind_widget != behind_title:
        visited.problems.append(f"a widget on {behind_widget}, the page is {behind_title}")


def play(page, name: str):
    """Use the playground of a page: the page itself computes the flow."""
    page.get_by_label("Solver").select_option("Heun")
    page.get_by_label("Steps N").fill("3")
    page.wait_for_function("document.querySelector('.rf-widget td')?.textContent === '6'")
    if "01_flows" in name or "06_one_step" in name:  # other data, as the cache may have mixed them
        page.get_by_label("Data").select_option("eight Gaussians")
        page.get_by_label("Steps N").fill("40")
        page.wait_for_function("document.querySelector('.rf-widget td')?.textContent === '80'")
        assert float(page.locator(".rf-widget td").nth(2).inner_text()) < 0.02


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_can_be_read(site, address, open_context, scheme):
    """All kinds of code of all pages, in one of them."""
    with visit(open_context(scheme, 1280), f"{address}/{PAGES[0]}") as visited:
        put_in = (
            "html => document.querySelector('.bd-article').insertAdjacentHTML('beforeend', html)"
        )
        visited.page.evaluate(put_in, site.code_samples())
        assert visited.inaccessible(CONTRAST_OF_CODE) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_are_alive(site, page):
    assert site.dead_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_page_is_light(site, page):
    assert site.weight(page) <= LARGEST_PAGE


@pytest.mark.parametrize("page", WIDGETS)
def test_the_widgets_are_light(site, page):
    assert 0 < site.widget_weight(page) <= LARGEST_WIDGETS
