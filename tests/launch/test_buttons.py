"""Buttons to Colab, Binder and the source: to the right repository, or none at all."""

import subprocess
from pathlib import Path

import pytest
from launch_buttons import Repository, find_repository, launch_links
from sphinx.errors import ConfigError

GITHUB = "https://github.com"
BOOK = Repository(GITHUB, "ada/book")


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Make a git repository without a remote."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def add_origin(checkout: Path, address: str):
    """Give it the remote `origin`."""
    subprocess.run(["git", "-C", str(checkout), "remote", "add", "origin", address], check=True)


def test_nothing_is_known_without_variables_and_remote(checkout):
    assert find_repository({}, checkout) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/ada/book",
        "https://github.com/ada/book.git",
        "https://github.com/ada/book/",
        "https://token@github.com/ada/book.git",
        "git@github.com:ada/book.git",
        "ssh://git@github.com/ada/book.git",
    ],
)
def test_a_remote_on_github_is_found(checkout, address):
    add_origin(checkout, address)
    assert find_repository({}, checkout) == BOOK


@pytest.mark.parametrize("address", ["/srv/ada/book", "../book", "https://gitlab.com/ada/book"])
def test_any_other_remote_is_not(checkout, address):
    add_origin(checkout, address)
    assert find_repository({}, checkout) is None


def test_githubs_variables_go_before_the_remote(checkout):
    add_origin(checkout, "https://github.com/grace/fork")
    assert find_repository({"GITHUB_REPOSITORY": "ada/book"}, checkout) == BOOK
    variables = {"GITHUB_REPOSITORY": "ada/book", "GITHUB_SERVER_URL": "https://git.example.org"}
    assert find_repository(variables, checkout) == Repository("https://git.example.org", "ada/book")


@pytest.mark.parametrize("chosen", ["ada/book", "https://github.com/ada/book.git"])
def test_the_choice_goes_before_all(checkout, chosen):
    variables = {"BOOK_REPOSITORY": chosen, "GITHUB_REPOSITORY": "grace/fork"}
    assert find_repository(variables, checkout) == BOOK


def test_a_choice_that_is_no_repository_is_an_error(checkout):
    with pytest.raises(ConfigError, match="BOOK_REPOSITORY='my book'"):
        find_repository({"BOOK_REPOSITORY": "my book"}, checkout)


def test_links():
    assert launch_links(BOOK, "book/solutions/01_flows", "abc123") == {
        "Colab": "https://colab.research.google.com/github/ada/book/blob/gh-pages/colab/"
        "solutions/01_flows.ipynb",
        "Binder": "https://mybinder.org/v2/gh/ada/book/abc123"
        "?urlpath=lab/tree/book/solutions/01_flows.ipynb",
    }


def links_in_header(page) -> list[str]:
    """Return where a page's row of buttons leads."""
    return [tag["href"] for tag in page.select(".article-header-buttons a[href^='http']")]


def test_built_pages_lead_nowhere_without_a_repository(small_book):
    small_book.build()
    for name in ["intro", "01_flows"]:
        page = small_book.page(name)
        assert page.select(".article-header-buttons")
        assert links_in_header(page) == []


def test_built_pages_lead_to_the_repository(small_book):
    small_book.build(BOOK_REPOSITORY="ada/book", GITHUB_SHA="abc123")
    source = [BOOK.url, f"{BOOK.url}/edit/main/book/", f"{BOOK.url}/issues/new"]
    launch = list(launch_links(BOOK, "book/01_flows", "abc123").values())
    for name, expected in {"intro": source, "01_flows": launch + source}.items():
        links = links_in_header(small_book.page(name))
        assert len(links) == len(expected)
        for link, beginning in zip(links, expected, strict=True):
            assert link.startswith(beginning)
