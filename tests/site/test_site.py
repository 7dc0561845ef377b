"""The built book in a real browser, on desktop and phone, in light and dark mode."""

from pathlib import Path

import pytest
import yaml
from site_checks import LARGEST_PAGE, Site, visit

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
