"""The built book in a real browser, on desktop and phone, in light and dark mode."""

from pathlib import Path

import pytest
import yaml
from site_checks import LARGEST_PAGE, LARGEST_WIDGETS, Site, visit

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


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_page_in_the_browser(address, open_context, page, scheme, width):
    with visit(open_context(scheme, width), f"{address}/{page}") as visited:
        assert visited.page.evaluate("document.documentElement.dataset.theme") == scheme
        problems = visited.look()
        assert not problems, "\n".join(problems)


@pytest.mark.parametrize("page", PAGES)
def test_links_are_alive(site, page):
    assert site.dead_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_page_is_light(site, page):
    assert site.weight(page) <= LARGEST_PAGE


WIDGETS = {  # what the reader can touch, and how many of it
    "01_flows": {"canvas": 1},
    "02_interpolation": {"canvas": 1},
    "03_loss": {".needs-kernel": 1},
    "04_sampling": {"canvas": 1},
    "05_reflow": {"canvas": 2},
    "06_one_step": {"canvas": 2},
}


@pytest.mark.parametrize("chapter", WIDGETS)
def test_the_widgets_are_there_and_light(site, address, open_context, chapter):
    page = f"book/{chapter}.html"
    assert 0 < site.widget_weight(page) <= LARGEST_WIDGETS
    with visit(open_context("light", 1280), f"{address}/{page}") as visited:
        for selector, count in WIDGETS[chapter].items():
            found = visited.page.locator(f".bd-article {selector}:visible")
            assert found.count() == count, selector
        # a control without a kernel to serve it would be a dead one
        assert visited.page.locator(".jupyter-widgets, .widget-subarea *").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chapter", WIDGETS)
def test_the_widgets_are_light_or_dark_as_the_page(address, open_context, chapter, scheme):
    """What is behind the text of a widget is what is behind the text of the page."""
    behind = """element => {
      while (getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)")
        element = element.parentElement;
      return getComputedStyle(element).backgroundColor;
    }"""
    with visit(open_context(scheme, 1280), f"{address}/book/{chapter}.html") as visited:
        widget = visited.page.locator(".rf-widget, .needs-kernel")
        assert widget.evaluate(behind) == visited.page.locator(".bd-article h1").evaluate(behind)


@pytest.mark.parametrize("chapter", ["01_flows", "04_sampling", "05_reflow", "06_one_step"])
def test_a_playground_computes_in_the_built_page(address, open_context, chapter):
    with visit(open_context("light", 1280), f"{address}/book/{chapter}.html") as visited:
        page = visited.page
        page.get_by_label("Solver").select_option("Heun")
        page.get_by_label("Steps N").fill("3")
        page.wait_for_function("document.querySelector('.rf-widget td')?.textContent === '6'")
        if chapter in ("01_flows", "06_one_step"):  # other data, as the cache may have mixed them
            page.get_by_label("Data").select_option("eight Gaussians")
            page.get_by_label("Steps N").fill("40")
            page.wait_for_function("document.querySelector('.rf-widget td')?.textContent === '80'")
            assert float(page.locator(".rf-widget td").nth(2).inner_text()) < 0.02
        assert visited.problems == []
